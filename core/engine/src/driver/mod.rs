//! The task that has the swarm: it does what the handle orders, and tells what happens.

mod questions;

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant, SystemTime},
};

use futures_util::StreamExt;
use libp2p::{
    PeerId, Swarm, mdns, ping,
    swarm::{
        ConnectionId, DialError as SwarmDialError, SwarmEvent,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use tokio::sync::{mpsc, oneshot, watch};

pub(crate) use self::questions::Ask;
use crate::{
    admission::Admission,
    dht::queries::Queries,
    event::{Event, Gone, Peer},
    id::NodeId,
    lookups::Lookups,
    redial::Redial,
    shared::DialError,
    streams::{
        behaviour::Event as StreamsEvent,
        switchboard::{Came, Line, Switchboard},
    },
    swarm::{Parts, PartsEvent},
    transport::{
        address::{to_multiaddr, to_socket},
        code,
    },
    trust::refusal::Refusal,
};

/// Events that may wait for their reader. At the bound the engine waits for it.
pub(crate) const MAX_EVENTS: usize = 1_024;
/// How often certificates are looked at again, and expired records thrown out.
const RECHECK: Duration = Duration::from_secs(1);
/// How long goodbyes may take.
const GOODBYE: Duration = Duration::from_millis(500);

/// What the handle orders.
#[derive(Debug)]
pub(crate) enum Command {
    Dial(SocketAddr, oneshot::Sender<Result<NodeId, DialError>>),
    Ask(Vec<u8>, Ask),
    StopProviding(Vec<u8>),
    Remove(Vec<u8>),
    Forget(NodeId),
    Seek(NodeId),
    Leave(oneshot::Sender<()>),
}

type Dialers = Vec<oneshot::Sender<Result<NodeId, DialError>>>;

pub(crate) struct Driver {
    pub(crate) swarm: Swarm<Parts>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) switchboard: Arc<Switchboard>,
    pub(crate) commands: mpsc::Receiver<Command>,
    /// Ends with the last handle.
    pub(crate) handles: oneshot::Receiver<()>,
    pub(crate) events: mpsc::Sender<Event>,
    /// Events that wait for room at the reader.
    pub(crate) unsent: VecDeque<Event>,
    /// Counts changes of who is connected.
    pub(crate) changes: watch::Sender<u64>,
    /// Dials under way, by connection: where to, and who waits for it.
    pub(crate) dials: HashMap<ConnectionId, (SocketAddr, Dialers)>,
    pub(crate) queries: Queries,
    pub(crate) redial: Redial,
    pub(crate) lookups: Lookups,
    pub(crate) recheck: Instant,
    pub(crate) max_peers: usize,
}

impl Driver {
    pub(crate) async fn run(mut self) {
        let events = self.events.clone();
        loop {
            let wake = self.wake();
            let full = self.unsent.len() >= MAX_EVENTS;
            tokio::select! {
                permit = events.reserve(), if !self.unsent.is_empty() => match permit {
                    Ok(permit) => {
                        let event = self.unsent.pop_front();
                        permit.send(event.expect("there is one, as was asked before"));
                    }
                    // Nobody reads events, which is for the owner to decide.
                    Err(_) => self.unsent.clear(),
                },
                command = self.commands.recv() => match command {
                    Some(Command::Leave(reply)) => {
                        self.leave().await;
                        let _ = reply.send(());
                        return;
                    }
                    Some(command) => self.command(command),
                    None => return self.leave().await,
                },
                _ = &mut self.handles => return self.leave().await,
                event = self.swarm.select_next_some(), if !full => self.swarm_event(event),
                () = tokio::time::sleep_until(wake.into()) => self.tick(),
            }
        }
    }

    fn wake(&self) -> Instant {
        let times = [self.redial.next(), self.lookups.next()];
        times.into_iter().flatten().fold(self.recheck, Instant::min)
    }

    fn tick(&mut self) {
        let now = Instant::now();
        for (node, addresses) in self.redial.due(now, rand::random()) {
            self.reach(node.to_peer(), addresses);
        }
        if self.lookups.due(now) {
            let own = *self.swarm.local_peer_id();
            self.swarm.behaviour_mut().kad.get_closest_peers(own);
        }
        if self.recheck <= now {
            self.recheck = now + RECHECK;
            self.swarm.behaviour_mut().kad.store_mut().expire(now);
            self.admission.membership.reload(SystemTime::now());
            self.recheck_certificates();
            self.measure_dht();
        }
    }

    fn measure_dht(&mut self) {
        let kad = &mut self.swarm.behaviour_mut().kad;
        let peers: usize = kad.kbuckets().map(|bucket| bucket.num_entries()).sum();
        let (records, providers) = kad.store_mut().sizes();
        let counters = &self.switchboard.counters;
        counters.dht_peers.set(peers as u64);
        counters.dht_records.set(records as u64);
        counters.dht_providers.set(providers as u64);
    }

    fn recheck_certificates(&self) {
        let now = SystemTime::now();
        for line in self.switchboard.all() {
            let checked = self
                .admission
                .membership
                .recheck(&line.facts.certificate, now);
            if let Err(why) = checked {
                self.switchboard.counters.refuse(why);
                let name = why.name();
                tracing::warn!(node = %line.facts.node, reason = name, "a peer is a member no longer");
                line.close(Gone::Refused(why), code::refusal(why), name);
            }
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Dial(address, reply) => self.dial(address, reply),
            Command::Ask(key, ask) => self.ask(key, ask),
            Command::StopProviding(key) => {
                self.swarm.behaviour_mut().kad.stop_providing(&key.into());
            }
            Command::Remove(key) => self.swarm.behaviour_mut().kad.remove_record(&key.into()),
            Command::Forget(node) => self.forget(node),
            // Who turns up is dialled.
            Command::Seek(node) => {
                let kad = &mut self.swarm.behaviour_mut().kad;
                kad.get_closest_peers(node.to_peer());
            }
            Command::Leave(_) => unreachable!("leaving ends the loop"),
        }
    }

    fn dial(&mut self, address: SocketAddr, reply: oneshot::Sender<Result<NodeId, DialError>>) {
        if let Some(node) = self.switchboard.at(address) {
            let _ = reply.send(Ok(node));
            return;
        }
        if self.admission.listens.read().contains(&address) {
            let _ = reply.send(Err(DialError::Own));
            return;
        }
        let mut under_way = self.dials.values_mut();
        if let Some((_, dialers)) = under_way.find(|(to, _)| *to == address) {
            dialers.push(reply);
            return;
        }
        let options = DialOpts::unknown_peer_id()
            .address(to_multiaddr(address))
            .build();
        let id = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => {
                self.dials.insert(id, (address, vec![reply]));
            }
            Err(_) => {
                let _ = reply.send(Err(DialError::Unreachable));
            }
        }
    }

    /// Dials a node that is known and not connected, unless there are enough.
    fn reach(&mut self, peer: PeerId, addresses: Vec<SocketAddr>) {
        let (peers, _) = self.switchboard.connections();
        if peers >= self.max_peers || addresses.is_empty() {
            return;
        }
        let options = DialOpts::peer_id(peer)
            .condition(PeerCondition::DisconnectedAndNotDialing)
            .addresses(addresses.into_iter().map(to_multiaddr).collect())
            .build();
        // It may be connected or dialled already.
        let _ = self.swarm.dial(options);
    }

    fn swarm_event(&mut self, event: SwarmEvent<PartsEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.part_event(event),
            SwarmEvent::NewListenAddr { address, .. } => {
                if let Some(address) = to_socket(&address) {
                    tracing::info!(%address, "the engine listens");
                    self.admission.listens.write().push(address);
                    self.changes.send_modify(|changes| *changes += 1);
                }
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                let gone = to_socket(&address);
                self.admission
                    .listens
                    .write()
                    .retain(|known| Some(*known) != gone);
            }
            SwarmEvent::OutgoingConnectionError {
                connection_id,
                error,
                ..
            } => self.dial_failed(connection_id, &error),
            SwarmEvent::ListenerError { error, .. } => {
                tracing::warn!(%error, "a listener failed");
            }
            _ => {}
        }
    }

    fn dial_failed(&mut self, id: ConnectionId, error: &SwarmDialError) {
        let why = match error {
            SwarmDialError::LocalPeerId { .. } => DialError::Own,
            SwarmDialError::Transport(errors) => errors
                .iter()
                .find_map(|(_, error)| DialError::refused(error))
                .unwrap_or(DialError::Unreachable),
            SwarmDialError::Denied { .. } => DialError::Full,
            _ => DialError::Unreachable,
        };
        self.dialed(id, Err(why));
    }

    fn dialed(&mut self, id: ConnectionId, result: Result<NodeId, DialError>) {
        let (_, dialers) = self.dials.remove(&id).unzip();
        for dialer in dialers.into_iter().flatten() {
            let _ = dialer.send(result);
        }
    }

    fn part_event(&mut self, event: PartsEvent) {
        match event {
            PartsEvent::Streams(StreamsEvent::Up(line, came)) => self.up(&line, came),
            PartsEvent::Streams(StreamsEvent::Down(line)) => self.down(&line),
            PartsEvent::Ping(event) => self.probed(event),
            PartsEvent::Kad(event) => self.dht_event(event),
            PartsEvent::Mdns(mdns::Event::Discovered(found)) => {
                for (peer, address) in found {
                    self.reach(peer, to_socket(&address).into_iter().collect());
                }
            }
            PartsEvent::Mdns(mdns::Event::Expired(_)) | PartsEvent::Identify(_) => {}
        }
    }

    fn up(&mut self, line: &Line, came: Came) {
        let node = line.facts.node;
        self.dialed(line.id, Ok(node));
        self.redial.found(node);
        let peer = node.to_peer();
        for address in routes(line) {
            let kad = &mut self.swarm.behaviour_mut().kad;
            kad.add_address(&peer, to_multiaddr(address));
        }
        if came == Came::Another {
            return;
        }
        if came == Came::Restarted {
            // What it provided in its former life.
            let kad = &mut self.swarm.behaviour_mut().kad;
            kad.store_mut().forget(&peer);
            self.gone(node, Gone::Restarted);
        }
        if self.switchboard.connections().0 == 1 {
            self.lookups.begin(Instant::now());
        }
        self.switchboard.counters.connected.add();
        self.tell(Event::Connected(Peer::of(line)));
    }

    fn down(&mut self, line: &Line) {
        let node = line.facts.node;
        let why = why(line);
        if matches!(why, Gone::Left | Gone::Refused(Refusal::Revoked)) {
            self.forget(node);
        } else {
            self.redial.lost(node, routes(line), Instant::now());
        }
        self.gone(node, why);
    }

    /// Takes a node that is gone out of the DHT.
    fn forget(&mut self, node: NodeId) {
        let peer = node.to_peer();
        let kad = &mut self.swarm.behaviour_mut().kad;
        if self.switchboard.line(node).is_none() {
            kad.remove_peer(&peer);
            kad.store_mut().forget(&peer);
        }
    }

    fn gone(&mut self, node: NodeId, why: Gone) {
        self.switchboard.counters.disconnected.add();
        self.tell(Event::Disconnected { node, why });
    }

    fn tell(&mut self, event: Event) {
        tracing::info!(?event, "peer");
        self.unsent.push_back(event);
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Lesson 7: libp2p tells a failure only when a second probe has failed too; and a peer whose streams
    /// come while its probes do not is busy, not dead.
    fn probed(&mut self, event: ping::Event) {
        let all = self.switchboard.all();
        let Some(line) = all.into_iter().find(|line| line.id == event.connection) else {
            return;
        };
        match event.result {
            Ok(time) => {
                let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
                line.round_trip.store(micros.max(1), Ordering::Relaxed);
                line.heard_at_probe();
            }
            Err(ping::Failure::Unsupported) => {}
            Err(_) => {
                self.switchboard.counters.probes_missed.add();
                if !line.heard_at_probe() {
                    self.switchboard.counters.probed_out.add();
                    line.close(Gone::Silent, code::SILENT, "silent");
                }
            }
        }
    }

    /// Says goodbye to everybody.
    async fn leave(&mut self) {
        for line in self.switchboard.all() {
            macula_quic::close(&line.facts.connection, code::LEAVING, b"goodbye");
        }
        let closing = async {
            while self.switchboard.connections().0 > 0 {
                let event = self.swarm.select_next_some().await;
                if let SwarmEvent::Behaviour(PartsEvent::Streams(StreamsEvent::Down(line))) = event
                {
                    tracing::debug!(node = %line.facts.node, "said goodbye");
                }
            }
        };
        let _ = tokio::time::timeout(GOODBYE, closing).await;
    }
}

/// Why a connection is gone. What was found here counts for more than what the peer says.
fn why(line: &Line) -> Gone {
    use quinn::ConnectionError as Error;
    if let Some(why) = line.closed() {
        return why;
    }
    match line.facts.connection.close_reason() {
        Some(error) if code::left(&error) => Gone::Left,
        Some(Error::TimedOut) => Gone::TimedOut,
        Some(error) => code::refused(&error).map_or(Gone::Lost, Gone::RefusedUs),
        None => Gone::Lost,
    }
}

/// Where a peer may be reached. Its loopback addresses are of use on the same machine only.
fn routes(line: &Line) -> Vec<SocketAddr> {
    let facts = &line.facts;
    let here = facts.address.ip().is_loopback();
    let listens = facts.listens.iter().copied();
    let mut routes: Vec<_> = listens
        .filter(|address| here || !address.ip().is_loopback())
        .collect();
    if facts.dialed && !routes.contains(&facts.address) {
        routes.push(facts.address);
    }
    routes
}

#[cfg(test)]
mod tests;
