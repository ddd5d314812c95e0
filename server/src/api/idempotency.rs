//! The `Idempotency-Key` of a request (draft-ietf-httpapi-idempotency-key-header), and what the request is.
//!
//! A key belongs to its session; those without one share theirs. What is done about it is the mesh's
//! ([`macula_mesh::once`]).

use aws_lc_rs::digest::{self, SHA256};
use http::{HeaderMap, HeaderName};
use macula_mesh::once::{Digest, Key};
use macula_proto::{ErrorCode, Headers, MediaType, Problem};

use super::principal::Principal;

/// The header.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The longest key, in bytes.
pub(crate) const MAX_KEY_BYTES: usize = 255;
/// The request's key, if it has one.
///
/// # Errors
/// `invalid_request` when there are several, or it is not 1–255 visible characters.
pub fn key(principal: &Principal, headers: &HeaderMap) -> Result<Option<Key>, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => key_of(principal, value.as_bytes()).map(Some),
        (Some(_), Some(_)) => Err(malformed()),
    }
}

/// A key of the principal's.
///
/// # Errors
/// `invalid_request` when it is not 1–255 visible characters.
pub fn key_of(principal: &Principal, key: &[u8]) -> Result<Key, Problem> {
    let visible = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
    if !(1..=MAX_KEY_BYTES).contains(&key.len()) || !key.iter().all(visible) {
        return Err(malformed());
    }
    let mut owned = Fingerprint::of("key");
    match principal {
        Principal::Session(session) => owned.text(&session.id),
        Principal::Anonymous => owned.text(""),
    }
    owned.bytes(key);
    Ok(Key(owned.finish()))
}

fn malformed() -> Problem {
    let detail = format!("expected one `Idempotency-Key` of 1-{MAX_KEY_BYTES} characters");
    Problem::new(ErrorCode::InvalidRequest, detail)
}

/// What a request is, in 32 bytes; each part is told apart from its neighbours by its length.
#[derive(Clone)]
pub struct Fingerprint(digest::Context);

impl Fingerprint {
    /// Of one kind of request.
    #[must_use]
    pub fn of(kind: &str) -> Self {
        let mut fingerprint = Self(digest::Context::new(&SHA256));
        fingerprint.text(kind);
        fingerprint
    }

    /// Adds a text.
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Adds what was sent.
    pub fn payload(&mut self, content_type: &MediaType, headers: &Headers, payload: &[u8]) {
        self.text(content_type.as_str());
        for (name, value) in headers.iter().filter(|(name, _)| **name != *"traceparent") {
            self.text(name);
            self.text(value);
        }
        self.bytes(payload);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    /// All of it.
    #[must_use]
    pub fn finish(self) -> Digest {
        let digest = self.0.finish();
        digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_fingerprint_do_not_run_together() {
        let of = |parts: [&str; 2]| {
            let mut fingerprint = Fingerprint::of("x");
            for part in parts {
                fingerprint.text(part);
            }
            fingerprint.finish()
        };
        assert_ne!(of(["ab", "c"]), of(["a", "bc"]));
        assert_eq!(of(["a", "b"]), of(["a", "b"]));
    }

    #[test]
    fn a_key_is_one_short_visible_text() {
        fn check(values: &[&str], good: bool) {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(IDEMPOTENCY_KEY, value.parse().unwrap());
            }
            let found = key(&Principal::Anonymous, &headers);
            assert_eq!(found.is_ok(), good, "{values:?}");
        }
        check(&[], true);
        check(&["8e03978e-40d5-43dd-bc93-6894a57f9324"], true);
        check(&[""], false);
        check(&["a", "b"], false);
        check(&[&"k".repeat(256)], false);
    }
}
