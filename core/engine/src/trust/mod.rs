//! Who may be in: certificates, join tokens, revocations. Pure: the time is an argument.
//!
//! - [`token`]: signed text, read within bounds.
//! - [`certificate`]: that a node is a member.
//! - [`invite`]: that who shows it may become one.
//! - [`revocation`]: that a node is a member no longer. [`revoked`]: all of them.
//! - [`authority`]: who signs all of them.
//! - [`refusal`]: why somebody is not let in.

pub mod authority;
pub mod certificate;
pub mod invite;
pub mod refusal;
pub mod revocation;
pub mod revoked;
mod token;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How far the clocks of two nodes may differ before one takes what the other signed for not yet valid.
pub const CLOCK_SKEW: Duration = Duration::from_secs(300);

/// Seconds since the Unix epoch, as tokens count; a time before it is 0.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

fn time(seconds: u64) -> SystemTime {
    // A time that cannot be told is one that has been long ago: nothing is valid because of it.
    UNIX_EPOCH
        .checked_add(Duration::from_secs(seconds))
        .unwrap_or(UNIX_EPOCH)
}
