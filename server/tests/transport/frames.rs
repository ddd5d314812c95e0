//! HTTP/3 frames as no well-behaved client writes them: none harms what others ask on the connection.

use http::StatusCode;
use macula_server::{conn::Protocol, transport::Settings};
use quinn::{ReadToEndError, RecvStream};
use tokio::time::timeout;

use crate::{
    client::Client,
    server::{SOON, Server},
};

/// The most that a test reads of an answer.
const MAX_BYTES: usize = 1 << 20;
const REQUEST_INCOMPLETE: u64 = 0x10d;

/// A frame of this type.
fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let len = 0x8000_0000 | u32::try_from(payload.len()).unwrap();
    [&[kind], &len.to_be_bytes()[..], payload].concat()
}

/// A HEADERS frame that asks `POST /echo` (RFC 9204 §4.5: static entries, and literals by their
/// name's entry), with more field lines behind.
fn post_echo(more: &[u8]) -> Vec<u8> {
    let lines = b"\0\0\xd4\xd7\x51\x05/echo\x50\x09localhost";
    frame(1, &[&lines[..], more].concat())
}

/// Sends bytes on a stream of its own; ends it or leaves it open.
async fn send(
    quic: &quinn::Connection,
    bytes: &[u8],
    end: bool,
) -> (quinn::SendStream, RecvStream) {
    let (mut send, recv) = quic.open_bi().await.unwrap();
    send.write_all(bytes).await.unwrap();
    if end {
        send.finish().unwrap();
    }
    (send, recv)
}

async fn read(recv: &mut RecvStream) -> Result<Vec<u8>, ReadToEndError> {
    timeout(SOON, recv.read_to_end(MAX_BYTES)).await.unwrap()
}

fn contains(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|window| window == part)
}

/// Sends a request that is malformed; gives its answer. Others' requests have to go on.
async fn check(bytes: &[u8], end: bool) -> Result<Vec<u8>, ReadToEndError> {
    let server = Server::with(Settings {
        header_seconds: 1,
        ..Settings::default()
    });
    let mut client = Client::connect(&server, Protocol::Http3).await;
    let mut events = client.get("/events").await.unwrap();
    assert_eq!(events.data().await.unwrap().unwrap(), "event");
    let (_send, mut recv) = send(client.quic(), bytes, end).await;
    let answer = read(&mut recv).await;
    assert_eq!(client.get("/").await.unwrap().status, StatusCode::OK);
    assert_eq!(*server.readers.borrow(), 1);
    answer
}

#[track_caller]
fn assert_reset(answer: Result<Vec<u8>, ReadToEndError>, code: u64) {
    let Err(ReadToEndError::Read(quinn::ReadError::Reset(found))) = answer else {
        panic!("expected a reset, found {answer:?}");
    };
    assert_eq!(found.into_inner(), code);
}

#[tokio::test]
async fn empty_data_and_unknown_frames_within_a_body_mean_nothing() {
    let bytes = [
        post_echo(b""),
        frame(0, b""),
        frame(0, b"one"),
        frame(0x21, b"grease"),
        frame(0, b""),
        frame(0, b"two"),
    ];
    let answer = check(&bytes.concat(), true).await.unwrap();
    assert!(contains(&answer, b"one") && contains(&answer, b"two"));
}

#[tokio::test]
async fn a_body_that_ends_within_a_frame_is_no_whole_body() {
    let mut bytes = [post_echo(b""), frame(0, b"whole")].concat();
    bytes.extend_from_slice(b"\x00\x0ahalf");
    assert!(check(&bytes, true).await.is_err());
}

#[tokio::test]
async fn fewer_bytes_than_content_length_says_are_no_whole_body() {
    // `content-length` is entry 4.
    let bytes = [post_echo(b"\x54\x019"), frame(0, b"hello")].concat();
    assert!(check(&bytes, true).await.is_err());
}

#[tokio::test]
async fn a_head_that_is_cut_off_ends_its_stream() {
    let bytes = post_echo(b"");
    assert_reset(check(&bytes[..9], true).await, REQUEST_INCOMPLETE);
    assert_reset(check(b"", true).await, REQUEST_INCOMPLETE);
}

#[tokio::test]
async fn a_head_that_does_not_come_on_ends_its_stream_in_time() {
    let bytes = post_echo(b"");
    assert_reset(check(&bytes[..9], false).await, REQUEST_INCOMPLETE);
}

#[tokio::test]
async fn too_large_a_head_is_refused() {
    let field = |len: usize| {
        let value = vec![b'a'; len];
        // A literal with a literal name (RFC 9204 §4.5.6), its length with a 7-bit prefix.
        let rest = len - 127;
        let len = [
            127,
            (rest & 0x7f) as u8 | 0x80,
            (rest >> 7 & 0x7f) as u8 | 0x80,
            (rest >> 14) as u8,
        ];
        [&b"\x23x-a"[..], &len, &value].concat()
    };
    for bytes in [20 << 10, 200 << 10] {
        let answer = check(&post_echo(&field(bytes)), true).await.unwrap();
        assert!(contains(&answer, b"431"), "{answer:?}");
    }
    // Declared, and never sent: it is refused before it comes.
    let answer = check(b"\x01\xbf\xff\xff\xff", false).await.unwrap();
    assert!(contains(&answer, b"431"), "{answer:?}");
}

#[tokio::test]
async fn a_malformed_field_ends_its_stream() {
    // A name may have no capitals (RFC 9114 §4.2).
    let bytes = post_echo(b"\x23X-A\x01b");
    assert_reset(check(&bytes, true).await, 0x10e);
}

#[tokio::test]
async fn a_connection_that_begins_requests_without_end_is_ended() {
    let server = Server::start();
    let client = Client::connect(&server, Protocol::Http3).await;
    let quic = client.quic().clone();
    let flood = async {
        loop {
            let Ok((mut send, _recv)) = quic.open_bi().await else {
                return;
            };
            let _ = send.write_all(b"\x01").await;
            let _ = send.reset(0u32.into());
        }
    };
    timeout(SOON, flood).await.unwrap();
    let quinn::ConnectionError::ApplicationClosed(close) = quic.closed().await else {
        panic!("the server did not close it");
    };
    assert_eq!(close.error_code.into_inner(), 0x107);
}

#[tokio::test]
async fn a_control_stream_holds_no_frame_without_bound() {
    let server = Server::start();
    let endpoint = crate::client::endpoint(&server);
    let connecting = endpoint.connect(server.address, "localhost").unwrap();
    let quic = connecting.await.unwrap();
    let mut control = quic.open_uni().await.unwrap();
    // Its type, and SETTINGS of a gigabyte.
    control
        .write_all(b"\x00\x04\xbf\xff\xff\xff")
        .await
        .unwrap();
    let closed = timeout(SOON, quic.closed()).await.unwrap();
    assert!(
        matches!(closed, quinn::ConnectionError::ApplicationClosed(_)),
        "{closed}"
    );
}
