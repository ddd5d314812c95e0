//! Tells people and programs that the node serves, and where.

use std::{
    fs,
    io::{self, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::tls::Identity;

/// What a node says of itself once it serves.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Announcement {
    /// The process.
    pub pid: u32,
    /// Where it listens.
    listen: Vec<SocketAddr>,
    /// The base of its URLs, as its own machine reaches it.
    pub url: String,
    /// The certificate of the local authority, if it made the node's.
    ca: Option<PathBuf>,
    /// The SHA-256 of the node's certificate.
    certificate_sha256: String,
}

/// What the node of a data directory says, if it serves.
#[must_use]
pub fn read(data_dir: &Path) -> Option<Announcement> {
    let told = fs::read(path(data_dir)).ok()?;
    serde_json::from_slice(&told).ok()
}

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("run").join("ready.json")
}

/// Writes `run/ready.json` in the data directory.
#[derive(Debug)]
pub struct Ready {
    path: PathBuf,
    listen: Vec<SocketAddr>,
    ca: Option<PathBuf>,
}

impl Ready {
    /// Nothing is written yet.
    #[must_use]
    pub fn new(data_dir: &Path, listen: Vec<SocketAddr>, ca: Option<PathBuf>) -> Self {
        Self {
            path: path(data_dir),
            listen,
            ca,
        }
    }

    /// Writes the file as a whole, and gives what it says.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn announce(&self, identity: &Identity) -> anyhow::Result<Announcement> {
        let port = self.listen.first().map_or(0, SocketAddr::port);
        let announcement = Announcement {
            pid: std::process::id(),
            listen: self.listen.clone(),
            url: format!("https://localhost:{port}"),
            ca: self.ca.clone(),
            certificate_sha256: identity.sha256(),
        };
        let write = || {
            let new = self.path.with_extension("new");
            fs::create_dir_all(self.path.parent().unwrap_or(Path::new(".")))?;
            fs::write(&new, serde_json::to_vec(&announcement)?)?;
            fs::rename(&new, &self.path)
        };
        write().with_context(|| format!("cannot write {}", self.path.display()))?;
        Ok(announcement)
    }

    /// Removes the file.
    pub fn withdraw(&self) {
        // It may be gone already, with its directory.
        let _ = fs::remove_file(&self.path);
    }
}

impl Announcement {
    /// Tells people, on standard output: what to trust, and three lines to try.
    ///
    /// # Errors
    /// Standard output is closed.
    pub fn print(&self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        let url = &self.url;
        let sha256 = &self.certificate_sha256;
        writeln!(out, "Macula serves on {url} (HTTP/1.1, HTTP/2, HTTP/3)\n")?;
        let trust = match &self.ca {
            Some(ca) => {
                let ca = ca.display();
                writeln!(out, "  authority    {ca}")?;
                format!(" --cacert '{ca}'")
            }
            None => String::new(),
        };
        writeln!(
            out,
            "  certificate  SHA-256 {sha256}\n\nTry it, from another terminal:\n"
        )?;
        for line in [
            format!("curl{trust} --json '{{\"hello\":\"mesh\"}}' {url}/v1/rpc/dev/system.echo"),
            format!("curl{trust} --json '{{\"celsius\":21.5}}' {url}/v1/publish/dev/home.kitchen"),
            format!("curl{trust} -N '{url}/v1/subscribe/dev/home.**?replay=10'"),
        ] {
            writeln!(out, "  {line}")?;
        }
        writeln!(out)?;
        out.flush()
    }
}
