//! A model of a link: a writer, a reader, what is kept at both ends, and one stream at a time between them.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use macula_proto::{GapReason, MediaType, Pattern, Realm, Topic};
use tokio::io::duplex;

use super::{exchange, realm, subscribe};
use crate::{
    Delivery, Publish, Subscription,
    cluster::boxes::{Inboxes, Outboxes},
    pubsub::exchange::Exchange,
};

/// A link under steps of two bytes: what arrives is in order, nothing comes twice, and what was lost is told, to the
/// number while the writer's run is the same and the reader remembers it.
pub fn link(steps: &[u8]) {
    let mut world = Link::new();
    for step in steps.chunks_exact(2) {
        let much = usize::from(step[1]);
        match step[0] % 10 {
            0 | 1 => world.publish(1 + much),
            2 => world.publish(1 + much * 16),
            3 => world.connect(1 + much * 16),
            4 => world.write(1 + much % 8),
            5 => world.read(1 + much % 8),
            6 => world.line = None,
            7 => world.restart(),
            8 => world.forget(),
            _ => world.replace(),
        }
    }
    world.settle();
}

/// The writer, among those that the reader knows, and the reader, among those that the writer does.
const WRITER: u8 = 0;
const READER: u8 = 0;

/// A writer, a reader, and one stream at a time between them.
struct Link {
    writer: Arc<Exchange>,
    reader: Arc<Exchange>,
    outboxes: Outboxes<u8>,
    inboxes: Inboxes<u8>,
    line: Option<Line>,
    subscription: Subscription,
    /// Outboxes that there were.
    epoch: u64,
    /// The reader's run.
    run: u64,
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
            outboxes: Outboxes::new(),
            inboxes: Inboxes::new(2),
            line: None,
            subscription: subscribe(&reader),
            writer,
            reader,
            epoch: 0,
            run: 0,
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
        self.lapse();
        self.outboxes = Outboxes::new();
        self.meet();
    }

    /// What is kept for the reader is given up.
    fn lapse(&mut self) {
        for key in 0..2 {
            self.writer.dismiss(&interest(key), key);
        }
        self.outboxes.lapse(&READER);
    }

    /// The writer is connected to the reader, and knows what it wants.
    fn meet(&mut self) {
        if self.outboxes.is_of_another(&READER, self.run) {
            self.lapse();
        }
        self.epoch += 1;
        let outbox = self.outboxes.open(READER, self.run, self.epoch);
        for key in 0..2 {
            let queue = Arc::clone(&outbox.queue);
            self.writer.admit(&interest(key), key, queue);
        }
    }

    /// The reader begins a new run while the writer keeps what the former one was to get. It opens its link before the
    /// writer knows that it is a new one.
    fn replace(&mut self) {
        self.line = None;
        self.run += 1;
        self.reader = exchange();
        self.subscription = subscribe(&self.reader);
        self.inboxes = Inboxes::new(2);
        (self.next, self.missed, self.uncounted) = (self.published, 0, false);
        (self.begun, self.before) = (false, self.published);
        self.connect(1 << 20);
        self.read(8);
        self.write(8);
        self.read(8);
        self.meet();
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
        let Some(outbox) = self.outboxes.of_run(&READER, self.run) else {
            return;
        };
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn a_link_keeps_order_and_tells_what_is_lost(steps in prop::collection::vec(any::<u8>(), 0..60)) {
            super::link(&steps);
        }
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
    fn a_new_run_of_the_reader_gets_nothing_of_what_the_former_one_was_to_get() {
        // 100 events, which are written and read; 100 more, which wait when the new run begins; 100 for that.
        super::link(&[0, 99, 3, 255, 4, 7, 5, 7, 0, 99, 9, 0, 0, 99]);
    }

    #[test]
    fn a_reader_that_has_forgotten_a_writer_is_told_what_is_lost_with_its_run() {
        // The same, but the writer begins a new run after the events that wait for the reader.
        super::link(&[0, 99, 3, 255, 4, 7, 5, 7, 8, 0, 0, 99, 7, 0]);
    }
}
