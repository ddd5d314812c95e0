//! One session.

use std::{ops::Deref, sync::Arc};

use bytes::Bytes;

use super::{
    codes,
    link::{Counted, Half, Link},
    recv::RecvStream,
    send::SendStream,
    varint,
};

/// A WebTransport session. Cheap to clone; it ends, with the code 0, when its last clone is dropped.
#[derive(Debug, Clone)]
pub struct Session(Arc<Handle>);

/// Ends the session when it goes. Streams keep the link, and do not keep the session open.
#[derive(Debug)]
struct Handle(Arc<Link>);

/// How a session ended: as the peer or [`Session::close`] said, with the code 0 if nothing was said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the session has ended: code {code}, {reason:?}")]
pub struct Closed {
    /// The application's code.
    pub code: u32,
    /// At most 1,024 bytes, for people; from the peer it may be anything.
    pub reason: String,
    /// True when the session or its connection broke off, and nobody meant to end it.
    pub broken: bool,
}

/// Why a datagram cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Undeliverable {
    /// It is larger than [`Session::max_datagram_size`].
    #[error("expected a datagram that fits in a packet")]
    TooLarge,
    /// The peer takes none at all.
    #[error("expected a peer that takes datagrams")]
    Unsupported,
    /// The session has ended.
    #[error("expected a session that is open")]
    Closed,
}

impl Closed {
    /// An end about which nothing was said.
    pub(crate) fn without_words() -> Self {
        Self {
            code: 0,
            reason: String::new(),
            broken: false,
        }
    }

    /// An end that nobody meant.
    pub(crate) fn broken_off() -> Self {
        Self {
            broken: true,
            ..Self::without_words()
        }
    }
}

impl Session {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Self(Arc::new(Handle(link)))
    }

    /// The next stream in both directions that the peer opens. 256 may wait; later ones are reset.
    /// Safe to cancel.
    ///
    /// # Errors
    /// The session has ended.
    pub async fn accept_bi(&self) -> Result<(SendStream, RecvStream), Closed> {
        match self.0.bidirectional.next().await {
            Some(stream) => Ok(stream),
            None => Err(self.closed().await),
        }
    }

    /// The next stream that only the peer writes. 256 may wait; later ones are stopped. Safe to cancel.
    ///
    /// # Errors
    /// The session has ended.
    pub async fn accept_uni(&self) -> Result<RecvStream, Closed> {
        match self.0.unidirectional.next().await {
            Some(stream) => Ok(stream),
            None => Err(self.closed().await),
        }
    }

    /// Opens a stream in both directions; waits while the peer allows no more of them. The peer hears
    /// of it with the first bytes.
    ///
    /// # Errors
    /// The session has ended.
    pub async fn open_bi(&self) -> Result<(SendStream, RecvStream), Closed> {
        let opened = tokio::select! {
            biased;
            closed = self.0.ended() => return Err(closed.clone()),
            opened = self.0.quic().open_bi() => opened,
        };
        let Ok((send, recv)) = opened else {
            return Err(self.closed().await);
        };
        let counted = || Counted::new(&self.0.0, Half::Ours);
        let send = SendStream::opened(send, self.head(codes::BIDIRECTIONAL), counted());
        Ok((send, RecvStream::new(recv, Bytes::new(), counted())))
    }

    /// Opens a stream that only this side writes; waits while the peer allows no more of them. The peer
    /// hears of it with the first bytes.
    ///
    /// # Errors
    /// The session has ended.
    pub async fn open_uni(&self) -> Result<SendStream, Closed> {
        let opened = tokio::select! {
            biased;
            closed = self.0.ended() => return Err(closed.clone()),
            opened = self.0.quic().open_uni() => opened,
        };
        let Ok(send) = opened else {
            return Err(self.closed().await);
        };
        let counted = Counted::new(&self.0.0, Half::Ours);
        let head = self.head(codes::UNIDIRECTIONAL);
        Ok(SendStream::opened(send, head, counted))
    }

    /// What a stream of this session begins with.
    fn head(&self, kind: u64) -> Bytes {
        let mut head = Vec::with_capacity(2 * varint::MAX_BYTES);
        varint::write(kind, &mut head);
        varint::write(self.0.id(), &mut head);
        head.into()
    }

    /// Sends a datagram, which may be lost. Never waits: when 64 KiB of the connection's wait to be
    /// sent, the oldest are dropped.
    ///
    /// # Errors
    /// It is too large, the peer takes none, or the session has ended.
    pub fn send_datagram(&self, payload: Bytes) -> Result<(), Undeliverable> {
        self.0.send_datagram(&payload)
    }

    /// The next datagram of the peer's. 128 may wait; then the oldest are dropped. Safe to cancel.
    ///
    /// # Errors
    /// The session has ended.
    pub async fn read_datagram(&self) -> Result<Bytes, Closed> {
        match self.0.datagrams.next().await {
            Some(datagram) => Ok(datagram),
            None => Err(self.closed().await),
        }
    }

    /// The most bytes of a datagram now; it changes with the path. None if the peer takes no datagrams.
    #[must_use]
    pub fn max_datagram_size(&self) -> Option<usize> {
        self.0.max_datagram_size()
    }

    /// Ends the session: its streams are reset, and the peer is told the code and the first 1,024 bytes
    /// of the reason. Only the first end counts.
    pub fn close(&self, code: u32, reason: &str) {
        let reason = reason.to_owned();
        self.0.end(Closed {
            code,
            reason,
            broken: false,
        });
    }

    /// Waits for the end, and returns what was said. Safe to cancel.
    pub async fn closed(&self) -> Closed {
        self.0.ended().await.clone()
    }
}

impl Deref for Handle {
    type Target = Link;

    fn deref(&self) -> &Link {
        &self.0
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.end(Closed::without_words());
    }
}
