//! What may go wrong.

use macula_proto::frame::Report;

/// Why something was not done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The gateway, the mesh or the handler says no. `code` is stable; `retry` says whether to ask again.
    #[error("{}: {}", .0.code, .0.detail)]
    Problem(Box<Report>),
    /// A name, an address or a value cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// No transport could be opened.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The transport was lost after the call was sent, and its answer cannot be had any more. It may have
    /// been carried out; give it an idempotency key to have it asked again.
    #[error("the transport was lost and the answer with it")]
    Lost,
    /// The session has ended.
    #[error("the session has ended")]
    Closed,
    /// The answer is not of the type that was asked for.
    #[error("cannot read the answer: {0}")]
    Decode(String),
}

impl Error {
    /// The stable code of a problem.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Problem(report) => Some(&report.code),
            _ => None,
        }
    }

    /// Whether there is no session for the token: it has ended, or never was.
    pub(crate) fn is_no_session(&self) -> bool {
        matches!(self.code(), Some("session_expired" | "unauthenticated"))
    }

    /// Whether to connect again is of no use: who we are or what we ask for is refused.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Problem(report) => report.retry == "never" && report.code != "invalid_payload",
            Self::Invalid(_) | Self::Closed => true,
            Self::Connect(_) | Self::Lost | Self::Decode(_) => false,
        }
    }
}

impl From<Box<Report>> for Error {
    fn from(report: Box<Report>) -> Self {
        Self::Problem(report)
    }
}
