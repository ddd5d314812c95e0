//! Which of several providers is asked. Pure.

use macula_proto::Policy;

/// A provider, as far as a policy cares.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    /// Calls in flight and waiting.
    pub(super) load: usize,
    /// Calls that it takes at a time.
    pub(super) concurrency: usize,
}

/// The place of the provider to ask, out of at least one. `turn` counts calls up, `random` is
/// any number. A provider with a free place is preferred to one whose callers wait.
pub(super) fn choose(
    policy: Policy,
    candidates: impl ExactSizeIterator<Item = Candidate> + Clone,
    turn: usize,
    random: usize,
) -> usize {
    let count = candidates.len();
    let start = match policy {
        Policy::RoundRobin => turn % count,
        Policy::Random => random % count,
        Policy::First => 0,
        Policy::LeastBusy => {
            let least = candidates.enumerate().min_by_key(|(_, c)| c.load);
            return least.map_or(0, |(place, _)| place);
        }
    };
    let from_start = candidates
        .clone()
        .enumerate()
        .skip(start)
        .chain(candidates.enumerate().take(start));
    let mut free = from_start.filter(|(_, c)| c.load < c.concurrency);
    free.next().map_or(start, |(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(policy: Policy, loads: &[usize], turn: usize, expected: usize) {
        let candidates = loads.iter().map(|&load| Candidate {
            load,
            concurrency: 2,
        });
        let chosen = choose(policy, candidates, turn, turn);
        assert_eq!(chosen, expected, "{policy:?} {loads:?} {turn}");
    }

    #[test]
    fn policies_spread_calls() {
        check(Policy::RoundRobin, &[0, 0, 0], 4, 1);
        check(Policy::Random, &[0, 0, 0], 5, 2);
        check(Policy::First, &[1, 0, 0], 7, 0);
        check(Policy::LeastBusy, &[1, 0, 0], 0, 1);
    }

    #[test]
    fn a_busy_provider_is_passed_over_while_another_is_free() {
        check(Policy::RoundRobin, &[0, 2, 0], 1, 2);
        check(Policy::First, &[2, 2, 1], 0, 2);
        check(Policy::RoundRobin, &[2, 2, 2], 1, 1);
    }
}
