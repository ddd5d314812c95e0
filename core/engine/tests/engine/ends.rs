//! How nodes go, and that the others hear of it.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, SystemTime},
};

use macula_engine::{Authority, Gone, NodeId};
use tokio::time::Instant;

use crate::support::{Node, TTL, cluster, eventually, founder, joiner};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_says_goodbye() {
    let mut nodes = cluster(3).await;
    let left = nodes.pop().unwrap();
    let began = Instant::now();
    left.engine.leave().await;
    for node in &mut nodes {
        assert_eq!(node.gone(left.id()).await, Gone::Left);
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_whose_last_handle_is_dropped_leaves() {
    let mut nodes = cluster(2).await;
    let Node { engine, mut events } = nodes.pop().unwrap();
    let left = engine.node();
    drop(engine);
    assert_eq!(nodes[0].gone(left).await, Gone::Left);
    while crate::support::soon(events.next()).await.is_some() {}
}

/// A node in a process of its own, killed at the end.
struct Process(Child);

impl Process {
    fn start(directory: &std::path::Path, seed: &Node, invite: &str) -> (Self, NodeId) {
        let mut program = std::env::current_exe().unwrap();
        program.pop();
        program.pop();
        let mut command = Command::new(program.join("examples/node"));
        command.args([directory.to_str().unwrap(), &address(seed), invite]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        lines.read_line(&mut line).unwrap();
        let node = line.trim().parse().unwrap();
        (Self(child), node)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn address(node: &Node) -> String {
    node.engine.addresses()[0].to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_killed_process_the_others_hear_within_seconds() {
    let authority = Authority::generate();
    let seed = founder(&authority).await;
    let other = joiner(&authority, &[&seed]).await;
    let invite = authority.invite(SystemTime::now(), TTL, 1);
    let directory = tempfile::tempdir().unwrap();
    let (process, killed) = Process::start(directory.path(), &seed, invite.text());
    let mut others = [seed, other];
    for node in &others {
        eventually("the process has joined", async || node.knows(killed)).await;
    }
    let began = Instant::now();
    // SIGKILL: no goodbye.
    drop(process);
    for node in &mut others {
        assert_eq!(node.gone(killed).await, Gone::TimedOut);
    }
    let took = began.elapsed();
    println!("a killed process was missed after {took:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    // It comes back with the certificate that it has kept: the invitation is of no use to it any more.
    let (_process, again) = Process::start(directory.path(), &others[0], "");
    assert_eq!(again, killed);
    for node in &others {
        eventually("it is back", async || node.knows(killed)).await;
    }
}
