//! Two routers of zenoh, and its client. They are a crate of their own, `tests/benches/zenoh`, as the main
//! tree does not carry zenoh's dependencies.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};
use serde::Deserialize;

use crate::{
    cluster::Cluster,
    free_port,
    load::{Load, Round},
    process::Process,
};

/// Two routers that are connected. Clients speak TLS with them, and so do they with each other.
pub struct Routers {
    /// The routers.
    pub processes: [Process; 2],
    binary: PathBuf,
    places: [String; 2],
    authority: PathBuf,
}

/// What the client says when it is done.
#[derive(Deserialize)]
struct Told {
    done: u64,
    seconds: f64,
    busy_seconds: f64,
}

impl Routers {
    /// Starts two routers of the program `macula-bench-zenoh` with a node's certificate.
    ///
    /// # Errors
    /// It is not there.
    pub fn start(binary: &Path, cluster: &Cluster) -> anyhow::Result<Self> {
        let ports = [free_port()?, free_port()?];
        let places = ports.map(|port| format!("tls/localhost:{port}"));
        let start = |i: usize| {
            let mut command = Command::new(binary);
            command.arg("router").arg("--authority");
            command.arg(cluster.authority()).arg("--certificate");
            command.arg(cluster.tls("cert.pem")).arg("--key");
            command.arg(cluster.tls("key.pem"));
            command.args(["--listen", &places[i]]);
            if i > 0 {
                command.args(["--connect", &places[0]]);
            }
            Process::start(&mut command)
        };
        Ok(Self {
            processes: [start(0)?, start(1)?],
            binary: binary.to_owned(),
            authority: cluster.authority().to_owned(),
            places,
        })
    }

    /// Publishes at the first router what is read at the second.
    ///
    /// # Errors
    /// An event is lost or comes twice.
    pub async fn events(&self, load: &Load) -> anyhow::Result<Round> {
        let (events, window) = (load.events.to_string(), load.window.to_string());
        self.client(&["events", "--events", &events, "--window", &window])
            .await
    }

    async fn client(&self, arguments: &[&str]) -> anyhow::Result<Round> {
        let [first, second] = &self.places;
        let mut command = tokio::process::Command::new(&self.binary);
        command.args(arguments).arg("--authority");
        command.arg(&self.authority).args([first, second]);
        command.stderr(Stdio::inherit()).kill_on_drop(true);
        let output = command.output().await.context("zenoh's client")?;
        ensure!(output.status.success(), "zenoh's client: {}", output.status);
        let told: Told = serde_json::from_slice(&output.stdout).context("zenoh's client")?;
        Ok(Round {
            done: told.done,
            took: Duration::from_secs_f64(told.seconds),
            busy: Duration::from_secs_f64(told.busy_seconds),
        })
    }
}
