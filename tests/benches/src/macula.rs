//! Macula as a process of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use tempfile::TempDir;

use crate::process::Process;

/// Without quotas: one address asks for everything here.
const CONFIG: &str = "[api]\naddress_requests_per_second = 0\nsession_requests_per_second = 0\n\
     [api.sessions]\nmax = 100000\nmax_per_address = 100000\n\
     [transport]\nmax_connections_per_address = 100000\n";
/// How long a start may take.
const START: Duration = Duration::from_secs(10);

/// A running node.
#[derive(Debug)]
pub struct Macula {
    /// The process.
    pub process: Process,
    /// Its port.
    pub port: u16,
    directory: TempDir,
}

impl Macula {
    /// Starts the release build that stands beside this program.
    ///
    /// # Errors
    /// It is not built, or does not start in time.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with(false)
    }

    /// The same with the quotas of a node's default settings, or without any.
    ///
    /// # Errors
    /// As [`Macula::start`].
    pub fn start_with(quotas: bool) -> anyhow::Result<Self> {
        let binary = sibling("macula")?;
        let directory = tempfile::tempdir()?;
        let config = directory.path().join("macula.toml");
        fs::write(&config, if quotas { "" } else { CONFIG })?;
        let mut command = Command::new(binary);
        command
            .args(["up", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(directory.path());
        command.arg("--config").arg(config).stdout(Stdio::null());
        let process = Process::start(&mut command)?;
        let started = Instant::now();
        let ready = directory.path().join("run/ready.json");
        let text = loop {
            match fs::read_to_string(&ready) {
                Ok(text) => break text,
                Err(_) if started.elapsed() < START => sleep(Duration::from_millis(10)),
                Err(error) => return Err(error).context("macula did not start"),
            }
        };
        let ready: serde_json::Value = serde_json::from_str(&text)?;
        let listen = ready["listen"][0].as_str().unwrap_or_default();
        let port = listen.rsplit(':').next().context("no port")?.parse()?;
        Ok(Self {
            process,
            port,
            directory,
        })
    }

    /// A file of its certificates: `ca.pem`, `cert.pem`, `key.pem`.
    #[must_use]
    pub fn tls(&self, file: &str) -> PathBuf {
        self.directory.path().join("tls").join(file)
    }
}

/// A program that was built with this one.
///
/// # Errors
/// It was not.
pub fn sibling(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let path = own.parent().unwrap_or(Path::new(".")).join(name);
    if !path.exists() {
        bail!(
            "expected {}: run `cargo build --release --workspace` first",
            path.display()
        );
    }
    Ok(path)
}
