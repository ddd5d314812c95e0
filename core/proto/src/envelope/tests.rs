use super::*;
use crate::{EventId, MediaType, Realm, Topic, Value};

fn event(content_type: &str, payload: &[u8]) -> Event {
    Event {
        id: EventId::from_u128(1_735_689_599_001 << 80),
        realm: Realm::parse("dev").unwrap(),
        topic: Topic::parse("home.light").unwrap(),
        publisher: "anna \"a\"\n".into(),
        content_type: MediaType::parse(content_type).unwrap(),
        headers: vec![("n".into(), "v".into())],
        payload: payload.to_vec().into(),
    }
}

/// What stands between the headers and the end, in JSON.
fn check(content_type: &str, payload: &[u8], expected: &str) {
    let text = json_envelope(&event(content_type, payload));
    let text = std::str::from_utf8(&text).unwrap();
    let (_, tail) = text.split_once(r#""payload":"#).unwrap();
    assert_eq!(tail.strip_suffix('}'), Some(expected), "{text}");
}

#[test]
fn the_json_envelope_has_every_member_on_one_line() {
    let text = json_envelope(&event("application/json", b"{\n \"a\": [1, 2]\r\n}"));
    let expected = concat!(
        r#"{"id":"01JGFJJY0S0000000000000000","realm":"dev","topic":"home.light","#,
        r#""publisher":"anna \"a\"\n","time":"2024-12-31T23:59:59.001Z","#,
        r#""content_type":"application/json","headers":{"n":"v"},"payload":{"a":[1,2]}}"#
    );
    assert_eq!(std::str::from_utf8(&text).unwrap(), expected);
}

#[test]
fn payloads_stand_inline_when_the_encoding_can_say_them() {
    check("application/json", b"[1, 2]", "[1, 2]");
    check(
        "application/msgpack",
        b"\x81\xA1a\xC4\x01\xFF",
        r#"{"a":{"$bytes":"/w=="}}"#,
    );
    check(
        "application/msgpack",
        b"\xC4\x01\xFF",
        r#"{"$bytes":"/w=="}"#,
    );
}

#[test]
fn other_payloads_stand_there_as_bytes_and_say_so() {
    check("text/plain", b"hi", r#"{"$bytes":"aGk="},"opaque":true"#);
    check(
        "application/json",
        b"[1,",
        r#"{"$bytes":"WzEs"},"opaque":true"#,
    );
    let nan = b"\x92\x01\xCA\x7F\xC0\x00\x00";
    check(
        "application/msgpack",
        nan,
        r#"{"$bytes":"kgHKf8AAAA=="},"opaque":true"#,
    );
    check("application/msgpack", b"", r#"{"$bytes":""},"opaque":true"#);
}

#[test]
fn a_payload_that_fails_halfway_leaves_no_trace_in_messagepack() {
    let many = format!("[[{}],", vec!["1"; 20].join(","));
    let bytes = msgpack_envelope(&event("application/json", many.as_bytes()));
    let value = Value::read(&bytes, Encoding::MsgPack, &Limits::default()).unwrap();
    assert_eq!(
        value.member("payload"),
        Some(&Value::Bytes(many.into_bytes()))
    );
    assert_eq!(value.member("opaque"), Some(&Value::Bool(true)));
}

#[test]
fn a_header_that_looks_like_bytes_stays_a_header() {
    let mut event = event("application/json", b"1");
    event.headers = vec![("$bytes".into(), "AQI=".into())];
    let text = json_envelope(&event);
    let value = Value::read(&text, Encoding::Json, &Limits::default()).unwrap();
    let header = value
        .member("headers")
        .and_then(|headers| headers.member("$bytes"));
    assert_eq!(header, Some(&Value::String("AQI=".into())));
}
