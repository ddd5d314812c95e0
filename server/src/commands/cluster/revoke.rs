//! `macula cluster revoke`: a node is a member no longer.

use std::{
    io::{Write, stdout},
    path::PathBuf,
    process::ExitCode,
    time::SystemTime,
};

use anyhow::{Context, ensure};
use clap::Args;
use macula_mesh::cluster::{Membership, NodeId, NodeKey};

use super::token;
use crate::cluster::NODE_KEY;

/// Whom.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The node's id, as `macula status` shows it: 64 hexadecimal digits.
    node: NodeId,
    /// Where the node that has the cluster's authority keeps its keys. Default: the platform's data directory.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (directory, authority) = token::authority(arguments.data_dir.as_deref())?;
    let node = arguments.node;
    let own = NodeKey::load_or_make(&directory.join(NODE_KEY))?;
    ensure!(
        own.id() != node,
        "expected another node: {node} is the one on this machine, which has the cluster's authority"
    );
    let revocation = authority.revoke(node, SystemTime::now());
    Membership::revoke_in(&directory, &revocation).context("cannot keep the revocation")?;
    writeln!(
        stdout(),
        "{node} is revoked: the node on this machine tells the others, within a second if it runs, else when it \
         does. A join token that is older than this does not let it in again; made anew, with another key, it \
         might come by one that is still good."
    )?;
    Ok(ExitCode::SUCCESS)
}
