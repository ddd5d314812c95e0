//! `macula status`.

use std::time::Instant;

use clap::Args;
use macula_client::State;
use serde_json::{Value, json};

use super::{client::Client, failure::Failure, remote::Remote};

/// Other nodes that are shown at most.
const MAX_MEMBERS: usize = 1_000;

/// Which node.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    remote: Remote,
}

pub(super) async fn run(arguments: Arguments, client: &Client) -> Result<(), Failure> {
    let mesh = client.open(&arguments.remote, None).await?;
    let began = Instant::now();
    let mut info: Value = mesh.call("system.info", &Value::Null).await?;
    let took = began.elapsed();
    let nodes = mesh.discover("**").kind("node").limit(MAX_MEMBERS).await?;
    let cluster = info.as_object_mut().and_then(|info| info.remove("cluster"));
    let welcome = mesh.welcome();
    let transport = match &*mesh.state().borrow() {
        State::Connected(transport) => format!("{transport:?}"),
        other => format!("{other:?}"),
    };
    let call_ms = took.as_secs_f64() * 1e3;
    let people = || {
        let mut lines = vec![
            format!("node       {}", welcome.node),
            format!("realm      {}", welcome.realm),
            format!("subject    {}", welcome.subject),
            format!("transport  {transport}"),
            format!("a call     {call_ms:.1} ms"),
            format!("session    until {}", welcome.expires_at),
        ];
        lines.extend(counts(&info));
        lines.extend(cluster.iter().flat_map(about));
        lines.extend(nodes.iter().filter_map(member));
        lines.join("\n")
    };
    let line = || {
        json!({
            "node": &*welcome.node, "realm": welcome.realm.as_str(), "subject": &*welcome.subject,
            "transport": transport, "call_ms": call_ms, "expires_at": &*welcome.expires_at,
            "info": info, "cluster": cluster, "nodes": nodes,
        })
    };
    client.output.either(people, line);
    Ok(())
}

/// What the node counts, a line each.
fn counts(info: &Value) -> Vec<String> {
    let counts = info.as_object().into_iter().flatten();
    let counts = counts.filter(|(_, value)| value.is_number());
    counts
        .map(|(name, value)| format!("{name:<14} {value}"))
        .collect()
}

/// The cluster, as the node sees it.
fn about(cluster: &Value) -> Vec<String> {
    let (gossip, engine) = (&cluster["gossip"], &cluster["engine"]);
    let refused = engine["refused"].as_object().into_iter().flatten();
    let refused: u64 = refused.filter_map(|(_, count)| count.as_u64()).sum();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    vec![
        String::new(),
        format!("cluster    {}", text(&cluster["cluster"])),
        format!("id         {}", text(&cluster["id"])),
        format!(
            "state      {} entries; {} of {} connected nodes have just these",
            gossip["entries"], gossip["agreeing"], gossip["peers"]
        ),
        format!(
            "gossip     {} messages sent, {} read, {} refused",
            gossip["sent"], gossip["received"], gossip["refused"]
        ),
        format!(
            "DHT        {} nodes, {} values, {} provider records",
            engine["dht_peers"], engine["dht_records"], engine["dht_providers"]
        ),
        format!(
            "engine     {} connections, {} streams, {refused} peers refused",
            engine["connections"], engine["streams"]
        ),
    ]
}

/// Another node: two lines.
fn member(item: &Value) -> Option<String> {
    let member = item.get("member")?;
    let name = item["name"].as_str().unwrap_or_default();
    let text = |field: &str| member[field].as_str().unwrap_or_default();
    let state = match member["connected"].as_bool() {
        Some(true) => "connected",
        _ => "not connected",
    };
    let round_trip = match member["round_trip_us"].as_f64() {
        Some(micros) => format!("{:.1} ms", micros / 1e3),
        None => "-".to_owned(),
    };
    let lag = match member["lag_ms"].as_u64() {
        None | Some(0) => "in step".to_owned(),
        Some(ms) => format!("out of step for {:.1} s", ms as f64 / 1e3),
    };
    Some(format!(
        "\n{name}  {state}, round trip {round_trip}, {} streams, {} events wait, {lag}\n  {}  gateway {}",
        member["streams"],
        member["waiting"],
        text("id"),
        text("gateway"),
    ))
}
