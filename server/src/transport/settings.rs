//! Limits and timeouts of connections.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// What connections may cost, and how long they may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Connections of the node, TCP and QUIC together. Default 20,000. At the bound a new one is
    /// refused.
    pub max_connections: usize,
    /// Connections of one address (IPv6: one /64), generous as a whole household or office may
    /// share it. Default 12,000. At the bound a new one is refused.
    pub max_connections_per_address: usize,
    /// Requests that one HTTP/2 or HTTP/3 connection may have open, with the streams of its
    /// WebTransport sessions; those in one direction are counted on their own. Default 1,024: streams
    /// of events stay open.
    pub max_streams: u32,
    /// The most bytes of a request's header fields. Default 16 KiB. A larger head is refused: 431.
    pub max_header_bytes: usize,
    /// Seconds for the TLS or QUIC handshake. Default 10.
    pub handshake_seconds: u64,
    /// Seconds in which a request's head has to come once it has begun. Default 10.
    pub header_seconds: u64,
    /// Seconds after which a connection ends on which nothing is asked. Default 60.
    pub idle_seconds: u64,
    /// Seconds that a drain waits for requests in flight. Default 10.
    pub drain_seconds: u64,
}

/// What `max_header_bytes` may be: below, ordinary requests are refused; above, one head costs as much
/// as a large body.
const HEADER_BYTES: RangeInclusive<usize> = 1 << 10..=1 << 20;

/// A setting with which nobody could be served.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// It would refuse everybody, or end everything at once.
    #[error("expected more than 0 in `{0}`")]
    Zero(&'static str),
    /// A head has its bounds.
    #[error("expected 1024 to 1048576 in `max_header_bytes`, found {0}")]
    HeaderBytes(usize),
}

impl Settings {
    /// Whether somebody can be served with these.
    ///
    /// # Errors
    /// The first setting with which nobody can.
    pub fn check(&self) -> Result<(), SettingsError> {
        // A drain may end at once.
        let zeroes = [
            ("max_connections", self.max_connections == 0),
            (
                "max_connections_per_address",
                self.max_connections_per_address == 0,
            ),
            ("max_streams", self.max_streams == 0),
            ("handshake_seconds", self.handshake_seconds == 0),
            ("header_seconds", self.header_seconds == 0),
            ("idle_seconds", self.idle_seconds == 0),
        ];
        if let Some((name, _)) = zeroes.into_iter().find(|&(_, zero)| zero) {
            return Err(SettingsError::Zero(name));
        }
        match self.max_header_bytes {
            bytes if HEADER_BYTES.contains(&bytes) => Ok(()),
            bytes => Err(SettingsError::HeaderBytes(bytes)),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_connections: 20_000,
            max_connections_per_address: 12_000,
            max_streams: 1_024,
            max_header_bytes: 16 << 10,
            handshake_seconds: 10,
            header_seconds: 10,
            idle_seconds: 60,
            drain_seconds: 10,
        }
    }
}
