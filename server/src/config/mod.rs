//! Settings from a file, the environment and the command line.
//!
//! Flags win over the environment, the environment over the file, the file over the defaults.
//! Whatever is unknown is an error that names it: a misspelt setting is never ignored.

mod environment;

use std::{
    ffi::OsString,
    fs,
    io::ErrorKind,
    net::{SocketAddr, ToSocketAddrs},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use directories::ProjectDirs;
use macula_proto::Realm;
use serde::{Deserialize, Serialize};

use crate::{api, cli::Up, cluster, logging, tls, transport};

/// Where a node listens unless it is told otherwise.
const LISTEN: [&str; 2] = ["127.0.0.1:4433", "[::1]:4433"];

/// All settings of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to listen, `HOST:PORT`. Default `127.0.0.1:4433` and `[::1]:4433`.
    pub listen: Vec<String>,
    /// Where the node keeps its keys. Default the platform's data directory.
    pub data_dir: Option<PathBuf>,
    /// The node's name. Default the host's.
    pub node: Option<String>,
    /// What is logged.
    pub log: logging::Settings,
    /// Certificates.
    pub tls: tls::Settings,
    /// Connections.
    pub transport: transport::Settings,
    /// The API.
    pub api: api::Settings,
    /// The mesh.
    pub mesh: macula_mesh::Settings,
    /// The cluster that the node is one of.
    pub cluster: cluster::Settings,
}

impl Config {
    /// Reads the file, then the environment, then the flags.
    ///
    /// # Errors
    /// Something is malformed, unknown or does not go together; the error names it and its place.
    pub fn load(
        flags: &Up,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> anyhow::Result<Self> {
        let mut config = match &flags.config {
            Some(path) => Self::read(path)?,
            None => Self::default(),
        };
        config = environment::apply(config, environment)?;
        if !flags.listen.is_empty() {
            config.listen.clone_from(&flags.listen);
        }
        if let Some(directory) = &flags.data_dir {
            config.data_dir = Some(directory.clone());
        }
        let cluster = &mut config.cluster;
        if !flags.mesh_listen.is_empty() {
            cluster.listen.clone_from(&flags.mesh_listen);
        }
        if !flags.join.is_empty() {
            cluster.join.clone_from(&flags.join);
        }
        if let Some(path) = &flags.token_file {
            cluster.token_file = Some(path.clone());
            match fs::read_to_string(path) {
                Ok(token) => cluster.token = Some(token.trim().to_owned()),
                // A member does not need it any more.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot read {}", path.display()));
                }
            }
        }
        config.check()?;
        Ok(config)
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let name = path.display();
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
        // The parser's message shows the line, and what was expected there.
        toml::from_str(&text).with_context(|| format!("in {name}"))
    }

    fn check(&self) -> anyhow::Result<()> {
        let addresses = self.addresses()?;
        let public = addresses.iter().find(|address| !address.ip().is_loopback());
        if let (Some(address), [realm, ..]) = (public, &*self.api.open_realms) {
            bail!(
                "realm {realm} is open to everybody, and {address} can be reached by everybody: \
                 set `api.open_realms = []`, or listen on a loopback address"
            );
        }
        Realm::parse(&self.node()).context("expected a name in `node`")?;
        self.transport
            .check()
            .context("the section `transport` cannot be used")?;
        self.cluster
            .check()
            .context("the section `cluster` cannot be used")?;
        for origin in &self.api.cors_origins {
            let known =
                origin == "*" || origin.starts_with("https://") || origin.starts_with("http://");
            ensure!(
                known,
                "expected origins in `api.cors_origins`, found {origin:?}"
            );
        }
        Ok(())
    }

    /// Where to listen.
    ///
    /// # Errors
    /// A `HOST:PORT` is none, or its host has no address.
    pub fn addresses(&self) -> anyhow::Result<Vec<SocketAddr>> {
        if self.listen.is_empty() {
            return Ok(LISTEN
                .map(|address| address.parse().expect("it is one"))
                .to_vec());
        }
        addresses(&self.listen)
    }

    /// The node's name.
    #[must_use]
    pub fn node(&self) -> String {
        self.node.clone().unwrap_or_else(host_name)
    }

    /// Where the node keeps its keys.
    ///
    /// # Errors
    /// The platform has no such place, and none is set.
    pub fn data_dir(&self) -> anyhow::Result<PathBuf> {
        if let Some(directory) = &self.data_dir {
            return Ok(directory.clone());
        }
        default_data_dir()
    }
}

/// The addresses of each `HOST:PORT`.
///
/// # Errors
/// One is none, or adds no address.
pub fn addresses(listen: &[String]) -> anyhow::Result<Vec<SocketAddr>> {
    let mut addresses = Vec::new();
    for text in listen {
        let before = addresses.len();
        let found = text
            .to_socket_addrs()
            .with_context(|| format!("expected HOST:PORT to listen on, found {text:?}"))?;
        // A host such as `localhost` may have addresses of both families, or one of them twice.
        for address in found {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        let any = addresses.len() > before;
        ensure!(any, "expected addresses to listen on, {text:?} adds none");
    }
    Ok(addresses)
}

/// The platform's directory for our data.
///
/// # Errors
/// It has none for this user.
pub fn default_data_dir() -> anyhow::Result<PathBuf> {
    let platform = ProjectDirs::from("", "", "macula");
    let platform = platform.context("expected `--data-dir`, as this user has no home")?;
    Ok(platform.data_dir().to_owned())
}

/// The host's name as one segment of a name.
fn host_name() -> String {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim().split('.').next().unwrap_or_default();
    let host: String = host
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' {
                c
            } else {
                '-'
            }
        })
        .take(64)
        .collect();
    if host.is_empty() {
        "node".to_owned()
    } else {
        host
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, environment: &[(&str, &str)], listen: &[&str]) -> anyhow::Result<Config> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("macula.toml");
        fs::write(&path, file).unwrap();
        let flags = Up {
            listen: listen.iter().map(|&text| text.to_owned()).collect(),
            config: Some(path),
            ..Up::default()
        };
        let owned = |&(name, value): &(&str, &str)| (name.into(), value.into());
        Config::load(&flags, environment.iter().map(owned))
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let file = "listen = ['127.0.0.1:1']\nnode = 'a'\n[transport]\nidle_seconds = 1\n";
        let config = load(file, &[], &[]).unwrap();
        assert_eq!(
            config.addresses().unwrap(),
            ["127.0.0.1:1".parse().unwrap()]
        );
        let environment = [
            ("MACULA_LISTEN", "127.0.0.1:2,[::1]:2"),
            ("MACULA_TRANSPORT__IDLE_SECONDS", "2"),
            ("HOME", "/"),
        ];
        let config = load(file, &environment, &[]).unwrap();
        assert_eq!(config.addresses().unwrap()[1], "[::1]:2".parse().unwrap());
        assert_eq!(
            (config.node(), config.transport.idle_seconds),
            ("a".to_owned(), 2)
        );
        let config = load(file, &environment, &["127.0.0.1:3"]).unwrap();
        assert_eq!(
            config.addresses().unwrap(),
            ["127.0.0.1:3".parse().unwrap()]
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        fn check(file: &str, environment: &[(&str, &str)], listen: &[&str], expected: &[&str]) {
            let error = format!("{:#}", load(file, environment, listen).unwrap_err());
            for part in expected {
                assert!(error.contains(part), "{part:?} in {error}");
            }
        }
        let unknown = "node = 'a'\n[transport]\nidle_secs = 1\n";
        check(unknown, &[], &[], &["macula.toml", "line 3", "idle_secs"]);
        check("node = 7\n", &[], &[], &["line 1", "node"]);
        check(
            "[mesh]\nreplay_events = -1\n",
            &[],
            &[],
            &["line 2", "replay_events"],
        );
        check("", &[("MACULA_NODES", "a")], &[], &["MACULA_NODES"]);
        check(
            "",
            &[("MACULA_API__MAX_BODY_BYTES", "many")],
            &[],
            &["MACULA_API__MAX_BODY_BYTES"],
        );
        check("", &[], &["localhost"], &["HOST:PORT", "localhost"]);
        check("node = 'a b'\n", &[], &[], &["`node`"]);
        check(
            "[transport]\nidle_seconds = 0\n",
            &[],
            &[],
            &["idle_seconds"],
        );
        let twice = ["127.0.0.1:1", "127.0.0.1:1"];
        check("", &[], &twice, &["127.0.0.1:1", "adds none"]);
        check("", &[], &["0.0.0.0:0"], &["realm dev is open", "0.0.0.0:0"]);
        check(
            "[api]\ncors_origins = ['app']\n",
            &[],
            &[],
            &["cors_origins", "app"],
        );
    }

    #[test]
    fn the_documented_settings_are_all_there_are_with_their_defaults() {
        let page = include_str!("../../../docs/DEPLOYMENT.md");
        let (_, block) = page.split_once("```toml\n").unwrap();
        let (text, _) = block.split_once("```").unwrap();
        let mut documented: Config = toml::from_str(text).unwrap();
        // Every setting stands there: none was left to its default.
        let written: toml::Table = toml::from_str(text).unwrap();
        assert_eq!(toml::Table::try_from(&documented).unwrap(), written);
        // These have defaults of the host, or none.
        documented.listen.clear();
        (documented.data_dir, documented.node) = (None, None);
        (documented.tls.certificate, documented.tls.key) = (None, None);
        assert_eq!(documented, Config::default());
    }

    #[test]
    fn a_public_address_needs_closed_realms() {
        assert!(load("[api]\nopen_realms = []\n", &[], &["0.0.0.0:0"]).is_ok());
    }
}
