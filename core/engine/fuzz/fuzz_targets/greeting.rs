//! A frame of the greeting is refused, or is written so that it reads as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use macula_engine::fuzzing;

fuzz_target!(|input: &[u8]| fuzzing::greeting(input));
