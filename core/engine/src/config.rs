//! What an engine is made of, and the names that follow from it.

use std::{io, net::SocketAddr, time::SystemTime};

use libp2p::StreamProtocol;

use crate::{
    key::NodeKey,
    membership::Membership,
    seeds::Seed,
    settings::{InvalidSettings, Settings},
    trust::{refusal::Refusal, revoked::Revoked},
};

/// The longest name of a level or of a protocol.
pub(crate) const MAX_NAME: usize = 64;

/// What an engine is made of.
#[derive(Debug, Clone)]
pub struct Config {
    /// Who the node is.
    pub key: NodeKey,
    /// What it is a member of.
    pub membership: Membership,
    /// The level: `cluster`, `street`, … 1–64 of `a–z 0–9 -`. Engines of different levels never meet.
    pub level: String,
    /// The UDP addresses to listen at. Port 0 is one that is free.
    pub listen: Vec<SocketAddr>,
    /// Other nodes to dial, for as long as the engine runs.
    pub seeds: Vec<Seed>,
    /// The name server to ask; the system's if none.
    pub dns: Option<SocketAddr>,
    /// Bounds and times.
    pub settings: Settings,
}

/// Why an engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings contradict themselves.
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
    /// The level has no good name.
    #[error("expected a level of 1 to {MAX_NAME} characters a-z, 0-9 and -")]
    Level,
    /// The node's certificate does not let it in.
    #[error("expected a good certificate of this node: {0}")]
    Credential(Refusal),
    /// The node has neither a certificate nor a join token.
    #[error("expected a certificate or a join token")]
    NoCredential,
    /// TLS could not be set up.
    #[error("cannot set up TLS: {0}")]
    Tls(String),
    /// A socket could not be bound.
    #[error("cannot listen at {address}: {error}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        error: String,
    },
    /// mDNS could not be set up.
    #[error("cannot use mDNS: {0}")]
    Mdns(io::Error),
}

impl Config {
    pub(crate) fn check(&self, now: SystemTime) -> Result<(), StartError> {
        self.settings.check()?;
        let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let level = self.level.as_bytes();
        if level.is_empty() || level.len() > MAX_NAME || !level.iter().copied().all(good) {
            return Err(StartError::Level);
        }
        match self.membership.certificate() {
            Some(certificate) => certificate
                .check(self.key.id(), now, &Revoked::default())
                .map_err(StartError::Credential),
            None if self.membership.is_invited() => Ok(()),
            None => Err(StartError::NoCredential),
        }
    }
}

/// The names of an engine's protocols: levels that differ in name or in cluster share none.
#[derive(Debug, Clone)]
pub(crate) struct Protocols {
    base: String,
    pub(crate) identity: StreamProtocol,
    pub(crate) dht: StreamProtocol,
}

impl Protocols {
    pub(crate) fn new(config: &Config) -> Self {
        let base = format!("/macula/{}/{}", config.level, config.membership.cluster());
        Self {
            identity: named(&base, "identity/1"),
            dht: named(&base, "dht/1"),
            base,
        }
    }

    pub(crate) fn stream(&self, protocol: &str) -> StreamProtocol {
        named(&self.base, &format!("stream/{protocol}"))
    }
}

fn named(base: &str, name: &str) -> StreamProtocol {
    StreamProtocol::try_from_owned(format!("{base}/{name}")).expect("it begins with a slash")
}
