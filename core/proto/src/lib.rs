//! The words of the Macula mesh, parsed once at the edge and trusted afterwards.
//!
//! This crate is pure: no clock, socket, task or random source. Time and randomness are
//! arguments. Read the modules in this order:
//!
//! - [`name`]: [`Realm`], [`Topic`], [`Procedure`]: dotted names, each a type of its own.
//! - [`pattern`]: [`Pattern`]: a name with wildcards; the one pattern language.
//! - [`error`]: [`ErrorCode`] and [`Problem`]: the error table and RFC 9457 problem details.
//! - [`media`]: [`MediaType`] and [`Encoding`]: MessagePack, JSON, or opaque bytes.
//! - [`event`]: [`Event`], [`EventId`]: what a publish makes and a subscriber reads.
//! - [`hlc`]: the hybrid logical clock behind event ids.

pub mod error;
pub mod event;
pub mod hlc;
pub mod media;
pub mod name;
pub mod pattern;

pub use error::{ErrorCode, HandlerError, Problem, Retry};
pub use event::{Event, EventId, Headers};
pub use media::{Encoding, MediaType};
pub use name::{NameError, Procedure, Realm, Topic};
pub use pattern::Pattern;
