//! Events with numbers, so that none can be lost or come twice unnoticed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use bytes::Bytes;
use tokio::{sync::Semaphore, time::timeout};

use crate::process::own_time;

/// After so long without an event those that are missing are lost.
const SILENCE: Duration = Duration::from_secs(10);
/// The bytes of a [`BLOCK`], and of what is before its number: the head of a MessagePack `bin`.
const BLOCK_BYTES: usize = 128;
const BLOCK_HEAD: [u8; 2] = [0xC4, (BLOCK_BYTES - 2) as u8];

/// So many events on one topic.
#[derive(Clone)]
pub struct Load {
    /// Where they are published.
    pub topic: &'static str,
    /// How many.
    pub events: u64,
    /// Of these, how many may be on the way: published and not yet read. Fewer than a reader's queue holds.
    pub window: usize,
    /// What they carry.
    pub body: Body,
}

/// What an event carries: how it is written, and how its number is read from it. It is MessagePack.
#[derive(Clone, Copy)]
pub struct Body {
    /// The bytes of the event with this number.
    pub write: fn(u64) -> anyhow::Result<Bytes>,
    /// The number in these bytes.
    pub read: fn(&Bytes) -> anyhow::Result<u64>,
}

/// 128 bytes: a MessagePack `bin`, which begins with the number.
pub const BLOCK: Body = Body {
    write: |n| {
        let mut block = [b'x'; BLOCK_BYTES];
        block[..2].copy_from_slice(&BLOCK_HEAD);
        block[2..10].copy_from_slice(&n.to_be_bytes());
        Ok(Bytes::copy_from_slice(&block))
    },
    read: |bytes| {
        ensure!(bytes.len() == BLOCK_BYTES, "expected {BLOCK_BYTES} bytes");
        Ok(u64::from_be_bytes(bytes[2..10].try_into()?))
    },
};

/// Which events have come. Each lets one more go.
pub struct Seen {
    all: Vec<bool>,
    left: usize,
    read: fn(&Bytes) -> anyhow::Result<u64>,
    window: Arc<Semaphore>,
    clock: Clock,
}

/// Runs while a round does.
pub struct Clock {
    began: Instant,
    busy: Duration,
}

/// What a round of events or calls took.
pub struct Round {
    /// How many there were.
    pub done: u64,
    /// How long it was.
    pub took: Duration,
    /// The clients' processor time meanwhile.
    pub busy: Duration,
}

impl Clock {
    /// Begins to run.
    #[must_use]
    pub fn start() -> Self {
        Self {
            began: Instant::now(),
            busy: own_time(),
        }
    }

    /// The round is over.
    #[must_use]
    pub fn stop(self, done: u64) -> Round {
        Round {
            done,
            took: self.began.elapsed(),
            busy: own_time().saturating_sub(self.busy),
        }
    }
}

impl Load {
    /// Begins: what lets events go, and what notes those that came.
    #[must_use]
    pub fn begin(&self) -> (Arc<Semaphore>, Seen) {
        let window = Arc::new(Semaphore::new(self.window));
        let seen = Seen {
            all: vec![false; self.events as usize],
            left: self.events as usize,
            read: self.body.read,
            window: Arc::clone(&window),
            clock: Clock::start(),
        };
        (window, seen)
    }

    /// The numbers of the events, in pieces of `many` that are published together.
    pub fn pieces(&self, many: usize) -> impl Iterator<Item = std::ops::Range<u64>> + use<> {
        let (events, many) = (self.events, many.min(self.window / 2).max(1));
        (0..events)
            .step_by(many)
            .map(move |from| from..(from + many as u64).min(events))
    }
}

impl Seen {
    /// How many are to come.
    #[must_use]
    pub fn left(&self) -> usize {
        self.left
    }

    /// All have come.
    #[must_use]
    pub fn over(self) -> Round {
        self.clock.stop(self.all.len() as u64)
    }

    /// What comes next, which must come soon.
    ///
    /// # Errors
    /// It does not come, or nothing comes any more.
    pub async fn next<T>(&self, next: impl Future<Output = Option<T>>) -> anyhow::Result<T> {
        let next = timeout(SILENCE, next).await;
        let lost = || format!("{} of {} events are lost", self.left, self.all.len());
        next.with_context(lost)?
            .context("the subscription has ended")
    }

    /// Notes an event.
    ///
    /// # Errors
    /// It is none of ours, or comes twice.
    pub fn add(&mut self, payload: &Bytes) -> anyhow::Result<()> {
        let n = (self.read)(payload)?;
        let seen = self.all.get_mut(n as usize).context("no such event")?;
        ensure!(!*seen, "event {n} came twice");
        *seen = true;
        self.left -= 1;
        self.window.add_permits(1);
        Ok(())
    }
}
