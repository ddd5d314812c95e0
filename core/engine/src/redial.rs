//! When to try again to reach a peer that was lost. Pure.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::id::NodeId;

/// The first try, once a peer is lost.
const FIRST: Duration = Duration::from_millis(250);
/// The longest time between two tries.
const LONGEST: Duration = Duration::from_secs(30);
/// Tries, which take some 6 hours: a network may be down for a night. After that the peer has to come.
const TRIES: u32 = 1_000;
/// Lost peers remembered. At the bound the one with most tries is forgotten.
const MAX_LOST: usize = 256;

/// Peers that were lost and did not say goodbye.
#[derive(Debug, Default)]
pub(crate) struct Redial(BTreeMap<NodeId, Lost>);

#[derive(Debug)]
struct Lost {
    addresses: Vec<SocketAddr>,
    tries: u32,
    next: Instant,
}

impl Redial {
    pub(crate) fn lost(&mut self, node: NodeId, addresses: Vec<SocketAddr>, now: Instant) {
        if addresses.is_empty() {
            return;
        }
        if self.0.len() >= MAX_LOST && !self.0.contains_key(&node) {
            let most = self.0.iter().max_by_key(|(_, lost)| lost.tries);
            if let Some(node) = most.map(|(node, _)| *node) {
                self.0.remove(&node);
            }
        }
        let lost = Lost {
            addresses,
            tries: 0,
            next: now + FIRST,
        };
        self.0.insert(node, lost);
    }

    pub(crate) fn found(&mut self, node: NodeId) {
        self.0.remove(&node);
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.values().map(|lost| lost.next).min()
    }

    /// Who is to be tried now. `jitter` is random, 0 to 1.
    pub(crate) fn due(&mut self, now: Instant, jitter: f64) -> Vec<(NodeId, Vec<SocketAddr>)> {
        let mut due = Vec::new();
        self.0.retain(|node, lost| {
            if lost.next > now {
                return true;
            }
            due.push((*node, lost.addresses.clone()));
            lost.tries += 1;
            lost.next = now + backoff(FIRST, LONGEST, lost.tries, jitter);
            lost.tries < TRIES
        });
        due
    }
}

/// How long to wait after so many tries: twice as long each time, up to the longest, half of it by chance.
pub(crate) fn backoff(first: Duration, longest: Duration, tries: u32, jitter: f64) -> Duration {
    let whole = first.saturating_mul(1 << tries.min(16)).min(longest);
    whole.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u16) -> NodeId {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        NodeId::from_bytes(bytes)
    }

    #[test]
    fn a_lost_peer_is_tried_ever_more_rarely_until_it_is_found() {
        let (mut redial, mut now) = (Redial::default(), Instant::now());
        redial.lost(node(1), vec!["127.0.0.1:1".parse().unwrap()], now);
        assert!(redial.due(now, 1.0).is_empty());
        let mut waits = Vec::new();
        for _ in 0..9 {
            let next = redial.next().unwrap();
            waits.push((next - now).as_millis());
            now = next;
            assert_eq!(redial.due(now, 1.0).len(), 1);
        }
        let expected = [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000];
        assert_eq!(waits, expected);
        redial.found(node(1));
        assert_eq!(redial.next(), None);
    }

    #[test]
    fn the_lost_are_bounded() {
        let (mut redial, now) = (Redial::default(), Instant::now());
        for number in 0..1_000 {
            redial.lost(node(number), vec!["127.0.0.1:1".parse().unwrap()], now);
        }
        assert_eq!(redial.0.len(), MAX_LOST);
    }
}
