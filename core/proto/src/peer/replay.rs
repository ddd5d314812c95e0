//! What another node has kept of a realm's events: a [`Wanted`], answered by [`Kept`] frames, the last of which
//! is [`Kept::End`].

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Names, PeerError, event, kind, read, write};
use crate::{Event, EventId, Pattern, Realm};

const WANTED: u8 = 0;
const EVENT: u8 = 1;
const END: u8 = 2;

/// Which events are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The realm.
    pub realm: Realm,
    /// The topics.
    pub pattern: Pattern,
    /// From where.
    pub from: From,
}

/// Where a replay begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// So many events back.
    Last(u64),
    /// After this event.
    After(EventId),
}

/// What a node has kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// An event; they come in the order in which they came to that node.
    Event(Event),
    /// That was all.
    End {
        /// False when something that was wanted may be gone.
        complete: bool,
    },
}

#[derive(Serialize, Deserialize)]
struct WantedMembers<'a> {
    realm: &'a str,
    pattern: &'a str,
    last: Option<u64>,
    /// The id's upper and lower half.
    after: Option<(u64, u64)>,
}

impl Wanted {
    /// The frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (last, after) = match self.from {
            From::Last(count) => (Some(count), None),
            From::After(id) => {
                let id = id.as_u128();
                (None, Some(((id >> 64) as u64, id as u64)))
            }
        };
        let members = WantedMembers {
            realm: self.realm.as_str(),
            pattern: self.pattern.as_str(),
            last,
            after,
        };
        write(WANTED, &members)
    }

    /// Reads the frame.
    ///
    /// # Errors
    /// [`PeerError`]: it is none.
    pub fn decode(frame: &[u8]) -> Result<Self, PeerError> {
        let found: WantedMembers<'_> = match kind(frame)? {
            (WANTED, members) => read(members)?,
            (other, _) => return Err(PeerError::Kind(Some(other))),
        };
        let from = match (found.last, found.after) {
            (Some(count), None) => From::Last(count),
            (None, Some((high, low))) => {
                let id = u128::from(high) << 64 | u128::from(low);
                From::After(EventId::from_u128(id))
            }
            _ => return Err(PeerError::Bound("expected one place to begin")),
        };
        Ok(Self {
            realm: Realm::parse(found.realm)?,
            pattern: Pattern::parse(found.pattern)?,
            from,
        })
    }
}

impl Kept {
    /// The frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Event(event) => event::with_members(event, |members| write(EVENT, members)),
            Self::End { complete } => write(END, &(complete,)),
        }
    }

    /// Reads a frame; the event's payload shares its bytes.
    ///
    /// # Errors
    /// [`PeerError`]: it is none.
    pub fn decode(frame: &Bytes) -> Result<Self, PeerError> {
        match kind(frame)? {
            (EVENT, members) => {
                event::read_event(frame, members, &mut Names::default()).map(Self::Event)
            }
            (END, members) => read(members).map(|(complete,)| Self::End { complete }),
            (other, _) => Err(PeerError::Kind(Some(other))),
        }
    }
}
