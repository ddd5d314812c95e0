//! Macula's Rust SDK: call, serve, publish, subscribe and discover over one live session, which goes on
//! when the network changes.
//!
//! ```no_run
//! use macula_client::{Mesh, Trust};
//!
//! # async fn example() -> Result<(), macula_client::Error> {
//! let mesh = Mesh::connect("https://localhost:4433").trust(Trust::authority("ca.pem")).await?;
//! let back: Vec<u32> = mesh.call("system.echo", &[1, 2, 3]).await?;
//! # Ok(()) }
//! ```
//!
//! - [`connect`](Mesh::connect): where to connect, as whom, and whom to trust ([`Trust`]).
//! - [`Mesh`]: what may be asked. It is cheap to clone; the session ends with its last clone.
//! - [`Subscription`]: a stream of events, which tells what was missed. [`Service`]: a procedure that is
//!   served while it lives.
//! - [`Error`]: what may go wrong; a gateway's problem keeps its code.
//!
//! How it is made: [`book`] holds what is under way and decides, without IO, what a frame means and what
//! goes on after a loss; [`backoff`] says when to try again; [`wire`] has the transports; [`supervisor`]
//! connects, and connects again; [`shared`] is what all of them and the handles hold, [`answering`] what is
//! done for calls of what is served.

mod answering;
mod backoff;
mod book;
mod call;
mod config;
mod discover;
mod error;
mod mesh;
mod payload;
mod publish;
mod service;
mod shared;
mod status;
mod subscription;
mod supervisor;
mod trust;
mod wire;

pub use call::Call;
pub use config::{Connect, Transport};
pub use discover::Discover;
pub use error::Error;
pub use macula_proto::{
    Encoding, Event, EventId, GapReason, HandlerError, MediaType, Payload, Policy, Value,
    frame::Report,
};
pub use mesh::Mesh;
pub use payload::{decode, encode};
pub use publish::Publish;
pub use service::{Context, Serve, Service};
pub use status::{State, Status};
pub use subscription::{Delivery, Subscribe, Subscription};
pub use trust::Trust;
