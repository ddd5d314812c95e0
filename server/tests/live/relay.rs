//! A network in front of a node, which can be cut.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream, UdpSocket},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// Forwards one port's TCP and UDP to a node, UDP for one client.
pub struct Relay {
    pub port: u16,
    udp: CancellationToken,
    tcp: CancellationToken,
    _tasks: Vec<AbortOnDropHandle<()>>,
}

impl Relay {
    pub async fn start(node: SocketAddr) -> Self {
        let (listener, near) = loop {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            // The same port may be in use for UDP.
            if let Ok(near) = UdpSocket::bind(listener.local_addr().unwrap()).await {
                break (listener, near);
            }
        };
        let relay = Self {
            port: listener.local_addr().unwrap().port(),
            udp: CancellationToken::new(),
            tcp: CancellationToken::new(),
            _tasks: Vec::new(),
        };
        let tcp = forward_tcp(listener, node, relay.tcp.clone());
        let udp = forward_udp(Arc::new(near), node, relay.udp.clone());
        Self {
            _tasks: vec![
                AbortOnDropHandle::new(tokio::spawn(tcp)),
                AbortOnDropHandle::new(tokio::spawn(udp)),
            ],
            ..relay
        }
    }

    /// No datagram comes through any more.
    pub fn cut_udp(&self) {
        self.udp.cancel();
    }

    /// All connections break, and new ones are refused.
    pub fn cut_tcp(&self) {
        self.tcp.cancel();
    }
}

async fn forward_tcp(listener: TcpListener, node: SocketAddr, cut: CancellationToken) {
    while let Some(Ok((mut near, _))) = cut.run_until_cancelled(listener.accept()).await {
        let cut = cut.clone();
        tokio::spawn(async move {
            let mut far = TcpStream::connect(node).await.unwrap();
            let _ = cut
                .run_until_cancelled(copy_bidirectional(&mut near, &mut far))
                .await;
        });
    }
}

async fn forward_udp(near: Arc<UdpSocket>, node: SocketAddr, cut: CancellationToken) {
    let mut clients = std::collections::HashMap::new();
    let mut packet = vec![0; 1 << 16];
    while let Some(Ok((length, client))) =
        cut.run_until_cancelled(near.recv_from(&mut packet)).await
    {
        let far = match clients.get(&client) {
            Some(far) => Arc::clone(far),
            None => {
                let far = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
                far.connect(node).await.unwrap();
                clients.insert(client, Arc::clone(&far));
                let (back, near, cut) = (Arc::clone(&far), Arc::clone(&near), cut.clone());
                tokio::spawn(async move {
                    let mut packet = vec![0; 1 << 16];
                    while let Some(Ok(length)) =
                        cut.run_until_cancelled(back.recv(&mut packet)).await
                    {
                        near.send_to(&packet[..length], client).await.unwrap();
                    }
                });
                far
            }
        };
        far.send(&packet[..length]).await.unwrap();
    }
}
