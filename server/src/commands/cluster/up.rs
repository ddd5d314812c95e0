//! `macula cluster up N`: a cluster on this machine, for trying out.
//!
//! Each node is a process of its own, as it would be elsewhere: it has its own data directory and joins the first
//! by a token. They share one certificate authority, so that clients need to trust one file.

use std::{
    fs,
    io::{IsTerminal, Write, stderr, stdout},
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use clap::Args;
use futures_util::future::join_all;
use macula_client::{Mesh, Trust};
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep, timeout},
};

use super::token;
use crate::{config, ready, tls::authority::Authority};

/// The most nodes that are started: more is no trying out.
const MAX_NODES: u16 = 50;
/// Between the ports of one node and those of the next.
const STRIDE: u16 = 10;
/// How long a node may take to start.
const START: Duration = Duration::from_secs(30);
/// How often it is looked whether a node serves.
const LOOK: Duration = Duration::from_millis(10);
/// How long they may take to know each other. After that the command goes on.
const MEET: Duration = Duration::from_secs(15);
/// How long nodes may take to end before they are killed: longer than their own drain.
const END: Duration = Duration::from_secs(40);
/// How long the token by which the nodes join is good.
const TOKEN: Duration = Duration::from_secs(300);

/// How many nodes, and where.
#[derive(Debug, Args)]
pub struct Arguments {
    /// How many nodes, 1 to 50.
    #[arg(value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_NODES)))]
    nodes: u16,
    /// The first node serves at this port, the second at 10 more, and so on; other nodes reach each at the
    /// port after its own.
    #[arg(long, value_name = "PORT", default_value_t = 4500)]
    base_port: u16,
    /// Where the nodes keep their keys; `tls/ca.pem` in it is the authority of all. Default: `cluster` in
    /// the platform's data directory.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// What the command says of a cluster that is up, on standard output.
#[derive(Debug, Serialize)]
struct Told<'a> {
    ca: &'a Path,
    nodes: Vec<&'a Serving>,
}

/// A node that serves.
#[derive(Debug, Serialize)]
struct Serving {
    name: String,
    url: String,
    /// Where other nodes reach it.
    mesh: String,
    pid: u32,
}

/// A node to start.
#[derive(Debug)]
struct Plan {
    name: String,
    port: u16,
    data_dir: PathBuf,
    /// The node to join.
    join: Option<String>,
}

/// A node that was started.
struct Node {
    plan: Plan,
    child: Child,
}

/// Starts the nodes, and ends them when it is told to, or when one of them ends.
///
/// # Errors
/// A node does not start.
pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let data_dir = match arguments.data_dir {
        Some(directory) => directory,
        None => config::default_data_dir()?.join("cluster"),
    };
    let ca = Authority::open(&data_dir.join("tls"), &[])?.certificate();
    let plans = plans(arguments.nodes, arguments.base_port, &data_dir)?;
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let first = plans.first().context("expected a node")?;
    let token = token::make(&first.data_dir, TOKEN)?;
    let nodes: anyhow::Result<Vec<Node>> = plans
        .into_iter()
        .map(|plan| Node::start(plan, &data_dir.join("tls"), &token))
        .collect();
    let mut nodes = nodes?;
    let told = tokio::select! {
        _ = interrupt.recv() => Ok(ExitCode::SUCCESS),
        _ = terminate.recv() => Ok(ExitCode::SUCCESS),
        error = serve(&mut nodes, &ca) => Err(error),
    };
    let again = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    let ended = tokio::select! {
        ended = join_all(nodes.iter_mut().map(Node::end)) => ended,
        // Told twice: what is left is killed as it is dropped.
        () = again => Vec::new(),
    };
    match told {
        Ok(_) if ended.iter().any(|good| !good) => Ok(ExitCode::FAILURE),
        told => told,
    }
}

/// Says where the cluster is once it is up, and goes on while a node is: one that ends is told of, so that it can
/// be seen what the others do.
async fn serve(nodes: &mut [Node], ca: &Path) -> anyhow::Error {
    let serving: anyhow::Result<Vec<Serving>> = join_all(nodes.iter_mut().map(Node::serving))
        .await
        .into_iter()
        .collect();
    let serving = match serving {
        Ok(serving) => serving,
        Err(error) => return error,
    };
    if !matches!(timeout(MEET, meet(&serving, ca)).await, Ok(Ok(()))) {
        // Nobody may read any more.
        let _ = writeln!(stderr().lock(), "the nodes do not all know each other yet");
    }
    if let Err(error) = tell(&serving, ca) {
        return error;
    }
    join_all(nodes.iter_mut().map(Node::ended)).await;
    anyhow::anyhow!("every node has ended")
}

/// Waits until each node is connected to all others, and knows what they are.
async fn meet(nodes: &[Serving], ca: &Path) -> Result<(), macula_client::Error> {
    // One after the other, so that looking does not keep many nodes on one machine from meeting.
    for node in nodes {
        let trust = Trust::Authority(ca.to_owned());
        let mesh = Mesh::connect(&node.url).trust(trust).await?;
        loop {
            let found = mesh.discover("**").kind("node").limit(MAX_NODES.into());
            let found = found.await?;
            let members = found.iter().map(|node| &node["member"]);
            let known = members
                .filter(|member| member["connected"] == true && !member["version"].is_null());
            if known.count() == nodes.len() - 1 {
                break;
            }
            sleep(LOOK).await;
        }
        mesh.close().await;
    }
    Ok(())
}

fn plans(nodes: u16, base_port: u16, data_dir: &Path) -> anyhow::Result<Vec<Plan>> {
    let last = (nodes - 1)
        .checked_mul(STRIDE)
        .and_then(|up| up.checked_add(base_port));
    ensure!(
        base_port > 0 && last.is_some_and(|last| last < u16::MAX),
        "expected a `--base-port` that leaves ports for {nodes} nodes, found {base_port}"
    );
    let plan = |i: u16| Plan {
        name: format!("node-{}", i + 1),
        port: base_port + STRIDE * i,
        data_dir: data_dir.join(format!("node-{}", i + 1)),
        join: (i > 0).then(|| format!("127.0.0.1:{}", base_port + 1)),
    };
    Ok((0..nodes).map(plan).collect())
}

impl Plan {
    fn mesh(&self) -> String {
        format!("127.0.0.1:{}", self.port + 1)
    }
}

impl Node {
    fn start(plan: Plan, tls: &Path, token: &str) -> anyhow::Result<Self> {
        share_authority(tls, &plan.data_dir.join("tls"))?;
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("up")
            .args(["--listen", &format!("127.0.0.1:{}", plan.port)])
            .args(["--listen", &format!("[::1]:{}", plan.port)])
            .args(["--mesh-listen", &plan.mesh()])
            .arg("--data-dir")
            .arg(&plan.data_dir)
            .env("MACULA_NODE", &plan.name)
            .env("MACULA_LOG__FORMAT", "human")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Ctrl-C is for this process, which ends the nodes in order.
            .process_group(0)
            .kill_on_drop(true);
        if let Some(seed) = &plan.join {
            command
                .args(["--join", seed])
                .env("MACULA_CLUSTER__TOKEN", token);
        }
        let mut child = command.spawn().context("cannot start a node")?;
        if let Some(log) = child.stderr.take() {
            tokio::spawn(forward(plan.name.clone(), log));
        }
        Ok(Self { plan, child })
    }

    /// Waits until it serves.
    async fn serving(&mut self) -> anyhow::Result<Serving> {
        let deadline = Instant::now() + START;
        let pid = self.child.id().unwrap_or(0);
        loop {
            if let Some(told) = ready::read(&self.plan.data_dir).filter(|told| told.pid == pid) {
                return Ok(Serving {
                    name: self.plan.name.clone(),
                    url: told.url,
                    mesh: self.plan.mesh(),
                    pid,
                });
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status}", self.plan.name);
            }
            ensure!(
                Instant::now() < deadline,
                "{} does not serve within 30 s",
                self.plan.name
            );
            sleep(LOOK).await;
        }
    }

    /// Waits until it has ended, which nobody asked for, and tells it.
    async fn ended(&mut self) {
        let name = &self.plan.name;
        let how = match self.child.wait().await {
            Ok(status) => format!("ended with {status}"),
            Err(error) => format!("is lost: {error}"),
        };
        // Nobody may read any more.
        let _ = writeln!(stderr().lock(), "{name} | {how}");
    }

    /// Ends it in order; true if it did so.
    async fn end(&mut self) -> bool {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            // It fails only when the node has ended.
            let _ = kill_process(pid, Signal::TERM);
        }
        let ended = timeout(END, self.child.wait()).await;
        matches!(ended, Ok(Ok(status)) if status.success())
    }
}

/// Gives a node the authority of all.
fn share_authority(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for name in ["ca.key", "ca.pem"] {
        // A copy keeps the mode.
        fs::copy(from.join(name), to.join(name))
            .with_context(|| format!("cannot write {}", to.join(name).display()))?;
    }
    Ok(())
}

/// Writes a node's log to ours, each line behind its name.
async fn forward(name: String, log: impl tokio::io::AsyncRead + Unpin) {
    let mut lines = BufReader::new(log).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if writeln!(stderr().lock(), "{name} | {line}").is_err() {
            return;
        }
    }
}

fn tell(nodes: &[Serving], ca: &Path) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    if !out.is_terminal() {
        let told = Told {
            ca,
            nodes: nodes.iter().collect(),
        };
        writeln!(out, "{}", serde_json::to_string(&told)?)?;
        return Ok(out.flush()?);
    }
    writeln!(out, "A cluster of {} serves\n", nodes.len())?;
    for node in nodes {
        writeln!(
            out,
            "  {:9} {}   other nodes: {}",
            node.name, node.url, node.mesh
        )?;
    }
    let ca = ca.display();
    let (first, last) = (&nodes[0].url, &nodes[nodes.len() - 1].url);
    writeln!(
        out,
        "  authority {ca}\n\nTry it, from another terminal; Ctrl-C here ends it:\n"
    )?;
    for line in [
        format!("curl --cacert '{ca}' -N '{last}/v1/subscribe/dev/home.**'"),
        format!(
            "curl --cacert '{ca}' --json '{{\"celsius\":21.5}}' {first}/v1/publish/dev/home.kitchen"
        ),
        format!("macula serve dev demo.upper --exec 'tr a-z A-Z' --ca '{ca}' --url {first}"),
        format!("curl --cacert '{ca}' --json '\"hello\"' {last}/v1/rpc/dev/demo.upper"),
    ] {
        writeln!(out, "  {line}")?;
    }
    writeln!(out)?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_stand_ten_ports_apart_and_join_the_first() {
        let plans = plans(3, 4500, Path::new("/d")).unwrap();
        let ports: Vec<_> = plans.iter().map(|plan| plan.port).collect();
        assert_eq!(ports, [4500, 4510, 4520]);
        assert_eq!(plans[0].join, None);
        assert_eq!(plans[2].join.as_deref(), Some("127.0.0.1:4501"));
        assert_eq!(plans[2].data_dir, Path::new("/d/node-3"));
        assert!(super::plans(50, 65_100, Path::new("/d")).is_err());
        assert!(super::plans(1, 0, Path::new("/d")).is_err());
    }
}
