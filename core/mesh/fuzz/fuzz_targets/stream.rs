//! Whatever a peer writes on a stream between nodes ends it, or is answered.
#![no_main]

use libfuzzer_sys::fuzz_target;
use macula_mesh::cluster::fuzzing;

fuzz_target!(|input: &[u8]| fuzzing::stream(input));
