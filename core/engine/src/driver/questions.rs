//! The driver's part of the DHT: questions asked, answers passed on, peers that turn up in them reached.

use std::collections::BTreeSet;

use libp2p::kad::{self, PeerInfo, QueryResult};
use tokio::sync::oneshot;

use super::Driver;
use crate::{
    dht::{DhtError, queries::Question},
    id::NodeId,
    transport::address::to_socket,
};

/// A question to the DHT about a key.
#[derive(Debug)]
pub(crate) enum Ask {
    Provide(oneshot::Sender<Result<(), DhtError>>),
    Providers(oneshot::Sender<Result<BTreeSet<NodeId>, DhtError>>),
    Put(Vec<u8>, oneshot::Sender<Result<(), DhtError>>),
    Get(oneshot::Sender<Result<Option<Vec<u8>>, DhtError>>),
}

impl Driver {
    pub(super) fn ask(&mut self, key: Vec<u8>, ask: Ask) {
        if self.queries.is_full() {
            // Dropped, who asked learns that there is no answer.
            return;
        }
        let kad = &mut self.swarm.behaviour_mut().kad;
        let (id, question) = match ask {
            Ask::Provide(reply) => match kad.start_providing(key.into()) {
                Ok(id) => (id, Question::Provide(reply)),
                Err(_) => {
                    let _ = reply.send(Err(DhtError::Full));
                    return;
                }
            },
            Ask::Providers(reply) => {
                let id = kad.get_providers(key.into());
                (id, Question::Providers(Default::default(), reply))
            }
            Ask::Put(value, reply) => {
                let record = kad::Record::new(key, value);
                match kad.put_record(record, kad::Quorum::One) {
                    Ok(id) => (id, Question::Put(reply)),
                    Err(_) => {
                        let _ = reply.send(Err(DhtError::Full));
                        return;
                    }
                }
            }
            Ask::Get(reply) => (kad.get_record(key.into()), Question::Get(reply)),
        };
        self.queries.insert(id, question);
    }

    pub(super) fn dht_event(&mut self, event: kad::Event) {
        match event {
            kad::Event::RoutingUpdated {
                peer,
                is_new_peer: true,
                addresses,
                ..
            } => {
                let addresses = addresses.iter().filter_map(to_socket).collect();
                self.reach(peer, addresses);
            }
            kad::Event::OutboundQueryProgressed {
                result: QueryResult::GetClosestPeers(Ok(found)),
                ..
            } => {
                for PeerInfo { peer_id, addrs } in found.peers {
                    self.reach(peer_id, addrs.iter().filter_map(to_socket).collect());
                }
            }
            kad::Event::OutboundQueryProgressed {
                id, result, step, ..
            } => {
                let ends = self.queries.progress(id, result, step.last);
                let kad = &mut self.swarm.behaviour_mut().kad;
                if let Some(mut query) = kad.query_mut(&id).filter(|_| ends) {
                    query.finish();
                }
            }
            _ => {}
        }
    }
}
