//! `macula subscribe`.

use clap::Args;
use macula_client::{Delivery, Payload};
use macula_proto::{json_envelope, timestamp::rfc3339};
use serde_json::{Value, json};

use super::{client::Client, failure::Failure, output::json_of, remote::Remote};

/// What to read.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The realm.
    realm: String,
    /// The topics: a name in which a segment may be `*` and the last `**`.
    pattern: String,
    /// Begin so many events back.
    #[arg(long, value_name = "EVENTS")]
    replay: Option<u64>,
    /// End after so many events.
    #[arg(long, value_name = "EVENTS")]
    count: Option<u64>,
    /// Let events be lost on the way rather than come late.
    #[arg(long)]
    latest: bool,
    #[command(flatten)]
    remote: Remote,
}

pub(super) async fn run(arguments: Arguments, client: &Client) -> Result<(), Failure> {
    let mesh = client
        .open(&arguments.remote, Some(&arguments.realm))
        .await?;
    let mut subscribe = mesh.subscribe(arguments.pattern);
    if let Some(events) = arguments.replay {
        subscribe = subscribe.replay(events);
    }
    if arguments.latest {
        subscribe = subscribe.latest();
    }
    let mut events = subscribe.await?;
    let mut left = arguments.count.unwrap_or(u64::MAX);
    while left > 0 {
        match events.next().await {
            Some(Delivery::Event(event)) => {
                left -= 1;
                let people = || {
                    let payload = Payload {
                        content_type: event.content_type.clone(),
                        bytes: event.payload.clone(),
                    };
                    let time = rfc3339(event.id.time_ms());
                    format!("{time}  {}  {}", event.topic, json_of(&payload))
                };
                let line = || serde_json::from_slice(&json_envelope(&event)).unwrap_or(Value::Null);
                client.output.either(people, line);
            }
            Some(Delivery::Gap { missed, reason }) => {
                let reason = reason.as_str();
                let people = || match missed {
                    Some(missed) => format!("-- {missed} events were missed: {reason}"),
                    None => format!("-- events were missed: {reason}"),
                };
                client.output.either(
                    people,
                    || json!({"gap": {"missed": missed, "reason": reason}}),
                );
            }
            None => {
                return Err(events
                    .error()
                    .unwrap_or(macula_client::Error::Closed)
                    .into());
            }
        }
    }
    drop(events);
    Ok(())
}
