//! What the log looks like, and where it goes: to standard error.

use std::io::{IsTerminal, stderr};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tracing_subscriber::{EnvFilter, fmt};

/// What says nothing new in normal work, such as that a first node knows no other. The filter may say otherwise.
const QUIET: &str = "libp2p_kad=error,libp2p_swarm=warn";

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Lines for people or JSON for programs. Default: people on a terminal, programs elsewhere.
    pub format: Format,
    /// What is logged, as `target=level` with commas between. Default `info`; `macula_server=debug`
    /// logs each request.
    pub filter: String,
}

/// How a line looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// As standard error is a terminal or not.
    #[default]
    Auto,
    /// For people.
    Human,
    /// For programs.
    Json,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            format: Format::Auto,
            filter: "info".to_owned(),
        }
    }
}

/// Begins to log. Called once.
///
/// # Errors
/// The filter is malformed.
pub fn start(settings: &Settings) -> anyhow::Result<()> {
    let filter = format!("{QUIET},{}", settings.filter);
    let filter = EnvFilter::try_new(filter).context("expected a filter in `log.filter`")?;
    let human = match settings.format {
        Format::Auto => stderr().is_terminal(),
        Format::Human => true,
        Format::Json => false,
    };
    let log = fmt().with_env_filter(filter).with_writer(stderr);
    match human {
        true => log.with_ansi(stderr().is_terminal()).init(),
        false => log.json().flatten_event(true).init(),
    }
    Ok(())
}
