//! Replay across nodes: what others have kept of the events that a reader wants.
//!
//! A node keeps what was published at it and what its readers wanted, so a reader's past may be anywhere. It is
//! asked of every connected node at once; events that several have are told apart by their ids, and the rest is
//! given in the order of ids, which is that of time.

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use macula_proto::{
    Event, EventId, GapReason,
    frame::stream::put_frame,
    peer::{
        MAX_FRAME,
        replay::{From, Kept, Wanted},
    },
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

use super::frames::{Frames, QUESTION, refused};
use crate::{
    Delivery, Gap, Replay, Subscribe,
    pubsub::{Published, exchange::Exchange},
};

/// How long other nodes may take. What has not come by then is told as a gap.
const WAIT: Duration = Duration::from_secs(2);
/// Events of one node that are taken; beyond, the oldest are left out and told as a gap. No more than a reader can
/// ask to be replayed.
const MAX_EVENTS: usize = 10_000;
/// Bytes of them, likewise: as many as a node keeps.
const MAX_BYTES: usize = 64 << 20;
/// Bytes that are written together.
const BATCH_BYTES: usize = 256 << 10;

/// What one node has kept.
#[derive(Debug, Default)]
pub(crate) struct Found {
    events: Vec<Event>,
    complete: bool,
}

/// Asks one node.
pub(crate) async fn ask<S>(stream: S, wanted: &Wanted) -> io::Result<Found>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut frames = Frames::new(stream);
    frames.send(&wanted.encode()).await?;
    let mut found = Found::default();
    let mut bytes = 0;
    loop {
        let frame = frames.expect().await?;
        bytes += frame.len();
        if bytes > MAX_BYTES + MAX_FRAME {
            return Err(io::ErrorKind::InvalidData.into());
        }
        match Kept::decode(&frame).map_err(refused)? {
            Kept::Event(event) if found.events.len() < MAX_EVENTS => found.events.push(event),
            Kept::Event(_) => return Err(io::ErrorKind::InvalidData.into()),
            Kept::End { complete } => {
                found.complete = complete;
                return Ok(found);
            }
        }
    }
}

/// Answers one question.
pub(crate) async fn answer<S>(stream: S, exchange: &Exchange) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut frames = Frames::up_to(stream, QUESTION);
    let wanted = Wanted::decode(&frames.expect().await?).map_err(refused)?;
    let replay = match wanted.from {
        From::Last(count) => {
            Replay::Last(usize::try_from(count).unwrap_or(usize::MAX).min(MAX_EVENTS))
        }
        From::After(id) => Replay::After(id),
    };
    let kept = exchange.kept(&wanted.realm, &wanted.pattern, replay);
    let mut complete = true;
    let events: Vec<_> = kept
        .into_iter()
        .filter_map(|delivery| match delivery {
            Delivery::Event(event) => Some(event),
            // That this node was not up then is no loss: others were, or nobody.
            Delivery::Gap(gap) => {
                complete &= gap.reason == GapReason::UnknownId;
                None
            }
        })
        .collect();
    let surplus = events.len().saturating_sub(MAX_EVENTS);
    complete &= surplus == 0;
    let mut out = Vec::new();
    for event in &events[surplus..] {
        let frame = Kept::Event(event.event.clone()).encode();
        put_frame(&mut out, &frame);
        if out.len() > BATCH_BYTES {
            frames.write(&out).await?;
            out.clear();
        }
    }
    frames.write(&out).await?;
    frames.finish(&Kept::End { complete }.encode()).await
}

/// What a subscription asks of other nodes; nothing if it begins now.
pub(crate) fn wanted(subscribe: &Subscribe) -> Option<Wanted> {
    let from = match subscribe.replay {
        Replay::None => return None,
        Replay::Last(count) => From::Last(count as u64),
        Replay::After(id) => From::After(id),
    };
    Some(Wanted {
        realm: subscribe.realm.clone(),
        pattern: subscribe.pattern.clone(),
        from,
    })
}

/// The answers of so many nodes; one that does not come is an incomplete one.
pub(crate) async fn gather<A>(asked: impl IntoIterator<Item = A>) -> Vec<Found>
where
    A: Future<Output = io::Result<Found>>,
{
    let asked = asked.into_iter().map(|ask| async {
        let answered = timeout(WAIT, ask).await;
        answered.ok().and_then(Result::ok).unwrap_or_default()
    });
    asked.collect::<FuturesUnordered<_>>().collect().await
}

/// One backlog of what this node has and what others have found: each event once, in the order of ids, behind a
/// gap if something may be missing.
pub(crate) fn merge(
    replay: Replay,
    here: Vec<Delivery>,
    found: Vec<Found>,
    exchange: &Exchange,
) -> Vec<Delivery> {
    let mut gap: Option<Gap> = None;
    let mut events: BTreeMap<EventId, Arc<Published>> = BTreeMap::new();
    for delivery in here {
        match delivery {
            Delivery::Event(event) => {
                events.insert(event.event.id, event);
            }
            // Another node that was up then knows the rest.
            Delivery::Gap(Gap {
                reason: GapReason::UnknownId,
                ..
            }) if !found.is_empty() => {}
            Delivery::Gap(told) => gap = Some(told),
        }
    }
    for mut node in found {
        // What is kept here stands in `here`, or the reader has had it.
        exchange.leave_out_kept(&mut node.events);
        if !node.complete {
            gap.get_or_insert(Gap {
                missed: None,
                reason: GapReason::OutsideWindow,
            });
        }
        for event in node.events {
            let id = event.id;
            events
                .entry(id)
                .or_insert_with(|| Arc::new(Published::new(event)));
        }
    }
    if let Replay::Last(count) = replay {
        // How many there were is no promise, so what is gone is no gap.
        gap = None;
        while events.len() > count {
            events.pop_first();
        }
    }
    let gap = gap.map(Delivery::Gap).into_iter();
    gap.chain(events.into_values().map(Delivery::Event))
        .collect()
}
