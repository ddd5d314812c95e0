//! Streams of callers: many on one connection a peer, opened and taken by protocol.
//!
//! A stream is opened without a round trip: the first bytes travel along with the name of the protocol. Each
//! connection lets its callers have so many open at a time (`max_streams`); opening waits for a turn, and
//! QUIC holds a peer that does not count itself to nearly the same. What has been opened is queued at its
//! taker and never dropped in silence: at the bound of the queue the stream is reset and counted.
//!
//! - [`byte_stream`]: a stream.
//! - [`switchboard`]: which peers there are, and who takes what.
//! - [`behaviour`], [`handler`]: how the swarm drives it.

pub(crate) mod behaviour;
pub(crate) mod byte_stream;
mod handler;
pub(crate) mod switchboard;
mod upgrade;

use tokio::sync::mpsc;

pub use self::byte_stream::ByteStream;
use crate::id::NodeId;

/// A stream that a peer has opened.
#[derive(Debug)]
pub struct Inbound {
    /// Who opened it.
    pub from: NodeId,
    /// The stream.
    pub stream: ByteStream,
}

/// The streams that peers open for one protocol, in the order in which they came. Dropped, the protocol is
/// served no longer.
#[derive(Debug)]
pub struct Incoming {
    pub(crate) receiver: mpsc::Receiver<Inbound>,
}

impl Incoming {
    /// The next stream; none once the engine has ended.
    pub async fn next(&mut self) -> Option<Inbound> {
        self.receiver.recv().await
    }
}

/// Why no stream was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// There is no connection to the peer, or it broke.
    #[error("the peer is not connected")]
    NotConnected,
    /// Too many are open, or the peer takes no more, for as long as the setting `open_timeout` says.
    #[error("no stream could be opened in time")]
    TooSlow,
}
