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
//! goes on after a loss; [`wire`] has the transports; [`supervisor`] connects, and connects again; [`shared`] is
//! what all of them and the handles hold.

mod book;
mod config;
mod error;
mod mesh;
mod payload;
mod service;
mod shared;
mod subscription;
mod supervisor;
mod trust;
mod wire;

pub use config::{Connect, Transport};
pub use error::Error;
pub use macula_proto::{
    Event, EventId, GapReason, HandlerError, MediaType, Payload, Policy, frame::Report,
};
pub use mesh::{Call, Mesh, State};
pub use payload::{decode, encode};
pub use service::{Context, Serve, Service};
pub use subscription::{Delivery, Subscribe, Subscription};
pub use trust::Trust;
