//! The swarm's part: a line for each connection.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    swarm::{
        ConnectionClosed, ConnectionDenied, ConnectionId, DialFailure, FromSwarm, ListenFailure,
        NetworkBehaviour, THandlerInEvent, THandlerOutEvent, ToSwarm,
        behaviour::ConnectionEstablished,
    },
};

use super::{
    handler::Handler,
    switchboard::{Came, Gone, Line, Switchboard},
};
use crate::{
    id::NodeId,
    settings::Settings,
    transport::{address::to_socket, ledger::Ledger},
};

/// What the engine is told.
#[derive(Debug)]
pub(crate) enum Event {
    /// A connection is there.
    Up(Line, Came),
    /// The last connection to a peer is gone.
    Down(Line),
}

/// The connection's peer has not been let in by our greeting, which cannot be.
#[derive(Debug, thiserror::Error)]
#[error("expected a connection that was greeted")]
struct NotGreeted;

/// There are as many peers as there may be.
#[derive(Debug, thiserror::Error)]
#[error("expected fewer peers")]
struct Full;

pub(crate) struct Behaviour {
    switchboard: Arc<Switchboard>,
    ledger: Ledger,
    settings: Settings,
    /// Lines whose connection another part of the swarm may deny still.
    pending: HashMap<ConnectionId, Line>,
    events: VecDeque<Event>,
}

impl Behaviour {
    pub(crate) fn new(switchboard: Arc<Switchboard>, ledger: Ledger, settings: Settings) -> Self {
        Self {
            switchboard,
            ledger,
            settings,
            pending: HashMap::new(),
            events: VecDeque::new(),
        }
    }

    fn establish(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        dialed: bool,
    ) -> Result<Handler, ConnectionDenied> {
        let facts = NodeId::from_peer(&peer)
            .zip(to_socket(address))
            .and_then(|(node, address)| self.ledger.take(node, address, dialed));
        let facts = facts.ok_or_else(|| ConnectionDenied::new(NotGreeted))?;
        // Those that are pending are not told yet, and are few.
        let pending = self.pending.values().map(|line| line.facts.node);
        let others: HashSet<_> = pending.filter(|node| *node != facts.node).collect();
        let max_peers = self.settings.max_peers.saturating_sub(others.len() as u32);
        if !self.switchboard.has_room_for(facts.node, max_peers) {
            return Err(ConnectionDenied::new(Full));
        }
        let (line, orders) = Line::new(id, facts, &self.settings);
        self.pending.insert(id, line.clone());
        let timeout = self.settings.open_timeout;
        Ok(Handler::new(
            self.switchboard.clone(),
            line,
            orders,
            timeout,
        ))
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        self.establish(id, peer, remote, false)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        self.establish(id, peer, address, true)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished { connection_id, .. }) => {
                if let Some(line) = self.pending.remove(&connection_id) {
                    let came = self.switchboard.add(line.clone());
                    self.events.push_back(Event::Up(line, came));
                }
            }
            FromSwarm::ConnectionClosed(ConnectionClosed {
                peer_id,
                connection_id,
                ..
            }) => {
                let node = NodeId::from_peer(&peer_id);
                let gone = node.map(|node| self.switchboard.remove(node, connection_id));
                if let Some(Gone::Last(line)) = gone {
                    self.events.push_back(Event::Down(line));
                }
            }
            FromSwarm::DialFailure(DialFailure { connection_id, .. })
            | FromSwarm::ListenFailure(ListenFailure { connection_id, .. }) => {
                self.pending.remove(&connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        let event: Infallible = event;
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        let event = self.events.pop_front();
        event.map_or(Poll::Pending, |event| {
            Poll::Ready(ToSwarm::GenerateEvent(event))
        })
    }
}
