//! An address of a peer is one that can be dialled, or none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use macula_engine::fuzzing;

fuzz_target!(|input: &[u8]| fuzzing::address(input));
