//! Live sessions, `macula.v1`: one session instead of many requests. `docs/LIVE.md` tells the protocol,
//! [`macula_proto::live`] decides what a session may do, and this drives it.
//!
//! - [`settings`]: bounds and times.
//! - [`lives`]: all live sessions. [`session`]: one of them. [`hello`]: how one begins or goes on.
//! - [`link`]: the transport that it is on. [`outlet`]: where the answers of one operation go.
//! - [`dispatch`]: what a frame asks for: [`call`], [`publish`], [`subscribe`], [`serve`], [`discover`].
//! - [`turns`]: that none keeps others from their turn. [`ending`]: how it ends.
//! - [`websocket`], [`webtransport`]: the drivers; [`streams`]: frames on the latter's streams.

mod call;
mod discover;
mod dispatch;
mod ending;
mod hello;
mod link;
mod lives;
mod outlet;
mod publish;
mod serve;
mod session;
pub mod settings;
mod streams;
mod subscribe;
mod turns;
pub mod websocket;
pub mod webtransport;

pub use hello::Guest;
pub use lives::Lives;
#[cfg(test)]
pub(crate) use serve::{MAX_CONCURRENCY, MAX_DESCRIPTION_BYTES};
pub use settings::Settings;
