//! What a peer says beside gossip, and what a node says of itself, is refused or reads as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use macula_mesh::cluster::fuzzing;

fuzz_target!(|input: &[u8]| fuzzing::decode(input));
