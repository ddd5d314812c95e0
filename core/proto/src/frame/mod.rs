//! The frames of a live session, `macula.v1`: what is said over WebTransport and WebSocket.
//!
//! A frame is a map with a `type`, in MessagePack or JSON. Every operation has a number, `id`, which
//! its client chose, and which all frames about it carry; an `invoke` has a number of the gateway's.
//! `docs/LIVE.md` tells the flow of each operation.
//!
//! - [`client`], [`gateway`]: the frames, each a type of its own, from one [`table`].
//! - [`field`], [`parts`], [`payload`]: what stands in their members.
//! - [`manual`]: what the specification says of a frame beside its members.
//! - [`members`]: a frame split into its members. [`stream`]: frames on a byte stream.

mod client;
mod field;
mod gateway;
mod manual;
mod members;
mod parts;
mod payload;
pub mod stream;
mod table;

use bytes::Bytes;

pub use client::{
    Call, Cancel, ClientFrame, Discover, Failed, Hello, Ping, Progressed, Publish, Returned, Serve,
    Subscribe, Unserve, Unsubscribe,
};
pub use field::{Flag, Property};
pub use gateway::{
    CallProgress, CallResult, Discovered, Ended, Error, EventFrame, GatewayFrame, Goaway, Invoke,
    Missed, Pong, Published, Revoked, Served, Subscribed, Welcome,
};
pub use manual::Manual;
pub use members::Wrong;
pub use parts::{Anything, Bounds, MAX_RESUMED, Numbers, Position, Report, Resume};

use crate::{
    Encoding, ErrorCode, Limits, Problem, TranscodeError,
    envelope::{self, Writer},
    json, msgpack,
};
use field::Field;
use members::Members;

/// What of a frame's length is not its payload, at most: names, headers and numbers.
pub const OVERHEAD_BYTES: usize = 16 << 10;

/// A frame as the specification shows it.
#[derive(Debug, Clone)]
pub struct Specification {
    /// Who sends it: `client` or `gateway`.
    pub from: &'static str,
    /// What `type` says.
    pub kind: &'static str,
    /// What it is for.
    pub doc: &'static str,
    /// Its members, beside `type`.
    pub properties: Vec<Property>,
    /// Its name, an example, and what it may be answered with.
    pub manual: Manual,
}

impl Specification {
    fn new(
        from: &'static str,
        kind: &'static str,
        doc: &'static str,
        mut properties: Vec<Property>,
    ) -> Self {
        for property in &mut properties {
            manual::narrow(from, kind, property);
        }
        Self {
            from,
            kind,
            doc: doc.trim(),
            properties,
            manual: manual::of(from, kind),
        }
    }
}

/// Why a frame is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct Refusal {
    /// The operation that it is about, as far as that can be told.
    pub id: Option<u64>,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is no well-formed map.
    #[error("expected a frame: {0}")]
    Malformed(#[from] TranscodeError),
    /// Its members are not those of its type.
    #[error("{0}")]
    Wrong(#[from] Wrong),
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let code = match &fault {
            Fault::Malformed(error) => return Self::from_malformed(error, &fault),
            Fault::Wrong(Wrong::Value { member, .. }) => match *member {
                "realm" | "topic" | "procedure" | "pattern" => ErrorCode::InvalidName,
                "payload" => ErrorCode::InvalidPayload,
                "content_type" => ErrorCode::UnsupportedMediaType,
                _ => ErrorCode::InvalidRequest,
            },
            Fault::Wrong(_) => ErrorCode::InvalidRequest,
        };
        Self::new(code, fault.to_string())
    }
}

impl Problem {
    fn from_malformed(error: &TranscodeError, fault: &Fault) -> Self {
        let code = Self::from(error.clone()).code;
        Self::new(code, fault.to_string())
    }
}

/// The encoding of a frame, by its first byte.
#[must_use]
pub fn encoding_of(frame: &[u8]) -> Option<Encoding> {
    match frame {
        [0x80..=0x8F | 0xDE | 0xDF, ..] => Some(Encoding::MsgPack),
        [b'{' | b' ' | b'\t' | b'\r' | b'\n', ..] => Some(Encoding::Json),
        _ => None,
    }
}

/// One end's frames.
pub trait Frame: Sized {
    /// Reads a frame.
    ///
    /// # Errors
    /// [`Refusal`] says what is wrong, and with which operation.
    fn decode(frame: &[u8], encoding: Encoding, limits: &Limits) -> Result<Self, Refusal>;

    /// Writes the frame.
    fn encode(&self, encoding: Encoding) -> Bytes;
}

/// What a reader does with a member that it does not know.
enum Unknown {
    /// It is refused: a client's misspelt member is never ignored in silence.
    Refused,
    /// It is passed over: a later gateway may say more.
    PassedOver,
}

macro_rules! frame {
    ($frame:ident, $unknown:expr) => {
        impl Frame for $frame {
            fn decode(frame: &[u8], encoding: Encoding, limits: &Limits) -> Result<Self, Refusal> {
                decode(frame, encoding, limits, $unknown, Self::take)
            }

            fn encode(&self, encoding: Encoding) -> Bytes {
                let mut out = Vec::with_capacity(128);
                match encoding {
                    Encoding::Json => {
                        let mut writer = json::Writer::new(&mut out);
                        envelope::map(&mut writer, |members| self.put(members));
                    }
                    Encoding::MsgPack => {
                        let mut writer = msgpack::Writer::new(&mut out);
                        envelope::map(&mut writer, |members| self.put(members));
                        writer.finish();
                    }
                }
                out.into()
            }
        }
    };
}

frame!(ClientFrame, Unknown::Refused);
frame!(GatewayFrame, Unknown::PassedOver);

fn decode<T>(
    frame: &[u8],
    encoding: Encoding,
    limits: &Limits,
    unknown: Unknown,
    take: impl FnOnce(&str, &mut Members<'_>) -> Result<T, Wrong>,
) -> Result<T, Refusal> {
    let members = Members::split(frame, encoding, limits);
    let mut members = members.map_err(|error| Refusal {
        id: None,
        fault: error.into(),
    })?;
    let id = <Option<u64> as Field>::take(&mut members, "id")
        .ok()
        .flatten();
    let read = || {
        let kind = members.take("type").ok_or(Wrong::Missing("type"))?;
        let frame = kind.text(|kind| Ok(take(kind, &mut members)));
        let frame = frame.map_err(|expected| Wrong::Value {
            member: "type",
            expected,
        })??;
        match unknown {
            Unknown::Refused => members.finish()?,
            Unknown::PassedOver => {}
        }
        Ok(frame)
    };
    read().map_err(|wrong: Wrong| Refusal {
        id,
        fault: wrong.into(),
    })
}

/// An `event` frame around an event's envelope that is written already, so that a thousand
/// readers cost one writing. Both must be in the same encoding.
#[must_use]
pub fn event_frame(id: u64, envelope: &[u8], encoding: Encoding) -> Bytes {
    let mut out = Vec::with_capacity(envelope.len() + 40);
    match encoding {
        Encoding::Json => {
            let mut writer = json::Writer::new(&mut out);
            envelope::map(&mut writer, |members| put_event(members, id, envelope));
        }
        Encoding::MsgPack => {
            let mut writer = msgpack::Writer::new(&mut out);
            envelope::map(&mut writer, |members| put_event(members, id, envelope));
            writer.finish();
        }
    }
    out.into()
}

fn put_event<W: Writer>(members: &mut envelope::Members<'_, W>, id: u64, envelope: &[u8]) {
    members.text("type", "event");
    id.put(members, "id");
    members.next("event").verbatim(envelope);
}

#[cfg(test)]
mod tests;
