//! `macula publish`.

use clap::Args;
use serde_json::json;

use super::{
    client::Client,
    failure::Failure,
    remote::{self, Remote},
};

/// What to publish.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The realm.
    realm: String,
    /// The topic.
    topic: String,
    /// The payload, as JSON; `-` reads it from standard input. Default: null.
    payload: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

pub(super) async fn run(arguments: Arguments, client: &Client) -> Result<(), Failure> {
    let payload = remote::json(arguments.payload.as_deref())?;
    let mesh = client
        .open(&arguments.remote, Some(&arguments.realm))
        .await?;
    let id = mesh.publish(&arguments.topic, &payload).await?;
    client
        .output
        .either(|| id.to_string(), || json!({"id": id.to_string()}));
    Ok(())
}
