//! What peers do that they should not is logged once a second each, with how often it was: a peer that floods must not
//! flood the log as well.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use macula_engine::NodeId;

const EVERY: Duration = Duration::from_secs(1);
/// Peers that are remembered: more than are connected. At the bound all are forgotten, which costs a line each.
const PEERS: usize = 1_024;

/// When each peer was last complained of, and how often not since.
#[derive(Debug, Default)]
pub(super) struct Complaints(HashMap<NodeId, (Instant, u64)>);

impl Complaints {
    /// How often nothing was said of this peer, if it is time to say something again.
    pub(super) fn worth_a_line(&mut self, peer: NodeId, now: Instant) -> Option<u64> {
        if self.0.len() >= PEERS && !self.0.contains_key(&peer) {
            self.0.clear();
        }
        match self.0.get_mut(&peer) {
            Some((last, more)) if now < *last + EVERY => {
                *more += 1;
                None
            }
            Some((last, more)) => {
                *last = now;
                Some(std::mem::take(more))
            }
            None => {
                self.0.insert(peer, (now, 0));
                Some(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_a_line_a_second_that_says_how_much_it_was() {
        let (mut complaints, start) = (Complaints::default(), Instant::now());
        let peer = |n: u16| {
            NodeId::from_bytes([[n as u8, (n >> 8) as u8]; 16].concat().try_into().unwrap())
        };
        let mut at = |n, ms| complaints.worth_a_line(peer(n), start + Duration::from_millis(ms));
        assert_eq!(at(1, 0), Some(0));
        assert!((1..1_000).all(|ms| at(1, ms).is_none()));
        assert_eq!(at(2, 500), Some(0));
        assert_eq!(at(1, 1_000), Some(999));
        assert_eq!(at(1, 2_000), Some(0));
        (3..5_000).for_each(|n| assert_eq!(at(n, 0), Some(0)));
        assert!(complaints.0.len() <= PEERS);
    }
}
