//! What a session, its streams and the transport share.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use bytes::Bytes;
use tokio::sync::Notify;

use super::{
    codes,
    queue::Queue,
    recv::RecvStream,
    send::SendStream,
    session::{Closed, Undeliverable},
    varint,
};

/// Streams in one direction kind that may wait to be accepted in a session; later ones are refused.
/// An owner that falls behind by so many is overloaded.
const WAITING_STREAMS: usize = 256;
/// The same while the request is not answered: a client may send its first ones along.
const EARLY_STREAMS: usize = 16;
/// Datagrams that wait to be read in a session; then the oldest goes.
const WAITING_DATAGRAMS: usize = 128;
/// So much of what waits may be slices of the packets that brought it. What waits behind is copied: one
/// train of packets may be much larger than the few bytes that keep it in memory.
const WAITING_SLICES: usize = 16;

/// How many streams of the peer's are in use on a connection, in all its sessions.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    sends: AtomicUsize,
    receives: AtomicUsize,
    unidirectional: AtomicUsize,
}

/// Counts half a stream of the peer's, or one in one direction, until it goes.
#[derive(Debug)]
pub(super) struct Counted {
    link: Arc<Link>,
    half: Half,
}

/// What of a stream is counted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Half {
    Send,
    Receive,
    Unidirectional,
    /// Streams that were opened here have another limit.
    Ours,
}

/// One session on its connection.
#[derive(Debug)]
pub(crate) struct Link {
    quic: quinn::Connection,
    /// That of the CONNECT request's stream.
    id: u64,
    counts: Arc<Counts>,
    /// Whether the request was answered with 200.
    accepted: AtomicBool,
    pub(super) bidirectional: Queue<(SendStream, RecvStream)>,
    pub(super) unidirectional: Queue<RecvStream>,
    pub(super) datagrams: Queue<Bytes>,
    /// There once the session has ended.
    closed: OnceLock<Closed>,
    ending: Notify,
}

impl Counts {
    /// Streams in both directions of which at least one half is in use.
    pub(crate) fn bidirectional(&self) -> usize {
        let sends = self.sends.load(Ordering::Relaxed);
        sends.max(self.receives.load(Ordering::Relaxed))
    }

    /// Streams in one direction.
    pub(crate) fn unidirectional(&self) -> usize {
        self.unidirectional.load(Ordering::Relaxed)
    }

    fn of(&self, half: Half) -> Option<&AtomicUsize> {
        match half {
            Half::Send => Some(&self.sends),
            Half::Receive => Some(&self.receives),
            Half::Unidirectional => Some(&self.unidirectional),
            Half::Ours => None,
        }
    }
}

impl Counted {
    pub(super) fn new(link: &Arc<Link>, half: Half) -> Self {
        if let Some(count) = link.counts.of(half) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        Self {
            link: Arc::clone(link),
            half,
        }
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(count) = self.link.counts.of(self.half) {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Link {
    pub(crate) fn new(quic: quinn::Connection, id: u64, counts: Arc<Counts>) -> Arc<Self> {
        Arc::new(Self {
            quic,
            id,
            counts,
            accepted: AtomicBool::new(false),
            bidirectional: Queue::new(),
            unidirectional: Queue::new(),
            datagrams: Queue::new(),
            closed: OnceLock::new(),
            ending: Notify::new(),
        })
    }

    /// The session's id: that of its CONNECT request's stream.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn quic(&self) -> &quinn::Connection {
        &self.quic
    }

    /// The request was answered with 200.
    pub(crate) fn accept(&self) {
        self.accepted.store(true, Ordering::Relaxed);
    }

    fn waiting_streams(&self) -> usize {
        match self.accepted.load(Ordering::Relaxed) {
            true => WAITING_STREAMS,
            false => EARLY_STREAMS,
        }
    }

    /// Brings a stream of the peer's whose head is read; `rest` came behind the head.
    pub(crate) fn bring_bidirectional(
        self: &Arc<Self>,
        send: quinn::SendStream,
        recv: quinn::RecvStream,
        rest: Bytes,
    ) {
        let send = SendStream::accepted(send, Counted::new(self, Half::Send));
        let rest = kept(rest, self.bidirectional.len());
        let recv = RecvStream::new(recv, rest, Counted::new(self, Half::Receive));
        let offered = self
            .bidirectional
            .offer((send, recv), self.waiting_streams());
        if let Err((mut send, mut recv)) = offered {
            send.refuse(self.refusal());
            recv.refuse(self.refusal());
        }
    }

    /// The same for a stream in one direction.
    pub(crate) fn bring_unidirectional(self: &Arc<Self>, recv: quinn::RecvStream, rest: Bytes) {
        let rest = kept(rest, self.unidirectional.len());
        let recv = RecvStream::new(recv, rest, Counted::new(self, Half::Unidirectional));
        let offered = self.unidirectional.offer(recv, self.waiting_streams());
        if let Err(mut recv) = offered {
            recv.refuse(self.refusal());
        }
    }

    fn refusal(&self) -> quinn::VarInt {
        match self.closed() {
            Some(_) => codes::SESSION_GONE,
            None => codes::BUFFERED_STREAM_REJECTED,
        }
    }

    /// Brings a datagram of the peer's, without its head.
    pub(crate) fn bring_datagram(&self, payload: Bytes) {
        let payload = kept(payload, self.datagrams.len());
        self.datagrams.push(payload, WAITING_DATAGRAMS);
    }

    /// RFC 9297 §2.1: what a datagram of this session begins with.
    fn datagram_head(&self) -> Vec<u8> {
        let mut head = Vec::with_capacity(varint::MAX_BYTES);
        varint::write(self.id / 4, &mut head);
        head
    }

    pub(super) fn max_datagram_size(&self) -> Option<usize> {
        let head = self.datagram_head().len();
        self.quic.max_datagram_size()?.checked_sub(head)
    }

    pub(super) fn send_datagram(&self, payload: &[u8]) -> Result<(), Undeliverable> {
        use quinn::SendDatagramError as Error;
        if self.closed().is_some() {
            return Err(Undeliverable::Closed);
        }
        let mut datagram = Vec::with_capacity(varint::MAX_BYTES + payload.len());
        varint::write(self.id / 4, &mut datagram);
        datagram.extend_from_slice(payload);
        let sent = self.quic.send_datagram(datagram.into());
        sent.map_err(|error| match error {
            Error::TooLarge => Undeliverable::TooLarge,
            Error::UnsupportedByPeer | Error::Disabled => Undeliverable::Unsupported,
            Error::ConnectionLost(_) => Undeliverable::Closed,
        })
    }

    /// Ends the session and its streams. Only the first end counts.
    pub(crate) fn end(&self, closed: Closed) {
        // Whoever was first has ended the rest.
        if self.closed.set(closed).is_err() {
            return;
        }
        self.ending.notify_waiters();
        drop(self.bidirectional.end());
        drop(self.unidirectional.end());
        drop(self.datagrams.end());
    }

    /// How the session ends with its connection: it broke off, unless the peer has closed the connection with
    /// the code 0. HTTP/3 has no such code (RFC 9114 §8.1); a client that closes its sessions by their
    /// connection, as Deno does, says the session's code so.
    pub(crate) fn end_of_connection(&self) -> Closed {
        match self.quic.close_reason() {
            Some(quinn::ConnectionError::ApplicationClosed(close))
                if close.error_code.into_inner() == 0 =>
            {
                Closed::without_words()
            }
            _ => Closed::broken_off(),
        }
    }

    /// How the session has ended; none while it lasts.
    pub(crate) fn closed(&self) -> Option<&Closed> {
        self.closed.get()
    }

    /// Waits for the end. Safe to cancel.
    pub(crate) async fn ended(&self) -> &Closed {
        loop {
            let ending = self.ending.notified();
            if let Some(closed) = self.closed() {
                return closed;
            }
            ending.await;
        }
    }
}

/// What is kept of bytes that wait behind so many others.
fn kept(bytes: Bytes, waiting: usize) -> Bytes {
    match waiting {
        0..WAITING_SLICES => bytes,
        _ => Bytes::copy_from_slice(&bytes),
    }
}
