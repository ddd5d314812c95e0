//! Join tokens: who shows one in time gets a certificate.

use std::{fmt, str::FromStr, time::SystemTime};

use serde::{Deserialize, Serialize};

use super::{
    refusal::Refusal,
    revoked::Revoked,
    seconds, time,
    token::{self, Kind, Period},
};
use crate::{
    id::{ClusterId, NodeId},
    key::SigningKey,
};

/// A join token. It may be used until it expires, by any number of nodes; it pins the cluster's authority,
/// so that a node which joins cannot be taken in by another cluster.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    text: String,
    claims: Claims,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Claims {
    iss: ClusterId,
    /// Makes two tokens of the same second differ, so that logs can tell them apart.
    jti: String,
    #[serde(flatten)]
    period: Period,
}

impl JoinToken {
    pub(super) fn sign(key: &SigningKey, nonce: u64, now: SystemTime, until: SystemTime) -> Self {
        let claims = Claims {
            iss: ClusterId::from_bytes(key.public()),
            jti: format!("{nonce:016x}"),
            period: Period {
                iat: seconds(now),
                exp: seconds(until),
            },
        };
        Self {
            text: token::sign(key, Kind::Invite, &claims),
            claims,
        }
    }

    /// Whether it lets this node in now.
    ///
    /// # Errors
    /// It is not good at this time, or the node was revoked after it was signed.
    pub fn check(&self, node: NodeId, now: SystemTime, revoked: &Revoked) -> Result<(), Refusal> {
        self.claims.period.check(seconds(now))?;
        if revoked.voids(node, self.claims.period.iat) {
            return Err(Refusal::Revoked);
        }
        Ok(())
    }

    /// The text that is given to whom is invited. It is a secret.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it invites to.
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
}

impl FromStr for JoinToken {
    type Err = Refusal;

    /// Reads a token, which names the authority that must have signed it.
    fn from_str(text: &str) -> Result<Self, Refusal> {
        let named: Claims = token::read_unchecked(text)?;
        let claims = token::read(text, Kind::Invite, named.iss)?;
        Ok(Self {
            text: text.to_owned(),
            claims,
        })
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinToken({}, {})", self.claims.iss, self.claims.jti)
    }
}
