//! TCP and UDP sockets on the same port number, on every address.

use std::{
    io,
    net::{SocketAddr, TcpListener, UdpSocket},
};

use anyhow::Context;
use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted; the kernel cuts it to its own bound.
const BACKLOG: i32 = 4096;
/// What is asked for as buffers of the UDP socket, which all QUIC connections share. The kernel
/// cuts it to its own bound.
const UDP_BUFFER_BYTES: usize = 4 << 20;
/// How often a free port is looked for that both protocols and all addresses can have.
const ATTEMPTS: usize = 16;

/// Sockets that are bound and not served yet.
#[derive(Debug)]
pub struct Bound {
    pub(super) pairs: Vec<Pair>,
}

/// The two sockets of one address.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) address: SocketAddr,
    pub(super) tcp: TcpListener,
    pub(super) udp: UdpSocket,
}

impl Bound {
    /// Binds both protocols on all addresses. Addresses with port 0 all get the same free port.
    ///
    /// # Errors
    /// An address cannot be bound; the error names it.
    pub fn bind(addresses: &[SocketAddr]) -> anyhow::Result<Self> {
        let mut attempt = 1;
        loop {
            match Self::try_bind(addresses) {
                Ok(bound) => return Ok(bound),
                // Another program may have the UDP port that is free for TCP.
                Err(error) if addresses.iter().all(|a| a.port() != 0) => return Err(error),
                Err(error) if attempt == ATTEMPTS => return Err(error),
                Err(_) => attempt += 1,
            }
        }
    }

    fn try_bind(addresses: &[SocketAddr]) -> anyhow::Result<Self> {
        let mut free_port = 0;
        let mut pairs = Vec::new();
        for &address in addresses {
            let mut address = address;
            if address.port() == 0 {
                address.set_port(free_port);
            }
            let pair =
                Pair::bind(address).with_context(|| format!("cannot listen on {address}"))?;
            if free_port == 0 {
                free_port = pair.address.port();
            }
            pairs.push(pair);
        }
        Ok(Self { pairs })
    }

    /// The addresses, with the port that each has.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.pairs.iter().map(|pair| pair.address).collect()
    }
}

impl Pair {
    fn bind(address: SocketAddr) -> io::Result<Self> {
        let tcp = socket(address, Type::STREAM, Protocol::TCP)?;
        tcp.set_reuse_address(true)?;
        tcp.bind(&address.into())?;
        tcp.listen(BACKLOG)?;
        let tcp = TcpListener::from(tcp);
        let address = tcp.local_addr()?;
        let udp = socket(address, Type::DGRAM, Protocol::UDP)?;
        // A small buffer costs speed and nothing else, so a refusal is no error.
        let _ = udp.set_recv_buffer_size(UDP_BUFFER_BYTES);
        let _ = udp.set_send_buffer_size(UDP_BUFFER_BYTES);
        udp.bind(&address.into())?;
        Ok(Self {
            address,
            tcp,
            udp: udp.into(),
        })
    }
}

fn socket(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        // IPv4 has sockets of its own.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_get_the_same_free_port_for_both_protocols() {
        let any = ["127.0.0.1:0", "[::1]:0"].map(|address| address.parse().unwrap());
        let bound = Bound::bind(&any).unwrap();
        let ports: Vec<_> = bound.addresses().iter().map(SocketAddr::port).collect();
        assert!(ports[0] != 0 && ports[0] == ports[1]);
        for pair in &bound.pairs {
            assert_eq!(pair.udp.local_addr().unwrap(), pair.address);
        }
    }

    #[test]
    fn a_port_that_is_taken_is_named() {
        let first = Bound::bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        let taken = first.addresses();
        let error = Bound::bind(&taken).unwrap_err().to_string();
        assert_eq!(error, format!("cannot listen on {}", taken[0]));
    }
}
