//! Signed text: JSON Web Tokens (RFC 7519) with EdDSA signatures (RFC 8037), of three types that are never
//! taken for one another.

use std::time::SystemTime;

use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, dangerous, decode, encode,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{CLOCK_SKEW, refusal::Refusal, seconds};
use crate::{
    id::{ClusterId, NodeId},
    key::SigningKey,
};

/// The longest token that is looked at, in bytes: ours have about 400.
pub(super) const MAX_BYTES: usize = 1_024;

/// What a token is for, as its header says (`typ`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Certificate,
    Invite,
    Revocation,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Certificate => "macula-certificate+jwt",
            Self::Invite => "macula-invite+jwt",
            Self::Revocation => "macula-revocation+jwt",
        }
    }
}

/// From when until when a token is good, in seconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Period {
    pub(super) iat: u64,
    pub(super) exp: u64,
}

impl Period {
    /// Whether a token of this period is good now.
    pub(super) fn check(self, now: u64) -> Result<(), Refusal> {
        if self.iat > now.saturating_add(CLOCK_SKEW.as_secs()) {
            return Err(Refusal::NotYetValid);
        }
        if self.exp <= now {
            return Err(Refusal::Expired);
        }
        Ok(())
    }
}

/// What the authority says of one node: `iss` is the cluster, `sub` the node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OfNode {
    pub(super) iss: ClusterId,
    pub(super) sub: NodeId,
    #[serde(flatten)]
    pub(super) period: Period,
}

impl OfNode {
    pub(super) fn new(key: &SigningKey, node: NodeId, now: SystemTime, until: SystemTime) -> Self {
        Self {
            iss: ClusterId::from_bytes(key.public()),
            sub: node,
            period: Period {
                iat: seconds(now),
                exp: seconds(until),
            },
        }
    }

    /// Reads a token of this kind that the cluster's authority has signed.
    pub(super) fn read(text: &str, kind: Kind, cluster: ClusterId) -> Result<Self, Refusal> {
        let claims: Self = read(text, kind, cluster)?;
        match claims.iss == cluster {
            true => Ok(claims),
            false => Err(Refusal::OtherCluster),
        }
    }
}

pub(super) fn sign<C: Serialize>(key: &SigningKey, kind: Kind, claims: &C) -> String {
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some(kind.name().to_owned());
    encode(&header, claims, &EncodingKey::from_ed_der(key.der()))
        .expect("claims of ours are JSON, and the key is one")
}

/// What a token says, if the cluster's authority has signed it.
pub(super) fn read<C: DeserializeOwned>(
    text: &str,
    kind: Kind,
    cluster: ClusterId,
) -> Result<C, Refusal> {
    if text.len() > MAX_BYTES {
        return Err(Refusal::Malformed);
    }
    let mut validation = Validation::new(Algorithm::EdDSA);
    // The period is checked against a time that the caller tells.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let key = DecodingKey::from_ed_der(cluster.as_bytes());
    let token = decode::<C>(text, &key, &validation).map_err(|error| match error.kind() {
        jsonwebtoken::errors::ErrorKind::InvalidSignature => Refusal::BadSignature,
        _ => Refusal::Malformed,
    })?;
    if token.header.typ.as_deref() != Some(kind.name()) {
        return Err(Refusal::Malformed);
    }
    Ok(token.claims)
}

/// What a token says without a look at its signature: to learn whose it would have to be.
pub(super) fn read_unchecked<C: DeserializeOwned>(text: &str) -> Result<C, Refusal> {
    if text.len() > MAX_BYTES {
        return Err(Refusal::Malformed);
    }
    let token = dangerous::insecure_decode::<C>(text).map_err(|_| Refusal::Malformed)?;
    Ok(token.claims)
}
