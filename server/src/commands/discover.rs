//! `macula discover`.

use clap::Args;

use super::{client::Client, failure::Failure, remote::Remote};

/// What to find.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The realm.
    realm: String,
    /// The names: one in which a segment may be `*` and the last `**`.
    #[arg(default_value = "**")]
    pattern: String,
    /// The most that is shown.
    #[arg(long, default_value_t = 1_000)]
    limit: usize,
    #[command(flatten)]
    remote: Remote,
}

pub(super) async fn run(arguments: Arguments, client: &Client) -> Result<(), Failure> {
    let mesh = client
        .open(&arguments.remote, Some(&arguments.realm))
        .await?;
    let found = mesh.discover(&arguments.pattern).limit(arguments.limit);
    for item in found.await? {
        let people = || {
            let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
            let line = format!(
                "{:<10} {:<32} {}",
                text("kind"),
                text("name"),
                text("description")
            );
            line.trim_end().to_owned()
        };
        client.output.either(people, || item.clone());
    }
    Ok(())
}
