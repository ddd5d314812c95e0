//! The bounds and times of an engine.

use std::time::Duration;

use quinn::IdleTimeout;
use serde::{Deserialize, Serialize};

/// Streams a connection may have beyond those of callers, for the swarm's own: pings, questions to the DHT,
/// identification. A peer whose callers use all of theirs is heard still.
const RESERVED_STREAMS: u32 = 64;
/// How many times a record must be renewed before it would end: one renewal may be lost, and another late.
const RENEWALS: u32 = 3;

/// The bounds and times of an engine. Each says what happens at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Peers at a time. Default 128: a connection costs about 0.14 MB, and each may have 4 for a while. At the bound a
    /// new one is closed.
    pub max_peers: u32,
    /// Connections that are being made at a time, in each direction. Default 64. At the bound a new one is
    /// refused.
    pub max_pending: u32,
    /// Megabytes of memory of the process above which no connection is taken or made. Default 4,096.
    pub max_memory_mb: usize,
    /// Streams of callers that one connection may have open in each direction. Default 256. At the bound
    /// opening waits.
    pub max_streams: u32,
    /// Streams from peers that may wait for one protocol's taker. Default 1,024. At the bound a new one is
    /// reset, and counted.
    pub inbound_queue: usize,
    /// How long opening a stream may take, waiting for its turn included. Default 5 s.
    #[serde(with = "millis")]
    pub open_timeout: Duration,
    /// How long dialling may take, with its DNS lookup. Default 10 s.
    #[serde(with = "millis")]
    pub dial_timeout: Duration,
    /// How long a peer may take to greet. Default 5 s.
    #[serde(with = "millis")]
    pub greeting_timeout: Duration,
    /// After so long without a packet one is sent, to learn that the peer is there. Default 1 s.
    #[serde(with = "millis")]
    pub keep_alive: Duration,
    /// After so long without a packet from it a peer is gone. Default 5 s; at least three times `keep_alive`.
    #[serde(with = "millis")]
    pub idle_timeout: Duration,
    /// How often the peer's program, not just its system, is asked for an answer. Default 5 s. An answer may
    /// take as long; one that stays away is asked for again before the connection is closed.
    #[serde(with = "millis")]
    pub probe: Duration,
    /// Whether nodes on the same network find each other by mDNS. Default no.
    pub mdns: bool,
    /// How long a record in the DHT lives. Default 30 minutes.
    #[serde(with = "millis")]
    pub record_ttl: Duration,
    /// How often this node says its records again. Default 5 minutes; at most a third of `record_ttl`.
    #[serde(with = "millis")]
    pub record_refresh: Duration,
    /// Values that this node holds for others, and likewise keys with providers. Default 8,192. At the bound a
    /// new one is refused.
    pub max_records: usize,
    /// Provider records that one node may have here. Default 1,024: no member fills the store alone. At the
    /// bound a new one is refused.
    pub max_records_of_one: usize,
    /// Bytes of a value in the DHT. Default 8,192. A larger one is refused.
    pub max_record_bytes: usize,
    /// How long a question to the DHT may take. Default 10 s.
    #[serde(with = "millis")]
    pub query_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_peers: 128,
            max_pending: 64,
            max_memory_mb: 4_096,
            max_streams: 256,
            inbound_queue: 1_024,
            open_timeout: Duration::from_secs(5),
            dial_timeout: Duration::from_secs(10),
            greeting_timeout: Duration::from_secs(5),
            keep_alive: Duration::from_secs(1),
            idle_timeout: Duration::from_secs(5),
            probe: Duration::from_secs(5),
            mdns: false,
            record_ttl: Duration::from_secs(1_800),
            record_refresh: Duration::from_secs(300),
            max_records: 8_192,
            max_records_of_one: 1_024,
            max_record_bytes: 8_192,
            query_timeout: Duration::from_secs(10),
        }
    }
}

/// Settings that contradict themselves.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct InvalidSettings {
    /// What was expected.
    pub expected: &'static str,
}

impl Settings {
    /// Checks that they go together.
    ///
    /// # Errors
    /// Says what was expected.
    pub fn check(&self) -> Result<(), InvalidSettings> {
        let rules = [
            (
                self.record_refresh * RENEWALS <= self.record_ttl,
                "record_refresh to be at most a third of record_ttl",
            ),
            (
                self.keep_alive * 3 <= self.idle_timeout,
                "idle_timeout to be at least three times keep_alive",
            ),
            (
                IdleTimeout::try_from(self.idle_timeout).is_ok(),
                "idle_timeout to be less than 2^62 ms",
            ),
            (
                self.max_peers > 0 && self.max_pending > 0,
                "max_peers and max_pending to be at least 1",
            ),
            (
                self.max_streams > 0 && self.max_streams <= 65_536,
                "max_streams to be 1 to 65536",
            ),
            (self.inbound_queue > 0, "inbound_queue to be at least 1"),
            (
                self.keep_alive > Duration::ZERO && self.probe > Duration::ZERO,
                "keep_alive and probe to be more than nothing",
            ),
            (
                self.max_record_bytes <= crate::dht::MAX_PACKET_BYTES / 2,
                "max_record_bytes to be at most 32768",
            ),
        ];
        let broken = rules.into_iter().find(|(holds, _)| !holds);
        broken.map_or(Ok(()), |(_, expected)| Err(InvalidSettings { expected }))
    }

    pub(crate) fn streams_with_reserve(&self) -> u32 {
        self.max_streams + RESERVED_STREAMS
    }

    pub(crate) fn idle(&self) -> IdleTimeout {
        IdleTimeout::try_from(self.idle_timeout).expect("the settings were checked")
    }
}

/// Durations are whole milliseconds in a configuration.
/// Durations as whole milliseconds, as settings are written.
pub mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes one.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    /// Reads one.
    ///
    /// # Errors
    /// It is no whole number.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lesson 5: records that lived 10 minutes and were refreshed hourly were absent most of the time.
    #[test]
    fn a_refresh_is_at_most_a_third_of_the_ttl() {
        let check = |ttl, refresh, good: bool| {
            let settings = Settings {
                record_ttl: Duration::from_secs(ttl),
                record_refresh: Duration::from_secs(refresh),
                ..Settings::default()
            };
            assert_eq!(settings.check().is_ok(), good);
        };
        check(600, 3_600, false);
        check(600, 201, false);
        check(600, 200, true);
        assert_eq!(Settings::default().check(), Ok(()));
    }
}
