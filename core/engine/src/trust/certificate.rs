//! Membership certificates: the authority says that a node is a member of its cluster.

use std::time::SystemTime;

use super::{
    refusal::Refusal,
    revoked::Revoked,
    seconds, time,
    token::{self, Kind, OfNode, Period},
};
use crate::{
    id::{ClusterId, NodeId},
    key::SigningKey,
};

/// A certificate whose signature has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    text: String,
    claims: OfNode,
}

impl Certificate {
    pub(super) fn sign(key: &SigningKey, node: NodeId, now: SystemTime, until: SystemTime) -> Self {
        let claims = OfNode::new(key, node, now, until);
        Self {
            text: token::sign(key, Kind::Certificate, &claims),
            claims,
        }
    }

    /// Reads a certificate of a cluster. Whose it is and whether it is good now is for
    /// [`Certificate::check`].
    ///
    /// # Errors
    /// It is malformed, or the cluster's authority has not signed it.
    pub fn read(text: &str, cluster: ClusterId) -> Result<Self, Refusal> {
        let claims = OfNode::read(text, Kind::Certificate, cluster)?;
        Ok(Self {
            text: text.to_owned(),
            claims,
        })
    }

    /// Whether it lets this node in now.
    ///
    /// # Errors
    /// It is another node's, is not good at this time, or the node was revoked after it was signed.
    pub fn check(&self, node: NodeId, now: SystemTime, revoked: &Revoked) -> Result<(), Refusal> {
        if self.claims.sub != node {
            return Err(Refusal::OtherNode);
        }
        self.claims.period.check(seconds(now))?;
        if revoked.voids(node, self.claims.period.iat) {
            return Err(Refusal::Revoked);
        }
        Ok(())
    }

    /// The text that is shown to others and kept in a file.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The member.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.claims.sub
    }

    /// What it is a member of.
    #[must_use]
    pub fn cluster(&self) -> ClusterId {
        self.claims.iss
    }

    /// When it was signed.
    #[must_use]
    pub fn issued(&self) -> SystemTime {
        time(self.claims.period.iat)
    }

    /// Until when it is good.
    #[must_use]
    pub fn expires(&self) -> SystemTime {
        time(self.claims.period.exp)
    }

    /// When it is time for another: half of its life is over.
    #[must_use]
    pub fn renewal_due(&self, now: SystemTime) -> bool {
        let Period { iat, exp } = self.claims.period;
        seconds(now) >= iat.saturating_add(exp.saturating_sub(iat) / 2)
    }
}

/// Of which cluster a certificate says that it is, without a look at its signature.
pub(crate) fn named_cluster(text: &str) -> Result<ClusterId, Refusal> {
    token::read_unchecked::<OfNode>(text).map(|claims| claims.iss)
}
