//! How the nodes of a cluster keep one [`Map`](macula_crdt::Map): a pure machine, driven by inputs and time.
//!
//! What a node changes it pushes at once to its peers; for a few seconds after a change nodes repeat
//! what is new to some others, with a fingerprint of all that they have, until they agree; and whoever sees a
//! fingerprint that is not its own pulls what it misses by a digest. `docs/GOSSIP.md` has the algorithm,
//! its invariant, and what was measured. Read the modules in this order:
//!
//! - [`machine`]: the machine: inputs, outputs, what happens at each.
//! - `spread`: what is new and whom it is told.
//! - `hearsay`: what is said of those who can speak for themselves.
//! - `pull`: what is missed and who is asked.
//! - `intake`: what is refused, and who is reported.
//! - `message`: what goes over the wire.
//! - [`settings`], `bucket`: intervals and bounds.

mod bucket;
mod hearsay;
mod intake;
pub mod machine;
mod message;
mod pull;
pub mod settings;
mod spread;

pub use intake::Fault;
pub use machine::{Change, ChangeError, Input, Item, Machine, Now, Output, Part, Status};
pub use settings::{Settings, SettingsError};
