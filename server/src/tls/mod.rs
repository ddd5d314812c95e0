//! Certificates: of our own authority in development, from files in production.
//!
//! - [`authority`]: the local authority and the leaf that it signs.
//! - [`identity`]: a certificate chain with its key, as rustls wants it.
//! - [`keeper`]: keeps the leaf fresh while the node runs.

pub mod authority;
mod files;
pub mod identity;
mod keeper;

use std::{path::PathBuf, sync::Arc};

use rustls::{
    ServerConfig, SupportedProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs},
    server::ServerSessionMemoryCache,
    version::{TLS12, TLS13},
};
use serde::{Deserialize, Serialize};

pub use identity::Identity;
pub use keeper::Keeper;

/// Sessions that clients may resume, on each of TCP and QUIC; each takes about 1 KiB. A client that
/// resumes saves a round trip; one that is forgotten makes a full handshake.
const RESUMABLE_SESSIONS: usize = 2048;

/// Where certificates come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// A file with the certificate chain, PEM. Without it a local authority makes one.
    pub certificate: Option<PathBuf>,
    /// A file with the key of the certificate, PEM.
    pub key: Option<PathBuf>,
    /// Names and addresses beside `localhost`, `127.0.0.1` and `::1` for which the local authority
    /// makes the certificate.
    pub names: Vec<String>,
}

/// What the transports serve with. Both follow the certificate that the [`Keeper`] keeps.
#[derive(Debug, Clone)]
pub struct Configs {
    /// HTTP/1.1 and HTTP/2 over TCP: TLS 1.3 and 1.2.
    pub tcp: Arc<ServerConfig>,
    /// HTTP/3 over QUIC: TLS 1.3, with early data.
    pub quic: Arc<ServerConfig>,
}

/// The one TLS provider, with the post-quantum hybrid key exchange (X25519MLKEM768) first.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

impl Configs {
    /// Configurations that ask the keeper for the certificate at each handshake.
    ///
    /// # Errors
    /// The provider does not have the versions, which it has.
    pub fn new(keeper: &Keeper) -> Result<Self, rustls::Error> {
        let tcp = config(keeper, &[&TLS13, &TLS12], &[b"h2", b"http/1.1"])?;
        let mut quic = config(keeper, &[&TLS13], &[b"h3"])?;
        // RFC 9001 §4.6.1: QUIC allows all or nothing; flow control bounds it.
        quic.max_early_data_size = u32::MAX;
        Ok(Self {
            tcp: Arc::new(tcp),
            quic: Arc::new(quic),
        })
    }
}

fn config(
    keeper: &Keeper,
    versions: &[&'static SupportedProtocolVersion],
    alpn: &[&[u8]],
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)?
        .with_no_client_auth()
        .with_cert_resolver(keeper.resolver());
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    config.session_storage = ServerSessionMemoryCache::new(RESUMABLE_SESSIONS);
    Ok(config)
}
