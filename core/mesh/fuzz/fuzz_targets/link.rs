//! Steps of two bytes for a link: what arrives is in order, nothing comes twice, and what was lost is told.
#![no_main]

use libfuzzer_sys::fuzz_target;
use macula_mesh::cluster::fuzzing;

fuzz_target!(|input: &[u8]| fuzzing::link(input));
