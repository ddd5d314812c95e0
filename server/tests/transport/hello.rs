//! A client whose hello takes more than one packet, as that of a post-quantum handshake does.

use std::{net::SocketAddr, sync::Arc};

use tokio::{net::UdpSocket, time::timeout};

use crate::{
    client::{Client, endpoint},
    server::{SOON, Server},
};

/// Passes datagrams between one client and the server, the client's second only after the server's
/// first. Returns where the client connects to.
async fn slow_network(server: SocketAddr) -> SocketAddr {
    let near = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let far = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    far.connect(server).await.unwrap();
    let address = near.local_addr().unwrap();
    tokio::spawn(async move {
        let mut datagram = vec![0; 1 << 16];
        let (len, client) = near.recv_from(&mut datagram).await.unwrap();
        far.send(&datagram[..len]).await.unwrap();
        let len = far.recv(&mut datagram).await.unwrap();
        near.send_to(&datagram[..len], client).await.unwrap();
        let mut answer = vec![0; 1 << 16];
        loop {
            tokio::select! {
                len = near.recv(&mut datagram) => {
                    far.send(&datagram[..len.unwrap()]).await.unwrap();
                }
                len = far.recv(&mut answer) => {
                    near.send_to(&answer[..len.unwrap()], client).await.unwrap();
                }
            }
        }
    });
    address
}

#[tokio::test]
async fn a_hello_in_two_packets_with_a_pause_between_is_served() {
    let server = Server::start();
    let address = slow_network(server.address).await;
    let endpoint = endpoint(&server);
    let connecting = endpoint.connect(address, "localhost").unwrap();
    let asked = async {
        let mut client = Client::over(connecting.await.unwrap()).await.unwrap();
        client.get("/").await.unwrap().text().await.unwrap()
    };
    assert_eq!(timeout(SOON, asked).await.unwrap(), "hello");
}
