//! What a node knows of its cluster.
//!
//! Labels are the reasons of refusals, which are few, and the ids of nodes, as many as are in the cluster.

use std::{collections::BTreeMap, fmt, time::Duration};

use macula_mesh::cluster::{Cluster, Figures, Member, Refusal};
use prometheus_client::{
    encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};

use super::readings::{counters, gauges};

/// One node, by its id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    node: String,
}

/// One reason of a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Because {
    reason: &'static str,
}

/// Writes all of it.
pub(super) fn encode(cluster: &Cluster, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let figures = cluster.figures();
    sizes(&figures, encoder)?;
    totals(&figures, encoder)?;
    let refused = "Peers that this node refused, by reason";
    refusals("cluster_refused", refused, &figures.engine.refused, encoder)?;
    let by_others = "Times that another node refused this one, by reason";
    let refused = &figures.engine.refused_by_others;
    refusals("cluster_refused_by_others", by_others, refused, encoder)?;
    members(&cluster.members(), encoder)
}

fn sizes(figures: &Figures, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let (gossip, engine) = (&figures.gossip, &figures.engine);
    let now = [
        (
            "cluster_known_nodes",
            "Other nodes that were heard of, connected or not",
            figures.nodes as u64,
        ),
        (
            "cluster_state_entries",
            "Entries of the cluster's state",
            gossip.entries as u64,
        ),
        (
            "cluster_gossip_agreeing",
            "Connected nodes that are known to have the state that this one has",
            gossip.agreeing as u64,
        ),
        (
            "cluster_connections",
            "Connections to other nodes: more than nodes while two have dialled each other at once",
            engine.connections as u64,
        ),
        (
            "cluster_streams",
            "Streams open to and from other nodes",
            engine.streams as u64,
        ),
        (
            "cluster_streams_waiting",
            "Streams from other nodes that wait to be taken",
            engine.waiting as u64,
        ),
        (
            "cluster_dht_peers",
            "Nodes in the routing table of the DHT",
            engine.dht_peers,
        ),
        (
            "cluster_dht_records",
            "Values kept in the DHT here",
            engine.dht_records,
        ),
        (
            "cluster_dht_providers",
            "Provider records kept in the DHT here",
            engine.dht_providers,
        ),
    ];
    gauges(&now, encoder)
}

fn totals(figures: &Figures, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let (gossip, engine) = (&figures.gossip, &figures.engine);
    let total = [
        (
            "cluster_gossip_sent",
            "Messages of gossip sent",
            gossip.sent,
        ),
        (
            "cluster_gossip_sent_bytes",
            "Bytes of gossip sent",
            gossip.sent_bytes,
        ),
        (
            "cluster_gossip_received",
            "Messages of gossip read",
            gossip.received,
        ),
        (
            "cluster_gossip_refused",
            "Messages of gossip refused",
            gossip.refused,
        ),
        (
            "cluster_gossip_hearsay",
            "Times that a peer said the end of what a connected member says, which was asked and not believed",
            gossip.hearsay,
        ),
        (
            "cluster_streams_opened",
            "Streams opened to other nodes",
            engine.streams_opened,
        ),
        (
            "cluster_streams_accepted",
            "Streams taken from other nodes",
            engine.streams_accepted,
        ),
        (
            "cluster_streams_unclaimed",
            "Streams from other nodes that were reset, as too many waited",
            engine.streams_unclaimed,
        ),
        (
            "cluster_connected",
            "Times that another node was connected",
            engine.connected,
        ),
        (
            "cluster_disconnected",
            "Times that another node was lost or left",
            engine.disconnected,
        ),
        (
            "cluster_probes_missed",
            "Probes of other nodes without an answer",
            engine.probes_missed,
        ),
        (
            "cluster_probed_out",
            "Connections closed as two probes stayed without an answer",
            engine.probed_out,
        ),
        (
            "cluster_dht_refused",
            "Records refused as the store of the DHT was full",
            engine.dht_refused,
        ),
    ];
    counters(&total, encoder)
}

fn refusals(
    name: &str,
    help: &str,
    refused: &BTreeMap<Refusal, u64>,
    encoder: &mut DescriptorEncoder<'_>,
) -> fmt::Result {
    let kind = ConstCounter::new(0u64).metric_type();
    let mut family = encoder.encode_descriptor(name, help, None, kind)?;
    for (reason, count) in refused {
        let labels = Because {
            reason: reason.name(),
        };
        ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn members(members: &[Member], encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let up = |member: &Member| Some(i64::from(member.connected));
    each(
        members,
        "member_connected",
        "Whether a node is connected",
        None,
        up,
        encoder,
    )?;
    let round_trip = |member: &Member| {
        let micros = member.round_trip_us?;
        Some(Duration::from_micros(micros).as_secs_f64())
    };
    let help = "Round trip to a node";
    each(
        members,
        "member_round_trip",
        help,
        Some(&Unit::Seconds),
        round_trip,
        encoder,
    )?;
    let help = "For how long a node has said that it has another state than this one";
    let lag = |member: &Member| Some(Duration::from_millis(member.lag_ms).as_secs_f64());
    each(
        members,
        "member_lag",
        help,
        Some(&Unit::Seconds),
        lag,
        encoder,
    )?;
    let streams = |member: &Member| i64::try_from(member.streams).ok();
    each(
        members,
        "member_streams",
        "Streams open to a node",
        None,
        streams,
        encoder,
    )?;
    let waiting = |member: &Member| i64::try_from(member.waiting).ok();
    each(
        members,
        "member_waiting_events",
        "Events that wait for a node",
        None,
        waiting,
        encoder,
    )
}

/// A figure of each node that has it.
fn each<N: EncodeGaugeValue>(
    members: &[Member],
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: impl Fn(&Member) -> Option<N>,
    encoder: &mut DescriptorEncoder<'_>,
) -> fmt::Result {
    let kind = ConstGauge::new(0i64).metric_type();
    let name = format!("cluster_{name}");
    let mut family = encoder.encode_descriptor(&name, help, unit, kind)?;
    for member in members {
        let Some(value) = value(member) else { continue };
        let labels = Of {
            node: member.id.to_string(),
        };
        ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}
