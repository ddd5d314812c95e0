//! A token bucket, pure.
//!
//! The bucket is kept as the one point in time at which it is full again (the generic cell rate
//! algorithm of ITU-T I.371, which is a token bucket seen from the other side). So it needs no
//! refilling, and an untouched bucket costs nothing.

use std::{num::NonZeroU32, time::Duration};

/// The time in which an empty bucket fills, and so the `w` of `RateLimit-Policy`.
pub const WINDOW: Duration = Duration::from_secs(1);

/// How many requests a bucket lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    rate: NonZeroU32,
}

impl Quota {
    /// A quota of so many requests a second, and as many at once; `None` for 0, which is no limit.
    #[must_use]
    pub fn per_second(rate: u32) -> Option<Self> {
        NonZeroU32::new(rate).map(|rate| Self { rate })
    }

    /// The requests a second, and the most at once.
    #[must_use]
    pub fn rate(self) -> u32 {
        self.rate.get()
    }

    /// The time in which one request's worth comes back.
    fn cost(self) -> Duration {
        WINDOW / self.rate.get()
    }
}

/// One identity's bucket. Times are since an epoch of the caller's that never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bucket {
    /// When the bucket is full again; in the past while it is full.
    full_at: Duration,
}

/// There is nothing in the bucket now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Empty {
    /// After this time one request passes.
    pub retry_after: Duration,
}

impl Bucket {
    /// Takes one request's worth out; gives how many requests more would pass now.
    ///
    /// # Errors
    /// [`Empty`] when there is less than one request's worth, which then stays.
    pub fn take(&mut self, quota: Quota, now: Duration) -> Result<u32, Empty> {
        let cost = quota.cost();
        let full_at = self.full_at.max(now) + cost;
        let missing = full_at - now;
        if let Some(wait) = missing.checked_sub(WINDOW).filter(|wait| !wait.is_zero()) {
            return Err(Empty { retry_after: wait });
        }
        self.full_at = full_at;
        let left = (WINDOW - missing).as_nanos() / cost.as_nanos().max(1);
        Ok(u32::try_from(left).unwrap_or(u32::MAX))
    }

    /// True when forgetting the bucket changes nothing, as a new one is full too.
    #[must_use]
    pub fn is_full(&self, now: Duration) -> bool {
        self.full_at <= now
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quota(rate: u32) -> Quota {
        Quota::per_second(rate).unwrap()
    }

    #[test]
    fn a_full_bucket_holds_one_second_of_requests() {
        let mut bucket = Bucket::default();
        let now = Duration::from_secs(7);
        let left: Vec<_> = (0..4).map(|_| bucket.take(quota(3), now).ok()).collect();
        assert_eq!(left, [Some(2), Some(1), Some(0), None]);
    }

    #[test]
    fn no_rate_is_no_quota() {
        assert_eq!(Quota::per_second(0), None);
    }

    #[test]
    fn an_untouched_bucket_is_full_and_a_used_one_fills_again() {
        let mut bucket = Bucket::default();
        assert!(bucket.is_full(Duration::ZERO));
        bucket.take(quota(2), Duration::ZERO).unwrap();
        assert!(!bucket.is_full(Duration::from_millis(499)));
        assert!(bucket.is_full(Duration::from_millis(500)));
    }

    proptest! {
        #[test]
        fn never_more_pass_than_a_burst_and_the_rate(
            rate in 1u32..10_000,
            steps in prop::collection::vec(0u64..5_000_000, 1..500),
        ) {
            let (mut bucket, mut now, mut passed) = (Bucket::default(), 0, 0u64);
            for step in steps {
                now += step;
                passed += u64::from(bucket.take(quota(rate), Duration::from_nanos(now)).is_ok());
            }
            // The cost is rounded down to nanoseconds, which lets a few more through in a long time.
            let bound = u64::from(rate) + now / u64::from(1_000_000_000 / rate) + 1;
            prop_assert!(passed <= bound, "{passed} passed of {bound}");
        }

        #[test]
        fn one_request_passes_exactly_after_retry_after(rate in 1u32..10_000, at in 0u64..1 << 40) {
            let mut bucket = Bucket::default();
            let now = Duration::from_nanos(at);
            let empty = loop {
                if let Err(empty) = bucket.take(quota(rate), now) { break empty; }
            };
            let mut early = bucket;
            let just_before = now + empty.retry_after - Duration::from_nanos(1);
            prop_assert!(early.take(quota(rate), just_before).is_err());
            prop_assert_eq!(bucket.take(quota(rate), now + empty.retry_after), Ok(0));
        }
    }
}
