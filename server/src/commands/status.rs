//! `macula status`.

use std::time::Instant;

use clap::Args;
use macula_client::State;
use serde_json::{Value, json};

use super::{client::Client, failure::Failure, remote::Remote};

/// Which node.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    remote: Remote,
}

pub(super) async fn run(arguments: Arguments, client: &Client) -> Result<(), Failure> {
    let mesh = client.open(&arguments.remote, None).await?;
    let began = Instant::now();
    let info: Value = mesh.call("system.info", &Value::Null).await?;
    let took = began.elapsed();
    let welcome = mesh.welcome();
    let transport = match &*mesh.state().borrow() {
        State::Connected(transport) => format!("{transport:?}"),
        other => format!("{other:?}"),
    };
    let people = || {
        format!(
            "node       {}\nrealm      {}\nsubject    {}\ntransport  {transport}\na call     {:.1} ms\nsession    until {}\n{info:#}",
            welcome.node,
            welcome.realm,
            welcome.subject,
            took.as_secs_f64() * 1e3,
            welcome.expires_at,
        )
    };
    let line = || {
        json!({
            "node": &*welcome.node, "realm": welcome.realm.as_str(), "subject": &*welcome.subject,
            "transport": transport, "call_ms": took.as_secs_f64() * 1e3,
            "expires_at": &*welcome.expires_at, "info": info,
        })
    };
    client.output.either(people, line);
    Ok(())
}
