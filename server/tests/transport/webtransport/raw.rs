//! A client that writes all by hand, and so can do what no library does.

use bytes::Bytes;
use quinn::{RecvStream, SendStream, VarInt};

use super::soon;
use crate::server::Server;

/// SETTINGS with datagrams, CONNECT and WebTransport.
const SETTINGS: &[u8] = b"\x00\x04\x09\x33\x01\x08\x01\xab\x60\x37\x42\x01";
const MAX_BYTES: usize = 1 << 20;

/// A QUIC connection on which SETTINGS were sent.
pub struct Raw {
    pub quic: quinn::Connection,
    /// The stream has to stay open.
    _control: SendStream,
}

/// A CONNECT request.
pub struct Connect {
    pub id: u64,
    pub send: SendStream,
    pub recv: RecvStream,
}

impl Raw {
    pub async fn connect(server: &Server) -> Self {
        let endpoint = crate::client::endpoint(server);
        let connecting = endpoint.connect(server.address, "localhost").unwrap();
        let quic = soon(connecting).await.unwrap();
        let mut control = quic.open_uni().await.unwrap();
        control.write_all(SETTINGS).await.unwrap();
        Self {
            quic,
            _control: control,
        }
    }

    /// Opens a stream for a request whose head is not sent yet.
    pub async fn reserve(&self) -> Connect {
        let (send, recv) = soon(self.quic.open_bi()).await.unwrap();
        let id = VarInt::from(send.id()).into_inner();
        Connect { id, send, recv }
    }

    /// Asks for a session.
    pub async fn ask(&self, path: &str) -> Connect {
        let mut connect = self.reserve().await;
        connect.ask(path).await;
        connect
    }

    /// Opens a session; the answer is read.
    pub async fn session(&self, path: &str) -> Connect {
        let mut connect = self.ask(path).await;
        assert_eq!(connect.status().await, 200);
        connect
    }

    /// A stream in both directions that begins with these bytes.
    pub async fn bidirectional(&self, bytes: &[u8]) -> (SendStream, RecvStream) {
        let (mut send, recv) = soon(self.quic.open_bi()).await.unwrap();
        send.write_all(bytes).await.unwrap();
        (send, recv)
    }

    pub async fn unidirectional(&self, bytes: &[u8]) -> SendStream {
        let mut send = soon(self.quic.open_uni()).await.unwrap();
        send.write_all(bytes).await.unwrap();
        send
    }

    /// The next stream of a session that the server opens in one direction, behind its head.
    pub async fn accept_uni(&self) -> (u8, RecvStream) {
        loop {
            let mut recv = soon(self.quic.accept_uni()).await.unwrap();
            let mut kind = [0];
            soon(recv.read_exact(&mut kind)).await.unwrap();
            if kind == [0x40] {
                let mut rest = [0; 2];
                soon(recv.read_exact(&mut rest)).await.unwrap();
                assert_eq!(rest[0], 0x54);
                return (rest[1], recv);
            }
            // HTTP/3's own streams have to stay open.
            tokio::spawn(async move { recv.read_to_end(MAX_BYTES).await });
        }
    }

    pub async fn datagram(&self) -> Bytes {
        soon(self.quic.read_datagram()).await.unwrap()
    }

    /// The code with which the server ends the connection.
    pub async fn closed(&self) -> u64 {
        match soon(self.quic.closed()).await {
            quinn::ConnectionError::ApplicationClosed(close) => close.error_code.into_inner(),
            other => panic!("expected an end of HTTP/3's, found {other}"),
        }
    }
}

impl Connect {
    /// Writes the request's head (RFC 9204 §4.5).
    pub async fn ask(&mut self, path: &str) {
        let len = u8::try_from(path.len()).unwrap();
        let lines = [
            b"\0\0\xcf\xd7\x50\x09localhost\x51".as_slice(),
            &[len],
            path.as_bytes(),
            b"\x27\x02:protocol\x0cwebtransport",
        ];
        let lines = lines.concat();
        let len = 0x4000 | u16::try_from(lines.len()).unwrap();
        let frame = [&[1], &len.to_be_bytes()[..], &lines].concat();
        self.send.write_all(&frame).await.unwrap();
    }

    /// The status of the answer, whose head is read.
    pub async fn status(&mut self) -> u16 {
        let head = self.frame(1).await;
        // RFC 9204's table of static entries.
        match head[2..4] {
            [0xd9, _] => 200,
            [0xdb, _] => 404,
            [0xdc, _] => 503,
            [0xff, 0x05] => 403,
            _ => panic!("another status in {head:?}"),
        }
    }

    /// The next frame of this type; others are skipped.
    pub async fn frame(&mut self, kind: u64) -> Vec<u8> {
        loop {
            let found = self.integer().await;
            let len = self.integer().await;
            let mut content = vec![0; usize::try_from(len).unwrap()];
            soon(self.recv.read_exact(&mut content)).await.unwrap();
            if found == kind {
                return content;
            }
        }
    }

    async fn integer(&mut self) -> u64 {
        let mut bytes = [0; 8];
        soon(self.recv.read_exact(&mut bytes[..1])).await.unwrap();
        let len = 1 << (bytes[0] >> 6);
        soon(self.recv.read_exact(&mut bytes[1..len]))
            .await
            .unwrap();
        bytes[0] &= 0x3f;
        bytes[..len]
            .iter()
            .fold(0, |value, byte| value << 8 | u64::from(*byte))
    }

    /// Writes capsules in a DATA frame.
    pub async fn capsules(&mut self, bytes: &[u8]) {
        let len = u8::try_from(bytes.len()).unwrap();
        assert!(len < 64);
        let frame = [&[0, len], bytes].concat();
        self.send.write_all(&frame).await.unwrap();
    }

    /// What a stream of this session begins with.
    pub fn head(&self, kind: u8) -> Vec<u8> {
        vec![0x40, kind, u8::try_from(self.id).unwrap()]
    }

    /// Waits for the end of the stream; what comes before it may be a reserved frame.
    pub async fn ended(&mut self) -> Result<Vec<u8>, quinn::ReadToEndError> {
        soon(self.recv.read_to_end(MAX_BYTES)).await
    }
}

/// What a stream brings until its end.
pub async fn all(recv: &mut RecvStream) -> Vec<u8> {
    soon(recv.read_to_end(MAX_BYTES)).await.unwrap()
}

/// The code with which a stream is reset.
pub async fn reset(recv: &mut RecvStream) -> u64 {
    match soon(recv.read_to_end(MAX_BYTES)).await {
        Err(quinn::ReadToEndError::Read(quinn::ReadError::Reset(code))) => code.into_inner(),
        other => panic!("expected a reset, found {other:?}"),
    }
}

/// The code with which a stream is stopped.
pub async fn stopped(send: &SendStream) -> u64 {
    let code = soon(send.stopped()).await.unwrap();
    code.expect("it was read to its end").into_inner()
}
