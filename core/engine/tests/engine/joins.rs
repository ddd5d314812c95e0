//! Nodes find each other.

use std::time::{Duration, SystemTime};

use macula_engine::{
    Authority, DialError, Engine, Gone, JoinToken, Membership, NodeKey, Refusal, Settings,
    StartError,
};
use tokio::time::Instant;

use crate::support::{
    TTL, all_meet, cluster, config, eventually, founder, joiner, member, soon, start,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_connect_by_a_seed() {
    let authority = Authority::generate();
    let mut seed = founder(&authority).await;
    let mut node = joiner(&authority, &[&seed]).await;
    node.connected(seed.id()).await;
    seed.connected(node.id()).await;
    let peers = node.engine.peers();
    assert_eq!(peers.len(), 1);
    assert!(peers[0].peer.dialed && peers[0].peer.issues);
    assert_eq!(peers[0].peer.listens, seed.engine.addresses());
    assert!(peers[0].round_trip > Duration::ZERO);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_nodes_that_know_one_seed_all_meet() {
    let nodes = cluster(5).await;
    for node in &nodes {
        eventually("one connection a peer", async || {
            node.stats().await.connections == 4
        })
        .await;
    }
}

/// Lesson 10: a node that joins looks itself up, so that it finds those who join with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_nodes_that_join_at_once_all_meet() {
    let authority = Authority::generate();
    let mut nodes = vec![founder(&authority).await];
    let began = Instant::now();
    let joining: Vec<_> = (0..10)
        .map(|_| {
            let key = NodeKey::generate();
            let membership = member(&authority, &key);
            tokio::spawn(start(config(key, membership, &[&nodes[0]])))
        })
        .collect();
    for node in joining {
        nodes.push(node.await.unwrap());
    }
    all_meet(&nodes).await;
    let took = began.elapsed();
    println!("ten nodes joined in {took:?}");
    // A second or two where nothing else runs; this machine may have much else to do.
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seed_that_comes_later_is_found() {
    let authority = Authority::generate();
    let early = founder(&authority).await;
    let (key, seed) = (NodeKey::generate(), early.seed());
    let address = early.engine.addresses()[0];
    early.engine.leave().await;
    let membership = member(&authority, &key);
    let mut waiting = config(key, membership, &[]);
    waiting.seeds = vec![seed];
    let node = start(waiting).await;
    eventually("the seed was dialled in vain", async || {
        matches!(
            node.engine
                .dial(&address.to_string().parse().unwrap())
                .await,
            Err(DialError::Unreachable | DialError::TooSlow)
        )
    })
    .await;
    let key = NodeKey::generate();
    let membership = member(&authority, &key);
    let mut late = config(key, membership, &[]);
    late.listen = vec![address];
    let late = start(late).await;
    eventually("the late seed is found", async || node.knows(late.id())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_that_dial_each_other_at_once_keep_one_connection() {
    let authority = Authority::generate();
    let one = founder(&authority).await;
    let other = joiner(&authority, &[]).await;
    let (to_other, to_one) = (other.seed(), one.seed());
    let (there, back) =
        soon(async { tokio::join!(one.engine.dial(&to_other), other.engine.dial(&to_one)) }).await;
    assert_eq!(there, Ok(other.id()));
    assert_eq!(back, Ok(one.id()));
    for node in [&one, &other] {
        eventually("one connection is left", async || {
            node.stats().await.connections == 1
        })
        .await;
    }
    // The one that is left is the same for both.
    let _incoming = other.engine.accept("a");
    soon(one.engine.open(other.id(), "a")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_invited_joins_and_is_a_member_from_then_on() {
    let authority = Authority::generate();
    let seed = founder(&authority).await;
    let text = authority
        .invite(SystemTime::now(), TTL, 1)
        .text()
        .to_owned();
    let invite: JoinToken = text.parse().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let key = NodeKey::load_or_make(&directory.path().join("node.key")).unwrap();
    let open = |invite| {
        let now = SystemTime::now();
        Membership::open(directory.path(), key.id(), invite, now).unwrap()
    };
    let node = start(config(key.clone(), open(Some(invite)), &[&seed])).await;
    eventually("the node has joined", async || node.knows(seed.id())).await;
    let certificate = node.engine.membership().certificate().unwrap();
    assert_eq!(certificate.node(), key.id());
    node.engine.leave().await;
    // Without the token now, and at a node that cannot sign.
    let other = joiner(&authority, &[]).await;
    let again = start(config(key.clone(), open(None), &[&other])).await;
    eventually("the member is let in", async || again.knows(other.id())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_is_of_no_use_where_nobody_can_sign() {
    let authority = Authority::generate();
    let member = joiner(&authority, &[]).await;
    let invite = authority.invite(SystemTime::now(), TTL, 1);
    let invited = Membership::invited(invite);
    let node = start(config(NodeKey::generate(), invited, &[])).await;
    let dialed = soon(node.engine.dial(&member.seed())).await;
    assert_eq!(dialed, Err(DialError::Refused(Refusal::NoAuthority)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn levels_do_not_mix() {
    let authority = Authority::generate();
    let cluster = founder(&authority).await;
    let key = NodeKey::generate();
    let membership = member(&authority, &key);
    let mut street = config(key, membership, &[]);
    street.level = "street".to_owned();
    let street = start(street).await;
    let dialed = soon(street.engine.dial(&cluster.seed())).await;
    assert_eq!(dialed, Err(DialError::Refused(Refusal::OtherLevel)));
    assert_eq!(cluster.refused(Refusal::OtherLevel).await, 1);
    assert!(!cluster.knows(street.id()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_dials_itself_nor_a_name_that_is_unknown() {
    let node = founder(&Authority::generate()).await;
    let own = soon(node.engine.dial(&node.seed())).await;
    assert_eq!(own, Err(DialError::Own));
    let unknown = "host.invalid:1".parse().unwrap();
    let unknown = soon(node.engine.dial(&unknown)).await;
    assert!(matches!(
        unknown,
        Err(DialError::UnknownHost | DialError::TooSlow)
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_peers_than_there_may_be_are_not_taken() {
    let authority = Authority::generate();
    let key = NodeKey::generate();
    let mut small = config(key.clone(), member(&authority, &key), &[]);
    small.settings = Settings {
        max_peers: 2,
        ..Settings::default()
    };
    let small = start(small).await;
    let mut others = Vec::new();
    for _ in 0..4 {
        let other = joiner(&authority, &[]).await;
        let _ = soon(other.engine.dial(&small.seed())).await;
        others.push(other);
    }
    eventually("two are left", async || {
        let inside = async |node: &crate::support::Node| node.stats().await.peers;
        inside(&small).await == 2
    })
    .await;
}

#[tokio::test]
async fn a_configuration_that_contradicts_itself_does_not_start() {
    let authority = Authority::generate();
    let (key, other) = (NodeKey::generate(), NodeKey::generate());
    let good = config(key.clone(), member(&authority, &key), &[]);
    let mut level = good.clone();
    level.level = "Cluster/1".to_owned();
    let error = Engine::start(level).await.unwrap_err();
    assert!(matches!(error, StartError::Level));
    let mut refresh = good.clone();
    refresh.settings.record_refresh = refresh.settings.record_ttl;
    let error = Engine::start(refresh).await.unwrap_err();
    assert!(matches!(error, StartError::Settings(_)));
    let error = Engine::start(config(key, member(&authority, &other), &[])).await;
    let error = error.unwrap_err();
    assert!(matches!(error, StartError::Credential(Refusal::OtherNode)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_starts_anew_is_known_anew_at_once() {
    let authority = Authority::generate();
    let mut seed = founder(&authority).await;
    let key = NodeKey::generate();
    let membership = member(&authority, &key);
    let first = start(config(key.clone(), membership.clone(), &[&seed])).await;
    seed.connected(key.id()).await;
    // A second process with the same key, as after a crash that nobody has noticed yet.
    let _second = start(config(key.clone(), membership, &[&seed])).await;
    let event = seed.event().await;
    let gone = macula_engine::Event::Disconnected {
        node: key.id(),
        why: Gone::Restarted,
    };
    assert_eq!(event, gone);
    seed.connected(key.id()).await;
    drop(first);
}
