//! Links: the events that one node wants of another, on one stream that lasts.
//!
//! The writer's end is an [`Outbox`], which stands in the exchange's trie of peers like a reader. It numbers
//! what it writes and keeps the last of it, so that a reader whose connection broke goes on where it was. The
//! reader's end is an [`Inbox`], which remembers where that is. What cannot be had any more is told to readers as
//! a gap (lesson 23), and the publisher never waits.

use std::{collections::VecDeque, future::poll_fn, io, sync::Arc};

use macula_proto::{
    Event, GapReason, Overflow,
    frame::stream::put_frame,
    peer::{
        Names,
        link::{Link, Resume, put_event},
    },
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Mutex,
};
use tokio_util::sync::CancellationToken;

use super::frames::{Frames, QUESTION, refused};
use crate::{
    Delivery, Gap,
    pubsub::{Bounds, exchange::Exchange, queue::Queue},
};

/// What waits for a peer at most: 16,384 events, a tenth of a second of what a link carries, and 32 MiB.
const QUEUE: Bounds = Bounds {
    events: 16_384,
    bytes: 32 << 20,
    overflow: Overflow::DropOldest,
};
/// Deliveries and bytes that are written together.
const BATCH: usize = 512;
const BATCH_BYTES: usize = 256 << 10;
/// What was written and is kept for a reader that comes back: what two connections can have under way.
const KEPT: usize = 4_096;
const KEPT_BYTES: usize = 8 << 20;
/// Gaps that are told for what was read at a time. A writer tells at most one for each [`BATCH`], of which some four of
/// the smallest events are read together.
const GAPS: usize = 8;
/// The run of no writer: what a reader names that has forgotten which it was.
const FORGOTTEN: u64 = u64::MAX;

/// The events that one peer wants.
#[derive(Debug)]
pub(crate) struct Outbox {
    pub(crate) queue: Arc<Queue>,
    /// This outbox among all that there ever are for the peer.
    epoch: u64,
    /// One stream at a time writes.
    sent: Mutex<Sent>,
    /// Ends the streams that write, when nothing comes into the queue any more.
    over: CancellationToken,
}

/// What was written.
#[derive(Debug, Default)]
struct Sent {
    /// The number of the next event.
    next: u64,
    /// The last of it, each with the number of its first event.
    kept: VecDeque<(u64, Delivery)>,
    bytes: usize,
}

impl Outbox {
    /// An empty one. What comes from `random` is what readers tell it by.
    pub(crate) fn new(random: u64) -> Self {
        Self {
            queue: Arc::new(Queue::new(QUEUE)),
            // Neither of a reader that has read nothing, nor of one that has forgotten.
            epoch: random.clamp(1, FORGOTTEN - 1),
            sent: Mutex::default(),
            over: CancellationToken::new(),
        }
    }

    /// Nothing comes any more: another outbox takes its place. A reader of this one is to open another stream, which
    /// it does when its own breaks.
    pub(crate) fn end(&self) {
        self.over.cancel();
    }

    /// Writes what the peer wants, until the stream breaks. The peer has opened it.
    pub(crate) async fn write<S>(&self, stream: S) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let over = self.over.run_until_cancelled(self.write_on(stream)).await;
        over.unwrap_or(Err(io::ErrorKind::NotConnected.into()))
    }

    async fn write_on<S>(&self, stream: S) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut frames = Frames::up_to(stream, QUESTION);
        let resume = Resume::decode(&frames.expect().await?).map_err(refused)?;
        let mut sent = self.sent.lock().await;
        let (mut out, mut batch) = (Vec::new(), Vec::new());
        sent.begin(self.epoch, resume, &mut out);
        loop {
            frames.write(&out).await?;
            out.clear();
            let take = poll_fn(|cx| self.queue.poll_take(cx, BATCH, BATCH_BYTES, &mut batch));
            // The reader says no more; that it ends the stream is how it goes.
            tokio::select! {
                _ = take => {}
                said = frames.next() => return match said? {
                    None => Ok(()),
                    Some(_) => Err(io::ErrorKind::InvalidData.into()),
                },
            }
            for delivery in batch.drain(..) {
                put(&delivery, &mut out);
                sent.push(delivery);
            }
        }
    }
}

impl Sent {
    fn push(&mut self, delivery: Delivery) {
        let number = self.next;
        self.next += events(&delivery);
        self.bytes += cost(&delivery);
        self.kept.push_back((number, delivery));
        while self.kept.len() > KEPT || (self.bytes > KEPT_BYTES && self.kept.len() > 1) {
            if let Some((_, oldest)) = self.kept.pop_front() {
                self.bytes -= cost(&oldest);
            }
        }
    }

    /// Writes where the stream begins, and what the reader has missed since it read last.
    fn begin(&self, epoch: u64, resume: Resume, out: &mut Vec<u8>) {
        let goes_on = resume.epoch == epoch && resume.next <= self.next;
        let next = match resume.epoch {
            // It has read nothing yet: what was written to it went with its stream.
            0 => 0,
            _ if goes_on => resume.next,
            _ => self.next,
        };
        put_frame(out, &Link::Begin { epoch, next }.encode());
        let first = self.kept.front().map_or(self.next, |(number, _)| *number);
        if next < first {
            put_frame(out, &Link::Gap(first - next).encode());
        }
        for (number, delivery) in &self.kept {
            // A gap that the reader has in part cannot be: it has a frame whole or not at all.
            if *number >= next {
                put(delivery, out);
            }
        }
    }
}

/// How many numbers a delivery takes.
fn events(delivery: &Delivery) -> u64 {
    match delivery {
        Delivery::Event(_) => 1,
        Delivery::Gap(gap) => gap.missed.unwrap_or(1),
    }
}

fn cost(delivery: &Delivery) -> usize {
    match delivery {
        Delivery::Event(event) => event.cost(),
        Delivery::Gap(_) => size_of::<Delivery>(),
    }
}

fn put(delivery: &Delivery, out: &mut Vec<u8>) {
    match delivery {
        Delivery::Event(published) => put_event(out, &published.event),
        Delivery::Gap(_) => put_frame(out, &Link::Gap(events(delivery)).encode()),
    }
}

/// How far this node has read a peer's events. It outlives connections; a clone is the same. One stream at a time
/// reads.
#[derive(Debug, Clone)]
pub(crate) struct Inbox(Arc<Mutex<Resume>>);

impl Inbox {
    /// One of a peer of which nothing was read.
    pub(crate) fn new() -> Self {
        Self::at(0)
    }

    /// One of a peer of which something may have been read, and nobody knows how much. Readers are told so.
    pub(crate) fn forgotten() -> Self {
        Self::at(FORGOTTEN)
    }

    fn at(epoch: u64) -> Self {
        Self(Arc::new(Mutex::new(Resume { epoch, next: 0 })))
    }

    /// Whether nothing was read, for sure.
    #[cfg(test)]
    pub(crate) fn is_new(&self) -> bool {
        self.0.try_lock().is_ok_and(|at| at.epoch == 0)
    }

    /// Gives what the peer publishes to the readers here, until the stream breaks. We have opened it.
    pub(crate) async fn read<S>(&self, stream: S, exchange: &Exchange) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut frames = Frames::new(stream);
        // A stream that is given up may be busy still with what it has read: this one begins after that.
        let mut at = self.0.lock().await;
        frames.send(&at.encode()).await?;
        let mut names = Names::default();
        match Link::decode(&frames.expect().await?, &mut names).map_err(refused)? {
            Link::Begin { epoch, next } => begin(&mut at, epoch, next, exchange),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
        let mut chunk = Chunk::default();
        while let Some(first) = frames.next().await? {
            let mut next = Some(first);
            while let Some(frame) = next {
                match Link::decode(&frame, &mut names).map_err(refused)? {
                    Link::Event(event) => chunk.events.push(event),
                    Link::Gap(missed) => chunk.lose(missed),
                    Link::Begin { .. } => return Err(io::ErrorKind::InvalidData.into()),
                }
                next = frames.ready()?;
            }
            at.next = at.next.saturating_add(chunk.deliver(exchange));
        }
        Ok(())
    }
}

fn begin(at: &mut Resume, epoch: u64, next: u64, exchange: &Exchange) {
    let last = std::mem::replace(at, Resume { epoch, next });
    if last.epoch == epoch && next > last.next {
        exchange.lost(gap(Some(next - last.next)));
    } else if last.epoch != 0 && last.epoch != epoch {
        // What the peer has published meanwhile, nobody has kept for us.
        exchange.lost(gap(None));
    }
}

/// What has come together. A gap of a few bytes goes to every reader of the node, so that there are few of them,
/// whatever the peer writes: those that follow each other are one, and what is beyond [`GAPS`] is told with the last.
#[derive(Default)]
struct Chunk {
    events: Vec<Event>,
    /// How many were lost before an event, by its index.
    gaps: Vec<(usize, u64)>,
}

impl Chunk {
    fn lose(&mut self, missed: u64) {
        let (here, full) = (self.events.len(), self.gaps.len() == GAPS);
        match self.gaps.last_mut() {
            Some((before, sum)) if full || *before == here => *sum = sum.saturating_add(missed),
            _ => self.gaps.push((here, missed)),
        }
    }

    /// Gives it to the readers, and is empty; how many numbers it took.
    fn deliver(&mut self, exchange: &Exchange) -> u64 {
        let mut numbers = self.events.len() as u64;
        let mut events = self.events.drain(..);
        let mut given = 0;
        for (before, missed) in self.gaps.drain(..) {
            exchange.receive(events.by_ref().take(before - given));
            exchange.lost(gap(Some(missed)));
            numbers = numbers.saturating_add(missed);
            given = before;
        }
        exchange.receive(events);
        numbers
    }
}

fn gap(missed: Option<u64>) -> Gap {
    Gap {
        missed,
        reason: GapReason::Link,
    }
}
