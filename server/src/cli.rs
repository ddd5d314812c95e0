//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::commands::{call, cluster, discover, doctor, publish, serve, status, subscribe};

/// An edge mesh without a centre, and the HTTP gateway in front of it.
#[derive(Debug, Parser)]
#[command(name = "macula", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a node: a whole mesh of one, with its gateway.
    Up(Up),
    /// Try out a cluster on this machine; let nodes into one.
    #[command(subcommand)]
    Cluster(cluster::Command),
    /// Call a procedure, wherever it is served.
    Call(call::Arguments),
    /// Publish an event.
    Publish(publish::Arguments),
    /// Read events as they are published, until interrupted.
    Subscribe(subscribe::Arguments),
    /// Serve a procedure by running a command for each call, until interrupted.
    Serve(serve::Arguments),
    /// Find procedures, topics and nodes.
    Discover(discover::Arguments),
    /// Tell who we are to a node, and how it is.
    Status(status::Arguments),
    /// Test the way to a node stage by stage, and say what to do where it stops.
    Doctor(doctor::Arguments),
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// How to run a node. Flags win over the environment, the environment over the file.
#[derive(Debug, Default, Args)]
pub struct Up {
    /// Where to listen, HOST:PORT, for TCP and UDP; may be repeated. Port 0 is any free port.
    /// Default: port 4433 on 127.0.0.1 and ::1.
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: Vec<String>,
    /// Where the node keeps its keys. Default: the platform's data directory.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// A TOML file with settings; see docs/DEPLOYMENT.md.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Be a node of a cluster, which other nodes reach at this HOST:PORT, over UDP; may be repeated.
    #[arg(long, value_name = "HOST:PORT")]
    pub mesh_listen: Vec<String>,
    /// Join the cluster of the node at this HOST:PORT, or of the nodes that the SRV records of this domain
    /// name; may be repeated. The first time it takes a token.
    #[arg(long, value_name = "SEED")]
    pub join: Vec<String>,
    /// A file with the token that `macula cluster invite` printed.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}
