//! Revocations: the authority says that a node is a member no longer.

use std::time::{Duration, SystemTime};

use super::{
    refusal::Refusal,
    seconds, time,
    token::{self, Kind, OfNode},
};
use crate::{
    id::{ClusterId, NodeId},
    key::SigningKey,
};

/// How long a revocation counts: longer than anything that was signed before it is good.
const TTL: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// A revocation whose signature has been checked. What was signed for the node until then lets it in no longer;
/// what is signed later does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    text: String,
    claims: OfNode,
}

impl Revocation {
    pub(super) fn sign(key: &SigningKey, node: NodeId, now: SystemTime) -> Self {
        let claims = OfNode::new(key, node, now, now + TTL);
        Self {
            text: token::sign(key, Kind::Revocation, &claims),
            claims,
        }
    }

    /// Reads a revocation of a cluster.
    ///
    /// # Errors
    /// It is malformed, the cluster's authority has not signed it, or it is so old that it counts no longer.
    pub fn read(text: &str, cluster: ClusterId, now: SystemTime) -> Result<Self, Refusal> {
        let claims = OfNode::read(text, Kind::Revocation, cluster)?;
        if claims.period.exp <= seconds(now) {
            return Err(Refusal::Expired);
        }
        Ok(Self {
            text: text.to_owned(),
            claims,
        })
    }

    /// The text that is given to others and kept in a file: at most 1,024 bytes.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Who is a member no longer.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.claims.sub
    }

    /// Since when, to the second.
    #[must_use]
    pub fn since(&self) -> SystemTime {
        time(self.claims.period.iat)
    }

    /// Whether what was signed at that second is void.
    pub(super) fn voids(&self, signed: u64) -> bool {
        signed <= self.claims.period.iat
    }
}
