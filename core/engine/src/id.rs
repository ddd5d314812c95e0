//! Who a node is, and which cluster it is of: Ed25519 public keys.

use std::{fmt, str::FromStr};

use libp2p::PeerId;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes of an id: an Ed25519 public key (RFC 8032).
pub const ID_BYTES: usize = 32;

/// What comes before the key in libp2p's peer id: the identity multihash (`00 24`) of the protobuf that
/// says Ed25519 (`08 01`) and 32 bytes (`12 20`).
const PEER_ID_PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

/// The text is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {} lower-case hexadecimal digits", 2 * ID_BYTES)]
pub struct InvalidId;

fn parse(text: &str) -> Result<[u8; ID_BYTES], InvalidId> {
    let digits = text.as_bytes();
    if digits.len() != 2 * ID_BYTES {
        return Err(InvalidId);
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        _ => Err(InvalidId),
    };
    let mut bytes = [0; ID_BYTES];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = (digit(pair[0])? << 4) | digit(pair[1])?;
    }
    Ok(bytes)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; ID_BYTES]);

        impl $name {
            /// The id of these bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; ID_BYTES]) -> Self {
                Self(bytes)
            }

            /// The public key.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; ID_BYTES] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id! {
    /// A node: its public key. The one text form is 64 lower-case hexadecimal digits, which is a segment
    /// of a name too.
    NodeId
}

id! {
    /// A cluster, or another closed level: the public key of its authority. Who knows the id can check
    /// every certificate of it. The text form is that of a [`NodeId`].
    ClusterId
}

impl NodeId {
    pub(crate) fn to_peer(self) -> PeerId {
        let mut bytes = PEER_ID_PREFIX.to_vec();
        bytes.extend(self.0);
        PeerId::from_bytes(&bytes).expect("an identity multihash of 36 bytes is a peer id")
    }

    /// The node behind a peer id; none if that is no Ed25519 key.
    pub(crate) fn from_peer(peer: &PeerId) -> Option<Self> {
        let bytes = peer.to_bytes();
        let key = bytes.strip_prefix(&PEER_ID_PREFIX)?;
        key.try_into().ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Lesson 9: one form of an id in each place, and a way between them that loses nothing.
        #[test]
        fn text_and_peer_id_come_back_as_they_went(bytes: [u8; ID_BYTES]) {
            let id = NodeId::from_bytes(bytes);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert_eq!(NodeId::from_peer(&id.to_peer()), Some(id));
        }

        #[test]
        fn no_text_is_a_panic(text in ".{0,80}") {
            let parsed = text.parse::<NodeId>();
            prop_assert!(parsed.is_err() || parsed.unwrap().to_string() == text);
        }
    }

    #[test]
    fn upper_case_is_another_text() {
        assert_eq!("AB".repeat(ID_BYTES).parse::<ClusterId>(), Err(InvalidId));
    }
}
