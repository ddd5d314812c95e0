//! What the gateway counts, as Prometheus reads it.
//!
//! Labels have few values (routes as they are declared, protocols, statuses), so the number of
//! series is bounded whatever clients send.

mod cluster;
mod readings;

use std::{fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use crate::conn::Protocol;

pub use readings::Readings;

/// The media type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the latency histogram, in seconds: from a local echo to the default deadline.
const SECONDS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

/// The gateway's counters. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Mutex<Registry>,
    requests: Family<Answered, Counter>,
    latency: Family<Asked, Histogram, fn() -> Histogram>,
    connections: Family<On, Gauge>,
    opened: Family<On, Counter>,
    refused: Family<RefusedOn, Counter>,
    readers: Gauge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: &'static str,
    protocol: Protocol,
    status: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    route: &'static str,
    protocol: Protocol,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct On {
    protocol: Protocol,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusedOn {
    protocol: Protocol,
    reason: Refusal,
}

/// Why a connection was not taken or not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The node has as many as it takes.
    Node,
    /// The address has as many as it may.
    Address,
    /// The handshake failed or took too long.
    Handshake,
}

impl EncodeLabelValue for Refusal {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        let reason = match self {
            Self::Node => "node",
            Self::Address => "address",
            Self::Handshake => "handshake",
        };
        reason.encode(encoder)
    }
}

impl EncodeLabelValue for Protocol {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        self.label().encode(encoder)
    }
}

/// Counts one connection as open until it goes.
#[derive(Debug)]
#[must_use]
pub struct ConnectionGuard(Gauge);

/// Counts one reader of Server-Sent Events until it goes.
#[derive(Debug)]
#[must_use]
pub struct ReaderGuard(Gauge);

impl Metrics {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("macula");
        let inner = Inner {
            requests: Family::default(),
            latency: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            connections: Family::default(),
            opened: Family::default(),
            refused: Family::default(),
            readers: Gauge::default(),
            registry: Mutex::default(),
        };
        let requests = "Requests answered, by route, protocol and status";
        registry.register("requests", requests, inner.requests.clone());
        let latency = "Time from a request's head to its answer's head";
        registry.register("request_seconds", latency, inner.latency.clone());
        let connections = "Connections open, by the protocol spoken on them";
        registry.register("connections", connections, inner.connections.clone());
        let opened = "Connections opened";
        registry.register("connections_opened", opened, inner.opened.clone());
        let refused = "Connections refused or ended before their first request";
        registry.register("connections_refused", refused, inner.refused.clone());
        let readers = "Readers of Server-Sent Events";
        registry.register("sse_readers", readers, inner.readers.clone());
        *inner.registry.lock() = registry;
        Self(Arc::new(inner))
    }

    /// Adds what the node knows itself and need not be counted twice. Called once.
    pub fn watch(&self, readings: Readings) {
        self.0
            .registry
            .lock()
            .register_collector(Box::new(readings));
    }

    /// One request was answered. `route` is as declared, not as asked for.
    pub fn request(&self, route: &'static str, protocol: Protocol, status: u16, took: Duration) {
        let answered = Answered {
            route,
            protocol,
            status,
        };
        self.0.requests.get_or_create(&answered).inc();
        let latency = self.0.latency.get_or_create(&Asked { route, protocol });
        latency.observe(took.as_secs_f64());
    }

    /// One connection was opened.
    pub fn connection_opened(&self, protocol: Protocol) -> ConnectionGuard {
        self.0.opened.get_or_create(&On { protocol }).inc();
        let open = self.0.connections.get_or_create_owned(&On { protocol });
        open.inc();
        ConnectionGuard(open)
    }

    /// One connection was refused; `protocol` is what it would have spoken at most.
    pub fn connection_refused(&self, protocol: Protocol, reason: Refusal) {
        let refused = RefusedOn { protocol, reason };
        self.0.refused.get_or_create(&refused).inc();
    }

    /// One reader of Server-Sent Events has come.
    pub fn reader(&self) -> ReaderGuard {
        self.0.readers.inc();
        ReaderGuard(self.0.readers.clone())
    }

    /// All of it in the OpenMetrics text format, [`CONTENT_TYPE`].
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.0.registry.lock()).expect("writing to a string does not fail");
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Drop for ReaderGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_route_protocol_and_status() {
        let metrics = Metrics::new();
        for status in [200, 200, 404] {
            metrics.request("/readyz", Protocol::Http3, status, Duration::from_millis(2));
        }
        let text = metrics.text();
        for line in [
            r#"macula_requests_total{route="/readyz",protocol="h3",status="200"} 2"#,
            r#"macula_requests_total{route="/readyz",protocol="h3",status="404"} 1"#,
            r#"macula_request_seconds_bucket{le="0.0025",route="/readyz",protocol="h3"} 3"#,
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }

    #[test]
    fn lesson_03_connections_and_readers_count_back_to_zero() {
        let metrics = Metrics::new();
        let guards = (
            metrics.connection_opened(Protocol::Http2),
            metrics.connection_opened(Protocol::Http2),
            metrics.reader(),
        );
        let open = r#"macula_connections{protocol="h2"} 2"#;
        assert!(metrics.text().contains(open));
        drop(guards);
        let text = metrics.text();
        for line in [
            r#"macula_connections{protocol="h2"} 0"#,
            r#"macula_connections_opened_total{protocol="h2"} 2"#,
            "macula_sse_readers 0",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
