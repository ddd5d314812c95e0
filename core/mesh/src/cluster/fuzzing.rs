//! What fuzz targets assert of the private parts of a cluster. This crate's tests assert the same of a few random
//! inputs each, so that what stands here is right whenever they pass.

mod link;

use std::{
    fmt::Debug,
    future::poll_fn,
    io,
    sync::{Arc, OnceLock},
    task::Poll,
    time::Duration,
};

use macula_proto::{
    Overflow, Pattern, Payload, Policy, Procedure, Realm,
    peer::replay::{From, Wanted},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::Notify;

use super::{
    calls,
    directory::{Directory, Route, Tables},
    fact::{About, Fact, Offer},
    frames::Frames,
    link::{Inbox, Outbox},
    once, replay,
    say::Said,
};
use crate::{
    Failure, Handler, Invocation, Replay, Serve, Settings, Subscribe, Subscription,
    clock::Clock,
    once::Store,
    pubsub::{Bounds, exchange::Exchange},
    rpc::providers::Providers,
};

pub use link::link;

/// What a peer says, or what a node says of itself, is refused, or is written so that it reads as the same.
pub fn decode(bytes: &[u8]) {
    if let Some(said) = Said::decode(bytes) {
        assert_eq!(Said::decode(&said.encode()), Some(said));
    }
    same::<Fact>(bytes);
}

fn same<T: PartialEq + Debug + Serialize + DeserializeOwned>(bytes: &[u8]) {
    if let Ok(found) = rmp_serde::from_slice::<T>(bytes) {
        let written = rmp_serde::to_vec(&found).expect("our own types serialise without failure");
        let again = rmp_serde::from_slice::<T>(&written).expect("what was written can be read");
        assert_eq!(again, found);
    }
}

fn exchange() -> Arc<Exchange> {
    let settings = Settings {
        replay_events: 16,
        ..Settings::default()
    };
    let changed = Arc::new(Notify::new());
    Arc::new(Exchange::new(&settings, Clock::new(|| 1_000_000), changed))
}

fn realm() -> Realm {
    Realm::parse("dev").expect("a realm")
}

fn subscribe(exchange: &Arc<Exchange>) -> Subscription {
    let wanted = Subscribe {
        realm: realm(),
        pattern: Pattern::all(),
        replay: Replay::None,
        queue: Bounds {
            events: usize::MAX,
            bytes: usize::MAX,
            overflow: Overflow::DropOldest,
        },
    };
    exchange.subscribe(wanted).expect("there is room")
}

/// Whatever a peer writes on a stream ends it, or is answered. The first byte says which stream.
pub fn stream(bytes: &[u8]) {
    let Some((&which, said)) = bytes.split_first() else {
        return;
    };
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time().build().expect("a runtime")
    });
    let _ = runtime.block_on(async {
        let ended = tokio::time::timeout(Duration::from_secs(1), answered(which, said));
        ended.await.expect("what was said is answered")
    });
}

async fn answered(which: u8, said: &[u8]) -> io::Result<()> {
    let stream = tokio::io::join(said, tokio::io::sink());
    let exchange = exchange();
    match which % 6 {
        0 => {
            let mut readers = [subscribe(&exchange), subscribe(&exchange)];
            let ended = Inbox::new().read(stream, &exchange).await;
            drain(&mut readers[0]).await;
            ended
        }
        1 => Outbox::new(7).write(stream).await,
        2 => replay::answer(stream, &exchange).await,
        3 => {
            let wanted = Wanted {
                realm: realm(),
                pattern: Pattern::all(),
                from: From::Last(10),
            };
            let found = replay::ask(stream, &wanted).await?;
            let merged = replay::merge(Replay::Last(10), Vec::new(), vec![found], &exchange);
            assert!(merged.len() <= 10);
            Ok(())
        }
        4 => once::answer(Frames::new(stream), &Store::new(&Settings::default())).await,
        _ => {
            let providers = providers();
            let serve = serve(Some(realm()), "demo.add", 1);
            let served = providers
                .serve(serve, Arc::new(echo))
                .expect("there is room");
            let ended = calls::answer(Frames::new(stream), &providers).await;
            drop(served);
            ended
        }
    }
}

async fn drain(subscription: &mut Subscription) {
    let mut taken = Vec::new();
    poll_fn(|cx| {
        while let Poll::Ready(1..) = subscription.poll_batch(cx, 1_024, usize::MAX, &mut taken) {}
        Poll::Ready(())
    })
    .await;
}

fn providers() -> Arc<Providers> {
    Arc::new(Providers::new(
        &Settings::default(),
        Arc::new(Notify::new()),
    ))
}

fn serve(realm: Option<Realm>, procedure: &str, concurrency: usize) -> Serve {
    Serve {
        realm,
        procedure: Procedure::parse(procedure).expect("a procedure"),
        provider: "somebody".into(),
        policy: None,
        concurrency,
        description: None,
        schema: None,
    }
}

async fn echo(call: Invocation) -> Result<Payload, Failure> {
    Ok(call.argument)
}

/// What nodes say of themselves, in steps of four bytes: it is in this node's tables while they are connected, and the
/// tables are empty when they have gone.
pub fn directory(steps: &[u8]) {
    let tables = Tables {
        exchange: exchange(),
        providers: providers(),
    };
    let mut directory = Directory::new(tables.clone());
    let mut said: Vec<(u8, Fact)> = Vec::new();
    for step in steps.chunks_exact(4) {
        let id = step[1] % 3;
        match step[0] % 6 {
            0 | 1 => {
                let fact = fact(step[2], step[3]);
                directory.add(id, fact.clone());
                said.push((id, fact));
            }
            2 if !said.is_empty() => {
                let (id, fact) = said.swap_remove(usize::from(step[2]) % said.len());
                directory.remove(&id, &fact);
            }
            // It was never said, or is said no more.
            2 => directory.remove(&id, &fact(step[2], step[3])),
            3 => directory.connected(id, route()),
            4 => directory.disconnected(&id),
            _ => {
                directory.disconnected(&id);
                directory.lapsed(&id);
            }
        }
        assert!(directory.nodes().count() <= 3);
        assert!(tables.providers.list(&realm()).len() <= 3);
    }
    for id in 0..3 {
        directory.disconnected(&id);
        directory.lapsed(&id);
    }
    assert!(tables.providers.list(&realm()).is_empty());
    assert_eq!(tables.exchange.peers(), 0);
    for (id, fact) in said {
        directory.remove(&id, &fact);
    }
    assert_eq!(directory.nodes().count(), 0);
}

fn fact(what: u8, much: u8) -> Fact {
    let name = ["a", "a.b", "a.*"][usize::from(much % 3)];
    match what % 3 {
        0 => Fact::Node(About {
            name: name.into(),
            version: "1".into(),
            since_ms: much.into(),
            gateway: None,
        }),
        1 => Fact::Wants(realm(), Pattern::parse(name).expect("a pattern")),
        _ => Fact::Serves(Offer {
            provider: much.into(),
            realm: realm(),
            procedure: Procedure::parse(["a", "b", "c"][usize::from(much % 3)])
                .expect("a procedure"),
            name: "somebody".into(),
            policy: [Policy::First, Policy::RoundRobin][usize::from(what % 2)],
            concurrency: [0, 1, usize::MAX][usize::from(much % 3)],
            description: None,
            schema: (what > 127).then(|| "{".into()),
        }),
    }
}

fn route() -> Route {
    Route {
        outbox: Arc::new(Outbox::new(1)),
        remote: Box::new(|_| Arc::new(echo) as Arc<dyn Handler>),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn what_is_said_is_refused_or_reads_as_the_same(bytes: Vec<u8>) {
            super::decode(&bytes);
        }

        #[test]
        fn no_stream_takes_a_node_down(which in 0..6_u8, kind in 0..4_u8, said in prop::collection::vec(any::<u8>(), 0..100)) {
            let frame = [&[which, said.len() as u8 + 1, kind], &said[..]].concat();
            super::stream(&frame);
        }

        #[test]
        fn tables_return_to_empty(steps in prop::collection::vec(any::<u8>(), 0..200)) {
            super::directory(&steps);
        }
    }

    #[test]
    fn a_peer_may_tell_of_any_loss() {
        let begin = &[4, 1, 0x92, 7, 9][..];
        let gap = &[11, 3, 0x91, 0xCF, 255, 255, 255, 255, 255, 255, 255, 255][..];
        super::stream(&[&[0], begin, gap, gap].concat());
    }
}
