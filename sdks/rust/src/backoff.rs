//! How long to wait before the next attempt to connect, without IO.

use std::time::Duration;

/// The first pause, and the longest.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(30);
/// The longest that is waited because the gateway has asked for it.
const LONGEST_ASKED: Duration = Duration::from_secs(600);

/// Pauses that grow: each is anything up to a bound (full jitter), and each bound is twice the last. A
/// connection alone does not make them short again, which would hammer a gateway that takes connections
/// and drops them: only one that was of use does.
#[derive(Debug)]
pub(crate) struct Backoff {
    bound: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { bound: FIRST }
    }
}

impl Backoff {
    /// The next pause. `random` is from 0 to 1; it is at least as long as the gateway has asked for.
    pub(crate) fn next(&mut self, random: f64, asked: Option<Duration>) -> Duration {
        let pause = self.bound.mul_f64(random);
        self.bound = (self.bound * 2).min(LONGEST);
        asked.map_or(pause, |asked| asked.min(LONGEST_ASKED) + pause)
    }

    /// A transport has ended: whether something was said on it, and how long it lasted.
    pub(crate) fn lost(&mut self, used: bool, lasted: Duration) {
        if used || lasted > LONGEST {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_until_a_transport_was_of_use() {
        let mut backoff = Backoff::default();
        let mut bounds = || -> Vec<u128> {
            let bound = |_| backoff.next(1.0, None).as_millis();
            (0..11).map(bound).collect()
        };
        let expected = [
            100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000,
        ];
        assert_eq!(bounds(), expected);
        backoff.lost(false, Duration::from_secs(1));
        assert_eq!(backoff.next(0.5, None), LONGEST / 2);
        backoff.lost(true, Duration::ZERO);
        assert_eq!(backoff.next(1.0, None), FIRST);
        backoff.next(1.0, None);
        backoff.lost(false, LONGEST * 2);
        assert_eq!(backoff.next(0.0, None), Duration::ZERO);
    }

    #[test]
    fn what_the_gateway_asks_for_is_waited_for_within_reason() {
        let mut backoff = Backoff::default();
        let asked = Duration::from_secs(7);
        assert_eq!(backoff.next(0.0, Some(asked)), asked);
        assert_eq!(backoff.next(0.0, Some(asked * 1_000)), LONGEST_ASKED);
    }
}
