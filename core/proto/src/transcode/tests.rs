use super::*;
use crate::Encoding::{Json, MsgPack};

/// Both ways: the JSON becomes the MessagePack, and the MessagePack the JSON.
fn check(json: &str, msgpack: &[u8]) {
    let limits = Limits::default();
    assert_eq!(
        transcode(json.as_bytes(), Json, MsgPack, &limits).as_deref(),
        Ok(msgpack),
        "{json}"
    );
    let back = transcode(msgpack, MsgPack, Json, &limits).unwrap();
    assert_eq!(String::from_utf8(back).unwrap(), json);
}

fn refused(payload: &[u8], from: Encoding, to: Encoding, at: usize, fault: Fault) {
    let found = transcode(payload, from, to, &Limits::default());
    let text = String::from_utf8_lossy(payload);
    assert_eq!(
        found,
        Err(TranscodeError { at, fault }),
        "{text} {payload:02x?}"
    );
}

#[test]
fn values_have_one_form_in_each_encoding() {
    check("null", &[0xC0]);
    check("[true,false]", &[0x92, 0xC3, 0xC2]);
    check("[0,127,-1,-32]", &[0x94, 0, 0x7F, 0xFF, 0xE0]);
    check(
        "[128,256,-33,-129]",
        &[0x94, 0xCC, 128, 0xCD, 1, 0, 0xD0, 0xDF, 0xD1, 0xFF, 0x7F],
    );
    check("9007199254740993", &[0xCF, 0, 32, 0, 0, 0, 0, 0, 1]);
    check(
        "18446744073709551615",
        &[0xCF, 255, 255, 255, 255, 255, 255, 255, 255],
    );
    check("-9223372036854775808", &[0xD3, 128, 0, 0, 0, 0, 0, 0, 0]);
    check("1.5", &[0xCB, 0x3F, 0xF8, 0, 0, 0, 0, 0, 0]);
    check("-0.0", &[0xCB, 0x80, 0, 0, 0, 0, 0, 0, 0]);
    check(
        "7.399139342631862e-119",
        &[0xCB, 0x27, 0x67, 0xE2, 0x0E, 0x78, 0xF1, 0x76, 0x3C],
    );
    check(r#""a\"\\\n\u0001ü""#, b"\xA7a\"\\\n\x01\xC3\xBC");
    check(
        r#"{"a":{},"a":[]}"#,
        &[0x82, 0xA1, b'a', 0x80, 0xA1, b'a', 0x90],
    );
}

#[test]
fn bytes_and_ext_have_a_form_in_json() {
    check(r#"{"$bytes":"AQI="}"#, &[0xC4, 2, 1, 2]);
    check(r#"{"$bytes":""}"#, &[0xC4, 0]);
    check(
        r#"{"$ext":{"type":-1,"data":"AAAAAA=="}}"#,
        &[0xD6, 0xFF, 0, 0, 0, 0],
    );
    check(
        r#"{"$ext":{"type":5,"data":"AQID"}}"#,
        &[0xC7, 3, 5, 1, 2, 3],
    );
}

#[test]
fn maps_that_look_like_bytes_are_escaped() {
    check(r#"{"$$bytes":"AQI="}"#, b"\x81\xA6$bytes\xA4AQI=");
    check(r#"{"$$$bytes":"AQI="}"#, b"\x81\xA7$$bytes\xA4AQI=");
    check(
        r#"{"$$ext":{"type":5,"data":""}}"#,
        b"\x81\xA4$ext\x82\xA4type\x05\xA4data\xA0",
    );
}

#[test]
fn objects_that_only_resemble_bytes_are_objects() {
    check(r#"{"$bytes":5}"#, b"\x81\xA6$bytes\x05");
    check(r#"{"$bytes":"AQI"}"#, b"\x81\xA6$bytes\xA3AQI");
    check(r#"{"$bytes":"AQJ="}"#, b"\x81\xA6$bytes\xA4AQJ=");
    check(r#"{"$bytes":"","a":1}"#, b"\x82\xA6$bytes\xA0\xA1a\x01");
    check(
        r#"{"$ext":{"type":128,"data":""}}"#,
        b"\x81\xA4$ext\x82\xA4type\xCC\x80\xA4data\xA0",
    );
    check(
        r#"{"$ext":{"type":5,"type":5}}"#,
        b"\x81\xA4$ext\x82\xA4type\x05\xA4type\x05",
    );
    check(r#"{"$other":""}"#, b"\x81\xA6$other\xA0");
}

#[test]
fn long_containers_get_wide_headers() {
    let many = |n: usize| format!("[{}]", vec!["1"; n].join(","));
    check(&many(15), &[&[0x9F][..], &[1; 15]].concat());
    check(&many(16), &[&[0xDC, 0, 16][..], &[1; 16]].concat());
    check(
        &many(65536),
        &[&[0xDD, 0, 1, 0, 0][..], &[1; 65536]].concat(),
    );
    let nested = format!("[{0},[{0}],{0}]", many(16));
    let inner = [&[0xDC, 0, 16][..], &[1; 16]].concat();
    check(
        &nested,
        &[&[0x93][..], &inner, &[0x91], &inner, &inner].concat(),
    );
}

#[test]
fn numbers_beyond_64_bits_become_doubles() {
    let limits = Limits::default();
    let double = transcode(b"18446744073709551616", Json, MsgPack, &limits).unwrap();
    assert_eq!(double, [0xCB, 0x43, 0xF0, 0, 0, 0, 0, 0, 0]);
    refused(b"[1e400]", Json, MsgPack, 1, Fault::NumberRange);
}

#[test]
fn what_json_cannot_say_is_refused_only_there() {
    let nan = [0x91, 0xCB, 0x7F, 0xF8, 0, 0, 0, 0, 0, 0];
    refused(&nan, MsgPack, Json, 1, Fault::NotFinite);
    let infinity = [0xCA, 0x7F, 0x80, 0, 0];
    refused(&infinity, MsgPack, Json, 0, Fault::NotFinite);
    let key = [0x81, 0x01, 0x02];
    refused(&key, MsgPack, Json, 1, Fault::KeyNotText);
    for payload in [&nan[..], &infinity, &key] {
        assert_eq!(validate(payload, MsgPack, &Limits::default()), Ok(()));
    }
}

#[test]
fn malformed_json_is_refused_with_its_place() {
    let refused = |text: &str, at, fault| refused(text.as_bytes(), Json, MsgPack, at, fault);
    let expected = Fault::Expected;
    refused("", 0, Fault::Truncated);
    refused("  ", 2, Fault::Truncated);
    refused("[1,", 3, Fault::Truncated);
    refused("[1,]", 3, expected("a JSON value"));
    refused("[1 2]", 3, expected("`,` or `]`"));
    refused("{\"a\" 1}", 5, expected("`:`"));
    refused("{a:1}", 1, expected("a string"));
    refused("{\"a\":1,}", 7, expected("a string"));
    refused("nul", 0, expected("a JSON value"));
    refused("NaN", 0, expected("a JSON value"));
    refused("01", 1, Fault::Trailing);
    refused("1.", 2, Fault::Truncated);
    refused("-a", 1, expected("a digit"));
    refused("\"\t\"", 1, expected("a control character to be escaped"));
    refused("\"\\x\"", 2, expected("an escape sequence"));
    refused("\"\\u12g4\"", 3, expected("four hexadecimal digits"));
    refused(
        "\"\\udc00\"",
        2,
        expected("a high surrogate before a low one"),
    );
    refused(
        "\"\\ud800\"",
        7,
        expected("a low surrogate after a high one"),
    );
    refused(
        "\"\\ud800\\u0041\"",
        13,
        expected("a low surrogate after a high one"),
    );
    refused("1 1", 2, Fault::Trailing);
    super::tests::refused(b"[\"\xFF\"]", Json, MsgPack, 2, Fault::NotUtf8);
}

#[test]
fn malformed_messagepack_is_refused_with_its_place() {
    let refused = |bytes: &[u8], at, fault| refused(bytes, MsgPack, Json, at, fault);
    refused(&[], 0, Fault::Truncated);
    refused(&[0x92, 1], 1, Fault::Truncated);
    refused(
        &[0xC1],
        0,
        Fault::Expected("a MessagePack value, found 0xc1"),
    );
    refused(&[0xA2, b'a', 0xFF], 2, Fault::NotUtf8);
    refused(&[0xCD, 1], 1, Fault::Truncated);
    refused(&[1, 2], 1, Fault::Trailing);
}

#[test]
fn lesson_27_bombs_are_refused_before_anything_is_allocated() {
    let deep = |open: &str, n| open.repeat(n).into_bytes();
    refused(&deep("[", 100_000), Json, MsgPack, 64, Fault::TooDeep(64));
    refused(
        &deep("{\"a\":", 100_000),
        Json,
        MsgPack,
        320,
        Fault::TooDeep(64),
    );
    refused(&[0x91; 100_000], MsgPack, Json, 65, Fault::TooDeep(64));
    refused(
        &[0xDD, 255, 255, 255, 255],
        MsgPack,
        Json,
        5,
        Fault::Truncated,
    );
    refused(
        &[0xDF, 255, 255, 255, 255, 1],
        MsgPack,
        Json,
        5,
        Fault::Truncated,
    );
    refused(
        &[0xDB, 255, 255, 255, 255, 1],
        MsgPack,
        Json,
        5,
        Fault::Truncated,
    );
    refused(
        &[0xC6, 255, 255, 255, 255],
        MsgPack,
        Json,
        5,
        Fault::Truncated,
    );
    refused(
        &[0xC9, 255, 255, 255, 255],
        MsgPack,
        Json,
        5,
        Fault::Truncated,
    );
}

#[test]
fn limits_hold_in_both_encodings() {
    let limits = Limits {
        depth: 2,
        bytes: 20,
        items: 4,
    };
    let check = |json: &str, expected: Option<Fault>| {
        let fault = |result: Result<_, TranscodeError>| result.err().map(|error| error.fault);
        assert_eq!(
            fault(validate(json.as_bytes(), Json, &limits)),
            expected,
            "{json}"
        );
        let bytes = transcode(json.as_bytes(), Json, MsgPack, &Limits::default()).unwrap();
        assert_eq!(
            fault(validate(&bytes, MsgPack, &limits)),
            expected,
            "{json}"
        );
    };
    check("[[1,1]]", None);
    check("[[[]]]", Some(Fault::TooDeep(2)));
    check("[{\"a\":1}]", None);
    check("[1,1,1,1]", Some(Fault::TooManyItems(4)));
    check("{\"a\":1,\"b\":1}", Some(Fault::TooManyItems(4)));
    check("\"a text of 21 bytes..\"", Some(Fault::TooLong(20)));
    check("[[{\"$bytes\":\"\"}]]", None);
}

#[test]
fn a_failed_transcoding_leaves_the_buffer_as_it_was() {
    let mut out = b"kept".to_vec();
    let result = transcode_into(&mut out, b"[1,2", Json, MsgPack, &Limits::default());
    assert!(result.is_err());
    assert_eq!(out, b"kept");
}
