//! Why a peer is not let in.

use serde::Serialize;

/// The reason, as it is counted, logged and told to the peer in the code that closes its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// What came is no greeting.
    #[error("expected a greeting of this protocol")]
    Malformed,
    /// Nothing came in time.
    #[error("the greeting took too long")]
    TooSlow,
    /// The peer is of another level.
    #[error("the peer is of another level")]
    OtherLevel,
    /// The peer is of another cluster.
    #[error("the peer is of another cluster")]
    OtherCluster,
    /// The peer showed neither a certificate nor a join token.
    #[error("expected a certificate or a join token")]
    NoCredential,
    /// The signature is not the authority's.
    #[error("the signature is not that of the cluster's authority")]
    BadSignature,
    /// The certificate is another node's.
    #[error("the certificate is of another node")]
    OtherNode,
    /// It was valid once.
    #[error("the certificate or join token has expired")]
    Expired,
    /// It was signed in the future.
    #[error("the certificate or join token is not valid yet: compare the clocks")]
    NotYetValid,
    /// The node has been revoked since it was signed.
    #[error("the node has been revoked")]
    Revoked,
    /// The join token may be good, but who was asked cannot sign a certificate.
    #[error("this node has not the cluster's authority: join at one that has")]
    NoAuthority,
    /// The address was refused too often of late.
    #[error("too many refusals of this address")]
    TooMany,
}

impl Refusal {
    /// All reasons.
    pub const ALL: [Self; 12] = [
        Self::Malformed,
        Self::TooSlow,
        Self::OtherLevel,
        Self::OtherCluster,
        Self::NoCredential,
        Self::BadSignature,
        Self::OtherNode,
        Self::Expired,
        Self::NotYetValid,
        Self::Revoked,
        Self::NoAuthority,
        Self::TooMany,
    ];

    /// Its name in metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TooSlow => "too_slow",
            Self::OtherLevel => "other_level",
            Self::OtherCluster => "other_cluster",
            Self::NoCredential => "no_credential",
            Self::BadSignature => "bad_signature",
            Self::OtherNode => "other_node",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Revoked => "revoked",
            Self::NoAuthority => "no_authority",
            Self::TooMany => "too_many",
        }
    }

    /// Its place in [`Refusal::ALL`].
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_at_its_index() {
        for (index, reason) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), index);
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.name());
        }
    }
}
