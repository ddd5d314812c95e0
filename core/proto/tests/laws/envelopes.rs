//! Event envelopes.

use macula_proto::{
    Encoding, Event, EventId, Limits, MediaType, Realm, Topic, Value, json_envelope,
    msgpack_envelope,
};
use proptest::prelude::*;

use crate::values;

/// A payload and its media type: valid in its encoding, opaque, or not what it claims to be.
fn payload() -> impl Strategy<Value = (MediaType, Vec<u8>)> {
    let opaque = MediaType::parse("image/png").unwrap();
    let bytes = prop::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        values::value().prop_map(|v| (MediaType::MSGPACK, v.write(Encoding::MsgPack).unwrap())),
        values::value().prop_map(|v| (MediaType::JSON, v.write(Encoding::Json).unwrap())),
        values::json().prop_map(|v| (MediaType::JSON, serde_json::to_vec_pretty(&v).unwrap())),
        (prop::sample::select(vec![MediaType::JSON, opaque]), bytes),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let headers = prop::collection::vec((values::key(), values::text()), 0..3);
    (payload(), any::<u128>(), values::text(), headers).prop_map(
        |((content_type, payload), id, publisher, headers)| Event {
            id: EventId::from_u128(id),
            realm: Realm::parse("org.example").unwrap(),
            topic: Topic::parse("home.light").unwrap(),
            publisher: publisher.into(),
            content_type,
            headers: headers
                .into_iter()
                .map(|(n, v)| (n.into(), v.into()))
                .collect(),
            payload: payload.into(),
        },
    )
}

proptest! {
    #[test]
    fn both_envelopes_decode_to_the_same_thing(event in event()) {
        let limits = Limits { depth: 65, ..Limits::default() };
        let json = json_envelope(&event);
        prop_assert!(!json.contains(&b'\n') && !json.contains(&b'\r'));
        let json = Value::read(&json, Encoding::Json, &limits).unwrap();
        let msgpack = Value::read(&msgpack_envelope(&event), Encoding::MsgPack, &limits).unwrap();
        prop_assert_eq!(&json, &msgpack);

        let expected = event.content_type.encoding();
        let expected = expected.and_then(|encoding| Value::read(&event.payload, encoding, &limits).ok());
        let opaque = expected.is_none();
        let expected = expected.unwrap_or_else(|| Value::Bytes(event.payload.to_vec()));
        prop_assert_eq!(json.member("payload"), Some(&expected));
        prop_assert_eq!(json.member("opaque"), opaque.then_some(&Value::Bool(true)));
        prop_assert_eq!(json.member("id"), Some(&Value::String(event.id.to_string())));
    }
}
