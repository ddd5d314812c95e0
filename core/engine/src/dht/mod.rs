//! The distributed hash table: who provides what, and small values, kept by the nodes whose ids are closest
//! to the key (Kademlia, Maymounkov and Mazières 2002; libp2p's form of it).
//!
//! - [`store`]: what this node keeps for others.
//! - [`queries`]: questions that are under way.

pub(crate) mod queries;
pub(crate) mod store;

use std::num::NonZeroUsize;

use libp2p::{StreamProtocol, kad};

use crate::settings::Settings;

/// Bytes of one message of the DHT. Our largest, 20 peers with 8 addresses each, has about 20,000.
pub(crate) const MAX_PACKET_BYTES: usize = 64 << 10;
/// Nodes that keep a record.
const REPLICATION: NonZeroUsize = NonZeroUsize::new(20).unwrap();

/// Why the DHT did not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DhtError {
    /// This node keeps as many as it may, or the value is too large.
    #[error("the store takes no more, or the value is too large")]
    Full,
    /// No answer in time.
    #[error("the question took too long")]
    TooSlow,
    /// The engine has ended.
    #[error("the engine has ended")]
    Ended,
}

pub(crate) fn config(protocol: StreamProtocol, settings: &Settings) -> kad::Config {
    let mut config = kad::Config::new(protocol);
    config
        .set_query_timeout(settings.query_timeout)
        .set_replication_factor(REPLICATION)
        .set_record_ttl(Some(settings.record_ttl))
        .set_publication_interval(Some(settings.record_refresh))
        .set_replication_interval(Some(settings.record_refresh))
        .set_provider_record_ttl(Some(settings.record_ttl))
        .set_provider_publication_interval(Some(settings.record_refresh))
        .set_max_packet_size(MAX_PACKET_BYTES)
        .set_substreams_timeout(settings.open_timeout)
        // A value that is found is not spread by who asked: its publisher renews it.
        .set_caching(kad::Caching::Disabled);
    config
}
