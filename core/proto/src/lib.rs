//! The words of the Macula mesh, parsed once at the edge and trusted afterwards.
//!
//! This crate is pure: no clock, socket, task or random source. Time and randomness are
//! arguments. Read the modules in this order:
//!
//! - [`name`]: [`Realm`], [`Topic`], [`Procedure`]: dotted names, each a type of its own.
//! - [`pattern`]: [`Pattern`]: a name with wildcards; the one pattern language.
//! - [`error`]: [`ErrorCode`] and [`Problem`]: the error table and RFC 9457 problem details.
//! - [`media`]: [`MediaType`] and [`Encoding`]: MessagePack, JSON, or opaque bytes.
//! - [`accept`]: [`Accept`]: content negotiation with q-values.
//! - [`value`]: [`Value`]: what both encodings can say.
//! - [`mod@transcode`]: MessagePack to JSON and back, bounded; [`transcode::validate`] for the hot path.
//! - [`codec`]: our own types in either encoding.
//! - [`event`]: [`Event`], [`EventId`]: what a publish makes and a subscriber reads.
//! - [`envelope`]: an event as one JSON or MessagePack document, payload inline.
//! - [`frame`]: [`ClientFrame`], [`GatewayFrame`]: what is said in a live session.
//! - [`live`]: the state of a live session at its gateway.
//! - [`peer`]: what nodes of one cluster say to each other.
//! - [`words`]: [`Policy`], [`Overflow`] and other choices.
//! - [`timestamp`]: RFC 3339, formatting only.
//! - [`hlc`]: the hybrid logical clock behind event ids.

pub mod accept;
pub mod codec;
pub mod envelope;
pub mod error;
pub mod event;
pub mod frame;
pub mod hlc;
pub mod live;
pub mod media;
pub mod name;
pub mod pattern;
pub mod payload;
pub mod peer;
pub mod timestamp;
pub mod transcode;
pub mod value;
pub mod words;

mod json;
mod msgpack;
mod sink;
mod syntax;

pub use accept::{Accept, AcceptError};
pub use codec::{decode, encode};
pub use envelope::{json_envelope, json_payload, msgpack_envelope};
pub use error::{ErrorCode, HandlerError, Problem, Retry};
pub use event::{Event, EventId, Headers};
pub use frame::{ClientFrame, GatewayFrame};
pub use media::{Encoding, MediaType, MediaTypeError};
pub use name::{NameError, Procedure, Realm, Topic};
pub use pattern::Pattern;
pub use payload::Payload;
pub use syntax::SyntaxError;
pub use transcode::{Limits, TranscodeError, transcode, validate};
pub use value::Value;
pub use words::{GapReason, Overflow, Policy, Reliability};
