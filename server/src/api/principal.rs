//! Who asks: a session, or anybody where a realm is open.

use std::sync::Arc;

use macula_proto::{ErrorCode, Problem, Realm};

use super::gateway::Gateway;
use crate::session::{Session, StreamGuard};

/// The subject of those without a session.
pub const ANONYMOUS: &str = "anonymous";

/// Who asks. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Principal {
    /// Somebody with a session.
    Session(Arc<Session>),
    /// Somebody without one; may act in open realms only.
    Anonymous,
}

impl Principal {
    /// Who it is, as publishers and callers are named.
    #[must_use]
    pub fn subject(&self, gateway: &Gateway) -> Arc<str> {
        match self {
            Self::Session(session) => Arc::clone(&session.subject),
            Self::Anonymous => Arc::clone(&gateway.anonymous),
        }
    }

    /// The session.
    ///
    /// # Errors
    /// `unauthenticated` when there is none.
    pub fn session(&self) -> Result<&Arc<Session>, Problem> {
        match self {
            Self::Session(session) => Ok(session),
            Self::Anonymous => Err(unauthenticated("expected the token of a session")),
        }
    }

    /// Checks that the principal may act in a realm.
    ///
    /// # Errors
    /// `forbidden` when the session is for another realm, `unauthenticated` when there is none and
    /// the realm is not open.
    pub fn enter(&self, gateway: &Gateway, realm: &Realm) -> Result<(), Problem> {
        match self {
            Self::Session(session) if session.realm == *realm => Ok(()),
            Self::Session(session) => {
                let detail = format!("expected the session's realm, {}", session.realm);
                Err(Problem::new(ErrorCode::Forbidden, detail))
            }
            Self::Anonymous if gateway.settings.open_realms.contains(realm) => Ok(()),
            Self::Anonymous => Err(unauthenticated(
                "expected a token, as the realm is not open",
            )),
        }
    }

    /// Counts a stream of the principal's until the guard goes.
    ///
    /// # Errors
    /// `overloaded` when the session has as many as it may.
    pub fn stream(&self, gateway: &Gateway) -> Result<Option<StreamGuard>, Problem> {
        let Self::Session(session) = self else {
            return Ok(None);
        };
        let max = gateway.settings.max_streams_per_session;
        let stream = session.stream(max).ok_or_else(|| {
            let detail = format!("expected at most {max} open streams in a session");
            Problem::new(ErrorCode::Overloaded, detail)
        });
        stream.map(Some)
    }
}

/// An `unauthenticated` problem.
pub fn unauthenticated(detail: &str) -> Problem {
    Problem::new(ErrorCode::Unauthenticated, detail)
}
