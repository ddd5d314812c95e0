//! What an engine tells.

use std::{
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use tokio::sync::mpsc;

use crate::{id::NodeId, streams::switchboard::Line, trust::refusal::Refusal};

/// A peer as it was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its id, which TLS has proved.
    pub node: NodeId,
    /// Where it is.
    pub address: SocketAddr,
    /// Whether we dialled it.
    pub dialed: bool,
    /// Where it says that it listens; at most 8.
    pub listens: Vec<SocketAddr>,
    /// Whether it has the cluster's authority.
    pub issues: bool,
    /// When its process started, as it says: milliseconds since the Unix epoch.
    pub boot: u64,
    /// Until when its certificate is good.
    pub certificate_expires: SystemTime,
}

impl Peer {
    pub(crate) fn of(line: &Line) -> Self {
        let facts = &line.facts;
        Self {
            node: facts.node,
            address: facts.address,
            dialed: facts.dialed,
            listens: facts.listens.clone(),
            issues: facts.issues,
            boot: facts.boot,
            certificate_expires: facts.certificate.expires(),
        }
    }
}

/// A peer that is connected now, and how it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerStatus {
    /// The peer.
    pub peer: Peer,
    /// The round trip to it, as the transport measures it.
    pub round_trip: Duration,
    /// The round trip to its program at the last probe; none before the first.
    pub probe: Option<Duration>,
    /// Streams of callers opened here that are open now.
    pub streams: usize,
    /// Streams that it has opened here since it is connected.
    pub heard: u64,
}

/// Why a peer is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// It said goodbye.
    Left,
    /// It has started anew. A `Connected` follows.
    Restarted,
    /// Nothing came from it for the setting `idle_timeout`: it has died, or the network is cut.
    TimedOut,
    /// Two probes stayed without an answer, though packets came.
    Silent,
    /// It was closed here, as its certificate is good no longer.
    Refused(Refusal),
    /// It has closed the connection, and says that our certificate is good no longer. Of the peer that says nothing:
    /// it may be in the right, or a member that is revoked itself.
    RefusedUs(Refusal),
    /// The connection broke in another way.
    Lost,
}

/// What happens to peers, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A peer is connected and has been let in.
    Connected(Peer),
    /// The last connection to a peer is gone.
    Disconnected {
        /// Who it was.
        node: NodeId,
        /// Why.
        why: Gone,
    },
}

/// The events of an engine. They must be read: an engine with 1,024 unread events waits.
#[derive(Debug)]
pub struct Events(pub(crate) mpsc::Receiver<Event>);

impl Events {
    /// The next event; none once the engine has ended.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}
