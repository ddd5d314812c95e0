//! What the mesh and the sessions know themselves, read when Prometheus asks.

use std::{fmt, sync::Arc};

use macula_mesh::Mesh;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};

use crate::{live::Lives, session::Sessions};

/// Reads the mesh's status and how many sessions there are.
#[derive(Debug)]
pub struct Readings {
    /// The mesh.
    pub mesh: Mesh,
    /// The sessions.
    pub sessions: Arc<Sessions>,
    /// The live sessions, those that wait for their client among them.
    pub lives: Arc<Lives>,
}

impl Collector for Readings {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let status = self.mesh.status();
        let now = [
            ("sessions", "Sessions open", self.sessions.len()),
            ("live_sessions", "Live sessions", self.lives.len()),
            ("subscriptions", "Subscriptions", status.subscriptions),
            ("topics", "Topics remembered for replay", status.topics),
            (
                "replay_events",
                "Events kept for replay",
                status.replay_events,
            ),
            ("replay_bytes", "Bytes kept for replay", status.replay_bytes),
            ("providers", "Providers of procedures", status.providers),
            ("calls", "Calls in flight", status.calls),
            (
                "cluster_members",
                "Other nodes of the cluster that are connected",
                status.members,
            ),
        ];
        let now = now.map(|(name, help, value)| (name, help, value as u64));
        gauges(&now, &mut encoder)?;
        let total = [
            ("published", "Events published", status.published),
            (
                "delivered",
                "Events put into queues of readers",
                status.delivered,
            ),
            (
                "dropped",
                "Events lost because their reader was slow",
                status.dropped,
            ),
            ("gaps", "Gaps told to readers", status.gaps),
            (
                "cluster_forwarded",
                "Events that other nodes wanted, once for each node",
                status.forwarded,
            ),
            (
                "cluster_received",
                "Events that came from other nodes",
                status.received,
            ),
        ];
        counters(&total, &mut encoder)?;
        match self.mesh.cluster() {
            Some(cluster) => super::cluster::encode(cluster, &mut encoder),
            None => Ok(()),
        }
    }
}

/// A figure without labels: its name, what it is, and how much.
pub(super) type Figure = (&'static str, &'static str, u64);

/// Writes how much there is now.
pub(super) fn gauges(figures: &[Figure], encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    for (name, help, value) in figures {
        let gauge = ConstGauge::new(i64::try_from(*value).unwrap_or(i64::MAX));
        gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
    }
    Ok(())
}

/// Writes how much there was since the start.
pub(super) fn counters(figures: &[Figure], encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    for (name, help, value) in figures {
        let counter = ConstCounter::new(*value);
        counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
    }
    Ok(())
}
