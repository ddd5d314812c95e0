//! Whose a stream of the peer's is: h3's, or a WebTransport session's.
//!
//! A session's stream begins with a type and the session's id (draft-ietf-webtrans-http3-02 §4.1, §4.2),
//! both variable-length integers. The first byte of any usual stream of HTTP/3 tells that it is none, and
//! it mostly comes with the stream: then the stream goes on at once. Otherwise it waits beside the
//! others, for a bounded time.

use std::{sync::Arc, time::Duration};

use bytes::{Buf, Bytes};
use futures_util::{FutureExt, future::BoxFuture};
use h3::error::Code;
use quinn::VarInt;
use tokio::time::timeout;

use super::{
    Headless,
    sessions::{Found, Sessions},
};
use crate::{
    transport::quic::NO_ERROR,
    webtransport::{codes, link::Link, varint},
};

/// A stream of the peer's, with what has been read of it.
pub(super) struct Incoming {
    /// There in a stream of both directions.
    pub(super) send: Option<quinn::SendStream>,
    pub(super) recv: quinn::RecvStream,
    pub(super) input: Bytes,
}

/// What a stream's first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    /// The stream is h3's.
    Ordinary,
    /// It belongs to this session; so many bytes say so.
    OfSession { id: u64, len: usize },
}

/// What becomes of a stream.
pub(super) enum Sorted {
    /// It is h3's.
    Ordinary(Incoming),
    /// It has gone its way.
    Done,
    /// It cannot be told yet; gives the stream if it is h3's in the end.
    Late(BoxFuture<'static, Option<Incoming>>),
}

/// Where a session's stream goes.
enum Way {
    To(Arc<Link>),
    Refused(VarInt),
}

/// Sorts the streams of a connection.
#[derive(Clone)]
pub(super) struct Sorter {
    pub(super) sessions: Sessions,
    /// In which a stream's head has to come, and then its session.
    pub(super) time: Duration,
    pub(super) headless: Arc<Headless>,
}

impl Sorter {
    pub(super) fn sort(&self, mut stream: Incoming) -> Sorted {
        match stream.read().now_or_never() {
            Some(true) => {}
            // What has no first byte says the same to h3 when it reads.
            Some(false) => return Sorted::Ordinary(stream),
            None => return self.late(stream),
        }
        match stream.head() {
            Some(Head::Ordinary) => Sorted::Ordinary(stream),
            Some(Head::OfSession { id, len }) => match self.way(id) {
                Some(way) => {
                    stream.go(way, len);
                    Sorted::Done
                }
                None => self.late(stream),
            },
            None => self.late(stream),
        }
    }

    /// Where a session's stream goes; none if its session may still come.
    fn way(&self, id: u64) -> Option<Way> {
        if !id.is_multiple_of(4) {
            // Only such are streams of a client's in both directions (RFC 9000 §2.1).
            let code = VarInt::from_u64(Code::H3_ID_ERROR.value()).expect("it is small");
            self.sessions
                .break_off(code, "expected the id of a request's stream");
            return Some(Way::Refused(codes::SESSION_GONE));
        }
        found(self.sessions.find(id))
    }

    fn late(&self, mut stream: Incoming) -> Sorted {
        // The packets that it came in may be much larger.
        stream.input = Bytes::copy_from_slice(&stream.input);
        Sorted::Late(Box::pin(self.clone().sort_late(stream)))
    }

    async fn sort_late(self, mut stream: Incoming) -> Option<Incoming> {
        let Ok(head) = timeout(self.time, stream.whole_head()).await else {
            self.headless.one_more();
            let code = VarInt::from_u64(Code::H3_REQUEST_INCOMPLETE.value());
            stream.give_up(code.expect("it is small"), NO_ERROR);
            return None;
        };
        let Head::OfSession { id, len } = head else {
            return Some(stream);
        };
        let way = match self.way(id) {
            Some(way) => way,
            None => self.wait(id).await,
        };
        stream.go(way, len);
        None
    }

    async fn wait(&self, id: u64) -> Way {
        let Some(_early) = self.sessions.wait() else {
            return Way::Refused(codes::BUFFERED_STREAM_REJECTED);
        };
        let known = timeout(self.time, self.sessions.known(id)).await;
        let way = known.ok().and_then(found);
        way.unwrap_or(Way::Refused(codes::BUFFERED_STREAM_REJECTED))
    }
}

fn found(found: Found) -> Option<Way> {
    match found {
        Found::Session(link) => Some(Way::To(link)),
        Found::Gone => Some(Way::Refused(codes::SESSION_GONE)),
        Found::Unknown => None,
    }
}

impl Incoming {
    pub(super) fn new(send: Option<quinn::SendStream>, recv: quinn::RecvStream) -> Self {
        let input = Bytes::new();
        Self { send, recv, input }
    }

    /// Reads once; whether something came.
    async fn read(&mut self) -> bool {
        let Ok(Some(chunk)) = self.recv.read_chunk(usize::MAX, true).await else {
            return false;
        };
        self.input = if self.input.is_empty() {
            chunk.bytes
        } else {
            Bytes::from([&self.input[..], &chunk.bytes].concat())
        };
        true
    }

    /// None when it is not whole.
    fn head(&self) -> Option<Head> {
        let kind = match self.send {
            Some(_) => codes::BIDIRECTIONAL,
            None => codes::UNIDIRECTIONAL,
        };
        head(&self.input, kind)
    }

    async fn whole_head(&mut self) -> Head {
        loop {
            if let Some(head) = self.head() {
                return head;
            }
            if !self.read().await {
                return Head::Ordinary;
            }
        }
    }

    fn go(mut self, way: Way, head_len: usize) {
        self.input.advance(head_len);
        match (way, self.send) {
            (Way::To(link), Some(send)) => link.bring_bidirectional(send, self.recv, self.input),
            (Way::To(link), None) => link.bring_unidirectional(self.recv, self.input),
            (Way::Refused(code), send) => Self { send, ..self }.give_up(code, code),
        }
    }

    fn give_up(mut self, send: VarInt, recv: VarInt) {
        // Both fail only for a stream that has ended.
        let _ = self.send.map(|mut stream| stream.reset(send));
        let _ = self.recv.stop(recv);
    }
}

/// What the first bytes of a stream say, if `kind` begins those of sessions; none when they say nothing
/// yet.
fn head(bytes: &[u8], kind: u64) -> Option<Head> {
    let (found, first) = varint::read(bytes)?;
    if found != kind {
        return Some(Head::Ordinary);
    }
    let (id, second) = varint::read(&bytes[first..])?;
    let len = first + second;
    Some(Head::OfSession { id, len })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: Option<Head>) {
        assert_eq!(head(bytes, codes::BIDIRECTIONAL), expected);
    }

    #[test]
    fn the_first_byte_of_a_request_says_that_it_is_one() {
        // HEADERS, and a reserved type in one byte.
        for first in [0x01, 0x21] {
            check(&[first], Some(Head::Ordinary));
        }
        check(b"\x40\x42", Some(Head::Ordinary));
    }

    #[test]
    fn a_sessions_stream_names_its_session() {
        let of = |id, len| Some(Head::OfSession { id, len });
        check(b"\x40\x41\x04payload", of(4, 3));
        check(b"\x40\x41\x44\x00", of(1_024, 4));
        // An integer may be longer than it has to be.
        check(b"\x80\0\0\x41\x40\x04", of(4, 6));
    }

    #[test]
    fn what_is_not_whole_says_nothing_yet() {
        for bytes in [
            &b""[..],
            b"\x40",
            b"\x40\x41",
            b"\x40\x41\x80\0\0",
            b"\x80\0",
        ] {
            check(bytes, None);
        }
    }
}
