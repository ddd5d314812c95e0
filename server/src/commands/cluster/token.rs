//! `macula cluster invite`: a token to join by.

use std::{
    fs,
    io::{Write, stdout},
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, SystemTime},
};

use anyhow::{Context, ensure};
use clap::Args;
use macula_mesh::cluster::{AUTHORITY_FILE, Authority};

use crate::{cluster::DIRECTORY, config};

/// How long tokens may be good: a year.
const MAX_HOURS: u64 = 365 * 24;

/// For whom, and for how long.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Hours that the token is good for. Nodes that have joined by then stay.
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    ttl: u64,
    /// Where the node that has the cluster's authority keeps its keys. Default: the platform's data directory.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    ensure!(
        (1..=MAX_HOURS).contains(&arguments.ttl),
        "expected a `--ttl` from 1 to {MAX_HOURS} hours"
    );
    let (_, authority) = authority(arguments.data_dir.as_deref())?;
    let ttl = Duration::from_secs(arguments.ttl * 3_600);
    writeln!(stdout(), "{}", invite(&authority, ttl))?;
    Ok(ExitCode::SUCCESS)
}

/// The cluster's directory in a data directory, the platform's if none is named, and the authority in it.
pub(super) fn authority(data_dir: Option<&Path>) -> anyhow::Result<(PathBuf, Authority)> {
    let data_dir = match data_dir {
        Some(directory) => directory.to_owned(),
        None => config::default_data_dir()?,
    };
    let authority = Authority::load(&file(&data_dir)).with_context(|| {
        format!(
            "{} holds no cluster's authority: ask the node that began the cluster",
            data_dir.display()
        )
    })?;
    Ok((data_dir.join(DIRECTORY), authority))
}

/// A token for the cluster of a data directory, whose authority is made if there is none.
pub(super) fn make(data_dir: &Path, ttl: Duration) -> anyhow::Result<String> {
    let path = file(data_dir);
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
    }
    let authority = Authority::load_or_make(&path)?;
    Ok(invite(&authority, ttl))
}

fn file(data_dir: &Path) -> PathBuf {
    data_dir.join(DIRECTORY).join(AUTHORITY_FILE)
}

fn invite(authority: &Authority, ttl: Duration) -> String {
    let token = authority.invite(SystemTime::now(), ttl, rand::random());
    token.text().to_owned()
}
