//! What a node says of itself in the state of the cluster: one entry each.

use std::sync::Arc;

use macula_proto::{Pattern, Policy, Procedure, Realm};
use serde::{Deserialize, Serialize};

use crate::rpc::providers::Provider;

/// Description and schemas of an offer have at most so many bytes together; beyond, they are left out, so that
/// entries stay small.
const MAX_ABOUT_BYTES: usize = 16 << 10;

/// One entry of a node's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Fact {
    /// Who it is.
    Node(About),
    /// Its readers want the events of a pattern.
    Wants(Realm, Pattern),
    /// It serves a procedure.
    Serves(Offer),
    /// A node is a member no longer: a revocation, as the cluster's authority has signed it. It is nobody's own, so
    /// its key has the cluster's id in place of a node's.
    Revokes(Arc<str>),
}

/// Who a node is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct About {
    pub(crate) name: Arc<str>,
    pub(crate) version: Arc<str>,
    /// Since when this run of it is up, in milliseconds since the Unix epoch by its own clock.
    pub(crate) since_ms: u64,
    /// Where its gateway is.
    pub(crate) gateway: Option<Arc<str>>,
}

/// A provider of a procedure.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Offer {
    /// Its number at the node.
    pub(crate) provider: u64,
    pub(crate) realm: Realm,
    pub(crate) procedure: Procedure,
    pub(crate) name: Arc<str>,
    pub(crate) policy: Policy,
    /// Calls that it takes at a time.
    pub(crate) concurrency: usize,
    pub(crate) description: Option<Arc<str>>,
    /// The schemas, as JSON text.
    pub(crate) schema: Option<Arc<str>>,
}

impl Offer {
    /// What this node says of a provider that others may call.
    pub(crate) fn of(provider: &Provider) -> Option<Self> {
        let schema = provider.schema.as_deref();
        let schema = schema.and_then(|schema| serde_json::to_string(schema).ok());
        let mut offer = Self {
            provider: provider.id,
            realm: provider.realm.clone()?,
            procedure: provider.procedure.clone(),
            name: Arc::clone(&provider.name),
            policy: provider.policy,
            concurrency: provider.concurrency,
            description: provider.description.clone(),
            schema: schema.map(Into::into),
        };
        let length = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text.len());
        if length(&offer.description) + length(&offer.schema) > MAX_ABOUT_BYTES {
            (offer.description, offer.schema) = (None, None);
        }
        Some(offer)
    }
}
