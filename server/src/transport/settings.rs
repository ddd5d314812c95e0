//! Limits and timeouts of connections.

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
    /// Requests that one HTTP/2 or HTTP/3 connection may have open. Default 1,024: streams of
    /// events stay open.
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
