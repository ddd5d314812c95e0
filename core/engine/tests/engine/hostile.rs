//! Members that ask too much of others, while the others go on.

use std::time::{Duration, SystemTime};

use macula_engine::{Authority, Certificate, Membership, NodeKey, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Node, TTL, config, eventually, founder, joiner, member, soon, start};

/// A member with these settings, that is connected to another.
async fn greedy(authority: &Authority, to: &Node, settings: Settings) -> Node {
    let key = NodeKey::generate();
    let mut config = config(key.clone(), member(authority, &key), &[to]);
    config.settings = settings;
    let mut node = start(config).await;
    node.connected(to.id()).await;
    node
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lesson_27_a_member_that_floods_the_dht_fills_what_it_may_and_no_more() {
    let authority = Authority::generate();
    let key = NodeKey::generate();
    let mut small = config(key.clone(), member(&authority, &key), &[]);
    small.settings = Settings {
        max_records: 100,
        max_records_of_one: 20,
        ..Settings::default()
    };
    let small = start(small).await;
    let honest = joiner(&authority, &[&small]).await;
    let flooder = greedy(&authority, &small, Settings::default()).await;
    eventually("all have met", async || {
        flooder.knows(honest.id()) && small.knows(honest.id())
    })
    .await;
    for number in 0..60_u8 {
        soon(flooder.engine.provide(&[1, number])).await.unwrap();
        soon(flooder.engine.put(&[2, number], vec![0; 8_192]))
            .await
            .unwrap();
        soon(flooder.engine.put(&[3, number], vec![0; 8_192]))
            .await
            .unwrap();
    }
    // A key that is longer than any name, which its own store refuses too.
    assert!(soon(flooder.engine.provide(&[7; 4_096])).await.is_err());
    eventually("it is refused and counted", async || {
        let stats = small.stats().await;
        assert!(stats.dht_records <= 100 && stats.dht_providers <= 21);
        stats.dht_refused >= 60
    })
    .await;
    soon(honest.engine.provide(b"demo.add")).await.unwrap();
    eventually("an honest provider is found", async || {
        let found = small.engine.find_providers(b"demo.add").await;
        found == Ok([honest.id()].into())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_opens_thousands_of_streams_waits_and_nobody_else_does() {
    const MAX_STREAMS: u32 = 16;
    let authority = Authority::generate();
    let key = NodeKey::generate();
    let mut small = config(key.clone(), member(&authority, &key), &[]);
    small.settings.max_streams = MAX_STREAMS;
    let small = start(small).await;
    let settings = Settings {
        max_streams: 65_536,
        open_timeout: Duration::from_millis(500),
        ..Settings::default()
    };
    let opener = greedy(&authority, &small, settings).await;
    let honest = greedy(&authority, &small, Settings::default()).await;
    let mut incoming = small.engine.accept("echo");
    tokio::spawn(async move {
        while let Some(inbound) = incoming.next().await {
            tokio::spawn(async move {
                let mut stream = inbound.stream;
                let mut byte = [0];
                while stream.read_exact(&mut byte).await.is_ok() {
                    if stream.write_all(&byte).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    let opening = (0..2_000).map(|_| {
        let (engine, to) = (opener.engine.clone(), small.id());
        tokio::spawn(async move {
            let mut stream = engine.open(to, "echo").await.ok()?;
            stream.write_all(b"x").await.ok()?;
            Some(stream)
        })
    });
    let opening: Vec<_> = opening.collect();
    let mut stream = soon(honest.engine.open(small.id(), "echo")).await.unwrap();
    for _ in 0..100 {
        soon(stream.write_all(b"y")).await.unwrap();
        assert_eq!(soon(stream.read_u8()).await.unwrap(), b'y');
        // Those of callers, those of the swarm, and that of the honest node.
        assert!(small.stats().await.streams <= MAX_STREAMS as usize + 64 + 1);
    }
    let mut held = Vec::new();
    for opened in opening {
        held.extend(soon(opened).await.unwrap());
    }
    assert!(held.len() <= MAX_STREAMS as usize + 64, "{}", held.len());
}

/// It has a second until its connection is closed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_is_revoked_cannot_renew_its_certificate_first() {
    let authority = Authority::generate();
    let founder = founder(&authority).await;
    let key = NodeKey::generate();
    let signed = SystemTime::now() - Duration::from_secs(60);
    let certificate = authority.certify(key.id(), signed, TTL);
    let certified = Membership::certified(certificate);
    let mut node = start(config(key, certified, &[&founder])).await;
    node.connected(founder.id()).await;
    let renewed = async || -> Option<Certificate> {
        let mut stream = node.engine.open(founder.id(), "certificate/1").await.ok()?;
        stream.shutdown().await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        // Behind the length of its frame.
        let text = String::from_utf8(answer.get(2..)?.to_vec()).ok()?;
        Certificate::read(text.trim_matches('"'), authority.cluster()).ok()
    };
    assert!(soon(renewed()).await.is_some(), "a good member is renewed");
    // Ten seconds ago, so that what is signed now would be good again.
    let revoked = SystemTime::now() - Duration::from_secs(10);
    let revocation = authority.revoke(node.id(), revoked);
    let told = founder
        .engine
        .membership()
        .revoke(revocation.text(), SystemTime::now());
    assert_eq!(told, Ok(true));
    while founder.knows(node.id()) {
        assert_eq!(soon(renewed()).await, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_says_it_has_the_authority_cannot_bring_back_an_older_certificate() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let authority = Authority::generate();
    let (key, now) = (NodeKey::generate(), SystemTime::now());
    let certified = |age| authority.certify(key.id(), now - age, DAY * 30);
    let (older, own) = (certified(DAY * 25), certified(DAY * 20));
    let liar = founder(&authority).await;
    // Who takes a protocol takes it from who did before.
    let mut asked = liar.engine.accept("certificate/1");
    let certified = Membership::certified(own.clone());
    let node = start(config(key, certified, &[&liar])).await;
    let body = serde_json::to_vec(older.text()).unwrap();
    let answer = [&(body.len() as u16).to_be_bytes()[..], &body].concat();
    let mut stream = soon(asked.next()).await.unwrap().stream;
    soon(stream.write_all(&answer)).await.unwrap();
    soon(stream.shutdown()).await.unwrap();
    // Whoever comes, it asks again, and so has read the answer.
    let _other = joiner(&authority, &[&node]).await;
    let again = soon(asked.next()).await.unwrap();
    assert_eq!(node.engine.membership().certificate(), Some(own));
    drop(again);
    let honest = founder(&authority).await;
    soon(node.engine.dial(&honest.seed())).await.unwrap();
    drop(asked);
    eventually("the certificate is renewed by who can", async || {
        let certificate = node.engine.membership().certificate().unwrap();
        certificate.expires() > now + DAY * 29
    })
    .await;
}
