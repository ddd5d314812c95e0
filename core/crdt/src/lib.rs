#![doc = include_str!("../README.md")]

mod actor;
mod changes;
pub mod codec;
mod context;
mod counter;
mod delta;
mod hlc;
mod lane;
mod map;
mod ranges;
mod register;
mod retired;
mod set;
mod state;

pub use actor::{Actor, Dot, Id, MAX_COUNTER};
pub use changes::{Change, Changes};
pub use codec::{Codec, DecodeError, Limits, Reader};
pub use context::{Context, Digest};
pub use counter::{GCounter, PnCounter};
pub use delta::Delta;
pub use hlc::{Clock, Time, TooFarAhead};
pub use lane::Entry;
pub use map::{Map, Value};
pub use ranges::Ranges;
pub use register::LwwRegister;
pub use retired::{IsRetired, Retired};
pub use set::OrSet;
pub use state::State;
