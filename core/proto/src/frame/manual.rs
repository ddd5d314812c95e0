//! What the specification says of a frame beside its members: its name, an example, what it may be
//! answered with, and the bounds that its members' types do not have.

use serde_json::{Value as Schema, json};

use super::field::Property;
use crate::ErrorCode::{self, *};

/// One frame's part of the manual.
#[derive(Debug, Clone, Copy)]
pub struct Manual {
    /// The frame's name among those of both directions.
    pub name: &'static str,
    /// A frame of this type, as JSON.
    pub example: &'static str,
    /// The types of the other end's frames that answer it, if any.
    pub answers: &'static [&'static str],
    /// The codes of an `error` that answers it.
    pub errors: &'static [ErrorCode],
}

const HELLO: &[ErrorCode] = &[
    InvalidRequest,
    InvalidName,
    InvalidPayload,
    Unauthenticated,
    SessionExpired,
    Forbidden,
    Timeout,
    Overloaded,
];
const CALL: &[ErrorCode] = &[
    InvalidRequest,
    InvalidName,
    InvalidPayload,
    UnsupportedMediaType,
    Forbidden,
    RateLimited,
    Overloaded,
    IdempotencyInFlight,
    IdempotencyMismatch,
    ProcedureNotFound,
    HandlerFailed,
    ProviderUnavailable,
    Timeout,
    Internal,
];
const PUBLISH: &[ErrorCode] = &[
    InvalidRequest,
    InvalidName,
    InvalidPayload,
    UnsupportedMediaType,
    Forbidden,
    RateLimited,
    Overloaded,
    IdempotencyInFlight,
    IdempotencyMismatch,
];
const OPERATION: &[ErrorCode] = &[
    InvalidRequest,
    InvalidName,
    InvalidPayload,
    Forbidden,
    RateLimited,
    Overloaded,
];
/// Of what has no names and opens nothing.
const PLAIN: &[ErrorCode] = &[InvalidRequest, InvalidPayload];
/// Of an answer to an `invoke`.
const ANSWER: &[ErrorCode] = &[InvalidRequest, InvalidPayload, UnsupportedMediaType];

/// The part about a frame.
///
/// # Panics
/// For a frame that is not in the table of frames; a test reads all of them.
pub(super) fn of(from: &str, kind: &str) -> Manual {
    let (name, answers, errors) = match from {
        "client" => client(kind),
        _ => gateway(kind),
    };
    let example = match from {
        "client" => client_example(kind),
        _ => gateway_example(kind),
    };
    Manual {
        name,
        example,
        answers,
        errors,
    }
}

type Flow = (&'static str, &'static [&'static str], &'static [ErrorCode]);

fn client(kind: &str) -> Flow {
    match kind {
        "hello" => ("Hello", &["welcome", "error"], HELLO),
        "call" => ("Call", &["progress", "result", "error"], CALL),
        "publish" => ("Publish", &["published", "error"], PUBLISH),
        "subscribe" => (
            "Subscribe",
            &["subscribed", "event", "gap", "ended", "error"],
            OPERATION,
        ),
        "unsubscribe" => ("Unsubscribe", &["ended", "error"], PLAIN),
        "serve" => ("Serve", &["served", "invoke", "error"], OPERATION),
        "unserve" => ("Unserve", &["ended", "error"], PLAIN),
        "cancel" => (
            "Cancel",
            &["ended", "result", "discovered", "published", "error"],
            PLAIN,
        ),
        "progress" => ("InvokeProgress", &["error"], ANSWER),
        "result" => ("InvokeResult", &["error"], ANSWER),
        "error" => ("InvokeError", &["error"], PLAIN),
        "discover" => ("Discover", &["discovered", "error"], OPERATION),
        "ping" => ("Ping", &["pong", "error"], PLAIN),
        other => unreachable!("`{other}` is in the table"),
    }
}

fn gateway(kind: &str) -> Flow {
    match kind {
        "welcome" => ("Welcome", &[], &[]),
        "result" => ("CallResult", &[], &[]),
        "progress" => ("CallProgress", &[], &[]),
        "error" => ("Error", &[], &[]),
        "published" => ("Published", &[], &[]),
        "subscribed" => ("Subscribed", &[], &[]),
        "event" => ("Event", &[], &[]),
        "gap" => ("Gap", &[], &[]),
        "served" => ("Served", &[], &[]),
        "discovered" => ("Discovered", &[], &[]),
        "invoke" => ("Invoke", &["progress", "result", "error"], &[]),
        "cancel" => ("InvokeCancel", &[], &[]),
        "ended" => ("Ended", &[], &[]),
        "goaway" => ("Goaway", &[], &[]),
        "pong" => ("Pong", &[], &[]),
        other => unreachable!("`{other}` is in the table"),
    }
}

fn client_example(kind: &str) -> &'static str {
    match kind {
        "hello" => {
            r#"{"type":"hello","token":"<token>","resume":{"session":"01JGFJJY0S0000000000000000","subscriptions":[{"id":2,"last_event_id":"01JGFJJY0S0000000000000007"}],"pending":[3],"invokes":[]}}"#
        }
        "call" => {
            r#"{"type":"call","id":1,"procedure":"demo.add","timeout_ms":2000,"payload":[1,2]}"#
        }
        "publish" => {
            r#"{"type":"publish","id":4,"topic":"home.kitchen.temperature","headers":{"unit":"celsius"},"payload":21.5}"#
        }
        "subscribe" => r#"{"type":"subscribe","id":2,"pattern":"home.**","replay":10}"#,
        "unsubscribe" => r#"{"type":"unsubscribe","id":2}"#,
        "serve" => {
            r#"{"type":"serve","id":3,"procedure":"demo.add","policy":"round_robin","concurrency":8,"description":"Adds numbers."}"#
        }
        "unserve" => r#"{"type":"unserve","id":3}"#,
        "cancel" => r#"{"type":"cancel","id":1}"#,
        "progress" => r#"{"type":"progress","id":9,"payload":{"done":0.5}}"#,
        "result" => r#"{"type":"result","id":9,"payload":3}"#,
        "error" => {
            r#"{"type":"error","id":9,"code":"no_such_room","detail":"there is no room `attic`","data":{"rooms":["hall","kitchen"]}}"#
        }
        "discover" => {
            r#"{"type":"discover","id":5,"pattern":"demo.**","kind":"procedure,topic","limit":50}"#
        }
        "ping" => r#"{"type":"ping","id":6}"#,
        other => unreachable!("`{other}` is in the table"),
    }
}

fn gateway_example(kind: &str) -> &'static str {
    match kind {
        "welcome" => {
            r#"{"type":"welcome","session":"01JGFJJY0S0000000000000000","realm":"dev","subject":"tablet","node":"hall","expires_at":"2026-01-01T12:00:00.000Z","grace_seconds":30,"resumed":true,"unknown":[3],"limits":{"max_frame_bytes":1064960,"max_calls":256,"max_subscriptions":256,"max_procedures":256,"max_bytes_in_flight":4194304}}"#
        }
        "result" => r#"{"type":"result","id":1,"served_by":"hall","payload":3}"#,
        "progress" => r#"{"type":"progress","id":1,"payload":{"done":0.5}}"#,
        "error" => {
            r#"{"type":"error","id":1,"problem":{"type":"/v1/errors/timeout","title":"Timeout","status":504,"detail":"no answer within 2000 ms","code":"timeout","instance":"01JGFJJY0S0000000000000000.1","retry":"later"}}"#
        }
        "published" => r#"{"type":"published","id":4,"event_id":"01JGFJJY0S0000000000000007"}"#,
        "subscribed" => {
            r#"{"type":"subscribed","id":2,"backlog":1,"position":"01JGFJJY0S0000000000000006"}"#
        }
        "event" => {
            r#"{"type":"event","id":2,"event":{"id":"01JGFJJY0S0000000000000007","realm":"dev","topic":"home.kitchen.temperature","publisher":"tablet","time":"2024-12-31T23:59:59.001Z","content_type":"application/json","headers":{"unit":"celsius"},"payload":21.5}}"#
        }
        "gap" => r#"{"type":"gap","id":2,"missed":12,"reason":"slow_reader"}"#,
        "served" => r#"{"type":"served","id":3}"#,
        "discovered" => {
            r#"{"type":"discovered","id":5,"page":{"items":[{"kind":"topic","name":"demo.news","found_at":{"level":"cluster","node":"hall"}}],"asked":["cluster"]}}"#
        }
        "invoke" => {
            r#"{"type":"invoke","id":9,"serve":3,"realm":"dev","procedure":"demo.add","caller":"curl","timeout_ms":4990,"progress":true,"payload":[1,2]}"#
        }
        "cancel" => r#"{"type":"cancel","id":9}"#,
        "ended" => r#"{"type":"ended","id":2}"#,
        "goaway" => {
            r#"{"type":"goaway","problem":{"type":"/v1/errors/draining","title":"Draining","status":503,"detail":"the node is shutting down","code":"draining","instance":"01JGFJJY0S0000000000000000","retry":"elsewhere"},"seconds":5}"#
        }
        "pong" => r#"{"type":"pong","id":6}"#,
        other => unreachable!("`{other}` is in the table"),
    }
}

/// Gives a member the bounds that a gateway holds it to.
pub(super) fn narrow(from: &str, kind: &str, property: &mut Property) {
    let bounds: Schema = match (from, kind, property.name) {
        ("client", "call", "timeout_ms") => json!({"minimum": 1, "maximum": 600_000}),
        ("client", "subscribe", "replay") => json!({"maximum": 10_000}),
        ("client", "serve", "concurrency") => json!({"minimum": 1, "maximum": 1_024}),
        ("client", "serve", "description") => json!({"maxLength": 1_024}),
        ("client", "discover", "limit") => json!({"minimum": 1, "maximum": 1_000}),
        ("client", "hello", "subject") => json!({"minLength": 1, "maxLength": 128}),
        ("client", _, "idempotency_key") => json!({"minLength": 1, "maxLength": 255}),
        ("gateway", _, "timeout_ms") => json!({"maximum": 600_000}),
        _ => return,
    };
    let schema = property.schema.as_object_mut();
    if let (Some(schema), Schema::Object(bounds)) = (schema, bounds) {
        schema.extend(bounds);
    }
}
