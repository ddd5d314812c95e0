//! Secrets that are looked up by their hash: session tokens and tickets.
//!
//! A secret is 256 random bits, so its SHA-256 needs no salt. Only the hash is kept: who reads the
//! memory of the table gains nothing, and a lookup by hash tells nothing by its timing.

use std::fmt;

use aws_lc_rs::digest;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

/// The length of a secret, in bytes.
const SECRET_BYTES: usize = 32;
/// The length of a secret as base64url text, in characters.
pub const SECRET_CHARS: usize = 43;

/// A secret that its owner shows; it leaves the gateway once and is never stored or logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; SECRET_BYTES]);

/// What is kept of a [`Secret`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash([u8; 32]);

impl Secret {
    /// A new secret from the operating system's random source.
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = [0; SECRET_BYTES];
        aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives random bytes");
        Self(bytes)
    }

    /// Reads the text that [`text`](Self::text) wrote; `None` when it cannot be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != SECRET_CHARS {
            return None;
        }
        let mut bytes = [0; SECRET_BYTES];
        let read = BASE64_URL_SAFE_NO_PAD.decode_slice_unchecked(text, &mut bytes);
        (read == Ok(SECRET_BYTES)).then_some(Self(bytes))
    }

    /// The secret as base64url without padding.
    #[must_use]
    pub fn text(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What to keep of it.
    #[must_use]
    pub fn hash(&self) -> Hash {
        let digest = digest::digest(&digest::SHA256, &self.0);
        Hash(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({:02x}{:02x}..)", self.0[0], self.0[1])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_secret_reads_back_from_its_text_and_no_other_text_is_it() {
        let secret = Secret::random();
        let text = secret.text();
        assert_eq!(text.len(), SECRET_CHARS);
        assert_eq!(Secret::parse(&text), Some(secret.clone()));
        assert_ne!(Secret::random().hash(), secret.hash());
        for bad in [
            "",
            "short",
            &format!("{text}="),
            &text[1..],
            &"!".repeat(43),
        ] {
            assert_eq!(Secret::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_secret_is_not_in_its_debug_text() {
        let secret = Secret::random();
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC{0,60}") {
            if let Some(secret) = Secret::parse(&text) {
                prop_assert_eq!(secret.text(), text);
            }
        }
    }
}
