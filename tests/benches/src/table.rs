//! Medians and ratios of rounds that were taken side by side.

/// The median of at least one figure.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
        _ => sorted[middle],
    }
}

/// Prints a figure of ours and a peer's, round by round, and the median of the rounds' ratios.
pub fn compare(what: &str, ours: &[f64], theirs: &[f64]) {
    let ratios: Vec<_> = ours.iter().zip(theirs).map(|(a, b)| a / b).collect();
    println!(
        "{what}: ours {:.2}, theirs {:.2}, ratio {:.3} (rounds {})",
        median(ours),
        median(theirs),
        median(&ratios),
        ratios
            .iter()
            .map(|r| format!("{r:.2}"))
            .collect::<Vec<_>>()
            .join(" "),
    );
}
