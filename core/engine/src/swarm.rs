//! The swarm: libp2p's parts and ours, composed.

use std::{sync::Arc, time::Duration};

use libp2p::{
    PeerId, Swarm, Transport, connection_limits,
    core::upgrade,
    identify, identity, kad, mdns, memory_connection_limits, ping,
    swarm::{self, NetworkBehaviour, behaviour::toggle::Toggle},
};

use crate::{
    config::{Config, Protocols, StartError},
    dht::{self, store::Store},
    streams::{behaviour::Behaviour as Streams, switchboard::Switchboard},
    transport::{Quic, ledger::Ledger},
};

/// Connections to one peer at a time: one from each side, and those of a process that has just been replaced. How many
/// peers there may be is for [`Streams`] to say, which knows them.
const CONNECTIONS_OF_ONE: u32 = 4;
/// How long a connection that another one replaces stays for streams under way to begin.
const RETIREMENT: Duration = Duration::from_secs(5);

#[derive(NetworkBehaviour)]
pub(crate) struct Parts {
    limits: connection_limits::Behaviour,
    memory: memory_connection_limits::Behaviour,
    pub(crate) streams: Streams,
    ping: ping::Behaviour,
    identify: identify::Behaviour,
    pub(crate) kad: kad::Behaviour<Store>,
    mdns: Toggle<mdns::tokio::Behaviour>,
}

pub(crate) fn build(
    config: &Config,
    protocols: &Protocols,
    transport: Quic,
    ledger: Ledger,
    switchboard: Arc<Switchboard>,
) -> Result<Swarm<Parts>, StartError> {
    let settings = &config.settings;
    let node = config.key.id();
    let peer: PeerId = node.to_peer();
    let limits = connection_limits::ConnectionLimits::default()
        .with_max_pending_incoming(Some(settings.max_pending))
        .with_max_pending_outgoing(Some(settings.max_pending))
        .with_max_established_per_peer(Some(CONNECTIONS_OF_ONE));
    let ping = ping::Config::new()
        .with_interval(settings.probe)
        .with_timeout(settings.probe);
    let public = identity::ed25519::PublicKey::try_from_bytes(node.as_bytes());
    let public = public.expect("the key of a pair is a point on the curve");
    let identify = identify::Config::new(protocols.identity.to_string(), public.into())
        .with_agent_version(concat!("macula/", env!("CARGO_PKG_VERSION")).to_owned())
        .with_cache_size(0);
    let store = Store::new(peer, settings, switchboard.counters.clone());
    let dht = dht::config(protocols.dht.clone(), settings);
    let mut kad = kad::Behaviour::with_config(peer, store, dht);
    kad.set_mode(Some(kad::Mode::Server));
    let mdns = settings
        .mdns
        .then(|| mdns::tokio::Behaviour::new(mdns::Config::default(), peer))
        .transpose()
        .map_err(StartError::Mdns)?;
    let parts = Parts {
        limits: connection_limits::Behaviour::new(limits),
        memory: memory_connection_limits::Behaviour::with_max_bytes(
            settings.max_memory_mb.saturating_mul(1 << 20),
        ),
        streams: Streams::new(switchboard, ledger, settings.clone()),
        ping: ping::Behaviour::new(ping),
        identify: identify::Behaviour::new(identify),
        kad,
        mdns: mdns.into(),
    };
    let config = swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(RETIREMENT)
        // All that there may be: one that waited for its turn would hold, with what it has brought, the connection's
        // window, and so keep others from the names of their protocols.
        .with_max_negotiating_inbound_streams(settings.streams_with_reserve() as usize)
        // A stream's first bytes travel with the name of its protocol, without a round trip before.
        .with_substream_upgrade_protocol_override(upgrade::Version::V1Lazy);
    Ok(Swarm::new(transport.boxed(), parts, peer, config))
}
