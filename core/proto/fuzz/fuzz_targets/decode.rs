//! Typed decoding refuses with a place or gives a value that comes back from both encodings.
#![no_main]

use libfuzzer_sys::fuzz_target;
use macula_proto::{
    Encoding::{Json, MsgPack},
    HandlerError, Limits, decode, encode,
};

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    for encoding in [Json, MsgPack] {
        match decode::<HandlerError>(bytes, encoding, &limits) {
            Ok(error) => {
                let again = encode(&error, MsgPack);
                assert_eq!(decode(&again, MsgPack, &limits), Ok(error));
            }
            Err(error) => assert!(error.at <= bytes.len(), "{error}"),
        }
    }
});
