//! What a request knows of the connection it came on.
//!
//! Every transport gives one [`Conn`] to the stack with each request. So the stack and the API treat
//! a request alike wherever it came from.

use std::{any::Any, fmt, net::SocketAddr, sync::Arc};

use tokio_util::sync::CancellationToken;

/// The HTTP version a request came over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// HTTP/1.1 (or 1.0) over TLS over TCP.
    Http1,
    /// HTTP/2 over TLS over TCP.
    Http2,
    /// HTTP/3 over QUIC.
    Http3,
}

impl Protocol {
    /// The label in logs and metrics: `h1`, `h2` or `h3`.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Http1 => "h1",
            Self::Http2 => "h2",
            Self::Http3 => "h3",
        }
    }
}

/// The connection behind a request.
#[derive(Debug, Clone, Copy)]
pub struct Conn {
    /// The HTTP version.
    pub protocol: Protocol,
    /// The peer's address; of the connection, not of a `Forwarded` header.
    pub peer: SocketAddr,
    /// True while the request came in TLS early data, which an attacker could replay (RFC 8470).
    pub early_data: bool,
}

/// Keeps the connection behind a request that becomes something else, such as a WebSocket: counted,
/// in use, and waited for when the node goes down. It stands in the request's extensions.
#[derive(Clone)]
pub struct Hold {
    /// Cancelled when the connection is cut off.
    pub cut: CancellationToken,
    _guards: Arc<dyn Any + Send + Sync>,
}

impl Hold {
    /// Keeps what the guards keep.
    pub fn new(cut: CancellationToken, guards: impl Any + Send + Sync) -> Self {
        Self {
            cut,
            _guards: Arc::new(guards),
        }
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold").finish_non_exhaustive()
    }
}
