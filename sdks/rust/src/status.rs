//! How a session is at a moment.

use std::{sync::Arc, time::Duration};

use macula_proto::Realm;

use crate::{Transport, shared::Shared};

/// How the session is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is on this transport.
    Connected(Transport),
    /// The transport was lost; what is asked meanwhile waits.
    Reconnecting,
    /// It has ended, with the reason.
    Closed(String),
}

/// A session at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// How it is.
    pub state: State,
    /// The live session's name at the gateway.
    pub session: Arc<str>,
    /// The realm in which it acts.
    pub realm: Realm,
    /// Who it is, as publishers and callers are named.
    pub subject: Arc<str>,
    /// The node that it is connected to.
    pub node: Arc<str>,
    /// How long it takes to the gateway and back; none while there is no transport, or it was not measured.
    pub round_trip: Option<Duration>,
    /// Subscriptions that are read here.
    pub subscriptions: usize,
    /// Procedures that are served here.
    pub services: usize,
    /// Calls that wait for their answer.
    pub calls: usize,
    /// How often the session went on on another connection.
    pub reconnects: u64,
    /// Events that subscriptions were told to have missed, as far as their number is known.
    pub missed_events: u64,
}

impl Status {
    /// What it is on; none while it is on nothing.
    #[must_use]
    pub fn transport(&self) -> Option<Transport> {
        match self.state {
            State::Connected(transport) => Some(transport),
            State::Reconnecting | State::Closed(_) => None,
        }
    }

    pub(crate) fn of(shared: &Shared) -> Self {
        let state = shared.state().borrow().clone();
        let inner = shared.inner.lock();
        let (counts, welcome) = (inner.book.counts(), &inner.welcome);
        Self {
            state,
            session: Arc::clone(&welcome.session),
            realm: welcome.realm.clone(),
            subject: Arc::clone(&welcome.subject),
            node: Arc::clone(&welcome.node),
            round_trip: inner.link.as_ref().and_then(|link| link.round_trip()),
            subscriptions: counts.subscriptions,
            services: counts.services,
            calls: counts.calls,
            reconnects: inner.reconnects,
            missed_events: counts.missed,
        }
    }
}
