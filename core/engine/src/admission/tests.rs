//! Peers that do not greet as they should, over real QUIC.

use std::{sync::Arc, time::Duration};

use quinn::{ClientConfig, Endpoint, TransportConfig};

use super::*;
use crate::{
    Authority, DialError, Engine, NodeKey, Settings, Stats,
    transport::{code, tls},
};

/// A hello that is good but for its credential, as bytes.
fn hello(cluster: ClusterId, certificate: Option<String>, invite: Option<String>) -> Vec<u8> {
    let body = serde_json::to_vec(&raw::hello(cluster, certificate, invite)).unwrap();
    [&(body.len() as u16).to_be_bytes()[..], &body].concat()
}

async fn engine(authority: &Authority) -> Engine {
    let settings = Settings {
        greeting_timeout: Duration::from_millis(500),
        ..Settings::default()
    };
    raw::engine(authority, settings).await.0
}

/// The reason that the engine closes a connection with on which this was said first.
async fn refused(engine: &Engine, key: &NodeKey, said: &[u8]) -> Option<Refusal> {
    let connected = raw::connect(key, engine, TransportConfig::default()).await;
    let (_endpoint, connection) = connected.unwrap();
    // It stays open: what is missing may come still.
    let (mut send, _receive) = connection.open_bi().await.unwrap();
    let _ = send.write_all(said).await;
    let closed = tokio::time::timeout(Duration::from_secs(30), connection.closed()).await;
    code::refused(&closed.expect("closed before the deadline"))
}

fn total(stats: &Stats) -> u64 {
    stats.refused.values().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_greet_well_is_closed_with_the_reason() {
    let authority = Authority::generate();
    let engine = engine(&authority).await;
    let (key, other) = (NodeKey::generate(), NodeKey::generate());
    let (cluster, now) = (authority.cluster(), SystemTime::now());
    let hour = Duration::from_secs(3_600);
    let certificate = |node: &NodeKey, at| {
        let certificate = authority.certify(node.id(), at, hour);
        Some(certificate.text().to_owned())
    };
    let forged = Authority::generate().certify(key.id(), now, hour);
    let forged = Some(forged.text().to_owned());
    let old = authority.invite(now - hour * 2, hour, 1);
    let old = Some(old.text().to_owned());
    let stranger = ClusterId::from_bytes([9; 32]);
    let cases = [
        (Vec::new(), Refusal::TooSlow),
        (vec![0], Refusal::TooSlow),
        (vec![0xff; 100_000], Refusal::Malformed),
        (b"\x00\x04null".to_vec(), Refusal::Malformed),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), Refusal::Malformed),
        (hello(cluster, None, None), Refusal::NoCredential),
        (hello(stranger, None, None), Refusal::OtherCluster),
        (
            hello(cluster, certificate(&other, now), None),
            Refusal::OtherNode,
        ),
        (
            hello(cluster, certificate(&key, now - hour * 2), None),
            Refusal::Expired,
        ),
        (
            hello(cluster, certificate(&key, now + hour), None),
            Refusal::NotYetValid,
        ),
        (hello(cluster, forged, None), Refusal::BadSignature),
        (hello(cluster, None, old), Refusal::Expired),
        (
            hello(cluster, None, certificate(&key, now)),
            Refusal::Malformed,
        ),
    ];
    for (number, (said, expected)) in cases.iter().enumerate() {
        let why = refused(&engine, &key, said).await;
        assert_eq!(why, Some(*expected), "case {number}");
        let stats = engine.stats();
        assert_eq!(total(&stats), number as u64 + 1);
        assert_eq!((stats.peers, stats.connected), (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_refused_again_and_again_is_not_listened_to() {
    let authority = Authority::generate();
    let engine = Arc::new(engine(&authority).await);
    let key = NodeKey::generate();
    let said = hello(authority.cluster(), None, None);
    for _ in 0..32 {
        let why = refused(&engine, &key, &said).await;
        assert_eq!(why, Some(Refusal::NoCredential));
    }
    let (client, _) = tls::configurations(&key).unwrap();
    let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    // One more may be heard by the time that all this took.
    let mut heard = 0;
    loop {
        let to = engine.addresses()[0];
        let connecting = endpoint.connect_with(ClientConfig::new(client.clone()), to, "a.b");
        let Ok(connection) = connecting.unwrap().await else {
            break;
        };
        let (mut send, _receive) = connection.open_bi().await.unwrap();
        let _ = send.write_all(&said).await;
        connection.closed().await;
        heard += 1;
        assert!(heard < 32, "it is listened to still");
    }
    let refused = engine.stats().refused;
    assert_eq!(refused[&Refusal::TooMany], 1);
}

/// A node that has a certificate, and a join token that is later.
async fn invited_again(authority: &Authority) -> (Engine, Certificate, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let (key, now) = (NodeKey::generate(), SystemTime::now());
    let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3_600));
    let certificate = authority.certify(key.id(), now - minute, hour);
    std::fs::write(directory.path().join("cluster.jwt"), certificate.text()).unwrap();
    let token = authority.invite(now, hour, 1);
    let membership = Membership::open(directory.path(), key.id(), Some(token), now);
    let (engine, _) = raw::start(key, membership.unwrap(), Settings::default()).await;
    (engine, certificate, directory)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_that_comes_to_refuse_a_node_takes_nothing_from_it() {
    let authority = Authority::generate();
    let (engine, certificate, _directory) = invited_again(&authority).await;
    let key = NodeKey::generate();
    let mut said = 0;
    while let Ok((_endpoint, connection)) =
        raw::connect(&key, &engine, TransportConfig::default()).await
    {
        connection.close(code::refusal(Refusal::Revoked), b"");
        said += 1;
        let heard = async {
            while engine.stats().refused_by_others[&Refusal::Revoked] < said {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let heard = tokio::time::timeout(Duration::from_secs(30), heard).await;
        heard.expect("heard before the deadline");
        // Each is a line of the log; a few more may be heard by the time that all this took.
        assert!(said < 64, "it is listened to still");
    }
    assert_eq!(engine.stats().refused[&Refusal::TooMany], 1);
    assert_eq!(engine.membership().certificate(), Some(certificate));
    let honest = self::engine(&authority).await;
    let to = honest.addresses()[0].to_string().parse().unwrap();
    assert_eq!(engine.dial(&to).await, Ok(honest.node()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_that_is_dialled_and_says_revoked_takes_nothing_from_a_node() {
    let authority = Authority::generate();
    let (engine, certificate, _directory) = invited_again(&authority).await;
    let (_, server) = tls::configurations(&NodeKey::generate()).unwrap();
    let server = quinn::ServerConfig::with_crypto(server);
    let stranger = Endpoint::server(server, "127.0.0.1:0".parse().unwrap()).unwrap();
    let to = stranger.local_addr().unwrap().to_string().parse().unwrap();
    let answering = async {
        let connection = stranger.accept().await.unwrap().await.unwrap();
        connection.close(code::refusal(Refusal::Revoked), b"");
        connection.closed().await;
    };
    let (dialed, ()) = tokio::join!(engine.dial(&to), answering);
    assert_eq!(dialed, Err(DialError::Refused(Refusal::Revoked)));
    assert_eq!(engine.membership().certificate(), Some(certificate));
    // One that cannot turn a token into a certificate takes it in by what it has.
    let key = NodeKey::generate();
    let hour = Duration::from_secs(3_600);
    let member = authority.certify(key.id(), SystemTime::now(), hour);
    let (member, _events) =
        raw::start(key, Membership::certified(member), Settings::default()).await;
    let to = member.addresses()[0].to_string().parse().unwrap();
    assert_eq!(engine.dial(&to).await, Ok(member.node()));
}

/// A member answers a greeting with an older certificate of who greets, who has not asked for one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_comes_unasked_with_a_welcome_is_not_taken() {
    let authority = Authority::generate();
    let (engine, certificate, _directory) = invited_again(&authority).await;
    let (key, now) = (NodeKey::generate(), SystemTime::now());
    let hour = Duration::from_secs(3_600);
    let certify = |node, at| authority.certify(node, at, hour).text().to_owned();
    let welcome = Frame::Welcome {
        certificate: certify(key.id(), now),
        issued: Some(certify(engine.node(), now)),
        about: About {
            boot: 1,
            issues: true,
            listens: Vec::new(),
        },
    };
    let (_, server) = tls::configurations(&key).unwrap();
    let server = quinn::ServerConfig::with_crypto(server);
    let member = Endpoint::server(server, "127.0.0.1:0".parse().unwrap()).unwrap();
    let to = member.local_addr().unwrap().to_string().parse().unwrap();
    let answering = async {
        let connection = member.accept().await.unwrap().await.unwrap();
        let (mut send, mut receive) = connection.accept_bi().await.unwrap();
        let _hello: Frame = frame::read(&mut receive).await.unwrap();
        frame::write(&mut send, &welcome).await.unwrap();
        let done: Frame = frame::read(&mut receive).await.unwrap();
        assert!(matches!(done, Frame::Done));
        connection
    };
    let (dialed, _connection) = tokio::join!(engine.dial(&to), answering);
    assert_eq!(dialed, Ok(key.id()));
    assert_eq!(engine.membership().certificate(), Some(certificate));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_go_on_while_strangers_knock_and_noise_comes_in() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let authority = Authority::generate();
    let engine = Arc::new(engine(&authority).await);
    let to = engine.addresses()[0];
    let key = NodeKey::generate();
    let certificate = authority.certify(key.id(), SystemTime::now(), Duration::from_secs(3_600));
    let (member, _events) =
        raw::start(key, Membership::certified(certificate), Settings::default()).await;
    member.dial(&to.to_string().parse().unwrap()).await.unwrap();
    let mut incoming = engine.accept("echo");
    tokio::spawn(async move {
        while let Some(inbound) = incoming.next().await {
            let mut stream = inbound.stream;
            tokio::spawn(async move {
                let byte = stream.read_u8().await.unwrap();
                stream.write_u8(byte).await.unwrap();
                stream.shutdown().await.unwrap();
            });
        }
    });
    // Connections that say nothing, connections that say noise, and packets that are none.
    let knock = move |number: u32| async move {
        let (client, _) = tls::configurations(&NodeKey::generate()).unwrap();
        let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
        let connecting = endpoint.connect_with(ClientConfig::new(client), to, "a.b");
        let Ok(connection) = connecting.unwrap().await else {
            return;
        };
        if number.is_multiple_of(2)
            && let Ok((mut send, _)) = connection.open_bi().await
        {
            let _ = send.write_all(&[number as u8; 4_096]).await;
        }
        connection.closed().await;
    };
    let knocking: Vec<_> = (0..200).map(|number| tokio::spawn(knock(number))).collect();
    let noise = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let began = Instant::now();
    for round in 0..50_u8 {
        for number in 0..40_u8 {
            let first = if number % 2 == 0 {
                0xC0 | number
            } else {
                number
            };
            let _ = noise.send_to(&[&[first], &[round; 1_199][..]].concat(), to);
        }
        let exchange = async {
            let mut stream = member.open(engine.node(), "echo").await.unwrap();
            stream.write_u8(round).await.unwrap();
            stream.read_u8().await.unwrap()
        };
        let answered = tokio::time::timeout(Duration::from_secs(30), exchange).await;
        assert_eq!(answered.expect("an answer before the deadline"), round);
    }
    println!("50 exchanges took {:?}", began.elapsed());
    for knocked in knocking {
        let ended = tokio::time::timeout(Duration::from_secs(60), knocked).await;
        ended.expect("all are refused").unwrap();
    }
    // All may have come before the first was refused; one more is not listened to.
    let ended = tokio::time::timeout(Duration::from_secs(60), knock(0)).await;
    ended.expect("it is refused");
    let stats = engine.stats();
    assert_eq!((stats.peers, stats.connected), (1, 1));
    let counted = |why| stats.refused[&why];
    assert!(
        counted(Refusal::Malformed) > 0 && counted(Refusal::TooMany) > 0,
        "{stats:?}"
    );
    // Those that are answered with a reason are few, however many come.
    assert!(total(&stats) - counted(Refusal::TooMany) < 32 + 64 + 32);
}
