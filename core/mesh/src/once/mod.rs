//! What is done once: a request with a key is carried out the first time, and answered from memory afterwards.
//!
//! The first request with a key runs; while it does, others are told `idempotency_in_flight`; afterwards they get
//! its answer. A request that differs from the first is told `idempotency_mismatch`. In a cluster a key is claimed
//! at the nodes that it belongs to, so that one node honours what another has seen
//! ([`cluster::once`](crate::cluster)).

mod claim;

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    sync::Arc,
    time::Duration,
};

use macula_proto::{ErrorCode, EventId, Payload, Problem};
use moka::sync::Cache;
use parking_lot::Mutex;

use crate::Settings;

pub use claim::Claim;
pub(crate) use claim::Held;

/// What an answer counts for beside its payload.
const ENTRY_BYTES: u32 = 256;

/// A key with its owner, hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(pub [u8; 32]);

/// What a request is, hashed.
pub type Digest = [u8; 32];

/// The kept answers, and the keys whose requests run. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Store {
    kept: Cache<Key, Arc<(Digest, Kept)>>,
    running: Arc<Mutex<HashMap<Key, Digest>>>,
}

/// What is kept of a request that was carried out.
#[derive(Debug, Clone, PartialEq)]
pub enum Kept {
    /// The id of the event.
    Published(EventId),
    /// How the call ended.
    Called(Called),
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq)]
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
    First(Claim),
    /// It was carried out: this is the answer.
    Again(Kept),
}

/// A request that is being carried out; dropping it frees the key.
#[derive(Debug)]
pub(crate) struct Running {
    store: Store,
    key: Key,
    digest: Digest,
}

/// As [`Begin`], at one node.
#[derive(Debug)]
pub(crate) enum Begun {
    First(Running),
    Again(Kept),
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Nothing kept yet.
    pub(crate) fn new(settings: &Settings) -> Self {
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
    pub(crate) fn begin(&self, key: Key, digest: Digest) -> Result<Begun, Problem> {
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
            Some(kept) => Ok(Begun::Again(kept.1.clone())),
            None => {
                entry.insert(digest);
                Ok(Begun::First(Running {
                    store: self.clone(),
                    key,
                    digest,
                }))
            }
        }
    }
}

impl Running {
    /// Keeps the answer for who asks again.
    pub(crate) fn keep(self, kept: Kept) {
        let entry = Arc::new((self.digest, kept));
        self.store.kept.insert(self.key, entry);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.store.running.lock().remove(&self.key);
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

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = Key([7; 32]);

    #[test]
    fn a_repeated_request_gets_the_first_ones_answer() {
        let store = Store::new(&Settings::default());
        let begin = |what: u8| store.begin(KEY, [what; 32]);
        let Begun::First(running) = begin(1).unwrap() else {
            panic!("expected the first");
        };
        assert_eq!(begin(1).unwrap_err().code, ErrorCode::IdempotencyInFlight);
        assert_eq!(begin(2).unwrap_err().code, ErrorCode::IdempotencyMismatch);
        running.keep(Kept::Published(EventId::from_u128(7)));
        let again = begin(1).unwrap();
        assert!(matches!(again, Begun::Again(Kept::Published(id)) if id.as_u128() == 7));
        assert_eq!(begin(2).unwrap_err().code, ErrorCode::IdempotencyMismatch);
    }

    #[test]
    fn a_request_that_came_to_nothing_frees_its_key() {
        let store = Store::new(&Settings::default());
        for _ in 0..2 {
            assert!(matches!(store.begin(KEY, [1; 32]), Ok(Begun::First(_))));
        }
        assert!(store.running.lock().is_empty());
    }
}
