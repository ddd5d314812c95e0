//! The hybrid logical clock (Kulkarni, Demirbas, Madappa, Avva, Leone, "Logical physical clocks", 2014).

use crate::codec::{Codec, DecodeError, Reader};

/// A moment: 48 bits of milliseconds since the Unix epoch, then 16 bits that tell apart what happened
/// within one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

const LOGICAL_BITS: u32 = 16;

impl Time {
    /// The first moment of a millisecond. Times beyond 48 bits (the year 10,889) are that year's.
    #[must_use]
    pub fn from_ms(ms: u64) -> Self {
        Self(ms.min(u64::MAX >> LOGICAL_BITS) << LOGICAL_BITS)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn ms(self) -> u64 {
        self.0 >> LOGICAL_BITS
    }
}

impl Codec for Time {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        u64::decode(reader).map(Self)
    }
}

/// A time from outside is further ahead of the wall clock than is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a time at most {max_skew_ms} ms ahead, found one {ahead_ms} ms ahead")]
pub struct TooFarAhead {
    /// How far ahead it is.
    pub ahead_ms: u64,
    /// What is allowed.
    pub max_skew_ms: u64,
}

/// Gives times that rise, above all that it has seen. The wall clock is an argument.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    last: Time,
}

impl Clock {
    /// A time later than all before: the wall clock's, or just after the last one.
    pub fn tick(&mut self, wall_ms: u64) -> Time {
        let next = Time(self.last.0.saturating_add(1));
        self.last = next.max(Time::from_ms(wall_ms));
        self.last
    }

    /// Takes note of a time from outside, so that the next ones are later.
    ///
    /// # Errors
    /// [`TooFarAhead`] when it is more than the skew ahead of the wall clock. Nothing is noted.
    pub fn observe(
        &mut self,
        time: Time,
        wall_ms: u64,
        max_skew_ms: u64,
    ) -> Result<(), TooFarAhead> {
        let ahead_ms = time.ms().saturating_sub(wall_ms);
        if ahead_ms > max_skew_ms {
            return Err(TooFarAhead {
                ahead_ms,
                max_skew_ms,
            });
        }
        self.last = self.last.max(time);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_rise_when_the_wall_clock_does_not() {
        let mut clock = Clock::default();
        let times = [5, 5, 4, 6].map(|wall| clock.tick(wall));
        assert!(times.windows(2).all(|two| two[0] < two[1]));
        assert_eq!(times.map(Time::ms), [5, 5, 5, 6]);
    }

    #[test]
    fn what_was_seen_lies_before_unless_it_is_too_far_ahead() {
        let mut clock = Clock::default();
        let seen = Time::from_ms(20);
        assert_eq!(clock.observe(seen, 10, 10), Ok(()));
        assert!(clock.tick(10) > seen);
        let refused = clock.observe(Time::from_ms(21), 10, 10);
        assert_eq!(
            refused,
            Err(TooFarAhead {
                ahead_ms: 11,
                max_skew_ms: 10
            })
        );
    }
}
