//! Answers kept for who asks again with the same `Idempotency-Key`
//! (draft-ietf-httpapi-idempotency-key-header).
//!
//! A key belongs to its session; those without one share theirs. The first request with a key runs; while it does, others are told `idempotency_in_flight`; afterwards they get its answer. A
//! request that differs from the first is told `idempotency_mismatch`.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use aws_lc_rs::digest::{self, SHA256};
use http::{HeaderMap, HeaderName};
use macula_mesh::Payload;
use macula_proto::{ErrorCode, EventId, Headers, MediaType, Problem};
use moka::sync::Cache;
use parking_lot::Mutex;

use super::{principal::Principal, settings::Settings};

/// The header.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The longest key, in bytes.
pub(crate) const MAX_KEY_BYTES: usize = 255;
/// What an answer counts for beside its payload.
const ENTRY_BYTES: u32 = 256;

/// A key with its owner, hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

/// The kept answers, and the keys whose requests run.
#[derive(Debug, Clone)]
pub struct Idempotency {
    kept: Cache<Key, Arc<(Digest, Kept)>>,
    running: Arc<Mutex<HashMap<Key, Digest>>>,
}

type Digest = [u8; 32];

/// What is kept of a request that was carried out.
#[derive(Debug, Clone)]
pub enum Kept {
    /// The id of the event.
    Published(EventId),
    /// How the call ended.
    Called(Called),
}

/// How a call ended.
#[derive(Debug, Clone)]
pub struct Called {
    /// Who answered.
    pub served_by: Arc<str>,
    /// The result, or why there is none.
    pub result: Result<Payload, Problem>,
}

/// What to do about a request with a key.
#[derive(Debug)]
pub enum Begin {
    /// It is the first: carry it out and keep the answer.
    First(Running),
    /// It was carried out: this is the answer.
    Again(Kept),
}

/// A request that is being carried out; dropping it frees the key.
#[derive(Debug)]
pub struct Running {
    idempotency: Idempotency,
    key: Key,
    digest: Digest,
}

impl Idempotency {
    /// Nothing kept yet.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let weigh = |_: &Key, kept: &Arc<(Digest, Kept)>| kept.1.bytes();
        Self {
            kept: Cache::builder()
                .time_to_live(Duration::from_secs(settings.idempotency_seconds))
                .weigher(weigh)
                .max_capacity(settings.idempotency_bytes)
                .build(),
            running: Arc::default(),
        }
    }

    /// Decides whether a request with a key is carried out. As many may run as there are
    /// requests, so the table of them needs no bound of its own.
    ///
    /// # Errors
    /// `idempotency_in_flight` and `idempotency_mismatch`.
    pub fn begin(&self, key: Key, fingerprint: Fingerprint) -> Result<Begin, Problem> {
        let digest = fingerprint.finish();
        let mut running = self.running.lock();
        let entry = match running.entry(key) {
            Entry::Occupied(first) if *first.get() != digest => return Err(mismatch()),
            Entry::Occupied(_) => {
                let detail = "the first request with this key has not ended yet";
                return Err(Problem::new(ErrorCode::IdempotencyInFlight, detail));
            }
            Entry::Vacant(entry) => entry,
        };
        match self.kept.get(&key) {
            Some(kept) if kept.0 != digest => Err(mismatch()),
            Some(kept) => Ok(Begin::Again(kept.1.clone())),
            None => {
                entry.insert(digest);
                Ok(Begin::First(Running {
                    idempotency: self.clone(),
                    key,
                    digest,
                }))
            }
        }
    }
}

impl Running {
    /// Keeps the answer for who asks again.
    pub fn keep(self, kept: Kept) {
        let entry = Arc::new((self.digest, kept));
        self.idempotency.kept.insert(self.key, entry);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.idempotency.running.lock().remove(&self.key);
    }
}

impl Kept {
    fn bytes(&self) -> u32 {
        let payload = match self {
            Self::Called(called) => called.result.as_ref().map_or(0, |p| p.bytes.len()),
            Self::Published(_) => 0,
        };
        u32::try_from(payload)
            .unwrap_or(u32::MAX)
            .saturating_add(ENTRY_BYTES)
    }
}

/// The problem of a key that was used for another request.
#[must_use]
pub fn mismatch() -> Problem {
    let detail = "the first request with this key was a different one";
    Problem::new(ErrorCode::IdempotencyMismatch, detail)
}

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

    fn finish(self) -> Digest {
        let digest = self.0.finish();
        digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(text: &str) -> Key {
        let mut headers = HeaderMap::new();
        headers.insert(IDEMPOTENCY_KEY, text.parse().unwrap());
        key(&Principal::Anonymous, &headers).unwrap().unwrap()
    }

    #[test]
    fn a_repeated_request_gets_the_first_ones_answer() {
        let idempotency = Idempotency::new(&Settings::default());
        let begin = |what: &str| idempotency.begin(key_of("k"), Fingerprint::of(what));
        let Begin::First(running) = begin("a").unwrap() else {
            panic!("expected the first");
        };
        assert_eq!(begin("a").unwrap_err().code, ErrorCode::IdempotencyInFlight);
        assert_eq!(begin("b").unwrap_err().code, ErrorCode::IdempotencyMismatch);
        running.keep(Kept::Published(EventId::from_u128(7)));
        let again = begin("a").unwrap();
        assert!(matches!(again, Begin::Again(Kept::Published(id)) if id.as_u128() == 7));
        assert_eq!(begin("b").unwrap_err().code, ErrorCode::IdempotencyMismatch);
    }

    #[test]
    fn a_request_that_came_to_nothing_frees_its_key() {
        let idempotency = Idempotency::new(&Settings::default());
        for _ in 0..2 {
            let begun = idempotency.begin(key_of("k"), Fingerprint::of("a"));
            assert!(matches!(begun, Ok(Begin::First(_))));
        }
        assert!(idempotency.running.lock().is_empty());
    }

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
