//! Which node a command asks, and as whom.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use macula_client::{Connect, Mesh, Transport, Trust};

use super::failure::Failure;
use crate::config::Config;

/// How long a command that ends waits for the calls that it answers.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// Which node, and as whom.
#[derive(Debug, Clone, Args)]
pub struct Remote {
    /// The node.
    #[arg(
        long,
        value_name = "URL",
        env = "MACULA_URL",
        default_value = "https://localhost:4433"
    )]
    pub url: String,
    /// Trust this authority. Default: that of a node which ran here, if there is one, else the system's.
    #[arg(long, value_name = "FILE", conflicts_with = "cert_sha256")]
    pub ca: Option<PathBuf>,
    /// Trust only the certificate with this SHA-256.
    #[arg(long, value_name = "DIGITS")]
    pub cert_sha256: Option<String>,
    /// The token of a session; without one a session is opened, where the realm is open.
    #[arg(long, env = "MACULA_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// What the session is on.
    #[arg(long, value_enum, default_value_t)]
    pub transport: On,
}

/// What a session is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum On {
    /// WebTransport, or WebSocket where that does not come through.
    #[default]
    Auto,
    /// WebTransport.
    Webtransport,
    /// WebSocket.
    Websocket,
}

impl Remote {
    /// Whom to trust.
    ///
    /// # Errors
    /// The SHA-256 is none.
    pub fn trust(&self) -> Result<Trust, Failure> {
        if let Some(digits) = &self.cert_sha256 {
            return Ok(Trust::sha256(digits)?);
        }
        let local = || {
            let directory = Config::default().data_dir().ok()?;
            Some(directory.join("tls/ca.pem")).filter(|file| file.exists())
        };
        let authority = self.ca.clone().or_else(local);
        Ok(authority.map_or(Trust::System, Trust::Authority))
    }

    /// A session to open in a realm; in the token's or the first open one if none is told.
    ///
    /// # Errors
    /// As [`Remote::trust`].
    pub fn session(&self, realm: Option<&str>) -> Result<Connect, Failure> {
        let mut connect = Mesh::connect(&self.url)
            .trust(self.trust()?)
            .close_timeout(CLOSE_TIMEOUT);
        connect = match self.transport {
            On::Auto => connect,
            On::Webtransport => connect.transports([Transport::WebTransport]),
            On::Websocket => connect.transports([Transport::WebSocket]),
        };
        if let Some(token) = &self.token {
            connect = connect.token(token.as_str());
        }
        if let Some(realm) = realm {
            connect = connect.realm(realm);
        }
        Ok(connect)
    }
}

/// What was given as JSON; `-` is read from standard input.
///
/// # Errors
/// It is no JSON.
pub fn json(given: Option<&str>) -> Result<serde_json::Value, Failure> {
    let parsed = match given {
        None => return Ok(serde_json::Value::Null),
        Some("-") => serde_json::from_reader(std::io::stdin().lock()),
        Some(text) => serde_json::from_str(text),
    };
    parsed.map_err(|error| {
        let text = given.unwrap_or_default();
        Failure::Usage(format!("expected JSON, found {text}: {error}"))
    })
}
