//! Who is not let in, and who has to go.

use std::time::{Duration, SystemTime};

use macula_engine::{Authority, Certificate, DialError, Gone, Membership, NodeKey, Refusal};

use crate::support::{TTL, config, eventually, founder, joiner, soon, start};

/// A node with this certificate dials a member, and is refused for this reason by it.
async fn check(certificate: impl Fn(&Authority, &NodeKey) -> Certificate, why: Refusal) {
    let authority = Authority::generate();
    let seed = founder(&authority).await;
    let key = NodeKey::generate();
    let shown = certificate(&authority, &key);
    let membership = Membership::certified(shown);
    let stranger = start(config(key, membership, &[])).await;
    let dialed = soon(stranger.engine.dial(&seed.seed())).await;
    assert_eq!(dialed, Err(DialError::Refused(why)));
    assert_eq!(seed.refused(why).await, 1);
    assert_eq!(stranger.refused_by_others(why).await, 1);
    assert!(!seed.knows(stranger.id()));
    assert_eq!(seed.stats().await.connected, 0);
}

fn hour_ago() -> SystemTime {
    SystemTime::now() - Duration::from_secs(3_600)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_another_cluster_is_refused() {
    let other = Authority::generate();
    check(
        |_, key| other.certify(key.id(), SystemTime::now(), TTL),
        Refusal::OtherCluster,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_revoked_is_refused_and_has_to_go_if_it_is_in() {
    let authority = Authority::generate();
    let mut seed = founder(&authority).await;
    let mut node = joiner(&authority, &[&seed]).await;
    node.connected(seed.id()).await;
    let now = SystemTime::now();
    let revocation = authority.revoke(node.id(), now);
    let told = seed.engine.membership().revoke(revocation.text(), now);
    assert_eq!(told, Ok(true));
    // Only who has refused the other knows that the other is out.
    let why = Refusal::Revoked;
    assert_eq!(seed.gone(node.id()).await, Gone::Refused(why));
    assert_eq!(node.gone(seed.id()).await, Gone::RefusedUs(why));
    let dialed = soon(node.engine.dial(&seed.seed())).await;
    assert_eq!(dialed, Err(DialError::Refused(Refusal::Revoked)));
    eventually("it is counted, and known no more", async || {
        seed.refused(Refusal::Revoked).await >= 2 && !seed.knows(node.id())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_was_revoked_comes_back_by_a_later_token() {
    let authority = Authority::generate();
    let seed = founder(&authority).await;
    let key = NodeKey::generate();
    let directory = tempfile::tempdir().unwrap();
    let old = authority.certify(key.id(), hour_ago(), TTL * 2);
    std::fs::write(directory.path().join("cluster.jwt"), old.text()).unwrap();
    let revocation = authority.revoke(key.id(), hour_ago());
    let told = seed
        .engine
        .membership()
        .revoke(revocation.text(), SystemTime::now());
    assert_eq!(told, Ok(true));
    let token = authority.invite(SystemTime::now(), TTL, 1);
    let membership = Membership::open(directory.path(), key.id(), Some(token), SystemTime::now());
    let mut node = start(config(key, membership.unwrap(), &[&seed])).await;
    node.connected(seed.id()).await;
    assert_eq!(
        seed.refused(Refusal::Revoked).await,
        1,
        "by what it had before"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_whose_certificate_expires_has_to_go() {
    let authority = Authority::generate();
    // Who cannot renew it either.
    let seed = joiner(&authority, &[]).await;
    let key = NodeKey::generate();
    let short = authority.certify(key.id(), SystemTime::now(), Duration::from_secs(3));
    let mut node = start(config(key, Membership::certified(short), &[&seed])).await;
    node.connected(seed.id()).await;
    let why = Refusal::Expired;
    assert_eq!(node.gone(seed.id()).await, Gone::RefusedUs(why));
    let dialed = soon(node.engine.dial(&seed.seed())).await;
    assert_eq!(dialed, Err(DialError::Refused(Refusal::Expired)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seed_of_another_cluster_does_not_take_a_node_in() {
    // Who is invited trusts the authority of its token, and no other that says that it is in charge.
    let (ours, theirs) = (Authority::generate(), Authority::generate());
    let trap = founder(&theirs).await;
    let invited = Membership::invited(ours.invite(hour_ago(), TTL * 2, 1));
    let node = start(config(NodeKey::generate(), invited, &[])).await;
    let dialed = soon(node.engine.dial(&trap.seed())).await;
    assert_eq!(dialed, Err(DialError::Refused(Refusal::OtherCluster)));
    assert_eq!(node.engine.membership().certificate(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_through_its_life_a_certificate_is_renewed_by_who_can() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let authority = Authority::generate();
    let seed = founder(&authority).await;
    let key = NodeKey::generate();
    let began = SystemTime::now();
    let old = authority.certify(key.id(), began - DAY * 20, DAY * 30);
    let node = start(config(key, Membership::certified(old), &[&seed])).await;
    eventually("the certificate is renewed", async || {
        let certificate = node.engine.membership().certificate().unwrap();
        certificate.expires() > began + DAY * 29
    })
    .await;
    assert!(node.knows(seed.id()));
}
