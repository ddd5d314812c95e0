//! The peer hears why a connection was closed, whatever else was under way.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use macula_quic::{TurnLater, close, farewell::Congestion};
use quinn::{
    ClientConfig, Connection, ConnectionError, Endpoint, EndpointConfig, ServerConfig,
    TransportConfig, VarInt,
};
use rustls::{RootCertStore, pki_types::PrivatePkcs8KeyDer};

const CODE: VarInt = VarInt::from_u32(7);
const REASON: &[u8] = b"enough";
/// More than any window at the start, in bytes.
const MUCH: usize = 1 << 20;

fn transport() -> Arc<TransportConfig> {
    let mut transport = TransportConfig::default();
    transport.congestion_controller_factory(Arc::new(Congestion::default()));
    Arc::new(transport)
}

fn endpoint(server: Option<ServerConfig>) -> Endpoint {
    let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    Endpoint::new(
        EndpointConfig::default(),
        server,
        socket,
        Arc::new(TurnLater),
    )
    .unwrap()
}

/// A client's and a server's end of one connection, and what keeps them.
async fn pair() -> (Connection, Connection, [Endpoint; 2]) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let mut server = ServerConfig::with_single_cert(vec![certificate.clone()], key.into()).unwrap();
    server.transport_config(transport());
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let mut client = ClientConfig::with_root_certificates(Arc::new(roots)).unwrap();
    client.transport_config(transport());
    let (listening, dialing) = (endpoint(Some(server)), endpoint(None));
    let address = listening.local_addr().unwrap();
    let connecting = dialing.connect_with(client, address, "localhost").unwrap();
    let (dialed, accepted) = tokio::join!(connecting, async {
        listening.accept().await.unwrap().await
    });
    (dialed.unwrap(), accepted.unwrap(), [listening, dialing])
}

/// Fills what the connection may have in flight, lets the driver run so many turns, and closes it.
async fn closed_after(turns: usize) -> ConnectionError {
    let (client, server, _endpoints) = pair().await;
    let mut stream = server.open_uni().await.unwrap();
    stream.write(&vec![0; MUCH]).await.unwrap();
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
    drop(stream);
    close(&server, CODE, REASON);
    drop(server);
    let closed = tokio::time::timeout(Duration::from_secs(30), client.closed());
    closed.await.unwrap()
}

#[tokio::test]
async fn a_close_is_heard_however_much_is_in_flight() {
    for turns in 0..16 {
        let ConnectionError::ApplicationClosed(heard) = closed_after(turns).await else {
            panic!("after {turns} turns the peer did not hear why");
        };
        assert_eq!((heard.error_code, &heard.reason[..]), (CODE, REASON));
    }
}
