//! A token bucket: so many a second, and a second's worth at once.

use std::time::Duration;

/// What may still be done. Tokens are in millionths, so that slow refills lose nothing.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    per_second: u32,
    micros: u64,
    filled: Duration,
}

const ONE: u64 = 1_000_000;

impl Bucket {
    /// A full bucket.
    pub(super) fn new(per_second: u32, now: Duration) -> Self {
        Self {
            per_second,
            micros: u64::from(per_second) * ONE,
            filled: now,
        }
    }

    /// Whole tokens that are there.
    pub(super) fn available(&mut self, now: Duration) -> usize {
        let micros = now
            .saturating_sub(self.filled)
            .as_micros()
            .min(u128::from(ONE)) as u64;
        self.filled = self.filled.max(now);
        let full = u64::from(self.per_second) * ONE;
        self.micros = full.min(self.micros + micros * u64::from(self.per_second));
        usize::try_from(self.micros / ONE).unwrap_or(usize::MAX)
    }

    /// Takes one, if it is there.
    pub(super) fn take(&mut self, now: Duration) -> bool {
        let there = self.available(now) > 0;
        self.micros -= if there { ONE } else { 0 };
        there
    }

    /// Takes so many that are there.
    pub(super) fn spend(&mut self, count: usize) {
        self.micros = self.micros.saturating_sub(count as u64 * ONE);
    }

    /// When so many tokens will be there, or as many as fit.
    pub(super) fn ready(&self, count: usize) -> Duration {
        let wanted = (count as u64).min(u64::from(self.per_second)) * ONE;
        let missing = wanted.saturating_sub(self.micros);
        self.filled + Duration::from_micros(missing.div_ceil(u64::from(self.per_second)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_gives_its_tokens_and_no_more_than_that() {
        let at = Duration::from_millis;
        let mut bucket = Bucket::new(4, at(0));
        assert_eq!((0..9).filter(|_| bucket.take(at(0))).count(), 4);
        assert_eq!(bucket.ready(1), at(250));
        assert!(!bucket.take(at(249)) && bucket.take(at(250)));
        assert_eq!(bucket.available(at(99_000)), 4);
    }
}
