//! What the benchmarks share. Each is a program of its own; `docs/PERFORMANCE.md` says how to run
//! them and what they gave.
//!
//! - [`process`]: a server as a process: start, memory, processor time, end.
//! - [`macula`], [`peers`]: Macula, and what it is measured against.
//! - [`http1`], [`http2`], [`http3`]: clients that cost little.
//! - [`live`]: a client of live sessions that costs little. [`sdk`]: one by the SDK. [`nats`], [`wamp`]: the same of NATS and of Crossbar.
//! - [`cluster`], [`routes`], [`zenoh`]: two nodes of Macula, two servers of NATS, two routers of zenoh.
//! - [`load`]: events with numbers. [`figures`]: what rounds gave. [`table`]: medians and ratios.
#![allow(clippy::print_stdout, reason = "a benchmark says what it found")]

pub mod cluster;
pub mod figures;
pub mod http1;
pub mod http2;
pub mod http3;
pub mod live;
pub mod load;
pub mod macula;
pub mod nats;
pub mod peers;
pub mod process;
pub mod routes;
pub mod sdk;
pub mod table;
pub mod wamp;
pub mod zenoh;

use std::{path::Path, sync::Arc};

use anyhow::Context;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
    version::TLS13,
};

/// A byte that stands once in each event that is published here, and nowhere else in a stream. So
/// events can be counted without parsing, whatever frames them.
pub const MARK: u8 = b'~';

/// The payload of an event: a reading of some 60 bytes, with one [`MARK`].
#[must_use]
pub fn payload(n: usize) -> String {
    format!(r#"{{"sensor":"kitchen-1","celsius":21.5,"mark":"~","n":"{n:08}"}}"#)
}

/// How many events there are in a piece of a stream.
#[must_use]
pub fn events(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte == MARK).count()
}

/// TLS for clients that trust one authority.
///
/// # Errors
/// The file is no certificate.
pub fn tls(authority: &Path, alpn: &str) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(authority).context("the authority")? {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    Ok(config)
}

/// A port that is free at the moment.
///
/// # Errors
/// There is none.
pub fn free_port() -> anyhow::Result<u16> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    Ok(listener.local_addr()?.port())
}
