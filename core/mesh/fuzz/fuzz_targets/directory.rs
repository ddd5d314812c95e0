//! What nodes say of themselves is in the tables of a node while they are connected; in the end the tables are empty.
#![no_main]

use libfuzzer_sys::fuzz_target;
use macula_mesh::cluster::fuzzing;

fuzz_target!(|input: &[u8]| fuzzing::directory(input));
