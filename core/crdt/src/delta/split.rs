//! Cutting a delta into pieces that fit into messages.

use super::Delta;
use crate::{
    actor::{Actor, Id},
    codec::Codec,
    lane::{Entry, Lane},
    ranges::Ranges,
};

/// Room for the version, and for the lengths of both lists.
const HEAD_BYTES: usize = 16;
/// Room for an actor's lengths: of its ranges and of its entries.
const LANE_BYTES: usize = 10;

impl<I: Id, K: Codec + Clone, V: Codec + Clone> Delta<I, K, V> {
    /// Cuts the delta into pieces of at most `max_bytes` on the wire, which joined in any order are the
    /// whole. What came stands before what was removed, so that something replaced is never missing
    /// when they arrive in order. A piece is larger only if it is one entry that is larger.
    #[must_use]
    pub fn split(self, max_bytes: usize) -> Vec<Self> {
        if self.to_bytes().len() <= max_bytes {
            return vec![self];
        }
        let mut pieces = Pieces {
            done: Vec::new(),
            current: Self::default(),
            bytes: HEAD_BYTES,
            max_bytes,
        };
        for (id, record) in self.retired.0 {
            let bytes = size(&id) + size(&record.incarnation) + size(&record.since);
            pieces.make_room(bytes);
            pieces.current.retired.join(&id, record);
        }
        let mut removed = Vec::new();
        for (actor, lane) in self.lanes {
            removed.push((actor.clone(), lane.seen.without(lane.live.keys().copied())));
            for (counter, entry) in lane.live {
                pieces.add(&actor, counter, entry);
            }
        }
        for (actor, mut ranges) in removed {
            while !ranges.is_empty() {
                pieces.add_removed(&actor, ranges.take_front(1));
            }
        }
        pieces.done.push(pieces.current);
        pieces.done
    }
}

struct Pieces<I, K, V> {
    done: Vec<Delta<I, K, V>>,
    current: Delta<I, K, V>,
    /// An upper bound of what the current piece takes on the wire.
    bytes: usize,
    max_bytes: usize,
}

impl<I: Id, K: Codec, V: Codec> Pieces<I, K, V> {
    /// Counts so many bytes to the current piece, or begins another.
    fn make_room(&mut self, bytes: usize) {
        if self.bytes + bytes > self.max_bytes && !self.current.is_empty() {
            self.done.push(std::mem::take(&mut self.current));
            self.bytes = HEAD_BYTES;
        }
        self.bytes += bytes;
    }

    fn add(&mut self, actor: &Actor<I>, counter: u64, entry: Entry<K, V>) {
        let content = size(&*entry.key) + size(&entry.value);
        // Its distance as a range and as an entry; the range's length may take a byte more.
        let bytes = |last: u64| content + 2 * size(&(counter - last)) + 2;
        self.lane(actor, bytes).insert(counter, entry);
    }

    fn add_removed(&mut self, actor: &Actor<I>, range: Ranges) {
        let bytes = |_| 2 * size(&range.last()) + 2;
        self.lane(actor, bytes).seen.join(&range);
    }

    /// The lane of a piece that has room for something whose size depends on what is before it.
    fn lane(&mut self, actor: &Actor<I>, bytes: impl Fn(u64) -> usize) -> &mut Lane<K, V> {
        let head = LANE_BYTES + size(actor);
        match self.current.lanes.get(actor) {
            Some(lane) if self.bytes + bytes(lane.seen.last()) <= self.max_bytes => {
                self.bytes += bytes(lane.seen.last());
            }
            _ => self.make_room(head + bytes(0)),
        }
        self.current.lanes.entry(actor.clone()).or_default()
    }
}

fn size(value: &impl Codec) -> usize {
    let mut bytes = Vec::new();
    value.encode(&mut bytes);
    bytes.len()
}
