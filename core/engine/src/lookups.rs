//! When a node looks itself up in the DHT. Pure.

use std::time::{Duration, Instant};

/// After the first connection this node looks itself up at these times, to be found by those who join at the
/// same time (lesson 10).
const JOIN_LOOKUPS: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_millis(100),
    Duration::from_millis(300),
    Duration::from_millis(700),
    Duration::from_millis(1_500),
    Duration::from_secs(3),
];
/// And then as often as this.
const LOOKUP: Duration = Duration::from_secs(30);

/// When to look ourselves up next.
#[derive(Debug, Default)]
pub(crate) struct Lookups {
    /// None before the first connection.
    since: Option<Instant>,
    done: usize,
}

impl Lookups {
    /// The first peer is connected.
    pub(crate) fn begin(&mut self, now: Instant) {
        *self = Self {
            since: Some(now),
            done: 0,
        };
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        let join = JOIN_LOOKUPS.get(self.done).copied();
        let after = || {
            let regular = u32::try_from(self.done + 1 - JOIN_LOOKUPS.len()).unwrap_or(u32::MAX);
            LOOKUP * regular
        };
        self.since.map(|since| since + join.unwrap_or_else(after))
    }

    /// Whether it is time; then it counts as done.
    pub(crate) fn due(&mut self, now: Instant) -> bool {
        let due = self.next().is_some_and(|next| next <= now);
        self.done += usize::from(due);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookups_come_often_at_first_and_regularly_then() {
        let (mut lookups, start) = (Lookups::default(), Instant::now());
        assert_eq!(lookups.next(), None);
        lookups.begin(start);
        let mut times = Vec::new();
        for _ in 0..9 {
            let next = lookups.next().unwrap();
            assert!(lookups.due(next));
            times.push((next - start).as_millis());
        }
        let expected = [0, 100, 300, 700, 1_500, 3_000, 30_000, 60_000, 90_000];
        assert_eq!(times, expected);
    }
}
