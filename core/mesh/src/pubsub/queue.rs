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
    events: VecDeque<Arc<Published>>,
    /// The cost of `events`.
    bytes: usize,
    /// Events lost since the reader was last told; they were before `events`, or after them when
    /// the queue is closing.
    lost: u64,
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
        let state = &mut *state;
        let cost = event.cost();
        let full = |state: &State| {
            state.events.len() >= self.bounds.events
                || (state.bytes + cost > self.bounds.bytes && !state.events.is_empty())
        };
        if self.bounds.overflow == Overflow::Close && state.phase == Phase::Open && full(state) {
            state.phase = Phase::Closing;
        }
        let mut pushed = Pushed::default();
        match state.phase {
            Phase::Open => {
                while full(state) {
                    let Some(oldest) = state.events.pop_front() else {
                        break;
                    };
                    state.bytes -= oldest.cost();
                    pushed.lost += 1;
                }
                state.bytes += cost;
                state.events.push_back(Arc::clone(event));
                pushed.taken = 1;
            }
            Phase::Closing => pushed.lost = 1,
            Phase::Ended => return pushed,
        }
        state.lost += pushed.lost;
        pushed.reader = state.reader.take();
        pushed
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
        if state.lost > 0 && state.phase == Phase::Open {
            out.push(state.gap());
        }
        let mut bytes = 0;
        while out.len() - before < max {
            let Some(event) = state.events.front() else {
                break;
            };
            bytes += event.event.payload.len();
            if bytes > max_bytes && out.len() > before {
                break;
            }
            state.bytes -= event.cost();
            out.extend(state.events.pop_front().map(Delivery::Event));
        }
        if state.events.is_empty() {
            // An idle reader holds no buffer.
            state.events = VecDeque::new();
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
    fn gap(&mut self) -> Delivery {
        Delivery::Gap(Gap {
            missed: Some(std::mem::take(&mut self.lost)),
            reason: GapReason::SlowReader,
        })
    }
}
