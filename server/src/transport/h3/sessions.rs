//! The WebTransport sessions of one connection.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::{Buf, Bytes};
use parking_lot::Mutex;
use quinn::VarInt;
use tokio::sync::Notify;

use crate::webtransport::{
    link::{Counts, Link},
    varint,
};

/// Sessions that a connection may have at a time, told in its settings. A page has one or two; some
/// pages may share a connection.
pub(super) const MAX_SESSIONS: usize = 16;
/// Sessions that have ended of which a connection keeps the ids. A stream of one that was forgotten
/// waits for its request until its time is over.
const MAX_GONE: usize = 64;
/// Streams and datagrams of a connection that wait for a request that has not come. What they may
/// bring is bounded by the connection's window.
const MAX_EARLY: usize = 16;
/// `H3_DATAGRAM_ERROR` (RFC 9297 §5.2).
const DATAGRAM_ERROR: VarInt = VarInt::from_u32(0x33);

/// All sessions of one connection.
#[derive(Debug, Clone)]
pub(super) struct Sessions(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    quic: quinn::Connection,
    counts: Arc<Counts>,
    table: Mutex<Table>,
    /// Told when a session begins or ends.
    changed: Notify,
    /// Streams that wait for their session.
    early_streams: AtomicUsize,
}

#[derive(Debug, Default)]
struct Table {
    /// Those whose request has come, and has not been refused.
    links: Vec<Arc<Link>>,
    /// The ids of the last that have ended.
    gone: VecDeque<u64>,
    early_datagrams: VecDeque<(u64, Bytes)>,
    /// Whether datagrams are read: not before the first session.
    reads_datagrams: bool,
}

/// What there is for a session's id.
#[derive(Debug)]
pub(super) enum Found {
    Session(Arc<Link>),
    /// It has ended, or was refused.
    Gone,
    /// Its request may still come.
    Unknown,
}

/// A session's place in the table. The session ends when it goes.
#[derive(Debug)]
pub(super) struct Place {
    sessions: Sessions,
    pub(super) link: Arc<Link>,
}

/// Leave for a stream to wait for its session.
#[derive(Debug)]
pub(super) struct Early(Sessions);

impl Sessions {
    pub(super) fn new(quic: quinn::Connection) -> Self {
        Self(Arc::new(Inner {
            quic,
            counts: Arc::default(),
            table: Mutex::default(),
            changed: Notify::new(),
            early_streams: AtomicUsize::new(0),
        }))
    }

    /// How many streams of the peer's the sessions use.
    pub(super) fn counts(&self) -> &Counts {
        &self.0.counts
    }

    /// Begins the session of a request; none when there are too many.
    pub(super) fn begin(&self, id: u64) -> Option<Place> {
        let link = Link::new(self.0.quic.clone(), id, Arc::clone(&self.0.counts));
        let first = {
            let mut table = self.0.table.lock();
            if table.links.len() >= MAX_SESSIONS {
                return None;
            }
            table.links.push(Arc::clone(&link));
            table.early_datagrams.retain(|(of, datagram)| {
                if *of == id {
                    link.bring_datagram(datagram.clone());
                }
                *of != id
            });
            !std::mem::replace(&mut table.reads_datagrams, true)
        };
        self.0.changed.notify_waiters();
        if first {
            // Until now they waited in QUIC's own small buffer.
            tokio::spawn(self.clone().bring_datagrams());
        }
        let sessions = self.clone();
        Some(Place { sessions, link })
    }

    pub(super) fn find(&self, id: u64) -> Found {
        self.0.table.lock().find(id)
    }

    /// Waits while nothing is known of a session.
    pub(super) async fn known(&self, id: u64) -> Found {
        loop {
            let changed = self.0.changed.notified();
            match self.find(id) {
                Found::Unknown => changed.await,
                found => return found,
            }
        }
    }

    /// Lets one more stream wait for its session; none when there are too many.
    pub(super) fn wait(&self) -> Option<Early> {
        let early = Early(self.clone());
        let before = self.0.early_streams.fetch_add(1, Ordering::Relaxed);
        (before < MAX_EARLY).then_some(early)
    }

    /// Ends the connection, whose peer breaks the protocol.
    pub(super) fn break_off(&self, code: VarInt, reason: &str) {
        macula_quic::close(&self.0.quic, code, reason.as_bytes());
    }

    /// Brings each datagram to its session, until the connection ends.
    async fn bring_datagrams(self) {
        while let Ok(mut datagram) = self.0.quic.read_datagram().await {
            // RFC 9297 §2.1: a fourth of the id of the stream that it belongs to.
            let head = varint::read(&datagram);
            let Some((id, len)) = head.and_then(|(id, len)| Some((in_range(id)?, len))) else {
                return self.break_off(DATAGRAM_ERROR, "expected a datagram of a stream");
            };
            datagram.advance(len);
            let mut table = self.0.table.lock();
            match table.find(id) {
                Found::Session(link) => {
                    drop(table);
                    link.bring_datagram(datagram);
                }
                Found::Gone => {}
                Found::Unknown => table.keep_early(id, &datagram),
            }
        }
    }
}

/// The id of the stream; stream ids have 62 bits.
fn in_range(quarter: u64) -> Option<u64> {
    (quarter < 1 << 60).then_some(quarter * 4)
}

impl Table {
    fn find(&self, id: u64) -> Found {
        if let Some(link) = self.links.iter().find(|link| link.id() == id) {
            return Found::Session(Arc::clone(link));
        }
        match self.gone.contains(&id) {
            true => Found::Gone,
            false => Found::Unknown,
        }
    }

    /// Keeps a copy, as the packet that it came in may be much larger.
    fn keep_early(&mut self, id: u64, datagram: &[u8]) {
        if self.early_datagrams.len() >= MAX_EARLY {
            self.early_datagrams.pop_front();
        }
        let datagram = Bytes::copy_from_slice(datagram);
        self.early_datagrams.push_back((id, datagram));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        {
            let mut table = self.sessions.0.table.lock();
            table.links.retain(|link| link.id() != self.link.id());
            if table.gone.len() >= MAX_GONE {
                table.gone.pop_front();
            }
            table.gone.push_back(self.link.id());
        }
        self.link.end(self.link.end_of_connection());
        self.sessions.0.changed.notify_waiters();
    }
}

impl Drop for Early {
    fn drop(&mut self) {
        self.0.0.early_streams.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use quinn::{ClientConfig, Endpoint, ServerConfig};

    use super::*;

    const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    /// Both ends of a connection.
    async fn connection() -> (quinn::Connection, quinn::Connection) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let key = made.signing_key.serialize_der().try_into().unwrap();
        let server = ServerConfig::with_single_cert(vec![certificate.clone()], key).unwrap();
        let server = Endpoint::server(server, LOCAL).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate).unwrap();
        let mut client = Endpoint::client(LOCAL).unwrap();
        client.set_default_client_config(
            ClientConfig::with_root_certificates(Arc::new(roots)).unwrap(),
        );
        let connecting = client.connect(server.local_addr().unwrap(), "localhost");
        let accepting = async { server.accept().await.unwrap().await.unwrap() };
        let (theirs, ours) = tokio::join!(connecting.unwrap(), accepting);
        (theirs.unwrap(), ours)
    }

    #[tokio::test]
    async fn nothing_stays_of_a_session_that_has_ended() {
        let (theirs, ours) = connection().await;
        let sessions = Sessions::new(ours.clone());
        let place = sessions.begin(0).unwrap();
        let (link, counts) = (Arc::downgrade(&place.link), sessions.counts());
        for _ in 0..3 {
            theirs
                .open_bi()
                .await
                .unwrap()
                .0
                .write_all(b"!")
                .await
                .unwrap();
            let (send, recv) = ours.accept_bi().await.unwrap();
            place.link.bring_bidirectional(send, recv, Bytes::new());
            theirs
                .open_uni()
                .await
                .unwrap()
                .write_all(b"!")
                .await
                .unwrap();
            let recv = ours.accept_uni().await.unwrap();
            place.link.bring_unidirectional(recv, Bytes::new());
        }
        assert_eq!((counts.bidirectional(), counts.unidirectional()), (3, 3));
        drop(place);
        assert_eq!((counts.bidirectional(), counts.unidirectional()), (0, 0));
        assert!(sessions.0.table.lock().links.is_empty());
        assert!(link.upgrade().is_none(), "somebody keeps the session");
        assert!(matches!(sessions.find(0), Found::Gone));
        assert!(matches!(sessions.find(4), Found::Unknown));
    }

    #[tokio::test]
    async fn what_waits_for_a_session_is_bounded_and_goes_to_it() {
        let (_theirs, ours) = connection().await;
        let sessions = Sessions::new(ours);
        let early: Vec<_> = (0..MAX_EARLY).map(|_| sessions.wait().unwrap()).collect();
        assert!(sessions.wait().is_none());
        drop(early);
        assert!(sessions.wait().is_some());
        assert_eq!(sessions.0.early_streams.load(Ordering::Relaxed), 0);

        for number in 0..40u8 {
            let mut table = sessions.0.table.lock();
            table.keep_early(u64::from(number % 2) * 4, &[number]);
            assert!(table.early_datagrams.len() <= MAX_EARLY);
        }
        let (known, place) = tokio::join!(sessions.known(4), async { sessions.begin(4).unwrap() });
        assert!(matches!(known, Found::Session(link) if link.id() == 4));
        assert_eq!(sessions.0.table.lock().early_datagrams.len(), MAX_EARLY / 2);
        drop(place);
    }

    #[tokio::test]
    async fn only_the_last_that_have_ended_are_known() {
        let (_theirs, ours) = connection().await;
        let sessions = Sessions::new(ours);
        for number in 0..100 {
            drop(sessions.begin(number * 4).unwrap());
        }
        assert!(matches!(sessions.find(35 * 4), Found::Unknown));
        assert!(matches!(sessions.find(36 * 4), Found::Gone));
        let places: Vec<_> = (0..MAX_SESSIONS as u64)
            .map(|number| sessions.begin(number).unwrap())
            .collect();
        assert!(sessions.begin(1_000).is_none());
        drop(places);
    }
}
