use serde_json::json;

use super::*;
use crate::{
    Event, EventId, MediaType, Overflow, Pattern, Payload, Policy, Realm, Topic, transcode,
};

const BOTH: [Encoding; 2] = [Encoding::Json, Encoding::MsgPack];

/// The same frame in the other encoding.
fn msgpack(json: &str) -> Vec<u8> {
    let limits = Limits::default();
    transcode(json.as_bytes(), Encoding::Json, Encoding::MsgPack, &limits).unwrap()
}

fn json_payload(json: &'static str) -> Payload {
    Payload {
        content_type: MediaType::JSON,
        bytes: json.into(),
    }
}

/// Reads the frame in JSON.
fn read(frame: &str) -> Result<ClientFrame, (Option<u64>, String)> {
    let read = ClientFrame::decode(frame.as_bytes(), Encoding::Json, &Limits::default());
    let told = |refusal: Refusal| (refusal.id, Problem::from(refusal.fault).to_string());
    let read = read.map_err(told);
    let other = ClientFrame::decode(&msgpack(frame), Encoding::MsgPack, &Limits::default());
    let other = other.map_err(|refusal| (refusal.id, Problem::from(refusal.fault).to_string()));
    if let (Err(one), Err(other)) = (&read, &other) {
        assert_eq!(one.0, other.0, "{frame}");
    } else {
        assert_eq!(read.is_ok(), other.is_ok(), "{frame}: {read:?} {other:?}");
    }
    read
}

#[track_caller]
fn refused(frame: &str, id: Option<u64>, expected: &str) {
    assert_eq!(read(frame), Err((id, expected.to_owned())), "{frame}");
}

#[test]
fn a_call_says_what_is_not_the_usual() {
    let short = r#"{"type":"call","id":7,"procedure":"system.echo"}"#;
    let call = Call {
        id: 7,
        realm: None,
        procedure: "system.echo".parse().unwrap(),
        timeout_ms: None,
        progress: Flag(false),
        idempotency_key: None,
        headers: Vec::new(),
        argument: json_payload("null"),
    };
    assert_eq!(read(short), Ok(call.clone().into()));
    let full = concat!(
        r#"{"type":"call","id":7,"realm":"dev","procedure":"system.echo","timeout_ms":250,"#,
        r#""progress":true,"idempotency_key":"k","headers":{"room":"kitchen"},"payload":[1,2.5]}"#
    );
    let full_call = Call {
        realm: Some("dev".parse().unwrap()),
        timeout_ms: Some(250),
        progress: Flag(true),
        idempotency_key: Some("k".into()),
        headers: vec![("room".into(), "kitchen".into())],
        argument: json_payload("[1,2.5]"),
        ..call
    };
    assert_eq!(read(full), Ok(full_call.clone().into()));
    let written = ClientFrame::from(full_call).encode(Encoding::Json);
    assert_eq!(String::from_utf8_lossy(&written), full);
}

#[test]
fn the_order_of_members_makes_no_difference() {
    let call = r#"{"payload":1,"procedure":"a","id":1,"type":"call"}"#;
    assert!(
        matches!(read(call), Ok(ClientFrame::Call(call)) if call.argument == json_payload("1"))
    );
}

#[test]
fn a_refusal_names_the_operation_and_the_member() {
    let invalid = "invalid_request: ";
    refused(r#"{"id":3}"#, Some(3), &format!("{invalid}expected `type`"));
    refused(
        r#"{"type":"dance","id":3}"#,
        Some(3),
        &format!("{invalid}expected a type of frame, found `dance`"),
    );
    refused(
        r#"{"type":"call","procedure":"a"}"#,
        None,
        &format!("{invalid}expected `id`"),
    );
    refused(
        r#"{"type":"call","id":-1,"procedure":"a"}"#,
        None,
        &format!("{invalid}`id`: expected a whole number below 2^53"),
    );
    refused(
        r#"{"type":"call","id":1,"procedure":"a","timeout":5}"#,
        Some(1),
        &format!("{invalid}expected no member `timeout`"),
    );
    refused(
        r#"{"type":"call","id":1,"procedure":["a"]}"#,
        Some(1),
        "invalid_name: `procedure`: expected a string",
    );
    refused(
        r#"{"type":"serve","id":1,"procedure":"a","policy":"best"}"#,
        Some(1),
        "invalid_request: `policy`: expected one of round_robin, random, first, least_busy",
    );
    refused(
        r#"{"type":"publish","id":1,"topic":"a","content_type":"image/png","payload":"x"}"#,
        Some(1),
        "invalid_payload: `payload`: expected `opaque: true` and bytes, for image/png",
    );
    refused(
        r#"{"type":"publish","id":1,"topic":"a","opaque":true,"payload":["x"]}"#,
        Some(1),
        "invalid_payload: `payload`: expected {\"$bytes\": \"<base64>\"}, as `opaque` is true",
    );
}

#[test]
fn what_is_no_map_is_no_frame() {
    let limits = Limits::default();
    for frame in [
        &b"[]"[..],
        b"",
        b"{",
        b"{}x",
        b"\x81",
        b"\xdf\xff\xff\xff\xff",
        b"7",
    ] {
        for encoding in BOTH {
            let refused = ClientFrame::decode(frame, encoding, &limits).unwrap_err();
            assert!(
                matches!(refused.fault, Fault::Malformed(_) | Fault::Wrong(_)),
                "{frame:?}"
            );
        }
    }
    let twice = br#"{"type":"ping","type":"ping"}"#;
    assert!(ClientFrame::decode(twice, Encoding::Json, &limits).is_err());
    let many: String = (0..20).map(|n| format!(r#""m{n}":1,"#)).collect();
    let many = format!(r#"{{{many}"type":"ping"}}"#);
    assert!(ClientFrame::decode(many.as_bytes(), Encoding::Json, &limits).is_err());
}

#[test]
fn opaque_payloads_are_bytes_in_both_encodings() {
    let publish = Publish {
        id: None,
        realm: None,
        topic: "a".parse().unwrap(),
        idempotency_key: None,
        headers: Vec::new(),
        payload: Payload {
            content_type: MediaType::parse("image/png").unwrap(),
            bytes: Bytes::from_static(b"\x89PNG"),
        },
    };
    let frame = ClientFrame::from(publish);
    for encoding in BOTH {
        let written = frame.encode(encoding);
        assert_eq!(encoding_of(&written), Some(encoding));
        let read = ClientFrame::decode(&written, encoding, &Limits::default());
        assert_eq!(read, Ok(frame.clone()));
    }
}

#[test]
fn a_payload_comes_in_the_encoding_that_it_says() {
    let frame = msgpack(
        r#"{"type":"publish","topic":"a","content_type":"application/json","payload":{"a":1}}"#,
    );
    let read = ClientFrame::decode(&frame, Encoding::MsgPack, &Limits::default());
    let Ok(ClientFrame::Publish(publish)) = read else {
        panic!("{read:?}");
    };
    assert_eq!(publish.payload, json_payload(r#"{"a":1}"#));
}

fn event(payload: Payload) -> Event {
    Event {
        id: EventId::from_u128(7),
        realm: Realm::parse("dev").unwrap(),
        topic: Topic::parse("home.kitchen").unwrap(),
        publisher: "tab".into(),
        content_type: payload.content_type,
        headers: vec![("room".into(), "kitchen".into())],
        payload: payload.bytes,
    }
}

#[test]
fn frames_of_a_gateway_read_back_and_may_say_more() {
    let payload = json_payload("[1,{\"a\":null}]");
    let problem = Problem::new(ErrorCode::Timeout, "too late");
    let frames = [
        GatewayFrame::from(EventFrame {
            id: 3,
            event: event(payload.clone()),
        }),
        GatewayFrame::from(Error {
            id: Some(4),
            problem: Box::new(Report::of(&problem, "s.4".to_owned())),
        }),
        GatewayFrame::from(Subscribed {
            id: 1,
            backlog: 2,
            position: EventId::from_u128(1),
        }),
        GatewayFrame::from(Invoke {
            id: 9,
            serve: 2,
            realm: Realm::parse("dev").unwrap(),
            procedure: "demo.add".parse().unwrap(),
            caller: "curl".into(),
            timeout_ms: 5_000,
            progress: Flag(true),
            headers: Vec::new(),
            argument: payload,
        }),
    ];
    for frame in frames {
        let written = frame.encode(Encoding::Json);
        let read = GatewayFrame::decode(&written, Encoding::Json, &Limits::default());
        assert_eq!(read.as_ref(), Ok(&frame));
        let mut more: serde_json::Value = serde_json::from_slice(&written).unwrap();
        more["later"] = json!({"a": 1});
        let more = serde_json::to_vec(&more).unwrap();
        let read = GatewayFrame::decode(&more, Encoding::Json, &Limits::default());
        assert_eq!(read.as_ref(), Ok(&frame));
    }
}

#[test]
fn an_event_is_written_once_for_all_readers() {
    for encoding in BOTH {
        let event = event(json_payload("1"));
        let envelope = match encoding {
            Encoding::Json => crate::json_envelope(&event),
            Encoding::MsgPack => crate::msgpack_envelope(&event),
        };
        let frame = GatewayFrame::from(EventFrame { id: 3, event });
        assert_eq!(event_frame(3, &envelope, encoding), frame.encode(encoding));
    }
}

#[test]
fn a_session_is_resumed_with_what_is_held_of_it() {
    let id = EventId::from_u128(5);
    let frame = format!(
        r#"{{"type":"hello","token":"t","resume":{{"session":"s","subscriptions":[{{"id":1,"last_event_id":"{id}"}}],"pending":[2]}}}}"#
    );
    let Ok(ClientFrame::Hello(hello)) = read(&frame) else {
        panic!("{:?}", read(&frame));
    };
    let expected = Resume {
        session: "s".to_owned(),
        subscriptions: vec![Position {
            id: 1,
            last_event_id: id,
        }],
        pending: vec![2],
        invokes: Vec::new(),
    };
    assert_eq!(hello.resume, Some(Box::new(expected)));
    for encoding in BOTH {
        let written = ClientFrame::from(hello.clone()).encode(encoding);
        let read = ClientFrame::decode(&written, encoding, &Limits::default());
        assert_eq!(read, Ok(hello.clone().into()));
    }
}

#[test]
fn choices_are_words() {
    let frame = r#"{"type":"subscribe","id":1,"pattern":"a.**","overflow":"close","replay":5}"#;
    let Ok(ClientFrame::Subscribe(subscribe)) = read(frame) else {
        panic!("{:?}", read(frame));
    };
    assert_eq!(subscribe.overflow, Some(Overflow::Close));
    assert_eq!(subscribe.pattern, Pattern::parse("a.**").unwrap());
    let frame = r#"{"type":"serve","id":1,"procedure":"a","policy":"least_busy","concurrency":3}"#;
    let Ok(ClientFrame::Serve(serve)) = read(frame) else {
        panic!("{:?}", read(frame));
    };
    assert_eq!(
        (serve.policy, serve.concurrency),
        (Some(Policy::LeastBusy), Some(3))
    );
}

#[test]
fn every_frame_is_described_and_fits() {
    let all = [
        ClientFrame::specifications(),
        GatewayFrame::specifications(),
    ]
    .concat();
    for frame in all {
        assert!(frame.properties.len() < 15, "{}", frame.kind);
        assert!(frame.doc.ends_with('.'), "{}", frame.kind);
        for property in frame.properties {
            assert!(
                property.doc.ends_with('.'),
                "{} {}",
                frame.kind,
                property.name
            );
        }
    }
}

#[test]
fn headers_of_frames_have_the_bounds_of_headers() {
    let many: Vec<_> = (0..17).map(|n| format!(r#""h{n}":"v""#)).collect();
    let frame =
        |headers: &str| format!(r#"{{"type":"publish","topic":"a","headers":{{{headers}}}}}"#);
    assert!(read(&frame(&many[..16].join(","))).is_ok());
    assert!(read(&frame(&many.join(","))).is_err());
    assert!(read(&frame(r#""Room":"v""#)).is_err());
    assert!(read(&frame(r#""room":5"#)).is_err());
    // Where a name could hold what JSON escapes, it would come out of each reading longer.
    assert!(read(&frame(r#""ro\\om":"v""#)).is_err());
    assert!(read(&frame(&format!(r#""room":"{}""#, "x".repeat(4096)))).is_err());
}

#[test]
fn null_says_the_same_as_nothing_of_every_member_that_may_be_left_out() {
    for frame in ClientFrame::specifications() {
        let short: serde_json::Value = serde_json::from_str(frame.manual.example).unwrap();
        let optional = frame.properties.iter().filter(|p| !p.required);
        for property in optional {
            let (mut without, mut with) = (short.clone(), short.clone());
            without.as_object_mut().unwrap().remove(property.name);
            with[property.name] = serde_json::Value::Null;
            let (without, with) = (without.to_string(), with.to_string());
            assert_eq!(read(&without), read(&with), "{with}");
            assert!(read(&with).is_ok(), "{with}");
        }
    }
}

#[test]
fn no_payload_is_null_only_where_its_media_type_can_say_so() {
    let frame = |members: &str| {
        format!(r#"{{"type":"publish","id":1,"topic":"a","content_type":{members}}}"#)
    };
    let Ok(ClientFrame::Publish(publish)) = read(&frame(r#""application/msgpack""#)) else {
        panic!();
    };
    assert_eq!(publish.payload, Payload::null(Encoding::MsgPack));
    refused(
        &frame(r#""image/png""#),
        Some(1),
        "invalid_payload: `payload`: expected bytes, for image/png",
    );
    refused(
        &frame(r#""application/json","opaque":true"#),
        Some(1),
        "invalid_payload: `payload`: expected bytes, for application/json",
    );
}

#[test]
fn what_a_later_gateway_tells_of_a_problem_is_kept() {
    let frame = concat!(
        r#"{"type":"error","id":1,"problem":{"type":"/v1/errors/new","title":"t","status":418,"#,
        r#""detail":"d","code":"new","instance":"i","retry":"perhaps","tea":[1]}}"#
    );
    for (bytes, encoding) in [
        (frame.as_bytes().to_vec(), Encoding::Json),
        (msgpack(frame), Encoding::MsgPack),
    ] {
        let read = GatewayFrame::decode(&bytes, encoding, &Limits::default()).unwrap();
        let GatewayFrame::Error(error) = &read else {
            panic!("expected `error`");
        };
        assert_eq!(
            (&*error.problem.code, &*error.problem.retry),
            ("new", "perhaps")
        );
        assert_eq!(error.problem.more["tea"], json!([1]));
        assert_eq!(read.encode(Encoding::Json), frame.as_bytes());
    }
}
