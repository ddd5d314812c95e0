//! An event in memory, shared by everybody who reads it.

use std::sync::OnceLock;

use bytes::Bytes;
use macula_proto::{Event, EventId};

/// How many renderings an event can keep; see [`Slot`].
const SLOTS: usize = 4;

/// A place for one rendering of an event; what it holds is its user's matter.
///
/// A gateway keeps, say, the text of a Server-Sent Event in one, so that a thousand readers cost one
/// rendering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot(usize);

impl Slot {
    /// The slot with this number, 0–3; a larger one does not compile in a constant.
    #[must_use]
    pub const fn new(number: usize) -> Self {
        assert!(number < SLOTS, "expected a slot number from 0 to 3");
        Self(number)
    }
}

/// A published event and what was made of it so far.
#[derive(Debug)]
pub struct Published {
    /// The event.
    pub event: Event,
    /// Where it stands in this node's order. The id of an event that was published here; for one that came
    /// from another node an id of ours, as ids of several nodes do not come in order.
    pub(crate) position: EventId,
    /// Renderings, each made by the first reader who needs it.
    rendered: [OnceLock<Bytes>; SLOTS],
}

impl Published {
    /// An event that was published here.
    pub(crate) fn new(event: Event) -> Self {
        let position = event.id;
        Self::at(event, position)
    }

    /// An event that came from another node, with its place here.
    pub(crate) fn at(event: Event, position: EventId) -> Self {
        Self {
            event,
            position,
            rendered: Default::default(),
        }
    }

    /// The rendering in a slot; the first reader makes it, the others share it.
    pub fn rendered(&self, slot: Slot, render: impl FnOnce(&Event) -> Bytes) -> Bytes {
        self.rendered[slot.0]
            .get_or_init(|| render(&self.event))
            .clone()
    }

    /// What the event counts for in the bounds of rings and queues, in bytes: what it holds, with
    /// one rendering, and what its shell takes.
    pub(crate) fn cost(&self) -> usize {
        let event = &self.event;
        let headers: usize = event.headers.iter().map(|(k, v)| k.len() + v.len()).sum();
        size_of::<Self>() + event.topic.as_str().len() + headers + 2 * event.payload.len()
    }
}
