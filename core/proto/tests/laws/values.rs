//! Arbitrary values, with many that come close to the forms that JSON reserves.

use macula_proto::Value;
use proptest::prelude::*;

pub(crate) fn text() -> impl Strategy<Value = String> + Clone {
    prop_oneof![
        "[a-z]{0,40}",
        "[A-Za-z0-9+/]{0,6}={0,2}",
        any::<String>(),
        "\\PC{0,8}[\\x00-\\x1F\"\\\\/]\\PC{0,8}",
    ]
}

pub(crate) fn key() -> impl Strategy<Value = String> + Clone {
    prop_oneof![
        3 => "\\${0,3}(bytes|ext)",
        2 => Just("type".to_owned()),
        2 => Just("data".to_owned()),
        3 => text(),
    ]
}

fn small_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..20),
        prop::collection::vec(any::<u8>(), 250..260),
    ]
}

fn int() -> impl Strategy<Value = i64> {
    prop_oneof![
        any::<i64>(),
        -200..200_i64,
        any::<i32>().prop_map(i64::from)
    ]
}

/// Any value that both encodings can say.
pub(crate) fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        int().prop_map(Value::Int),
        (i64::MAX as u64 + 1..).prop_map(Value::UInt),
        (prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO)
            .prop_map(Value::Float),
        text().prop_map(Value::String),
        small_bytes().prop_map(Value::Bytes),
        (any::<i8>(), small_bytes()).prop_map(|(kind, data)| Value::Ext(kind, data)),
    ];
    leaf.prop_recursive(5, 100, 20, |inner| {
        let member = (key().prop_map(Value::String), inner.clone()).boxed();
        prop_oneof![
            prop::collection::vec(inner, 0..20).prop_map(Value::Array),
            prop::collection::vec(member.clone(), 0..20).prop_map(Value::Map),
            prop::collection::vec(member, 1..=2).prop_map(Value::Map),
        ]
    })
}

/// Any JSON document.
pub(crate) fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value as Json;
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        int().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        prop::num::f64::NORMAL.prop_map(Json::from),
        text().prop_map(Json::from),
    ];
    leaf.prop_recursive(5, 100, 20, |inner| {
        let member = (key(), inner.clone()).boxed();
        prop_oneof![
            prop::collection::vec(inner, 0..20).prop_map(Json::Array),
            prop::collection::vec(member.clone(), 0..20)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
            prop::collection::vec(member, 1..=2)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}
