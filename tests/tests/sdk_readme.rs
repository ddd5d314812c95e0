//! The program in the README of the Rust SDK, line for line, against a node.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::Value;

/// How long the node may take to start.
const START: Duration = Duration::from_secs(20);
/// The most lines that the program may have.
const LINES: usize = 10;

static NODE: OnceLock<(String, PathBuf)> = OnceLock::new();

mod program {
    #![allow(clippy::print_stdout, reason = "it shows what it found")]
    include!(concat!(env!("OUT_DIR"), "/readme.rs"));

    pub(super) fn run() -> Result<(), Error> {
        main()
    }
}

fn url() -> &'static str {
    &NODE.get().unwrap().0
}

fn authority() -> &'static Path {
    &NODE.get().unwrap().1
}

/// A node as a process.
struct Node(Child);

impl Node {
    fn start(directory: &Path) -> Self {
        let built = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/debug/macula");
        let binary = env::var_os("MACULA_BINARY").map_or_else(built, PathBuf::from);
        let started = Command::new(&binary)
            .args(["up", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(directory)
            .stdout(Stdio::null())
            .spawn();
        let node = Self(started.unwrap_or_else(|error| panic!("{}: {error}", binary.display())));
        let (ready, began) = (directory.join("run/ready.json"), Instant::now());
        let told = loop {
            match fs::read_to_string(&ready) {
                Ok(told) => break told,
                Err(_) if began.elapsed() < START => sleep(Duration::from_millis(10)),
                Err(error) => panic!("the node did not start: {error}"),
            }
        };
        let told: Value = serde_json::from_str(&told).unwrap();
        let url = told["url"].as_str().unwrap().to_owned();
        NODE.set((url, directory.join("tls/ca.pem"))).unwrap();
        node
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_program_in_the_readme_serves_and_calls_in_at_most_ten_lines() {
    let lines = include_str!(concat!(env!("OUT_DIR"), "/readme.rs"))
        .lines()
        .count();
    assert!(lines <= LINES, "{lines} lines");
    let directory = tempfile::tempdir().unwrap();
    let _node = Node::start(directory.path());
    program::run().unwrap();
}
