//! How fast the hot paths are on this machine: `cargo run --release -p macula-proto --example throughput`.
//!
//! `validate` runs for every publish and call, `json_envelope` once for every event with readers.
//! The lines of `serde_json` and `rmp-serde` (skipping the same bytes) are for comparison.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "measuring needs a clock and says what it found"
)]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use macula_proto::{
    Accept, Encoding, Event, EventId, Limits, MediaType, Realm, Topic, json_envelope,
    msgpack_envelope, transcode, validate,
};
use serde::de::IgnoredAny;

/// How long each line is measured.
const TIME: Duration = Duration::from_millis(300);

fn main() {
    let reading =
        r#"{"sensor":"kitchen-1","celsius":21.5,"humidity":40,"ok":true,"tags":["a","b"]}"#;
    let list = format!("[{}]", vec![reading; 128].join(","));
    for (size, json) in [("small", reading.to_owned()), ("large", list)] {
        let limits = Limits::default();
        let json = json.into_bytes();
        let msgpack = transcode(&json, Encoding::Json, Encoding::MsgPack, &limits);
        let msgpack = msgpack.expect("the example is JSON");
        println!(
            "\n{size}: {} bytes of JSON, {} of MessagePack",
            json.len(),
            msgpack.len()
        );
        payload("JSON", &json, Encoding::Json);
        line("  serde_json, skipping", json.len(), || {
            serde_json::from_slice::<IgnoredAny>(&json).is_ok()
        });
        payload("MessagePack", &msgpack, Encoding::MsgPack);
        line("  rmp-serde, skipping", msgpack.len(), || {
            rmp_serde::from_slice::<IgnoredAny>(&msgpack).is_ok()
        });
    }
    println!("\nheaders");
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8";
    for header in [
        "*/*",
        "application/msgpack, application/json;q=0.5",
        browser,
    ] {
        line(header, header.len(), || {
            Accept::parse([header]).map(|accept| accept.choose(None))
        });
    }
}

fn payload(name: &str, bytes: &[u8], encoding: Encoding) {
    let limits = Limits::default();
    let event = Event {
        id: EventId::from_u128(1_735_689_599_001 << 80),
        realm: Realm::parse("org.example.home").expect("a name"),
        topic: Topic::parse("home.kitchen.temperature").expect("a name"),
        publisher: "sensor".into(),
        content_type: MediaType::Known(encoding),
        headers: Vec::new(),
        payload: bytes.to_vec().into(),
    };
    let other = encoding.other();
    line(&format!("{name}: validate"), bytes.len(), || {
        validate(bytes, encoding, &limits)
    });
    line(&format!("{name}: transcode"), bytes.len(), || {
        transcode(bytes, encoding, other, &limits)
    });
    line(&format!("{name}: json_envelope"), bytes.len(), || {
        json_envelope(&event)
    });
    line(&format!("{name}: msgpack_envelope"), bytes.len(), || {
        msgpack_envelope(&event)
    });
}

/// Runs the work for [`TIME`] and prints what one run takes.
fn line<T>(name: &str, bytes: usize, work: impl Fn() -> T) {
    let start = Instant::now();
    let mut runs = 0_u32;
    while start.elapsed() < TIME {
        for _ in 0..64 {
            black_box(work());
        }
        runs += 64;
    }
    let each = start.elapsed() / runs;
    let rate = bytes as f64 / each.as_secs_f64() / 1e6;
    println!("{name:44} {each:>12?} {rate:>8.0} MB/s");
}
