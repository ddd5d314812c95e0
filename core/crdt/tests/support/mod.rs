//! Random histories of replicas, and the model that they are held against.
#![allow(dead_code, reason = "each test takes what it needs")]

pub(crate) mod history;
pub(crate) mod model;

use macula_crdt::{Actor, Delta, Map, Value};

pub(crate) type Key = u8;
pub(crate) type Replica = Map<u8, Key, u8>;
pub(crate) type Part = Delta<u8, Key, Value<u8>>;

/// How many histories a test draws: so many, or what the environment says for a long run.
pub(crate) fn histories(ordinary: u32) -> u32 {
    #[allow(clippy::disallowed_methods, reason = "a test, not the crate")]
    let asked = std::env::var("MACULA_CRDT_HISTORIES");
    asked.map_or(ordinary, |count| {
        count.parse().expect("a number of histories")
    })
}

pub(crate) fn actor(id: u8) -> Actor<u8> {
    Actor { id, incarnation: 1 }
}
