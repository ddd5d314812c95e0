//! Bytes are refused alike by everyone, and what is read comes back the same from the other encoding.
#![no_main]

use libfuzzer_sys::fuzz_target;
use macula_proto::{
    Encoding::{self, Json, MsgPack},
    Limits, Value, transcode,
    transcode::Fault,
    validate,
};
use serde::de::IgnoredAny;

/// JSON for the same value is at most so many times as long as MessagePack.
const GROWTH: usize = 12;

fuzz_target!(|bytes: &[u8]| {
    msgpack(bytes);
    json(bytes);
});

fn msgpack(bytes: &[u8]) {
    let limits = Limits::default();
    let Some(value) = read(bytes, MsgPack) else {
        return;
    };
    assert!(rmp_serde::from_slice::<IgnoredAny>(bytes).is_ok());
    let canonical = value
        .write(MsgPack)
        .expect("MessagePack can say everything");
    assert!(
        canonical.len() <= bytes.len() + 4 * bytes.len(),
        "only floats widen"
    );
    match transcode(bytes, MsgPack, Json, &limits) {
        Ok(json) => {
            assert!(json.len() <= GROWTH * bytes.len().max(3));
            assert!(!json.contains(&b'\n'));
            assert_eq!(
                transcode(&json, Json, MsgPack, &limits).as_ref(),
                Ok(&canonical)
            );
            assert_eq!(Value::read(&json, Json, &limits).as_ref(), Ok(&value));
            assert_eq!(value.write(Json).as_ref(), Ok(&json));
        }
        Err(error) => {
            assert!(
                matches!(error.fault, Fault::NotFinite | Fault::KeyNotText),
                "{error}"
            );
            assert_eq!(value.write(Json), Err(error.fault));
        }
    }
}

fn json(bytes: &[u8]) {
    let limits = Limits::default();
    let theirs = serde_json::from_slice::<serde_json::Value>(bytes);
    let Some(value) = read(bytes, Json) else {
        let fault = validate(bytes, Json, &limits).map_err(|error| error.fault);
        assert!(
            theirs.is_err() || fault == Err(Fault::TooDeep(limits.depth)),
            "{fault:?}"
        );
        return;
    };
    assert!(theirs.is_ok(), "{theirs:?}");
    let msgpack = transcode(bytes, Json, MsgPack, &limits).expect("MessagePack can say everything");
    assert_eq!(validate(&msgpack, MsgPack, &limits), Ok(()));
    assert_eq!(value.write(MsgPack).as_ref(), Ok(&msgpack));
    let back = transcode(&msgpack, MsgPack, Json, &limits).expect("it came from JSON");
    assert_eq!(Value::read(&back, Json, &limits), Ok(value));
}

/// The value, if there is one; validating says the same.
fn read(bytes: &[u8], encoding: Encoding) -> Option<Value> {
    let limits = Limits::default();
    let read = Value::read(bytes, encoding, &limits);
    let valid = validate(bytes, encoding, &limits);
    assert_eq!(valid.as_ref().err(), read.as_ref().err());
    if let Err(error) = valid {
        assert!(error.at <= bytes.len());
    }
    // NaN is no equal of itself, so that it would fail every comparison that follows.
    read.ok().filter(|value| value == value)
}
