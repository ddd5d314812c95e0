//! `subscribe`.

use std::{future::poll_fn, sync::Arc};

use bytes::Bytes;
use macula_mesh::{
    Delivery, Published, Replay, Slot, Subscribe, Subscription,
    pubsub::{Bounds, Overflow},
};
use macula_proto::{
    Encoding, ErrorCode, Problem, Reliability,
    frame::{self, Frame, GatewayFrame, event_frame},
    json_envelope,
    live::Kind,
    msgpack_envelope,
};
use tokio::sync::watch;

use super::{
    outlet::{Outlet, Unsent},
    session::{Live, Operation, Refused},
};
use crate::api::subscribe::MAX_REPLAY;

/// Where an event keeps its envelope, so that a thousand readers cost one rendering.
const JSON: Slot = Slot::new(1);
const MSGPACK: Slot = Slot::new(2);
/// The most events that are sent before others have their turn.
const BATCH: usize = 64;
/// The most bytes of them.
const BATCH_BYTES: usize = 64 << 10;

/// Begins a subscription; a task delivers its events.
pub(super) fn begin(
    live: &Arc<Live>,
    asked: frame::Subscribe,
    bytes: usize,
    outlet: &mut Outlet,
) -> Result<(), Refused> {
    let id = asked.id;
    let latest = asked.delivery == Some(Reliability::Latest);
    let wanted = wanted(live, asked).map_err(|problem| Refused::of(id, problem))?;
    live.begin(id, Kind::Subscription, bytes, || {
        let reader = Reader {
            changes: live.changes(),
            live: Arc::clone(live),
            id,
            latest,
            wanted,
            outlet: outlet.take(),
        };
        Operation::Task(tokio::spawn(reader.run()).abort_handle())
    })
}

fn wanted(live: &Live, asked: frame::Subscribe) -> Result<Subscribe, Problem> {
    let replay = match (asked.after, asked.replay) {
        (Some(id), _) => Replay::After(id),
        (None, None | Some(0)) => Replay::None,
        (None, Some(count)) => match usize::try_from(count) {
            Ok(count) if count <= MAX_REPLAY => Replay::Last(count),
            _ => {
                let detail = format!("expected `replay` of at most {MAX_REPLAY}");
                return Err(Problem::new(ErrorCode::InvalidRequest, detail));
            }
        },
    };
    let settings = &live.gateway.settings;
    Ok(Subscribe {
        realm: live.realm(asked.realm),
        pattern: asked.pattern,
        replay,
        queue: Bounds {
            events: settings.reader_events,
            bytes: settings.reader_bytes,
            overflow: asked.overflow.unwrap_or(Overflow::DropOldest),
        },
    })
}

/// Delivers the events of one subscription.
struct Reader {
    live: Arc<Live>,
    id: u64,
    /// Whether events may go as datagrams.
    latest: bool,
    wanted: Subscribe,
    outlet: Outlet,
    /// Tells that the transport is lost, or another.
    changes: watch::Receiver<u64>,
}

/// Why events are not delivered any more.
enum Stopped {
    /// The transport is lost.
    Lost,
    /// The subscription has ended, or the client has given it up.
    Over,
}

impl From<Unsent> for Stopped {
    fn from(unsent: Unsent) -> Self {
        match unsent {
            Unsent::Lost => Self::Lost,
            Unsent::GivenUp => Self::Over,
        }
    }
}

impl Reader {
    async fn run(mut self) {
        let mut subscription = match self.subscribe().await {
            Ok(subscription) => subscription,
            Err(problem) => return self.fail(&problem).await,
        };
        let subscribed = frame::Subscribed {
            id: self.id,
            backlog: subscription.backlog() as u64,
            position: subscription.position(),
        };
        // If it is lost the client does not resume what it does not know, and the session ends it.
        let _ = self.outlet.send(&subscribed.into()).await;
        loop {
            match self.deliver(&mut subscription).await {
                Stopped::Over => return self.live.forget(self.id, Kind::Subscription),
                Stopped::Lost => {}
            }
            // The replay window keeps what is missed; the queue's memory goes.
            drop(subscription);
            let Some(position) = self.resumed().await else {
                return;
            };
            self.wanted.replay = Replay::After(position);
            subscription = match self.subscribe().await {
                Ok(subscription) => subscription,
                Err(problem) => return self.fail(&problem).await,
            };
        }
    }

    async fn subscribe(&self) -> Result<Subscription, Problem> {
        let mesh = &self.live.gateway.mesh;
        mesh.subscribe_in_cluster(self.wanted.clone()).await
    }

    async fn fail(self, problem: &Problem) {
        let error = self.live.error(Some(self.id), problem);
        self.live.answer(self.id, error, self.outlet).await;
    }

    /// Delivers until the transport is lost or the subscription is over.
    async fn deliver(&mut self, subscription: &mut Subscription) -> Stopped {
        let mut batch = Vec::new();
        loop {
            let taken = poll_fn(|cx| subscription.poll_batch(cx, BATCH, BATCH_BYTES, &mut batch));
            let taken = tokio::select! {
                biased;
                taken = taken => taken,
                () = self.outlet.given_up() => return Stopped::Over,
                _ = self.changes.changed() => return Stopped::Lost,
            };
            if taken == 0 {
                let ended = frame::Ended { id: self.id };
                // Its client asked for the end at an overflow, and a gap has told of it.
                let _ = self.outlet.send(&ended.into()).await;
                return Stopped::Over;
            }
            for delivery in batch.drain(..) {
                if let Err(unsent) = self.send(&delivery).await {
                    return unsent.into();
                }
            }
            // An idle reader holds no buffer.
            batch = Vec::new();
        }
    }

    async fn send(&mut self, delivery: &Delivery) -> Result<(), Unsent> {
        let encoding = self.outlet.encoding();
        let frame = match delivery {
            Delivery::Event(published) => event(self.id, published, encoding),
            Delivery::Gap(gap) => {
                let missed = frame::Missed {
                    id: self.id,
                    missed: gap.missed,
                    reason: gap.reason,
                };
                GatewayFrame::from(missed).encode(encoding)
            }
        };
        if self.latest && self.outlet.send_datagram(&frame) {
            return Ok(());
        }
        self.outlet.send_bytes(frame).await
    }

    /// Waits until the session goes on; none when it does so without this subscription.
    async fn resumed(&mut self) -> Option<macula_proto::EventId> {
        loop {
            if let Some((position, link)) = self.live.position(self.id) {
                self.outlet = Outlet::main(link);
                self.changes.mark_unchanged();
                return Some(position);
            }
            self.changes.changed().await.ok()?;
        }
    }
}

fn event(id: u64, published: &Published, encoding: Encoding) -> Bytes {
    let envelope = match encoding {
        Encoding::Json => published.rendered(JSON, json_envelope),
        Encoding::MsgPack => published.rendered(MSGPACK, msgpack_envelope),
    };
    event_frame(id, &envelope, encoding)
}
