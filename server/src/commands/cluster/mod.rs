//! `macula cluster`: try out a cluster, and let nodes into one.
//!
//! - [`token`]: `invite`. [`revoke`]: `revoke`. [`up`]: `up`.

pub mod revoke;
pub mod token;
pub mod up;

use std::process::ExitCode;

use clap::Subcommand;

/// What can be done about clusters.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start so many nodes on this machine that are one cluster, for trying out; Ctrl-C ends them.
    Up(up::Arguments),
    /// Print a token with which other nodes join the cluster of the node on this machine.
    Invite(token::Arguments),
    /// Take a node out of the cluster of the node on this machine, for good.
    Revoke(revoke::Arguments),
}

/// Runs the command to its end.
///
/// # Errors
/// It cannot be done.
pub async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(arguments) => up::run(arguments).await,
        Command::Invite(arguments) => token::run(&arguments),
        Command::Revoke(arguments) => revoke::run(&arguments),
    }
}
