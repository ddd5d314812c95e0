//! How Macula runs quinn, at the gateway and between nodes alike.
//!
//! - [`TurnLater`]: many frames in one packet, rather than a packet each.
//! - [`farewell`]: a close that is said even on a connection that is full.

pub mod farewell;
mod turn;

pub use farewell::close;
pub use turn::TurnLater;
