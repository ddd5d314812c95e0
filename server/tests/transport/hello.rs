//! A TLS hello that takes two packets, as those with keys of post-quantum algorithms do.

use std::{net::SocketAddr, sync::Arc};

use http::StatusCode;
use tokio::{net::UdpSocket, time::timeout};

use crate::{
    client::{self, Client},
    server::{SOON, Server},
};

const MAX_DATAGRAM_BYTES: usize = 64 << 10;

/// Forwards what one client sends. Its second packet waits until the server has answered the first.
async fn splitting(server: SocketAddr) -> SocketAddr {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let front = Arc::new(UdpSocket::bind(any).await.unwrap());
    let back = Arc::new(UdpSocket::bind(any).await.unwrap());
    back.connect(server).await.unwrap();
    let address = front.local_addr().unwrap();
    tokio::spawn(async move {
        let mut packet = vec![0; MAX_DATAGRAM_BYTES];
        let (len, client) = front.recv_from(&mut packet).await.unwrap();
        back.send(&packet[..len]).await.unwrap();
        let len = back.recv(&mut packet).await.unwrap();
        front.send_to(&packet[..len], client).await.unwrap();
        let (there, to) = (Arc::clone(&front), Arc::clone(&back));
        tokio::spawn(async move {
            let mut packet = vec![0; MAX_DATAGRAM_BYTES];
            while let Ok((len, _)) = there.recv_from(&mut packet).await {
                to.send(&packet[..len]).await.unwrap();
            }
        });
        while let Ok(len) = back.recv(&mut packet).await {
            front.send_to(&packet[..len], client).await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn a_hello_in_two_packets_opens_a_connection() {
    let server = Server::start();
    let address = splitting(server.address).await;
    let connecting = client::endpoint(&server).connect(address, "localhost");
    let quic = timeout(SOON, connecting.unwrap()).await.unwrap().unwrap();
    let asked = async {
        let mut client = Client::over(quic).await.unwrap();
        client.get("/").await.unwrap().status
    };
    assert_eq!(timeout(SOON, asked).await.unwrap(), StatusCode::OK);
}
