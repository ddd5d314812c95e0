//! The procedures that every node serves in every realm.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use macula_proto::{Encoding, Limits, MediaType, Problem, Procedure, decode, encode, timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    Failure, Handler, Invocation, Mesh, Payload, Registration, Schema, Serve, Status,
    clock::Clock,
    cluster::{Cluster, Figures},
    mesh::Weak,
};

/// Calls of one built-in at a time: as many as the node takes.
const CONCURRENCY: usize = 1 << 20;
/// The highest number that `system.count` counts to.
const MAX_COUNT: u64 = 1_000_000;
/// The longest pause between two numbers, in milliseconds.
const MAX_DELAY_MS: u64 = 60_000;

/// Registers the built-ins; they are served until the registrations are dropped.
pub(crate) fn serve(mesh: &Mesh, clock: Clock) -> Result<Vec<Registration>, Problem> {
    let argument = json!({"description": "any payload"});
    let nothing = json!({"description": "not read"});
    let text = json!({"type": "string"});
    let number = json!({"type": "integer", "minimum": 0});
    let weak = mesh.downgrade();
    let offers: [(&str, &str, Schema, Arc<dyn Handler>); 4] = [
        (
            "system.echo",
            "Gives the argument back, with its media type.",
            Schema {
                argument: argument.clone(),
                result: argument,
            },
            Arc::new(Echo),
        ),
        (
            "system.time",
            "Tells the node's time.",
            Schema {
                argument: nothing.clone(),
                result: json!({
                    "type": "object",
                    "required": ["unix_ms", "rfc3339"],
                    "properties": {"unix_ms": number, "rfc3339": text},
                }),
            },
            Arc::new(move |call: Invocation| {
                let unix_ms = clock.now_ms();
                let time = Time {
                    unix_ms,
                    rfc3339: timestamp::rfc3339(unix_ms),
                };
                std::future::ready(Ok(answer(&call.argument, &time)))
            }),
        ),
        (
            "system.info",
            "Tells the node's name, version, uptime and counts.",
            Schema {
                argument: nothing,
                result: json!({
                    "type": "object",
                    "required": ["node", "version", "uptime_ms"],
                    "properties": {
                        "node": text, "version": text, "uptime_ms": number,
                        "cluster": {"type": "object", "description": "of a node that is one of a cluster"},
                    },
                    "additionalProperties": number,
                }),
            },
            Arc::new(move |call: Invocation| std::future::ready(info(&weak, &call))),
        ),
        (
            "system.count",
            "Counts from 1 to a number with a pause between, and tells each number as progress.",
            Schema {
                argument: json!({
                    "type": ["object", "null"],
                    "properties": {
                        "to": {"type": "integer", "minimum": 0, "maximum": MAX_COUNT, "default": 10},
                        "delay_ms": {
                            "type": "integer", "minimum": 0, "maximum": MAX_DELAY_MS, "default": 100
                        },
                    },
                    "additionalProperties": false,
                }),
                result: json!({
                    "type": "object",
                    "required": ["counted"],
                    "properties": {"counted": number},
                }),
            },
            Arc::new(count),
        ),
    ];
    let offers = offers
        .into_iter()
        .map(|(name, description, schema, handler)| {
            let serve = Serve {
                realm: None,
                procedure: Procedure::parse(name)?,
                provider: mesh.identity().name.as_str().into(),
                policy: None,
                concurrency: CONCURRENCY,
                description: Some(description.into()),
                schema: Some(Arc::new(schema)),
            };
            mesh.serve(serve, handler)
        });
    offers.collect()
}

/// Gives the argument back without a look at it.
struct Echo;

impl Handler for Echo {
    fn call(&self, invocation: Invocation) -> BoxFuture<'static, Result<Payload, Failure>> {
        Box::pin(std::future::ready(Ok(invocation.argument)))
    }
}

#[derive(Serialize)]
struct Time {
    unix_ms: u64,
    rfc3339: String,
}

fn info(mesh: &Weak, call: &Invocation) -> Result<Payload, Failure> {
    let Some(mesh) = mesh.upgrade() else {
        return Err(Failure::new("stopped", "the node has stopped"));
    };
    let info = Info {
        status: mesh.status(),
        cluster: mesh.cluster().map(Cluster::figures),
    };
    Ok(answer(&call.argument, &info))
}

#[derive(Serialize)]
struct Info {
    #[serde(flatten)]
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<Figures>,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Count {
    to: u64,
    delay_ms: u64,
}

impl Default for Count {
    fn default() -> Self {
        Self {
            to: 10,
            delay_ms: 100,
        }
    }
}

#[derive(Serialize)]
struct Counted {
    counted: u64,
}

async fn count(call: Invocation) -> Result<Payload, Failure> {
    let Count { to, delay_ms } = read_count(&call.argument)?;
    let delay = Duration::from_millis(delay_ms);
    for n in 1..=to {
        tokio::time::sleep(delay).await;
        if call.progress.wanted() {
            call.progress.send(answer(&call.argument, &n)).await;
        }
    }
    Ok(answer(&call.argument, &Counted { counted: to }))
}

fn read_count(argument: &Payload) -> Result<Count, Failure> {
    let bad = |detail: String| Failure::new("invalid_argument", detail);
    let Some(encoding) = argument.content_type.encoding() else {
        return Err(bad("expected JSON or MessagePack".into()));
    };
    let count = decode::<Option<Count>>(&argument.bytes, encoding, &Limits::default());
    let count = count
        .map_err(|error| bad(error.to_string()))?
        .unwrap_or_default();
    if count.to > MAX_COUNT || count.delay_ms > MAX_DELAY_MS {
        let detail = format!("expected `to` up to {MAX_COUNT} and `delay_ms` up to {MAX_DELAY_MS}");
        return Err(bad(detail));
    }
    Ok(count)
}

/// A value of ours in the argument's encoding, or in JSON when it has none.
fn answer<T: Serialize>(argument: &Payload, value: &T) -> Payload {
    let encoding = argument.content_type.encoding().unwrap_or(Encoding::Json);
    Payload {
        content_type: MediaType::Known(encoding),
        bytes: Bytes::from(encode(value, encoding)),
    }
}
