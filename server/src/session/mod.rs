//! Sessions: a client's identity, permissions and live state at the gateway.
//!
//! - [`token`]: the secret that a client shows, and the hash that is kept of it.
//! - [`permissions`]: what a session may do.
//! - [`bucket`]: a token bucket, pure.
//! - [`addresses`]: limits of those who have no session, by address.
//! - [`store`]: all sessions of the node: open, find, end, expire.
//! - [`ticket`]: one use, for browser APIs that can send no header.

pub mod addresses;
pub mod bucket;
pub mod permissions;
pub mod store;
pub mod ticket;
pub mod token;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use macula_proto::Realm;
use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::{
    addresses::Address,
    bucket::{Bucket, Empty, Quota},
    permissions::Permissions,
    token::Hash,
};
pub use self::{store::Sessions, ticket::Tickets};

/// One client's session; shared by the requests and streams that it has open.
#[derive(Debug)]
pub struct Session {
    /// The public name of the session, 26 characters; worthless as a credential.
    pub id: Arc<str>,
    /// The realm in which it may act.
    pub realm: Realm,
    /// Who it is; stands in events as the publisher and in calls as the caller.
    pub subject: Arc<str>,
    /// What it may do.
    pub permissions: Permissions,
    /// When it ends whatever happens, in milliseconds since the Unix epoch.
    pub expires_at_ms: u64,
    hash: Hash,
    address: Address,
    opened: Instant,
    expires: Instant,
    /// When it was used last, in milliseconds after `opened`; idleness counts from here.
    used_ms: AtomicU64,
    /// How many streams are open; a session with any is not idle.
    streams: AtomicUsize,
    /// How many tickets wait to be used; counted by [`ticket`].
    open_tickets: AtomicUsize,
    bucket: Mutex<Bucket>,
    ended: CancellationToken,
}

impl Session {
    /// Counts as a use: idleness starts anew.
    pub fn touch(&self, now: Instant) {
        self.used_ms.store(self.age_ms(now), Ordering::Relaxed);
    }

    /// Takes one request out of the session's bucket; gives how many are left.
    ///
    /// # Errors
    /// [`Empty`] when there is none.
    pub fn take(&self, quota: Quota, now: Instant) -> Result<u32, Empty> {
        let age = now.saturating_duration_since(self.opened);
        self.bucket.lock().take(quota, age)
    }

    /// Cancelled when the session ends or expires; whoever streams to it stops then.
    #[must_use]
    pub fn ended(&self) -> &CancellationToken {
        &self.ended
    }

    /// Counts one open stream until the guard goes; `None` when there are `max` already.
    #[must_use]
    pub fn stream(self: &Arc<Self>, max: usize) -> Option<StreamGuard> {
        let guard = StreamGuard(self.clone());
        // The guard is made first, so that its drop takes back what is counted here.
        (self.streams.fetch_add(1, Ordering::Relaxed) < max).then_some(guard)
    }

    fn is_over(&self, idle: Duration, now: Instant) -> bool {
        self.ended.is_cancelled() || now >= self.expires || self.is_idle(idle, now)
    }

    fn is_idle(&self, idle: Duration, now: Instant) -> bool {
        let unused_ms =
            self.age_ms(now) - self.used_ms.load(Ordering::Relaxed).min(self.age_ms(now));
        self.streams.load(Ordering::Relaxed) == 0 && u128::from(unused_ms) >= idle.as_millis()
    }

    fn age_ms(&self, now: Instant) -> u64 {
        let age = now.saturating_duration_since(self.opened).as_millis();
        u64::try_from(age).unwrap_or(u64::MAX)
    }
}

/// Keeps a stream counted; see [`Session::stream`].
#[derive(Debug)]
pub struct StreamGuard(Arc<Session>);

impl StreamGuard {
    /// The session that the stream belongs to.
    #[must_use]
    pub fn session(&self) -> &Arc<Session> {
        &self.0
    }
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
        self.0.touch(Instant::now());
    }
}
