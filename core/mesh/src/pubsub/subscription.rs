//! The reader's end of a subscription.

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
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
}

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
        }
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
            let taken = self.queue.poll_take(cx, max, max_bytes, out);
            self.count_gaps(&out[before..]);
            return taken;
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
