//! MessagePack to JSON and back, against each other and against serde's own implementations.

use macula_proto::{
    Encoding::{self, Json, MsgPack},
    Limits, Value, transcode, validate,
};
use proptest::prelude::*;

use crate::values;

/// True when an object has a form that does not stand for itself.
fn has_reserved(value: &serde_json::Value) -> bool {
    use serde_json::Value as Json;
    match value {
        Json::Array(items) => items.iter().any(has_reserved),
        Json::Object(members) => members
            .iter()
            .any(|(key, value)| key.starts_with('$') || has_reserved(value)),
        _ => false,
    }
}

fn both_ways(payload: &[u8], there: Encoding, back: Encoding) -> Vec<u8> {
    let limits = Limits::default();
    let there_bytes = transcode(payload, back, there, &limits).unwrap();
    transcode(&there_bytes, there, back, &limits).unwrap()
}

proptest! {
    #[test]
    fn messagepack_comes_back_from_json_byte_for_byte(value in values::value()) {
        let bytes = value.write(MsgPack).unwrap();
        prop_assert_eq!(both_ways(&bytes, Json, MsgPack), bytes);
    }

    #[test]
    fn json_comes_back_from_messagepack_as_the_same_document(
        document in values::json(),
        pretty in any::<bool>(),
    ) {
        let text = match pretty {
            true => serde_json::to_vec_pretty(&document).unwrap(),
            false => serde_json::to_vec(&document).unwrap(),
        };
        let back = both_ways(&text, MsgPack, Json);
        // Serde reads some doubles one bit off, so that both texts are read by it.
        let read = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).unwrap();
        prop_assert_eq!(read(&back), read(&text));
    }

    #[test]
    fn a_value_reads_back_from_either_encoding(value in values::value()) {
        for encoding in [Json, MsgPack] {
            let bytes = value.write(encoding).unwrap();
            prop_assert_eq!(validate(&bytes, encoding, &Limits::default()), Ok(()));
            let read = Value::read(&bytes, encoding, &Limits::default());
            prop_assert_eq!(read.as_ref(), Ok(&value));
        }
    }

    #[test]
    fn messagepack_is_what_the_reference_writes(document in values::json()) {
        if !has_reserved(&document) {
            let text = serde_json::to_vec(&document).unwrap();
            let ours = transcode(&text, Json, MsgPack, &Limits::default()).unwrap();
            prop_assert_eq!(ours, rmp_serde::to_vec(&document).unwrap());
        }
    }

    #[test]
    fn json_is_what_the_reference_reads(text in "[\\[\\]{}:,\"\\\\ \n0-9.eE+a-du$-]{0,12}") {
        let ours = validate(text.as_bytes(), Json, &Limits::default());
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?} {:?}", ours, theirs);
    }

    #[test]
    fn a_cut_document_is_refused(document in values::value(), at in any::<prop::sample::Index>()) {
        for encoding in [Json, MsgPack] {
            let bytes = document.write(encoding).unwrap();
            let cut = &bytes[..at.index(bytes.len())];
            // A number is one up to any of its digits.
            if !matches!(document, Value::Int(_) | Value::UInt(_) | Value::Float(_)) {
                prop_assert!(validate(cut, encoding, &Limits::default()).is_err());
            }
            let longer = [&bytes[..], b"]"].concat();
            prop_assert!(validate(&longer, encoding, &Limits::default()).is_err());
        }
    }

    #[test]
    fn what_is_within_the_limits_stays_within_them(
        document in values::value(),
        depth in 0..6_usize,
        items in 0..40_usize,
    ) {
        let limits = Limits { depth, items, ..Limits::default() };
        let fault = |encoding| {
            let bytes = document.write(encoding).unwrap();
            validate(&bytes, encoding, &limits).map_err(|error| error.fault)
        };
        prop_assert_eq!(fault(Json), fault(MsgPack));
    }

    #[test]
    fn arbitrary_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let limits = Limits::default();
        for encoding in [Json, MsgPack] {
            let valid = validate(&bytes, encoding, &limits);
            let read = Value::read(&bytes, encoding, &limits).map(drop);
            prop_assert_eq!(&valid, &read);
            if valid.is_ok() && encoding == MsgPack {
                prop_assert!(rmp_serde::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok());
            }
        }
    }
}
