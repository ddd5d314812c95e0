//! Calls on this node. `docs/RPC.md` tells how a provider is picked and how a call ends.
//!
//! - [`handler`]: what a provider does with a call.
//! - [`policy`]: which of several providers is asked. Pure.
//! - [`providers`]: who serves what; [`offers`]: what other nodes are told of it.
//! - [`reply`]: the caller's end, and where a local handler runs.
//!
//! A call is asked of one provider, once: it is never sent again elsewhere (lesson 21).

use std::sync::Arc;

use macula_proto::{Headers, Procedure, Realm};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

mod handler;
mod offers;
mod policy;
pub(crate) mod providers;
mod reply;

pub use handler::{Failure, Handler, Invocation, Progress};
pub use macula_proto::{Payload, Policy};
pub use providers::Registration;
pub use reply::{Answer, Reply};

/// A call of a procedure.
#[derive(Debug, Clone)]
pub struct Call {
    /// The realm.
    pub realm: Realm,
    /// The procedure.
    pub procedure: Procedure,
    /// The subject that calls.
    pub caller: Arc<str>,
    /// The argument.
    pub argument: Payload,
    /// Application headers.
    pub headers: Headers,
    /// When the caller stops waiting.
    pub deadline: Instant,
    /// True when the caller reads progress; else it is dropped where it is made.
    pub wants_progress: bool,
}

/// An offer to serve a procedure.
#[derive(Debug, Clone)]
pub struct Serve {
    /// The realm; none serves the procedure in every realm.
    pub realm: Option<Realm>,
    /// The procedure.
    pub procedure: Procedure,
    /// Who serves: the id of a session, an app or the node.
    pub provider: Arc<str>,
    /// How several providers are balanced; none takes what the others have agreed on.
    pub policy: Option<Policy>,
    /// Calls at a time, at least 1; further ones wait.
    pub concurrency: usize,
    /// What the procedure does, for people.
    pub description: Option<Arc<str>>,
    /// What it takes and gives.
    pub schema: Option<Arc<Schema>>,
}

/// JSON Schemas of a procedure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// The schema of the argument.
    pub argument: serde_json::Value,
    /// The schema of the result.
    pub result: serde_json::Value,
}
