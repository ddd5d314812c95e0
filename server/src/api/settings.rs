//! The bounds of the API.

use macula_proto::Realm;
use serde::{Deserialize, Serialize};

use crate::{live, session::store};

/// What the API lets in and holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Realms in which everybody may do everything, without a token. Default `dev`.
    pub open_realms: Vec<Realm>,
    /// Origins whose pages may use the API (CORS), or `*`. Default none.
    pub cors_origins: Vec<String>,
    /// The longest body, in bytes. Default 1 MiB. A longer one is refused: `payload_too_large`.
    pub max_body_bytes: usize,
    /// What all bodies that are being read may hold together, in bytes. Default 256 MiB. At the
    /// bound a request is refused: `overloaded`.
    pub max_bodies_bytes: usize,
    /// Seconds in which a whole body has to come. Default 30: 1 MiB at the pace of a bad line.
    pub body_seconds: u64,
    /// Requests a second of one session, and as many at once; 0 is no limit. Default 5,000.
    pub session_requests_per_second: u32,
    /// Requests a second of one address without a session, and as many at once; 0 is no limit.
    /// Default 20,000: a whole household or office may share it.
    pub address_requests_per_second: u32,
    /// Streams that one session may have open. Default 1,000. At the bound a new one is refused:
    /// `overloaded`.
    pub max_streams_per_session: usize,
    /// Events that may wait for one reader. Default 1,024, a second of a busy topic. At the bound
    /// the oldest go and a gap tells it.
    pub reader_events: usize,
    /// Bytes that may wait for one reader, as `reader_events`. Default 1 MiB.
    pub reader_bytes: usize,
    /// True serves `/metrics` to every address; else only to the node's own. Default false.
    pub public_metrics: bool,
    /// The bounds of sessions.
    pub sessions: store::Settings,
    /// The bounds of live sessions.
    pub live: live::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            open_realms: vec![Realm::parse("dev").expect("`dev` is a name")],
            cors_origins: Vec::new(),
            max_body_bytes: 1 << 20,
            max_bodies_bytes: 256 << 20,
            body_seconds: 30,
            session_requests_per_second: 5_000,
            address_requests_per_second: 20_000,
            max_streams_per_session: 1_000,
            reader_events: 1_024,
            reader_bytes: 1 << 20,
            public_metrics: false,
            sessions: store::Settings::default(),
            live: live::Settings::default(),
        }
    }
}
