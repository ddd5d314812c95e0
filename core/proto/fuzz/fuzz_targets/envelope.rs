//! Both envelopes of any event can be read, have no line break in JSON, and say the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use macula_proto::{
    Encoding::{Json, MsgPack},
    Event, EventId, Limits, MediaType, Realm, Topic, Value, json_envelope, msgpack_envelope,
};

// The first byte is the kind of media type; one in four inputs has a header.
fuzz_target!(|input: &[u8]| {
    let Some((&kind, payload)) = input.split_first() else {
        return;
    };
    let text = String::from_utf8_lossy(&payload[..payload.len().min(12)]);
    let event = Event {
        id: EventId::from_u128(u128::from(kind) << 90),
        realm: Realm::parse("dev").expect("a name"),
        topic: Topic::parse("a.b").expect("a name"),
        publisher: (&*text).into(),
        content_type: match kind & 3 {
            0 => MediaType::JSON,
            1 => MediaType::MSGPACK,
            _ => MediaType::parse("image/png").expect("a media type"),
        },
        headers: match kind & 0x30 {
            0 => vec![((&*text).into(), "AQI=".into())],
            _ => Vec::new(),
        },
        payload: payload.to_vec().into(),
    };
    let limits = Limits {
        depth: 65,
        items: usize::MAX,
        bytes: usize::MAX,
    };
    let json = json_envelope(&event);
    assert!(!json.contains(&b'\n') && !json.contains(&b'\r'));
    let json = Value::read(&json, Json, &limits).expect("an envelope is JSON");
    let msgpack = msgpack_envelope(&event);
    let msgpack = Value::read(&msgpack, MsgPack, &limits).expect("an envelope is MessagePack");
    let opaque = |value: &Value| value.member("opaque").is_some();
    if opaque(&json) {
        let raw = Value::Bytes(payload.to_vec());
        assert_eq!(json.member("payload"), Some(&raw));
        assert!(opaque(&msgpack) || event.content_type == MediaType::MSGPACK);
    } else {
        assert_eq!(json, msgpack);
    }
});
