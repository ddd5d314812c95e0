//! Typed encoding and decoding.

use macula_proto::{
    Encoding::{self, Json, MsgPack},
    Limits, TranscodeError, Value, decode, encode,
    transcode::Fault,
};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::values::value;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    name: String,
    tries: Option<u64>,
    tags: Vec<String>,
}

fn check(payload: &[u8], encoding: Encoding, at: usize, fault: Fault) {
    let found = decode::<Call>(payload, encoding, &Limits::default());
    assert_eq!(found, Err(TranscodeError { at, fault }));
}

fn shape(text: &str) -> Fault {
    Fault::Shape(text.to_owned())
}

#[test]
fn a_wrong_shape_is_told_with_its_place() {
    check(
        b"{\"name\":\n \"a\",\"tries\":\"x\"}",
        Json,
        24,
        shape("invalid type: string \"x\", expected u64"),
    );
    check(b"[1,", Json, 3, Fault::Truncated);
    check(
        b"\x81\xA4name\x05",
        MsgPack,
        7,
        shape("invalid type: integer `5`, expected a string"),
    );
}

#[test]
fn repeated_fields_are_refused() {
    check(
        br#"{"name":"a","name":"b","tags":[]}"#,
        Json,
        17,
        shape("duplicate field `name`"),
    );
}

#[test]
fn lesson_27_typed_decoding_has_the_same_limits() {
    let bomb = "[".repeat(100_000);
    check(bomb.as_bytes(), Json, 64, Fault::TooDeep(64));
    check(&[0xDD, 255, 255, 255, 255], MsgPack, 5, Fault::Truncated);
}

proptest! {
    #[test]
    fn our_own_types_come_back(name in any::<String>(), tries in any::<Option<u64>>(), tags in any::<Vec<String>>()) {
        let call = Call { name, tries, tags };
        for encoding in [Json, MsgPack] {
            let bytes = encode(&call, encoding);
            prop_assert_eq!(decode(&bytes, encoding, &Limits::default()), Ok(call.clone()));
        }
        let limits = Limits::default();
        let other = macula_proto::transcode(&encode(&call, MsgPack), MsgPack, Json, &limits);
        prop_assert_eq!(other.unwrap(), encode(&call, Json), "fields are named in both");
    }
}

proptest! {
    #[test]
    fn a_value_goes_through_serde_as_it_is(value in value()) {
        let written = rmp_serde::to_vec_named(&value).unwrap();
        let read = Value::read(&written, Encoding::MsgPack, &Limits::default()).unwrap();
        prop_assert_eq!(&read, &value);
        let back: Value = rmp_serde::from_slice(&written).unwrap();
        prop_assert_eq!(back, value);
    }
}
