//! What a session may do, as patterns.

use macula_proto::Pattern;
use serde::Serialize;

/// What a session may do in its realm; a name must match one of the patterns.
///
/// Today a session may do all or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Permissions {
    /// Topics to publish under.
    pub publish: Vec<Pattern>,
    /// Topics to subscribe to.
    pub subscribe: Vec<Pattern>,
    /// Procedures to call.
    pub call: Vec<Pattern>,
    /// Procedures to serve.
    pub serve: Vec<Pattern>,
}

impl Permissions {
    /// Everything in the session's realm.
    #[must_use]
    pub fn all() -> Self {
        let all = || vec![Pattern::all()];
        Self {
            publish: all(),
            subscribe: all(),
            call: all(),
            serve: all(),
        }
    }
}
