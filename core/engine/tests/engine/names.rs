//! Seeds by name, asked of a name server on loopback.

use std::net::{Ipv4Addr, SocketAddr};

use hickory_resolver::proto::{
    op::{Message, ResponseCode},
    rr::{
        Name, RData, Record, RecordType,
        rdata::{A, SRV},
    },
};
use macula_engine::{Authority, DialError, NodeKey, Seed};
use tokio::net::UdpSocket;

use crate::support::{config, eventually, founder, member, soon, start};

/// A name server that knows one cluster, `example.test`, and one host in it with this port.
async fn name_server(port: u16) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let service = Name::from_ascii("_macula._udp.example.test.").unwrap();
    let host = Name::from_ascii("node.example.test.").unwrap();
    tokio::spawn(async move {
        let mut bytes = [0; 1_500];
        while let Ok((length, from)) = socket.recv_from(&mut bytes).await {
            let asked = Message::from_vec(&bytes[..length]).unwrap();
            let query = asked.queries[0].clone();
            let found = match query.query_type() {
                RecordType::SRV if *query.name() == service => {
                    Some(RData::SRV(SRV::new(0, 0, port, host.clone())))
                }
                RecordType::A if *query.name() == host => Some(RData::A(A(Ipv4Addr::LOCALHOST))),
                _ => None,
            };
            let code = match found {
                Some(_) => ResponseCode::NoError,
                None => ResponseCode::NXDomain,
            };
            let mut answer = Message::error_msg(asked.metadata.id, asked.metadata.op_code, code);
            answer.add_query(query.clone());
            if let Some(found) = found {
                answer.add_answer(Record::from_rdata(query.name().clone(), 60, found));
            }
            let answer = answer.to_vec().unwrap();
            socket.send_to(&answer, from).await.unwrap();
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_and_a_host_lead_to_a_node() {
    let authority = Authority::generate();
    let seed = founder(&authority).await;
    let port = seed.engine.addresses()[0].port();
    let server = name_server(port).await;
    let key = NodeKey::generate();
    let mut by_domain = config(key.clone(), member(&authority, &key), &[]);
    by_domain.dns = Some(server);
    by_domain.seeds = vec![Seed::Domain("example.test".to_owned())];
    let node = start(by_domain).await;
    eventually("the domain's node is found", async || node.knows(seed.id())).await;
    let by_host = format!("node.example.test:{port}").parse().unwrap();
    assert_eq!(soon(node.engine.dial(&by_host)).await, Ok(seed.id()));
    let unknown = "other.test".parse().unwrap();
    let unknown = soon(node.engine.dial(&unknown)).await;
    assert_eq!(unknown, Err(DialError::UnknownHost));
}
