//! `macula doctor`: tests the way to a node stage by stage.
//!
//! - [`probes`]: what each stage does.

mod probes;

use std::time::{Duration, Instant};

use clap::Args;
use macula_client::Transport;
use serde_json::json;
use tokio::time::timeout;

use self::probes::Target;
use super::{client::Client, failure::Failure, remote::Remote};

/// How long a stage may take.
const TIME: Duration = Duration::from_secs(5);

/// Which node.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The node. Default: that of --url.
    node: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

/// One stage: its name, of what it needs one, and what to do when it fails.
struct Stage {
    name: &'static str,
    needs: &'static [&'static str],
    advice: &'static str,
}

const STAGES: [Stage; 9] = [
    Stage {
        name: "name",
        needs: &[],
        advice: "check the spelling of the host, and the resolver of this machine",
    },
    Stage {
        name: "TCP",
        needs: &["name"],
        advice: "check that the node runs, listens on this address and port, and that no firewall is between",
    },
    Stage {
        name: "TLS",
        needs: &["TCP"],
        advice: "check whom you trust: --ca FILE or --cert-sha256 DIGITS, as `macula up` prints them",
    },
    Stage {
        name: "HTTP/2",
        needs: &["TLS"],
        advice: "something else than Macula may answer on this port, or a proxy that speaks HTTP/1.1 only",
    },
    Stage {
        name: "UDP",
        needs: &["name"],
        advice: "let UDP through to the same port: QUIC needs it; until then sessions use WebSocket",
    },
    Stage {
        name: "HTTP/3",
        needs: &["UDP"],
        advice: "something else than Macula may answer on this UDP port",
    },
    Stage {
        name: "WebTransport",
        needs: &["HTTP/3"],
        advice: "a proxy between may speak HTTP/3 without WebTransport; sessions use WebSocket until then",
    },
    Stage {
        name: "WebSocket",
        needs: &["TLS"],
        advice: "a proxy between may not pass `Upgrade` on; allow WebSocket on /v1/connect",
    },
    Stage {
        name: "session",
        needs: &["WebTransport", "WebSocket"],
        advice: "give a token by --token, or name an open realm in the node's settings",
    },
];

pub(super) async fn run(arguments: Arguments, client: &Client) -> Result<(), Failure> {
    let mut remote = arguments.remote;
    if let Some(node) = arguments.node {
        remote.url = node;
    }
    let mut target = Target::new(&remote)?;
    let mut failed: Vec<&str> = Vec::new();
    for stage in &STAGES {
        let missing = stage.needs.iter().filter(|needs| failed.contains(needs));
        // One of what it needs is enough for a session; all others need one thing.
        if !stage.needs.is_empty() && missing.count() == stage.needs.len() {
            failed.push(stage.name);
            let needs = stage.needs.join(" and ");
            let people = || format!("-  {:<13} not tried, as {needs} failed", stage.name);
            let line = || json!({"stage": stage.name, "skipped": true, "needs": needs});
            client.output.either(people, line);
            continue;
        }
        let began = Instant::now();
        let probed = timeout(TIME, probe(stage.name, &mut target)).await;
        let probed = probed.unwrap_or_else(|_| Err(format!("no answer in {} s", TIME.as_secs())));
        let ms = began.elapsed().as_secs_f64() * 1e3;
        match probed {
            Ok(found) => client.output.either(
                || format!("✓  {:<13} {ms:>7.1} ms  {found}", stage.name),
                || json!({"stage": stage.name, "ok": true, "ms": ms, "found": found}),
            ),
            Err(error) => {
                failed.push(stage.name);
                let advice = stage.advice;
                client.output.either(
                    || format!("✗  {:<13} {ms:>7.1} ms  {error}\n   {advice}", stage.name),
                    || json!({"stage": stage.name, "ok": false, "ms": ms, "error": error, "advice": advice}),
                );
            }
        }
    }
    match failed.len() {
        0 => Ok(()),
        failed => Err(Failure::Unwell {
            failed,
            stages: STAGES.len(),
        }),
    }
}

/// What a stage found, or why it failed.
async fn probe(stage: &str, target: &mut Target) -> Result<String, String> {
    match stage {
        "name" => target.resolve().await,
        "TCP" => target.tcp().await,
        "TLS" => target.tls().await,
        "HTTP/2" => target.http2().await,
        "UDP" => target.quic().await,
        "HTTP/3" => target.http3().await,
        "WebTransport" => target.live(Transport::WebTransport).await,
        "WebSocket" => target.live(Transport::WebSocket).await,
        _ => target.session().await,
    }
}
