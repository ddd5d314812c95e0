//! The AsyncAPI description of the live session, from the table of frames.
//!
//! It is about the gateway: it receives what clients send. Its schemas are copies of those of the
//! OpenAPI description, so that a tool that reads one file needs no other.

use std::collections::BTreeSet;

use macula_proto::frame::{MAX_RESUMED, OVERHEAD_BYTES, Specification};
use serde_json::{Map, Value, json};

use super::frames::{self, Direction, name_of};

const DESCRIPTION: &str = "\
The live session of a gateway, `macula.v1`: call, publish, subscribe, discover and serve procedures \
over one connection, and go on after a change of network. The subprotocol settles the encoding: \
`macula.v1.msgpack` or `macula.v1.json`; a frame is one binary or text message. WebTransport over \
HTTP/3 carries the same frames at the same path. The first frame is `hello`, once.";

/// The whole description. `schemas` are those of the OpenAPI description.
pub(super) fn document(schemas: &Map<String, Value>) -> Value {
    let directions = frames::directions();
    let all = || directions.iter().flat_map(|direction| &direction.frames);
    let messages: Map<_, _> = all()
        .map(|frame| (name_of(frame), message(frame)))
        .collect();
    let in_channel: Map<_, _> = messages
        .keys()
        .map(|name| {
            let reference = json!({"$ref": format!("#/components/messages/{name}")});
            (name.clone(), reference)
        })
        .collect();
    let operations: Map<_, _> = all().map(|frame| operation(frame, &directions)).collect();
    let needed = reachable(all().map(name_of), schemas);
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Macula live session",
            "version": "1",
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"gateway": {
            "host": "{host}",
            "protocol": "wss",
            "description": "Any node.",
            "variables": {"host": {
                "default": "localhost:4433",
                "description": "The node's name and port.",
            }},
        }},
        "channels": {"live": channel(&in_channel)},
        "operations": operations,
        "components": {"messages": messages, "schemas": needed},
    })
}

fn channel(messages: &Map<String, Value>) -> Value {
    json!({
        "address": "/v1/connect",
        "title": "The live session",
        "description": format!(
            "Frames of both directions. `welcome` tells what the session may use in `limits`: beyond \
             one an operation gets `overloaded`. A frame is at most as long as the longest payload \
             and {OVERHEAD_BYTES} bytes: a longer one ends the connection with 4413. `resume` names \
             at most {MAX_RESUMED} operations. The gateway closes with 4000 plus the status of a \
             problem, and with 4409 when the session went on elsewhere."
        ),
        "servers": [{"$ref": "#/servers/gateway"}],
        "messages": messages,
        "bindings": {"ws": {
            "bindingVersion": "0.1.0",
            "method": "GET",
            "query": {
                "type": "object",
                "properties": {"ticket": {
                    "type": "string",
                    "description": "A one-use ticket, in place of the token in `hello`.",
                }},
            },
            "headers": {
                "type": "object",
                "properties": {"sec-websocket-protocol": {
                    "type": "string", "enum": ["macula.v1.msgpack", "macula.v1.json"],
                    "description": "The encoding; without it the first message tells.",
                }},
            },
        }},
    })
}

fn message(frame: &Specification) -> Value {
    let name = name_of(frame);
    let example: Value =
        serde_json::from_str(frame.manual.example).expect("a test reads the examples");
    let mut message = json!({
        "name": name,
        "title": frame.kind,
        "summary": frame.doc,
        "payload": frames::reference(&name),
        "examples": [{"name": frame.kind, "payload": example}],
    });
    if frame
        .properties
        .iter()
        .any(|property| property.name == "id")
    {
        message["correlationId"] = json!({
            "location": "$message.payload#/id",
            "description": "The operation's number.",
        });
    }
    message
}

/// What the gateway does with a frame: it receives a client's, and sends its own.
fn operation(frame: &Specification, directions: &[Direction; 2]) -> (String, Value) {
    let of_client = frame.from == "client";
    let [client, gateway] = directions;
    let (action, others) = match of_client {
        true => ("receive", gateway),
        false => ("send", client),
    };
    let place = |frame: &Specification| {
        let name = name_of(frame);
        json!({"$ref": format!("#/channels/live/messages/{name}")})
    };
    let mut operation = json!({
        "action": action,
        "channel": {"$ref": "#/channels/live"},
        "title": frame.kind,
        "summary": frame.doc,
        "messages": [place(frame)],
    });
    let answers = others
        .frames
        .iter()
        .filter(|answer| frame.manual.answers.contains(&answer.kind));
    let answers: Vec<_> = answers.map(place).collect();
    if !answers.is_empty() {
        operation["reply"] = json!({"channel": {"$ref": "#/channels/live"}, "messages": answers});
    }
    if !frame.manual.errors.is_empty() {
        let codes = frame.manual.errors.iter();
        operation["x-error-codes"] = codes.map(|code| code.as_str()).collect();
    }
    (format!("{action}{}", frame.manual.name), operation)
}

/// The schemas with these names, and all that they refer to.
fn reachable(
    names: impl Iterator<Item = String>,
    schemas: &Map<String, Value>,
) -> Map<String, Value> {
    let mut waiting: Vec<String> = names.collect();
    let mut found = BTreeSet::new();
    while let Some(name) = waiting.pop() {
        if found.insert(name.clone()) {
            references(&schemas[&name], &mut waiting);
        }
    }
    let copy = |name: String| {
        let mut schema = schemas[&name].clone();
        plain(&mut schema);
        (name, schema)
    };
    found.into_iter().map(copy).collect()
}

fn references(value: &Value, found: &mut Vec<String>) {
    if let Some(place) = value["$ref"].as_str() {
        found.extend(
            place
                .strip_prefix("#/components/schemas/")
                .map(str::to_owned),
        );
    }
    children(value).for_each(|child| references(child, found));
}

fn children(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Object(members) => Box::new(members.values()),
        Value::Array(items) => Box::new(items.iter()),
        _ => Box::new(std::iter::empty()),
    }
}

/// Makes of OpenAPI's `example` the `examples` of JSON Schema, which AsyncAPI has.
fn plain(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.contains_key("type")
                && let Some(example) = members.remove("example")
            {
                members.insert("examples".to_owned(), json!([example]));
            }
            members.values_mut().for_each(plain);
        }
        Value::Array(items) => items.iter_mut().for_each(plain),
        _ => {}
    }
}
