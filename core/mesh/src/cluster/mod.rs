//! Clusters: nodes that act as one. `docs/CLUSTERS.md` tells how, and what is guaranteed.
//!
//! A node says of itself what it serves and what its readers want; that is the state of the cluster, which
//! [gossip](crate::gossip) keeps the same at all nodes. From it and from who is connected follow this node's tables:
//! a procedure of another node is a provider here whose handler is a [`call`](calls) there, and another node that
//! wants events is a reader here whose queue is a [`link`]. Read the modules in this order:
//!
//! - [`settings`]: bounds and times.
//! - [`fact`]: what a node says of itself. [`directory`]: what follows from it in this node's tables.
//! - [`frames`], [`link`], [`calls`], [`replay`], [`once`]: streams between two nodes. [`progress`]: that of a call,
//!   until its caller reads it. [`boxes`]: what is kept of links that are broken.
//! - [`turns`], [`complaints`]: what one peer may have at a time, and how often the log says what it does. [`shares`]:
//!   what this node may have at a peer.
//! - [`peers`]: the tasks that talk to each peer. [`say`]: what is said beside gossip.
//! - [`absent`]: nodes that are not connected. [`records`]: what the DHT is told.
//! - [`driver`]: the task that holds it together. [`handle`]: what the mesh asks of it.

mod absent;
mod boxes;
mod calls;
mod complaints;
mod directory;
mod driver;
mod fact;
mod frames;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod handle;
mod link;
mod once;
mod peers;
mod progress;
mod records;
pub(crate) mod replay;
mod say;
pub mod settings;
mod shares;
#[cfg(test)]
mod tests;
mod turns;

pub use handle::{Cluster, Config, Error, Figures, Member};
pub use macula_engine::{
    Authority, ClusterId, JoinToken, Membership, NodeId, NodeKey, Refusal, Seed, Stats,
    membership::AUTHORITY_FILE,
};
pub use settings::Settings;
