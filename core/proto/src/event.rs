//! Events: what a publish makes and a subscriber reads.

use std::{fmt, str::FromStr, sync::Arc};

use bytes::Bytes;

use crate::{MediaType, Payload, Realm, Topic, hlc};

/// The most application headers on one event or call.
pub const MAX_HEADERS: usize = 16;
/// The most bytes of all header names and values of one event or call together.
pub const MAX_HEADER_BYTES: usize = 4096;

/// An event's identity: a ULID, 48 bits of hybrid logical time, 32 bits that are the same for all ids of
/// one run of a node, and 48 bits that grow within one millisecond. Ids made by one [`Ids`] sort in the order
/// they were made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(u128);

/// Crockford's base 32, the alphabet of ULIDs.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// What each byte stands for, in either case.
const DIGITS: [u8; 256] = digits();
const NO_DIGIT: u8 = 0xFF;

const fn digits() -> [u8; 256] {
    let mut digits = [NO_DIGIT; 256];
    let mut digit = 0;
    while digit < ALPHABET.len() {
        let letter = ALPHABET[digit];
        digits[letter as usize] = digit as u8;
        digits[letter.to_ascii_lowercase() as usize] = digit as u8;
        digit += 1;
    }
    digits
}
/// The length of an id as text.
const ID_CHARS: usize = 26;
/// The bits that count within a millisecond.
const COUNTING: u32 = 48;

impl EventId {
    /// The id from its 128 bits.
    #[must_use]
    pub const fn from_u128(bits: u128) -> Self {
        Self(bits)
    }

    /// The 128 bits of the id.
    #[must_use]
    pub const fn as_u128(self) -> u128 {
        self.0
    }

    /// When the event was made, in milliseconds since the Unix epoch.
    #[must_use]
    pub const fn time_ms(self) -> u64 {
        (self.0 >> 80) as u64
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; ID_CHARS];
        for (i, byte) in text.iter_mut().enumerate() {
            let shift = 5 * (ID_CHARS - 1 - i);
            *byte = ALPHABET[((self.0 >> shift) & 31) as usize];
        }
        f.write_str(std::str::from_utf8(&text).expect("the alphabet is ASCII"))
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventId({self})")
    }
}

/// The text is not an event id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an event id: {ID_CHARS} characters of Crockford's base 32")]
pub struct EventIdError;

impl FromStr for EventId {
    type Err = EventIdError;

    fn from_str(text: &str) -> Result<Self, EventIdError> {
        if text.len() != ID_CHARS || text.as_bytes()[0] > b'7' {
            return Err(EventIdError);
        }
        text.bytes().try_fold(Self(0), |id, byte| {
            let digit = DIGITS[usize::from(byte)];
            if digit == NO_DIGIT {
                return Err(EventIdError);
            }
            Ok(Self(id.0 << 5 | u128::from(digit)))
        })
    }
}

/// Makes the event ids of one run of a node, in rising order.
#[derive(Debug, Clone)]
pub struct Ids {
    clock: hlc::Clock,
    /// Drawn at random for each run, so that nobody else makes these ids (lesson 20).
    epoch: u32,
    last: u128,
}

impl Ids {
    /// A source of ids that has made none yet.
    #[must_use]
    pub fn new(epoch: u32) -> Self {
        Self {
            clock: hlc::Clock::default(),
            epoch,
            last: 0,
        }
    }

    /// The next id: greater than every one before. `random` fills the low 47 bits at the first id
    /// of a millisecond; later ones in it count up from there.
    pub fn next(&mut self, wall_ms: u64, random: u64) -> EventId {
        let time = u128::from(self.clock.tick(wall_ms) & 0xFFFF_FFFF_FFFF);
        // The top one of the counting bits stays clear, so that they never run out within a millisecond.
        let random = u128::from(random) & ((1 << (COUNTING - 1)) - 1);
        let fresh = time << 80 | u128::from(self.epoch) << COUNTING | random;
        self.last = fresh.max(self.last + 1);
        EventId(self.last)
    }

    /// Takes note of an id that another made: every later one of ours is of its millisecond or a later one,
    /// so that an answer is not older than what it answers. The caller bounds how far ahead of its own clock it
    /// lets others be.
    pub fn observe(&mut self, other: EventId) {
        self.clock.tick(other.time_ms());
    }

    /// Whether an id is one of this run.
    #[must_use]
    pub fn made(&self, id: EventId) -> bool {
        (id.0 >> COUNTING) as u32 == self.epoch
    }
}

/// Application headers, in the order they were given; at most [`MAX_HEADERS`] and
/// [`MAX_HEADER_BYTES`].
pub type Headers = Vec<(Arc<str>, Arc<str>)>;

/// One published event. The payload is bytes with a media type; the mesh never decodes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Identity and time; see [`EventId`].
    pub id: EventId,
    /// The realm it was published in.
    pub realm: Realm,
    /// The topic it was published under.
    pub topic: Topic,
    /// The subject that published it: of a session, or a node's own.
    pub publisher: Arc<str>,
    /// The payload's media type.
    pub content_type: MediaType,
    /// Application headers, such as `traceparent`.
    pub headers: Headers,
    /// The payload.
    pub payload: Bytes,
}

impl Event {
    /// The payload with its media type. Cheap.
    #[must_use]
    pub fn content(&self) -> Payload {
        Payload {
            content_type: self.content_type.clone(),
            bytes: self.payload.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_even_when_the_clock_steps_back() {
        let mut ids = Ids::new(u32::MAX);
        let made: Vec<_> = [5, 5, 9, 3, 3, 10]
            .into_iter()
            .map(|ms| ids.next(ms, u64::MAX))
            .collect();
        assert!(made.iter().all(|&id| ids.made(id)));
        assert!(made.windows(2).all(|pair| pair[0] < pair[1]), "{made:?}");
        assert_eq!(made.last().unwrap().time_ms(), 10);
    }

    #[test]
    fn an_answer_is_not_older_than_the_event_that_was_observed() {
        let (mut near, mut far) = (Ids::new(1), Ids::new(2));
        let question = far.next(1_000, 7);
        near.observe(question);
        let answer = near.next(10, u64::MAX);
        assert!(answer.time_ms() >= question.time_ms());
        assert!(near.next(10, 0) > answer);
        assert!(!near.made(question) && near.made(answer));
    }

    #[test]
    fn ids_read_back_from_their_text() {
        for bits in [0, 1, u128::MAX, 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef] {
            let id = EventId::from_u128(bits);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        assert_eq!(
            "8ZZZZZZZZZZZZZZZZZZZZZZZZZ".parse::<EventId>(),
            Err(EventIdError)
        );
        assert_eq!("".parse::<EventId>(), Err(EventIdError));
    }
}
