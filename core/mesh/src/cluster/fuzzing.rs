//! What fuzz targets assert of the private parts of a cluster. This crate's tests assert the same of a few random
//! inputs each, so that what stands here is right whenever they pass.

use std::{
    fmt::Debug,
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use macula_proto::{
    GapReason, MediaType, Overflow, Pattern, Payload, Policy, Procedure, Realm, Topic,
    peer::replay::{From, Wanted},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{io::duplex, sync::Notify};

use super::{
    boxes::Inboxes,
    calls,
    directory::{Directory, Route, Tables},
    fact::{About, Fact, Offer},
    frames::Frames,
    link::{Inbox, Outbox},
    once, replay,
    say::Said,
};
use crate::{
    Delivery, Failure, Handler, Invocation, Publish, Replay, Serve, Settings, Subscribe,
    Subscription,
    clock::Clock,
    once::Store,
    pubsub::{Bounds, exchange::Exchange},
    rpc::providers::Providers,
};

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

/// A link under steps of two bytes: what arrives is in order, nothing comes twice, and what was lost is told, to the
/// number while the writer's run is the same and the reader remembers it.
pub fn link(steps: &[u8]) {
    let mut world = Link::new();
    for step in steps.chunks_exact(2) {
        let much = usize::from(step[1]);
        match step[0] % 9 {
            0 | 1 => world.publish(1 + much),
            2 => world.publish(1 + much * 16),
            3 => world.connect(1 + much * 16),
            4 => world.write(1 + much % 8),
            5 => world.read(1 + much % 8),
            6 => world.line = None,
            7 => world.restart(),
            _ => world.forget(),
        }
    }
    world.settle();
}

/// The writer, among those that the reader knows.
const WRITER: u8 = 0;

/// A writer, a reader, and one stream at a time between them.
struct Link {
    writer: Arc<Exchange>,
    reader: Arc<Exchange>,
    outbox: Arc<Outbox>,
    inboxes: Inboxes<u8>,
    line: Option<Line>,
    subscription: Subscription,
    epoch: u64,
    published: u64,
    /// The number of the next event that the reader has not seen.
    next: u64,
    /// What the reader was told to have missed since the last event.
    missed: u64,
    /// That it was told of a loss of which nobody knows how large it is.
    uncounted: bool,
    /// Whether the reader has ever been linked to this run, or to one before.
    begun: bool,
    /// Events of a run that the reader knew nothing of.
    before: u64,
}

struct Line {
    writes: BoxFuture<'static, io::Result<()>>,
    reads: BoxFuture<'static, io::Result<()>>,
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

/// Polls as often as told, or until it is done.
fn poll<T>(future: &mut BoxFuture<'static, T>, times: usize) -> Option<T> {
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..times {
        if let Poll::Ready(done) = Pin::new(&mut *future).poll(&mut cx) {
            return Some(done);
        }
    }
    None
}

impl Link {
    fn new() -> Self {
        let (writer, reader) = (exchange(), exchange());
        let mut link = Self {
            outbox: Arc::new(Outbox::new(1)),
            inboxes: Inboxes::new(2),
            line: None,
            subscription: subscribe(&reader),
            writer,
            reader,
            epoch: 0,
            published: 0,
            next: 0,
            missed: 0,
            uncounted: false,
            begun: false,
            before: 0,
        };
        link.restart();
        link
    }

    /// The writer begins a new run: what waited is lost.
    fn restart(&mut self) {
        self.line = None;
        if !self.begun {
            self.before = self.published;
        }
        for key in 0..2 {
            self.writer.dismiss(&interest(key), key);
        }
        self.epoch += 1;
        self.outbox = Arc::new(Outbox::new(self.epoch));
        for key in 0..2 {
            let queue = Arc::clone(&self.outbox.queue);
            self.writer.admit(&interest(key), key, queue);
        }
    }

    /// The reader's link breaks, and meanwhile so many others come and go that it forgets how far it has read.
    fn forget(&mut self) {
        self.line = None;
        for other in 1..=2 {
            self.inboxes.open(WRITER + other, |_| false);
        }
    }

    fn publish(&mut self, count: usize) {
        // Two queues full, and some: more shows nothing new.
        let room = 40_000_u64.saturating_sub(self.published) as usize;
        for _ in 0..count.min(room) {
            let _ = self.writer.publish(Publish {
                realm: realm(),
                topic: Topic::parse("home.clock").expect("a topic"),
                publisher: "clock".into(),
                content_type: MediaType::JSON,
                headers: Vec::new(),
                payload: Bytes::copy_from_slice(&self.published.to_be_bytes()),
            });
            self.published += 1;
        }
    }

    fn connect(&mut self, room: usize) {
        let (near, far) = duplex(room);
        let outbox = Arc::clone(&self.outbox);
        let inbox = self.inboxes.open(WRITER, |_| false);
        let reader = Arc::clone(&self.reader);
        self.line = Some(Line {
            writes: Box::pin(async move { outbox.write(near).await }),
            reads: Box::pin(async move { inbox.read(far, &reader).await }),
        });
    }

    fn write(&mut self, times: usize) {
        if let Some(line) = &mut self.line
            && poll(&mut line.writes, times).is_some()
        {
            self.line = None;
        }
    }

    fn read(&mut self, times: usize) {
        if let Some(line) = &mut self.line
            && poll(&mut line.reads, times).is_some()
        {
            self.line = None;
        }
        self.take();
    }

    /// Looks at what has arrived.
    fn take(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        let mut taken = Vec::new();
        while let Poll::Ready(1..) =
            self.subscription
                .poll_batch(&mut cx, 1_024, usize::MAX, &mut taken)
        {}
        for delivery in taken {
            self.begun = true;
            match delivery {
                Delivery::Event(event) => {
                    let payload = (&*event.event.payload).try_into().expect("a number");
                    let number = u64::from_be_bytes(payload);
                    assert!(number >= self.next, "{number} comes after {}", self.next);
                    self.check(number);
                    self.next = number + 1;
                }
                Delivery::Gap(gap) => {
                    assert_eq!(gap.reason, GapReason::Link);
                    self.missed += gap.missed.unwrap_or(0);
                    self.uncounted |= gap.missed.is_none();
                }
            }
        }
    }

    /// What is lost before this number was told, and no more than that.
    fn check(&mut self, number: u64) {
        let lost = number - self.next;
        let unknown = self.before.saturating_sub(self.next);
        let told = self.missed + unknown.min(lost);
        assert!(
            told == lost || (self.uncounted && told < lost),
            "{lost} are lost before {number}, {} are told",
            self.missed
        );
        (self.missed, self.uncounted) = (0, false);
    }

    fn settle(&mut self) {
        for _ in 0..3 {
            self.connect(1 << 20);
            let mut quiet = 0;
            while quiet < 8 {
                let before = (self.next, self.missed);
                self.write(8);
                self.read(8);
                quiet = if before == (self.next, self.missed) {
                    quiet + 1
                } else {
                    0
                };
            }
        }
        self.check(self.published);
    }
}

fn interest(key: u64) -> (Realm, Pattern) {
    let pattern = ["home.**", "home.clock"][key as usize];
    (realm(), Pattern::parse(pattern).expect("a pattern"))
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
        fn a_link_keeps_order_and_tells_what_is_lost(steps in prop::collection::vec(any::<u8>(), 0..60)) {
            super::link(&steps);
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

    #[test]
    fn a_link_that_breaks_before_anything_was_read_loses_nothing() {
        // 13 events; a stream on which they are written; another one.
        super::link(&[0, 12, 3, 1, 5, 0, 4, 0]);
    }

    #[test]
    fn a_reader_that_has_forgotten_how_far_it_was_gets_nothing_twice() {
        // 100 events, which are written and read; the reader forgets. 100 more.
        super::link(&[0, 99, 3, 255, 4, 7, 5, 7, 8, 0, 0, 99]);
    }

    #[test]
    fn a_reader_that_has_forgotten_a_writer_is_told_what_is_lost_with_its_run() {
        // The same, but the writer begins a new run after the events that wait for the reader.
        super::link(&[0, 99, 3, 255, 4, 7, 5, 7, 8, 0, 0, 99, 7, 0]);
    }
}
