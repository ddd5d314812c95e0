//! No text is a certificate or a join token but those that the authority has made.
#![no_main]

use libfuzzer_sys::fuzz_target;
use macula_engine::fuzzing;

fuzz_target!(|input: &[u8]| fuzzing::token(input));
