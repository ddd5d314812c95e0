//! What went wrong, and the exit code for it. `docs/CLI.md` has the codes.

use std::{io, process::ExitCode};

use macula_client::Error;

/// Why a command did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The session or the mesh says no.
    #[error(transparent)]
    Client(#[from] Error),
    /// What was given cannot be used.
    #[error("{0}")]
    Usage(String),
    /// Some stages of `doctor` failed.
    #[error("{failed} of {stages} stages failed")]
    Unwell {
        /// Those that failed.
        failed: usize,
        /// All that were tried.
        stages: usize,
    },
    /// A file, the standard input or output.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// By the user.
    #[error("interrupted")]
    Interrupted,
}

impl Failure {
    /// The exit code.
    #[must_use]
    pub fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(_) | Self::Client(Error::Invalid(_)) => 2,
            Self::Client(Error::Connect(_)) => 3,
            Self::Client(Error::Problem(report)) if matches!(report.status, 401 | 403) => 4,
            Self::Client(_) | Self::Unwell { .. } | Self::Io(_) => 1,
            Self::Interrupted => 130,
        })
    }
}
