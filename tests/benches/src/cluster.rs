//! Two nodes of Macula that act as one.

use std::{
    io::{BufRead, BufReader},
    net::{TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail};
use serde::Deserialize;
use tempfile::TempDir;

use crate::{free_port, macula::sibling, process::Process};

/// Between the ports of one node and those of the next, as `macula cluster up` has them.
const STRIDE: u16 = 10;
/// How often ports are looked for.
const TRIES: usize = 100;
/// Without quotas: one address asks for everything here.
const SETTINGS: [(&str, &str); 2] = [
    ("MACULA_API__ADDRESS_REQUESTS_PER_SECOND", "0"),
    ("MACULA_API__SESSION_REQUESTS_PER_SECOND", "0"),
];

/// A cluster of two nodes, ended when this goes.
#[derive(Debug)]
pub struct Cluster {
    /// Both nodes, as children of the command that started them.
    pub processes: [Process; 1],
    /// The ports of the two.
    pub ports: [u16; 2],
    authority: PathBuf,
    directory: TempDir,
}

/// What `macula cluster up` says.
#[derive(Deserialize)]
struct Told {
    ca: PathBuf,
    nodes: [Serving; 2],
}

#[derive(Deserialize)]
struct Serving {
    url: String,
}

impl Cluster {
    /// Starts two nodes of the release build that stands beside this program.
    ///
    /// # Errors
    /// It is not built, or they do not start.
    pub fn start() -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let mut child = Command::new(sibling("macula")?)
            .args(["cluster", "up", "2", "--base-port"])
            .arg(free_base()?.to_string())
            .arg("--data-dir")
            .arg(directory.path())
            .envs(SETTINGS)
            .env("MACULA_LOG__FILTER", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start macula")?;
        let said = child.stdout.take().context("expected its output")?;
        let process = Process::from(child);
        let mut line = String::new();
        BufReader::new(said).read_line(&mut line)?;
        let told: Told = serde_json::from_str(&line).context("the cluster did not start")?;
        let port = |node: &Serving| -> anyhow::Result<u16> {
            let port = node.url.rsplit(':').next().context("no port")?;
            Ok(port.trim_end_matches('/').parse()?)
        };
        let [first, second] = &told.nodes;
        Ok(Self {
            processes: [process],
            ports: [port(first)?, port(second)?],
            authority: told.ca,
            directory,
        })
    }

    /// The authority of both nodes.
    #[must_use]
    pub fn authority(&self) -> &Path {
        &self.authority
    }

    /// A file of the first node's certificate: `cert.pem`, `key.pem`.
    #[must_use]
    pub fn tls(&self, file: &str) -> PathBuf {
        self.directory.path().join("node-1/tls").join(file)
    }
}

/// A port from which those of two nodes are free at the moment.
fn free_base() -> anyhow::Result<u16> {
    for _ in 0..TRIES {
        let base = free_port()?;
        let ports = [Some(base), base.checked_add(STRIDE)];
        let free = |port: u16| {
            TcpListener::bind(("127.0.0.1", port)).is_ok()
                && UdpSocket::bind(("127.0.0.1", port)).is_ok()
                && UdpSocket::bind(("127.0.0.1", port + 1)).is_ok()
        };
        if ports.iter().all(|port| port.is_some_and(free)) {
            return Ok(base);
        }
    }
    bail!("no ports are free")
}
