//! Subscriptions: streams of events that tell what was missed.

use std::{
    future::IntoFuture,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::Stream;
use macula_proto::{Event, EventId, GapReason, Overflow, Pattern, Reliability, frame};
use tokio::sync::{mpsc, oneshot};

use crate::{Error, Mesh, book::Sink, shared::Shared};

/// Deliveries that may wait for their reader, unless said otherwise.
const QUEUE: usize = 1_024;

/// What a subscription gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Delivery {
    /// An event.
    Event(Event),
    /// Events were lost here.
    Gap {
        /// How many, when that is known.
        missed: Option<u64>,
        /// Why.
        reason: GapReason,
    },
}

/// A subscription to open; awaiting it opens it.
#[derive(Debug)]
#[must_use = "it subscribes when it is awaited"]
pub struct Subscribe {
    mesh: Mesh,
    pattern: String,
    replay: Option<u64>,
    after: Option<EventId>,
    latest: bool,
    queue: usize,
}

/// A stream of events. It ends with the session, or with an error that [`Subscription::error`] tells; to
/// drop it ends the subscription.
#[derive(Debug)]
pub struct Subscription {
    shared: Arc<Shared>,
    id: u64,
    deliveries: mpsc::Receiver<Delivery>,
    failed: oneshot::Receiver<Error>,
}

/// The session's side of a subscription.
#[derive(Debug)]
pub(crate) struct Events {
    ready: Option<oneshot::Sender<Result<(), Error>>>,
    queue: mpsc::Sender<Delivery>,
    failed: oneshot::Sender<Error>,
    /// Lost because the reader is slow, and not told yet.
    missed: u64,
    position: Option<EventId>,
}

impl Subscribe {
    pub(crate) fn new(mesh: Mesh, pattern: String) -> Self {
        Self {
            mesh,
            pattern,
            replay: None,
            after: None,
            latest: false,
            queue: QUEUE,
        }
    }

    /// Begins so many events back, at most 10,000.
    pub fn replay(mut self, events: u64) -> Self {
        self.replay = Some(events);
        self
    }

    /// Begins after this event.
    pub fn after(mut self, event: EventId) -> Self {
        self.after = Some(event);
        self
    }

    /// Lets events be lost on the way rather than come late: datagrams, where the transport has them.
    pub fn latest(mut self) -> Self {
        self.latest = true;
        self
    }

    /// How many deliveries may wait to be read, at least 1; 1,024 unless said otherwise. What comes when it
    /// is full is lost, and told as a gap with the reason `slow_reader` as soon as there is room.
    pub fn queue(mut self, deliveries: usize) -> Self {
        self.queue = deliveries.max(1);
        self
    }

    async fn subscribe(self) -> Result<Subscription, Error> {
        let pattern = Pattern::parse(&self.pattern);
        let pattern = pattern.map_err(|error| Error::Invalid(error.to_string()))?;
        let (replay, after) = (self.replay, self.after);
        let delivery = self.latest.then_some(Reliability::Latest);
        let (ready, waiting) = oneshot::channel();
        let (queue, deliveries) = mpsc::channel(self.queue);
        let (failing, failed) = oneshot::channel();
        let events = Events {
            ready: Some(ready),
            queue,
            failed: failing,
            missed: 0,
            position: None,
        };
        let request = |id| {
            let subscribe = frame::Subscribe {
                id,
                realm: None,
                pattern,
                replay,
                after,
                overflow: Some(Overflow::DropOldest),
                delivery,
            };
            subscribe.into()
        };
        let shared = Arc::clone(self.mesh.shared());
        let id = shared.begin_lasting(request, Sink::Events(events)).await;
        // Dropped before it is there, it ends too.
        let subscription = Subscription {
            shared,
            id,
            deliveries,
            failed,
        };
        waiting.await.unwrap_or(Err(Error::Closed))?;
        Ok(subscription)
    }
}

impl IntoFuture for Subscribe {
    type Output = Result<Subscription, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.subscribe())
    }
}

impl Subscription {
    /// The next event or gap; none when the subscription is over.
    pub async fn next(&mut self) -> Option<Delivery> {
        self.deliveries.recv().await
    }

    /// Why the subscription is over, if it ended with an error.
    pub fn error(&mut self) -> Option<Error> {
        self.failed.try_recv().ok()
    }
}

impl Stream for Subscription {
    type Item = Delivery;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Delivery>> {
        self.deliveries.poll_recv(cx)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.shared.give_up(self.id);
    }
}

impl Events {
    /// With a queue of so many deliveries.
    #[cfg(test)]
    pub(crate) fn for_test(queue: usize) -> (Self, mpsc::Receiver<Delivery>) {
        let (queue, deliveries) = mpsc::channel(queue);
        let events = Self {
            ready: None,
            queue,
            failed: oneshot::channel().0,
            missed: 0,
            position: None,
        };
        (events, deliveries)
    }

    pub(crate) fn subscribed(&mut self, position: EventId) {
        self.position.get_or_insert(position);
        if let Some(ready) = self.ready.take() {
            let _ = ready.send(Ok(()));
        }
    }

    pub(crate) fn position(&self) -> Option<EventId> {
        self.position
    }

    /// Passes an event on; how many are missed by that.
    pub(crate) fn event(&mut self, event: Event) -> u64 {
        self.position = Some(event.id);
        if self.caught_up() && self.queue.try_send(Delivery::Event(event)).is_ok() {
            return 0;
        }
        self.missed += 1;
        1
    }

    pub(crate) fn gap(&mut self, missed: Option<u64>, reason: GapReason) {
        if self.caught_up()
            && self
                .queue
                .try_send(Delivery::Gap { missed, reason })
                .is_ok()
        {
            return;
        }
        // How many it was in all is not known then, but that some are missing is told.
        self.missed += missed.unwrap_or(1);
    }

    /// Whether there is room behind what was missed, which is told first.
    fn caught_up(&mut self) -> bool {
        if self.missed == 0 {
            return true;
        }
        let gap = Delivery::Gap {
            missed: Some(self.missed),
            reason: GapReason::SlowReader,
        };
        let told = self.queue.try_send(gap).is_ok();
        if told {
            self.missed = 0;
        }
        told
    }

    pub(crate) fn fail(self, error: Error) {
        match self.ready {
            Some(ready) => drop(ready.send(Err(error))),
            None => drop(self.failed.send(error)),
        }
    }
}
