//! A reader's bounded queue of shared events.
//!
//! It is a lock, a deque that allocates with the first event, and a waker that is used only when the
//! reader waits. A full queue drops its oldest events and remembers how many: the gap stands where
//! the loss is, before what is left (lesson 23).

use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use macula_proto::EventId;
use parking_lot::Mutex;

use super::{Delivery, Gap, GapReason, Overflow, Published};

/// What a reader's queue holds at most, and what happens then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The most events that wait; default 1,024, a second of a busy topic.
    pub events: usize,
    /// The most bytes that wait; default 1 MiB. One event is taken even if it alone is larger.
    pub bytes: usize,
    /// What happens to the event that does not fit.
    pub overflow: Overflow,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            events: 1024,
            bytes: 1 << 20,
            overflow: Overflow::DropOldest,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Queue {
    bounds: Bounds,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What waits: events, and the gaps that stand between them.
    waiting: VecDeque<Delivery>,
    /// The cost of what waits.
    bytes: usize,
    /// The position of the event that was pushed last.
    last: Option<EventId>,
    /// Events lost since the reader was last told; they were before `waiting`, or after it when
    /// the queue is closing.
    lost: Lost,
    phase: Phase,
    /// The reader, when it waits.
    reader: Option<Waker>,
}

/// How far a queue is with its end, which only [`Overflow::Close`] brings.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Events are taken.
    #[default]
    Open,
    /// The queue has overflowed: no event is taken any more, but what waits, and then the gap, are
    /// still to be read.
    Closing,
    /// The gap was read. What is published from here on is not missed: nobody reads.
    Ended,
}

/// What a push did.
#[derive(Debug, Default)]
pub(crate) struct Pushed {
    /// The reader to wake, once no lock is held.
    pub(crate) reader: Option<Waker>,
    /// How many events were put into the queue by it: one or none.
    pub(crate) taken: u64,
    /// How many events were lost by it.
    pub(crate) lost: u64,
}

impl Queue {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            state: Mutex::default(),
        }
    }

    /// Adds an event; a full queue does what its [`Overflow`] says.
    pub(crate) fn push(&self, event: &Arc<Published>) -> Pushed {
        let mut state = self.state.lock();
        state.push(event, &self.bounds)
    }

    /// The same, unless the event is the one that was pushed last: for a reader that stands under
    /// several patterns of one trie.
    pub(crate) fn push_once(&self, event: &Arc<Published>) -> Pushed {
        let mut state = self.state.lock();
        if state.last == Some(event.position) {
            return Pushed::default();
        }
        state.push(event, &self.bounds)
    }

    /// How many deliveries wait.
    pub(crate) fn len(&self) -> usize {
        self.state.lock().waiting.len()
    }

    /// Tells of a loss elsewhere, behind what waits. Losses that follow each other are told as one, so there
    /// are never many more gaps than events.
    pub(crate) fn push_gap(&self, gap: Gap) -> Option<Waker> {
        let mut state = self.state.lock();
        if state.phase != Phase::Open {
            return None;
        }
        match state.waiting.back_mut() {
            Some(Delivery::Gap(last)) if last.reason == gap.reason => {
                let both = last.missed.zip(gap.missed);
                // Another node says how many; it may say anything.
                last.missed = both.map(|(a, b)| a.saturating_add(b));
            }
            _ => state.waiting.push_back(Delivery::Gap(gap)),
        }
        state.reader.take()
    }

    /// Takes up to `max` deliveries whose payloads are at most `max_bytes` together (one is taken
    /// in any case). Ready with 0 when the queue has ended.
    pub(crate) fn poll_take(
        &self,
        cx: &mut Context<'_>,
        max: usize,
        max_bytes: usize,
        out: &mut Vec<Delivery>,
    ) -> Poll<usize> {
        let mut state = self.state.lock();
        let state = &mut *state;
        let before = out.len();
        if state.lost.any() && state.phase == Phase::Open {
            out.push(state.gap());
        }
        let mut bytes = 0;
        while out.len() - before < max {
            let Some(next) = state.waiting.front() else {
                break;
            };
            if let Delivery::Event(event) = next {
                bytes += event.event.payload.len();
                if bytes > max_bytes && out.len() > before {
                    break;
                }
                state.bytes -= event.cost();
            }
            out.extend(state.waiting.pop_front());
        }
        if state.waiting.is_empty() {
            // An idle reader holds no buffer.
            state.waiting = VecDeque::new();
            if state.phase == Phase::Closing && out.len() - before < max {
                out.push(state.gap());
                state.phase = Phase::Ended;
            }
        }
        match out.len() - before {
            0 if state.phase == Phase::Open => {
                if !state
                    .reader
                    .as_ref()
                    .is_some_and(|w| w.will_wake(cx.waker()))
                {
                    state.reader = Some(cx.waker().clone());
                }
                Poll::Pending
            }
            taken => Poll::Ready(taken),
        }
    }
}

impl State {
    fn push(&mut self, event: &Arc<Published>, bounds: &Bounds) -> Pushed {
        let cost = event.cost();
        let full = |state: &Self| {
            state.waiting.len() >= bounds.events
                || (state.bytes + cost > bounds.bytes && !state.waiting.is_empty())
        };
        if bounds.overflow == Overflow::Close && self.phase == Phase::Open && full(self) {
            self.phase = Phase::Closing;
        }
        let mut pushed = Pushed::default();
        match self.phase {
            Phase::Open => {
                while full(self) {
                    match self.waiting.pop_front() {
                        Some(Delivery::Event(oldest)) => {
                            self.bytes -= oldest.cost();
                            pushed.lost += 1;
                        }
                        // What it told is told by the gap that this loss makes.
                        Some(Delivery::Gap(gap)) => self.lost.add(gap.missed),
                        None => break,
                    }
                }
                self.bytes += cost;
                self.last = Some(event.position);
                self.waiting.push_back(Delivery::Event(Arc::clone(event)));
                pushed.taken = 1;
            }
            Phase::Closing => pushed.lost = 1,
            Phase::Ended => return pushed,
        }
        self.lost.add(Some(pushed.lost));
        pushed.reader = self.reader.take();
        pushed
    }

    fn gap(&mut self) -> Delivery {
        Delivery::Gap(Gap {
            missed: std::mem::take(&mut self.lost).missed(),
            reason: GapReason::SlowReader,
        })
    }
}

/// A loss that was not told yet.
#[derive(Debug, Default)]
struct Lost {
    events: u64,
    /// True when it is not known how many more there were.
    uncounted: bool,
}

impl Lost {
    fn add(&mut self, missed: Option<u64>) {
        self.events = self.events.saturating_add(missed.unwrap_or(0));
        self.uncounted |= missed.is_none();
    }

    fn any(&self) -> bool {
        self.events > 0 || self.uncounted
    }

    fn missed(&self) -> Option<u64> {
        (!self.uncounted).then_some(self.events)
    }
}
