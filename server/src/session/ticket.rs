//! Tickets: one use, for browser APIs that can send no header (lesson 26).
//!
//! `EventSource` can put nothing but a URL on the wire, and URLs end up in logs. So a session's
//! token never goes there: a ticket does, which is worthless after its first use or 30 seconds.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    Session,
    token::{Hash, Secret},
};

/// How long a ticket is good for: enough for a page to open its stream, too short to be found in a log.
pub const LIFETIME: Duration = Duration::from_secs(30);
/// The most tickets that wait to be used; each takes about 100 bytes.
pub const MAX_TICKETS: usize = 100_000;
/// The most tickets of one session that wait to be used, so that no session takes them all.
pub const MAX_TICKETS_PER_SESSION: usize = 1024;

/// The tickets that were given out and not used yet.
#[derive(Debug, Default)]
pub struct Tickets(Mutex<HashMap<Hash, Ticket>>);

#[derive(Debug)]
struct Ticket {
    session: Arc<Session>,
    expires: Instant,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.session.open_tickets.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Too many tickets wait to be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// The session has [`MAX_TICKETS_PER_SESSION`] open.
    #[error("expected at most {MAX_TICKETS_PER_SESSION} unused tickets in a session")]
    Session,
    /// The node has [`MAX_TICKETS`] open.
    #[error("expected at most {MAX_TICKETS} unused tickets on this node")]
    Node,
}

impl Tickets {
    /// A new ticket for the session.
    ///
    /// # Errors
    /// [`TicketError`] when too many wait to be used.
    pub fn issue(&self, session: &Arc<Session>, now: Instant) -> Result<Secret, TicketError> {
        let mut tickets = self.0.lock();
        if tickets.len() >= MAX_TICKETS {
            tickets.retain(|_, ticket| ticket.expires > now);
        }
        if tickets.len() >= MAX_TICKETS {
            return Err(TicketError::Node);
        }
        let open = session.open_tickets.fetch_add(1, Ordering::Relaxed);
        let ticket = Ticket {
            session: session.clone(),
            expires: now + LIFETIME,
        };
        if open >= MAX_TICKETS_PER_SESSION {
            return Err(TicketError::Session);
        }
        let secret = Secret::random();
        tickets.insert(secret.hash(), ticket);
        Ok(secret)
    }

    /// Uses a ticket up; `None` when it is unknown, used or too old.
    pub fn redeem(&self, text: &str, now: Instant) -> Option<Arc<Session>> {
        let ticket = self.0.lock().remove(&Secret::parse(text)?.hash())?;
        (ticket.expires > now).then(|| ticket.session.clone())
    }

    /// Forgets what is too old.
    pub fn sweep(&self, now: Instant) {
        let mut tickets = self.0.lock();
        tickets.retain(|_, ticket| ticket.expires > now);
        if tickets.capacity() > 4 * tickets.len().max(1024) {
            tickets.shrink_to_fit();
        }
    }
}
