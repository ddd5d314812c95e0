//! Socket addresses and the multiaddresses that libp2p calls them.

use std::net::SocketAddr;

use libp2p::{Multiaddr, multiaddr::Protocol};

pub(crate) fn to_multiaddr(address: SocketAddr) -> Multiaddr {
    Multiaddr::from(address.ip())
        .with(Protocol::Udp(address.port()))
        .with(Protocol::QuicV1)
}

/// The socket address, if it is one of QUIC over UDP; a peer id behind it does not matter.
pub(crate) fn to_socket(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    let ip = match parts.next()? {
        Protocol::Ip4(ip) => ip.into(),
        Protocol::Ip6(ip) => ip.into(),
        _ => return None,
    };
    let Protocol::Udp(port) = parts.next()? else {
        return None;
    };
    let quic = matches!(parts.next()?, Protocol::QuicV1);
    let end = matches!(parts.next(), None | Some(Protocol::P2p(_)));
    (quic && end && parts.next().is_none()).then(|| SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_back_as_it_went() {
        for text in ["127.0.0.1:4434", "[::1]:1"] {
            let address = text.parse().unwrap();
            assert_eq!(to_socket(&to_multiaddr(address)), Some(address));
        }
        for text in [
            "/ip4/127.0.0.1/tcp/1",
            "/ip4/127.0.0.1/udp/1",
            "/dns/a/udp/1/quic-v1",
        ] {
            assert_eq!(to_socket(&text.parse().unwrap()), None);
        }
    }
}
