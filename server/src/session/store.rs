//! All sessions of the node: open, find, end, expire.
//!
//! A session is found by the hash of its token. The hashes of ended sessions are remembered for
//! a while, so that a client learns whether its session is over or its token was never one.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use macula_proto::{EventId, Realm};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    Session,
    addresses::Address,
    permissions::Permissions,
    token::{Hash, Secret},
};

/// The bounds of sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Seconds after which an unused session without open streams ends. Default 3600: a tab that
    /// slept over lunch goes on.
    pub idle_seconds: u64,
    /// Seconds after which a session ends whatever happens. Default 86,400: a leaked token is
    /// worthless the next day.
    pub lifetime_seconds: u64,
    /// The most sessions of the node; each takes about 1 KiB. Default 100,000.
    pub max: usize,
    /// The most sessions opened from one address (IPv6: one /64), generous as a whole household or
    /// office may share it. Default 10,000.
    pub max_per_address: usize,
    /// How many ended sessions are remembered, to answer `session_expired` instead of
    /// `unauthenticated`; each takes about 100 bytes, and the oldest is forgotten first. Default
    /// 10,000.
    pub max_ended: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            idle_seconds: 3600,
            lifetime_seconds: 86_400,
            max: 100_000,
            max_per_address: 10_000,
            max_ended: 10_000,
        }
    }
}

/// The sessions of the node.
#[derive(Debug)]
pub struct Sessions {
    settings: Settings,
    /// Its children are the sessions' tokens: cancelling it ends the streams of all.
    root: CancellationToken,
    table: RwLock<Table>,
}

#[derive(Debug, Default)]
struct Table {
    live: HashMap<Hash, Arc<Session>>,
    by_address: HashMap<Address, usize>,
    ended: Ended,
}

/// Why no session was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The node is full.
    #[error("expected at most {0} sessions on this node")]
    Node(usize),
    /// The address has its share.
    #[error("expected at most {0} sessions from one address")]
    Address(usize),
}

/// Why a token opens no door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// It was never a token here, or its session ended long ago.
    #[error("expected the token of a session that is open here")]
    Unknown,
    /// Its session has ended or expired.
    #[error("the session has ended or its time is over")]
    Ended,
}

impl Sessions {
    /// No sessions yet. When `root` is cancelled, every session's `ended` token is.
    #[must_use]
    pub fn new(settings: Settings, root: CancellationToken) -> Self {
        Self {
            settings,
            root,
            table: RwLock::default(),
        }
    }

    /// Opens a session; the secret is its token, which is not kept.
    ///
    /// # Errors
    /// [`OpenError`] when there is no room.
    pub fn open(
        &self,
        realm: Realm,
        subject: Arc<str>,
        address: Address,
        now: Instant,
    ) -> Result<(Secret, Arc<Session>), OpenError> {
        let lifetime = Duration::from_secs(self.settings.lifetime_seconds);
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let token = Secret::random();
        let session = Session {
            id: random_id(),
            realm,
            subject,
            permissions: Permissions::all(),
            expires_at_ms: (wall + lifetime).as_millis() as u64,
            hash: token.hash(),
            address,
            opened: now,
            expires: now + lifetime,
            used_ms: 0.into(),
            streams: 0.into(),
            open_tickets: 0.into(),
            bucket: Default::default(),
            ended: self.root.child_token(),
        };
        let session = Arc::new(session);
        self.table.write().insert(&session, &self.settings)?;
        Ok((token, session))
    }

    /// The session of a token, which counts as a use of it.
    ///
    /// # Errors
    /// [`FindError`] tells an ended session from an unknown token.
    pub fn find(&self, token: &str, now: Instant) -> Result<Arc<Session>, FindError> {
        let hash = Secret::parse(token).ok_or(FindError::Unknown)?.hash();
        let table = self.table.read();
        let Some(session) = table.live.get(&hash).cloned() else {
            return Err(match table.ended.contains(&hash) {
                true => FindError::Ended,
                false => FindError::Unknown,
            });
        };
        drop(table);
        if session.is_over(self.idle(), now) {
            self.end(&session);
            return Err(FindError::Ended);
        }
        session.touch(now);
        Ok(session)
    }

    /// Ends the session: its token is refused from now on and its streams end.
    pub fn end(&self, session: &Session) {
        self.table.write().end(session, self.settings.max_ended);
    }

    /// Ends the sessions whose time is over. Called every second, so that their streams end.
    pub fn sweep(&self, now: Instant) {
        let idle = self.idle();
        let live = |table: &Table| {
            table
                .live
                .values()
                .filter(|s| s.is_over(idle, now))
                .cloned()
                .collect()
        };
        let over: Vec<_> = live(&self.table.read());
        for session in over {
            self.end(&session);
        }
    }

    /// How many sessions are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.read().live.len()
    }

    /// True when no session is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn idle(&self) -> Duration {
        Duration::from_secs(self.settings.idle_seconds)
    }
}

impl Table {
    fn insert(&mut self, session: &Arc<Session>, settings: &Settings) -> Result<(), OpenError> {
        if self.live.len() >= settings.max {
            return Err(OpenError::Node(settings.max));
        }
        let count = self.by_address.entry(session.address).or_insert(0);
        if *count >= settings.max_per_address {
            return Err(OpenError::Address(settings.max_per_address));
        }
        *count += 1;
        self.live.insert(session.hash, session.clone());
        Ok(())
    }

    fn end(&mut self, session: &Session, max_ended: usize) {
        session.ended.cancel();
        if self.live.remove(&session.hash).is_none() {
            return;
        }
        self.ended.remember(session.hash, max_ended);
        if let Some(count) = self.by_address.get_mut(&session.address) {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&session.address);
            }
        }
    }
}

/// The hashes of sessions that ended, oldest first.
#[derive(Debug, Default)]
struct Ended {
    order: VecDeque<Hash>,
    hashes: HashSet<Hash>,
}

impl Ended {
    fn remember(&mut self, hash: Hash, max: usize) {
        self.order.push_back(hash);
        self.hashes.insert(hash);
        while self.order.len() > max {
            if let Some(oldest) = self.order.pop_front() {
                self.hashes.remove(&oldest);
            }
        }
    }

    fn contains(&self, hash: &Hash) -> bool {
        self.hashes.contains(hash)
    }
}

/// A ULID of this moment that nobody can guess; such ids need not rise within a millisecond.
pub(crate) fn random_id() -> Arc<str> {
    let wall = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let random: u128 = rand::random();
    let id = EventId::from_u128(wall.as_millis() << 80 | random >> 48);
    id.to_string().into()
}

#[cfg(test)]
mod tests;
