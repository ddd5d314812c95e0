//! `docs/FRAMES.md` is what the table of frames says, and its examples are true.

use macula_proto::{
    Encoding, Limits,
    frame::{ClientFrame, Frame, GatewayFrame, Specification},
    transcode,
};

#[allow(dead_code, reason = "the example's main is not called here")]
#[path = "../examples/frames_md.rs"]
mod frames_md;

#[test]
fn lesson_30_the_page_of_frames_is_what_the_table_says() {
    let committed = include_str!("../../../docs/FRAMES.md");
    assert_eq!(
        committed,
        frames_md::page(),
        "write it again: cargo run -p macula-proto --example frames_md > docs/FRAMES.md"
    );
}

/// The example is a frame of its type in both encodings, and is written as it stands.
fn check<F: Frame + PartialEq + std::fmt::Debug>(frame: &Specification, kind: fn(&F) -> &str) {
    let example = frame.manual.example;
    let limits = Limits::default();
    let read = F::decode(example.as_bytes(), Encoding::Json, &limits).expect(example);
    assert_eq!(kind(&read), frame.kind, "{example}");
    let written = read.encode(Encoding::Json);
    let value = |json: &[u8]| serde_json::from_slice::<serde_json::Value>(json).expect("JSON");
    let expected = value(example.as_bytes());
    assert_eq!(value(&written), expected);
    let msgpack = transcode(
        example.as_bytes(),
        Encoding::Json,
        Encoding::MsgPack,
        &limits,
    );
    let read = F::decode(&msgpack.expect("JSON"), Encoding::MsgPack, &limits).expect(example);
    assert_eq!(kind(&read), frame.kind, "{example}");
}

#[test]
fn every_example_is_a_frame_of_its_type() {
    for frame in ClientFrame::specifications() {
        check(&frame, ClientFrame::kind);
    }
    for frame in GatewayFrame::specifications() {
        check(&frame, GatewayFrame::kind);
    }
}

#[test]
fn every_member_of_an_example_is_described_and_every_required_one_is_there() {
    let all = [
        ClientFrame::specifications(),
        GatewayFrame::specifications(),
    ];
    for frame in all.concat() {
        let example: serde_json::Value = serde_json::from_str(frame.manual.example).unwrap();
        let members = example.as_object().unwrap();
        for name in members.keys().filter(|name| *name != "type") {
            let described = frame.properties.iter().any(|p| p.name == name);
            assert!(described, "{} {name}", frame.kind);
        }
        let mut required = frame.properties.iter().filter(|p| p.required);
        assert!(
            required.all(|p| members.contains_key(p.name)),
            "{}",
            frame.kind
        );
    }
}

#[test]
fn frames_are_answered_with_frames_of_the_other_end() {
    let (clients, gateways) = (
        ClientFrame::specifications(),
        GatewayFrame::specifications(),
    );
    for (asking, answering) in [(&clients, &gateways), (&gateways, &clients)] {
        for frame in asking {
            for answer in frame.manual.answers {
                assert!(answering.iter().any(|a| a.kind == *answer), "{answer}");
            }
            let refused = frame.manual.answers.contains(&"error") && frame.from == "client";
            assert_eq!(refused, !frame.manual.errors.is_empty(), "{}", frame.kind);
        }
    }
}
