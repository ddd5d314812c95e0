//! Seeds: addresses that a node dials, each on its own and for as long as it runs.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use hickory_resolver::{
    TokioResolver,
    config::{NameServerConfig, ResolverConfig},
    net::runtime::TokioRuntimeProvider,
    proto::rr::RData,
};

use crate::{
    id::NodeId,
    redial::backoff,
    shared::{DialError, Shared},
};

/// The first try after one that failed.
const FIRST: Duration = Duration::from_millis(200);
/// The longest time between two tries.
const LONGEST: Duration = Duration::from_secs(15);
/// Addresses of one seed that are dialled; the rest is not.
const MAX_ADDRESSES: usize = 16;

/// Where another node may be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seed {
    /// A host, by name or IP address, and a UDP port: `HOST:PORT`, `[2001:db8::1]:4434`.
    Address {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// A domain whose SRV record `_macula._udp.DOMAIN` names hosts and ports (RFC 2782).
    Domain(String),
}

/// The text is no seed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected HOST:PORT, or a domain with an SRV record _macula._udp")]
pub struct InvalidSeed;

impl FromStr for Seed {
    type Err = InvalidSeed;

    fn from_str(text: &str) -> Result<Self, InvalidSeed> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self::Address {
                host: address.ip().to_string(),
                port: address.port(),
            });
        }
        let is_name = |name: &str| {
            let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            !name.is_empty() && name.len() <= 253 && name.bytes().all(good)
        };
        let seed = match text.rsplit_once(':') {
            Some((host, port)) if is_name(host) => Self::Address {
                host: host.to_owned(),
                port: port.parse().map_err(|_| InvalidSeed)?,
            },
            None if is_name(text) && text.parse::<IpAddr>().is_err() => {
                Self::Domain(text.to_owned())
            }
            _ => return Err(InvalidSeed),
        };
        Ok(seed)
    }
}

/// Looks names up.
#[derive(Debug, Clone)]
pub(crate) struct Names(Option<TokioResolver>);

impl Names {
    /// A resolver with the system's configuration, or one name server. Without either, IP addresses only.
    pub(crate) fn new(server: Option<SocketAddr>) -> Self {
        let provider = TokioRuntimeProvider::default();
        let builder = match server {
            Some(server) => {
                let mut found = NameServerConfig::udp(server.ip());
                for connection in &mut found.connections {
                    connection.port = server.port();
                }
                let config = ResolverConfig::from_parts(None, Vec::new(), vec![found]);
                Ok(TokioResolver::builder_with_config(config, provider))
            }
            None => TokioResolver::builder(provider),
        };
        let resolver = builder.and_then(|builder| builder.build());
        if let Err(error) = &resolver {
            tracing::warn!(%error, "cannot look names up");
        }
        Self(resolver.ok())
    }

    async fn addresses(&self, seed: &Seed) -> Result<Vec<SocketAddr>, DialError> {
        let mut found = match seed {
            Seed::Address { host, port } => self.host(host, *port).await?,
            Seed::Domain(domain) => {
                let mut found = Vec::new();
                for (host, port) in self.services(domain).await? {
                    found.extend(self.host(&host, port).await.unwrap_or_default());
                }
                found
            }
        };
        found.truncate(MAX_ADDRESSES);
        Ok(found)
    }

    async fn host(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, DialError> {
        if let Ok(ip) = host.parse() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let resolver = self.0.as_ref().ok_or(DialError::UnknownHost)?;
        let found = resolver.lookup_ip(host).await;
        let found = found.map_err(|_| DialError::UnknownHost)?;
        Ok(found.iter().map(|ip| SocketAddr::new(ip, port)).collect())
    }

    async fn services(&self, domain: &str) -> Result<Vec<(String, u16)>, DialError> {
        let resolver = self.0.as_ref().ok_or(DialError::UnknownHost)?;
        let name = format!("_macula._udp.{domain}.");
        let found = resolver.srv_lookup(name).await;
        let found = found.map_err(|_| DialError::UnknownHost)?;
        let services = found
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::SRV(srv) => Some((srv.target.to_utf8(), srv.port)),
                _ => None,
            });
        Ok(services.take(MAX_ADDRESSES).collect())
    }
}

/// Dials all addresses of a seed at once; the first to answer counts. The time includes the lookup.
pub(crate) async fn dial(shared: &Shared, seed: &Seed) -> Result<NodeId, DialError> {
    let dialing = async {
        let addresses = shared.names.addresses(seed).await?;
        let dials = addresses.into_iter().map(|address| shared.dial_at(address));
        let mut dials: FuturesUnordered<_> = dials.collect();
        let mut last = DialError::UnknownHost;
        while let Some(dialed) = dials.next().await {
            match dialed {
                Ok(node) => return Ok(node),
                Err(error) => last = error,
            }
        }
        Err(last)
    };
    let dialed = tokio::time::timeout(shared.settings.dial_timeout, dialing).await;
    dialed.unwrap_or(Err(DialError::TooSlow))
}

/// Keeps a connection to a seed for as long as the engine runs.
pub(crate) async fn keep(shared: Arc<Shared>, seed: Seed) {
    let mut tries = 0;
    loop {
        match dial(&shared, &seed).await {
            Ok(node) => {
                tries = 0;
                shared
                    .until(|shared| shared.switchboard.line(node).is_none())
                    .await;
            }
            Err(DialError::Ended) => return,
            Err(DialError::Own) => {
                tracing::info!(?seed, "the seed is this node itself");
                return;
            }
            Err(error) => {
                tracing::info!(?seed, %error, "cannot reach the seed");
                tries += 1;
            }
        }
        let wait = backoff(FIRST, LONGEST, tries, rand::random());
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = shared.ended() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_addresses_or_domains() {
        let address = |host: &str, port| Seed::Address {
            host: host.to_owned(),
            port,
        };
        let check = |text: &str, expected: Result<Seed, InvalidSeed>| {
            assert_eq!(text.parse(), expected, "{text}");
        };
        check("127.0.0.1:4434", Ok(address("127.0.0.1", 4434)));
        check("[::1]:1", Ok(address("::1", 1)));
        check("node.example:4434", Ok(address("node.example", 4434)));
        check("example.org", Ok(Seed::Domain("example.org".to_owned())));
        for text in ["", "127.0.0.1", "a:b", ":1", "a b:1", "::1", "host:70000"] {
            check(text, Err(InvalidSeed));
        }
    }
}
