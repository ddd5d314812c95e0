//! The peers of a closed level: who they are, authenticated QUIC between them, streams, and a DHT.
//!
//! [`Engine::start`] gives a handle and a stream of [`Event`]s. An engine finds the other members from a few
//! [`Seed`]s, connects to each once, and keeps the connections. `docs/ENGINE.md` tells how; rust-libp2p does
//! most of it, and nothing of it is to be seen from outside. Read the modules in this order:
//!
//! - [`id`], [`key`]: who a node is.
//! - [`trust`]: certificates, join tokens, revocations; pure.
//! - [`membership`]: what a node shows and checks.
//! - `admission`, `doorman`, `frame`: the greeting, before anything else is said on a connection.
//! - `transport`: QUIC for the swarm.
//! - [`streams`]: streams of callers.
//! - [`dht`]: providers and values.
//! - `swarm`, `driver`: libp2p's parts and ours, and the task that drives them.
//! - [`seeds`], `lookups`, `redial`, `renewal`: peers found at first, found in the DHT, found again;
//!   certificates renewed.
//! - [`engine`], [`config`], [`event`], [`settings`], [`stats`]: the handle.

mod admission;
pub mod config;
pub mod dht;
mod doorman;
mod driver;
pub mod engine;
pub mod event;
mod frame;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod id;
pub mod key;
mod lookups;
pub mod membership;
mod redial;
mod renewal;
mod revocations;
pub mod seeds;
pub mod settings;
mod shared;
pub mod stats;
pub mod streams;
mod swarm;
mod transport;
pub mod trust;

pub use config::{Config, StartError};
pub use dht::DhtError;
pub use engine::Engine;
pub use event::{Event, Events, Gone, Peer, PeerStatus};
pub use id::{ClusterId, NodeId};
pub use key::{KeyError, NodeKey};
pub use membership::{Membership, MembershipError};
pub use seeds::{InvalidSeed, Seed};
pub use settings::{InvalidSettings, Settings};
pub use shared::DialError;
pub use stats::Stats;
pub use streams::{ByteStream, Inbound, Incoming, OpenError};
pub use trust::{
    authority::Authority, certificate::Certificate, invite::JoinToken, refusal::Refusal,
    revocation::Revocation,
};
