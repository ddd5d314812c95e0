//! The bounds of live sessions.

use macula_proto::{
    Encoding, Limits,
    frame::{Bounds, ClientFrame, Frame, OVERHEAD_BYTES, Refusal},
};
use serde::{Deserialize, Serialize};

use crate::api::Gateway;

/// What a live session may use, and how long it waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Seconds that a session waits for its client when the transport is lost. Default 30: a walk
    /// from one network to another.
    pub grace_seconds: u64,
    /// Seconds in which `hello` has to come, and the first frame of each stream. Default 10.
    pub hello_seconds: u64,
    /// Seconds that a session's calls may take to end when the node goes down. Default 5.
    pub goaway_seconds: u64,
    /// The most live sessions of the node. Default 50,000. At the bound a new one is refused:
    /// `overloaded`.
    pub max: usize,
    /// Calls, publishes and discoveries in flight in one session. Default 256. At this bound and
    /// those below a new operation is refused: `overloaded`.
    pub max_calls: u64,
    /// Subscriptions of one session. Default 256.
    pub max_subscriptions: u64,
    /// Procedures that one session serves. Default 256.
    pub max_procedures: u64,
    /// Bytes of all arguments in flight of one session. Default 4 MiB.
    pub max_bytes_in_flight: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            grace_seconds: 30,
            hello_seconds: 10,
            goaway_seconds: 5,
            max: 50_000,
            max_calls: 256,
            max_subscriptions: 256,
            max_procedures: 256,
            max_bytes_in_flight: 4 << 20,
        }
    }
}

impl Settings {
    /// As `welcome` tells them. A frame is as long as a body, and what stands around it.
    #[must_use]
    pub fn bounds(&self, max_body_bytes: usize) -> Bounds {
        Bounds {
            max_frame_bytes: (max_body_bytes + OVERHEAD_BYTES) as u64,
            max_calls: self.max_calls,
            max_subscriptions: self.max_subscriptions,
            max_procedures: self.max_procedures,
            max_bytes_in_flight: self.max_bytes_in_flight,
        }
    }
}

/// The bounds of a frame that comes in.
pub(crate) fn limits(gateway: &Gateway) -> Limits {
    let settings = &gateway.settings;
    Limits {
        bytes: settings
            .live
            .bounds(settings.max_body_bytes)
            .max_frame_bytes as usize,
        ..Limits::default()
    }
}

/// Reads a client's frame.
pub(super) fn decode(
    gateway: &Gateway,
    frame: &[u8],
    encoding: Encoding,
) -> Result<ClientFrame, Refusal> {
    ClientFrame::decode(frame, encoding, &limits(gateway))
}
