//! The reader's end of a subscription.

use std::{
    collections::HashSet,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, ready},
    vec,
};

use futures_util::Stream;
use macula_proto::{EventId, Pattern, Realm};

use super::{Delivery, exchange::Exchange, queue::Queue};

/// Delivers what was published to a pattern, in the order of ids, until it is dropped.
///
/// First comes the backlog that [`Replay`](super::Replay) asked for, then live events; none is lost or
/// doubled between the two. The stream ends only when the queue overflows and the subscriber chose
/// [`Overflow::Close`](super::Overflow::Close). Dropping it unsubscribes at once.
#[derive(Debug)]
pub struct Subscription {
    exchange: Arc<Exchange>,
    /// Where the exchange has it.
    place: (Realm, Pattern, u64),
    backlog: vec::IntoIter<Delivery>,
    queue: Arc<Queue>,
    position: EventId,
    /// How many live deliveries there were while the past was remembered.
    live: usize,
    /// Events of the backlog that other nodes had kept, and that may still come from there as well.
    past: HashSet<EventId>,
}

/// For how many live deliveries the past is remembered: more than can be under way between two nodes.
const PAST: usize = 65_536;

impl Subscription {
    pub(super) fn new(
        exchange: Arc<Exchange>,
        place: (Realm, Pattern, u64),
        backlog: Vec<Delivery>,
        queue: Arc<Queue>,
        position: EventId,
    ) -> Self {
        Self {
            exchange,
            place,
            backlog: backlog.into_iter(),
            queue,
            position,
            live: 0,
            past: HashSet::new(),
        }
    }

    /// Puts a backlog of several nodes in place of this node's, which is given to `merge`. An event of it that
    /// comes again is left out.
    pub(crate) fn rewrite(&mut self, merge: impl FnOnce(Vec<Delivery>) -> Vec<Delivery>) {
        let here = std::mem::take(&mut self.backlog).collect();
        let merged = merge(here);
        let ids = merged.iter().filter_map(|delivery| match delivery {
            Delivery::Event(event) => Some(event.event.id),
            Delivery::Gap(_) => None,
        });
        self.past = ids.collect();
        if let Some(first) = self.past.iter().min() {
            let before = EventId::from_u128(first.as_u128().saturating_sub(1));
            self.position = self.position.min(before);
        }
        self.backlog = merged.into_iter();
    }

    /// How many deliveries of the backlog are left.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.backlog.len()
    }

    /// Where it began: every event that it delivers is after this id. Who lost the subscription
    /// before the first event resumes after it.
    #[must_use]
    pub fn position(&self) -> EventId {
        self.position
    }

    /// Takes what is there: up to `max` deliveries, and payloads of up to `max_bytes` together (a
    /// larger one is delivered alone); `max` is at least 1. Ready with 0 when the subscription has
    /// ended.
    pub fn poll_batch(
        &mut self,
        cx: &mut Context<'_>,
        max: usize,
        max_bytes: usize,
        out: &mut Vec<Delivery>,
    ) -> Poll<usize> {
        let before = out.len();
        if self.backlog.len() == 0 {
            return self.poll_live(cx, max, max_bytes, out);
        }
        let mut bytes = 0;
        while out.len() - before < max {
            let Some(next) = self.backlog.as_slice().first() else {
                break;
            };
            if let Delivery::Event(event) = next {
                bytes += event.event.payload.len();
            }
            if bytes > max_bytes && out.len() > before {
                break;
            }
            out.extend(self.backlog.next());
        }
        if self.backlog.len() == 0 {
            // The backlog's memory goes with its last event.
            self.backlog = Vec::new().into_iter();
        }
        self.count_gaps(&out[before..]);
        Poll::Ready(out.len() - before)
    }

    fn poll_live(
        &mut self,
        cx: &mut Context<'_>,
        max: usize,
        max_bytes: usize,
        out: &mut Vec<Delivery>,
    ) -> Poll<usize> {
        let before = out.len();
        loop {
            let taken = ready!(self.queue.poll_take(cx, max, max_bytes, out));
            if !self.past.is_empty() {
                self.leave_out_past(before, out);
                if taken > 0 && out.len() == before {
                    continue;
                }
            }
            self.count_gaps(&out[before..]);
            return Poll::Ready(out.len() - before);
        }
    }

    /// Leaves out what the backlog had. What it had of this node's own is never pushed again, so most of it
    /// is remembered for nothing: for so long as it may be of use.
    fn leave_out_past(&mut self, before: usize, out: &mut Vec<Delivery>) {
        let mut at = 0;
        out.retain(|delivery| {
            at += 1;
            match delivery {
                Delivery::Event(event) if at > before => !self.past.remove(&event.event.id),
                _ => true,
            }
        });
        self.live += at - before;
        if self.live > PAST {
            self.past = HashSet::new();
        }
    }

    fn count_gaps(&self, taken: &[Delivery]) {
        let gaps = taken.iter().filter(|d| matches!(d, Delivery::Gap(_)));
        let gaps = gaps.count() as u64;
        if gaps > 0 {
            self.exchange
                .counters
                .gaps
                .fetch_add(gaps, Ordering::Relaxed);
        }
    }
}

impl Stream for Subscription {
    type Item = Delivery;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Delivery>> {
        let mut one = Vec::with_capacity(1);
        let taken = self.poll_batch(cx, 1, usize::MAX, &mut one);
        taken.map(|_| one.pop())
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let (realm, pattern, key) = &self.place;
        self.exchange.unsubscribe(realm, pattern, *key);
    }
}
