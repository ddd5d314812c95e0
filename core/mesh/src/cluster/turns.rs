//! How much one peer may have at a time, whatever it does to have more.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use macula_engine::NodeId;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

/// So many places for each peer. A clone is the same.
#[derive(Debug, Clone)]
pub(super) struct Turns {
    each: usize,
    /// Those of which somebody holds a place, or waits for one.
    peers: Arc<Mutex<HashMap<NodeId, Weak<Semaphore>>>>,
}

impl Turns {
    pub(super) fn new(each: usize) -> Self {
        Self {
            each,
            peers: Arc::default(),
        }
    }

    /// The places of one peer.
    pub(super) fn of(&self, peer: NodeId) -> Arc<Semaphore> {
        let mut peers = self.peers.lock();
        if let Some(found) = peers.get(&peer).and_then(Weak::upgrade) {
            return found;
        }
        peers.retain(|_, places| places.strong_count() > 0);
        let places = Arc::new(Semaphore::new(self.each));
        peers.insert(peer, Arc::downgrade(&places));
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_peer_has_its_own_places_and_who_has_gone_has_none() {
        let turns = Turns::new(2);
        let peer = |n: u8| NodeId::from_bytes([n; 32]);
        let first = turns.of(peer(1));
        let held = [(); 2].map(|()| first.try_acquire().unwrap());
        assert_eq!(turns.of(peer(1)).available_permits(), 0);
        assert_eq!(turns.of(peer(2)).available_permits(), 2);
        drop(held);
        drop(first);
        let _ = turns.of(peer(3));
        assert!(turns.peers.lock().len() <= 1);
    }
}
