//! What members have a node keep in the DHT stays in its bounds, and goes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use macula_engine::fuzzing;

fuzz_target!(|input: &[u8]| fuzzing::store(input));
