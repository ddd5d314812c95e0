//! `macula call`.

use std::time::Duration;

use clap::Args;
use futures_util::StreamExt;
use serde_json::json;

use super::{
    client::Client,
    failure::Failure,
    output::json_of,
    remote::{Remote, json},
};

/// What to call.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The realm.
    realm: String,
    /// The procedure.
    procedure: String,
    /// The argument, as JSON; `-` reads it from standard input. Default: null.
    argument: Option<String>,
    /// Show how far the call is.
    #[arg(long)]
    progress: bool,
    /// Seconds to wait for the result.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    timeout: f64,
    /// Make a repeated call give the first one's answer.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

pub(super) async fn run(arguments: Arguments, client: &Client) -> Result<(), Failure> {
    let argument = json(arguments.argument.as_deref())?;
    let timeout = Duration::try_from_secs_f64(arguments.timeout);
    let timeout = timeout.map_err(|error| Failure::Usage(error.to_string()))?;
    let mesh = client
        .open(&arguments.remote, Some(&arguments.realm))
        .await?;
    let mut call = mesh
        .calling(&arguments.procedure, &argument)
        .timeout(timeout);
    if let Some(key) = arguments.idempotency_key {
        call = call.idempotency_key(key);
    }
    let result = match arguments.progress {
        false => call.await?,
        true => {
            let (progress, result) = call.progress();
            let shown = progress.for_each(|payload| async move {
                let told = json_of(&payload);
                client
                    .output
                    .either(|| format!("… {told}"), || json!({"progress": told}));
            });
            let (result, ()) = tokio::join!(result, shown);
            result?
        }
    };
    client.output.value(&json_of(&result));
    Ok(())
}
