//! WebTransport sessions over HTTP/3 (draft-ietf-webtrans-http3-02, as browsers speak it), as the API
//! sees them.
//!
//! A CONNECT request with `:protocol = webtransport` has an [`Upgrade`] among its extensions. A handler
//! that wants the session takes it, answers 200 and gets the [`Session`] once the peer was told.
//!
//! - [`upgrade`]: how a request becomes a session.
//! - [`session`]: its streams, its datagrams and its end.
//! - [`send`], [`recv`]: the two halves of a stream.
//! - [`link`]: what a session, its streams and the transport share; [`queue`]: what waits in it.
//! - [`capsule`]: what is said on the CONNECT stream. [`codes`]: error codes on the wire.
//!   [`varint`]: QUIC's integers.

pub(crate) mod capsule;
pub(crate) mod codes;
pub(crate) mod link;
mod queue;
mod recv;
mod send;
mod session;
pub(crate) mod upgrade;
pub(crate) mod varint;

pub use self::{
    recv::{ReadError, RecvStream},
    send::{SendStream, WriteError},
    session::{Closed, Session, Undeliverable},
    upgrade::{Gone, Upgrade},
};
