//! The frames of a live session, as schemas: from the table that reads and writes them.

use macula_proto::frame::{ClientFrame, GatewayFrame, Specification};
use serde_json::{Map, Value, json};

/// The schema of the frames of one direction, and they.
pub(super) struct Direction {
    /// The name of the schema that is one of them.
    pub(super) name: &'static str,
    /// What it is.
    pub(super) doc: &'static str,
    pub(super) frames: Vec<Specification>,
}

/// Both directions.
pub(super) fn directions() -> [Direction; 2] {
    [
        Direction {
            name: "ClientFrame",
            doc: "A frame from a client.",
            frames: ClientFrame::specifications(),
        },
        Direction {
            name: "GatewayFrame",
            doc: "A frame from a gateway. Later gateways may say more: pass over what is not known.",
            frames: GatewayFrame::specifications(),
        },
    ]
}

/// The name of a frame's schema.
pub(super) fn name_of(frame: &Specification) -> String {
    format!("{}Frame", frame.manual.name)
}

/// A reference to a schema.
pub(super) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// A schema for each frame and for each direction, and what they need beside those of the API.
pub(super) fn schemas() -> Map<String, Value> {
    let mut schemas = Map::new();
    schemas.insert("Event".to_owned(), event());
    for direction in directions() {
        let mut mapping = Map::new();
        let mut one_of = Vec::new();
        for frame in &direction.frames {
            let name = name_of(frame);
            let place = format!("#/components/schemas/{name}");
            mapping.insert(frame.kind.to_owned(), json!(place));
            one_of.push(reference(&name));
            schemas.insert(name, schema(frame));
        }
        let any = json!({
            "description": direction.doc,
            "oneOf": one_of,
            "discriminator": {"propertyName": "type", "mapping": mapping},
        });
        schemas.insert(direction.name.to_owned(), any);
    }
    schemas
}

/// One frame's schema. A client's has no other members; a gateway's may have.
fn schema(frame: &Specification) -> Value {
    let mut properties = Map::new();
    let kind = json!({"type": "string", "const": frame.kind, "description": "Which frame it is."});
    properties.insert("type".to_owned(), kind);
    let mut required = vec!["type"];
    for property in &frame.properties {
        let mut schema = match (frame.kind, property.name) {
            ("discovered", "page") => reference("Page"),
            (_, "realm" | "topic" | "procedure") => reference("Name"),
            (_, "pattern") => reference("Pattern"),
            _ => property.schema.clone(),
        };
        schema["description"] = json!(property.doc);
        properties.insert(property.name.to_owned(), schema);
        if property.required {
            required.push(property.name);
        }
    }
    let example: Value =
        serde_json::from_str(frame.manual.example).expect("a test reads the examples");
    let mut schema = json!({
        "type": "object",
        "description": frame.doc,
        "required": required,
        "properties": properties,
        "examples": [example],
    });
    if frame.from == "client" {
        schema["additionalProperties"] = json!(false);
    }
    schema
}

/// An event as every reader sees it, on a stream and in a frame.
fn event() -> Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    json!({
        "type": "object",
        "description": "An event as readers see it, with its payload inline.",
        "required": ["id", "realm", "topic", "publisher", "time", "content_type", "payload"],
        "properties": {
            "id": {
                "type": "string", "minLength": 26, "maxLength": 26,
                "description": "The event's id, a ULID: ids of one publisher sort in the order of publishing.",
            },
            "realm": described("Name", "The realm."),
            "topic": described("Name", "The topic."),
            "publisher": text("Who published it."),
            "time": {
                "type": "string", "format": "date-time",
                "description": "When it was published (RFC 3339).",
            },
            "content_type": text("The payload's media type."),
            "headers": {
                "type": "object", "additionalProperties": {"type": "string"},
                "description": "Application headers, names in lower case.",
            },
            "payload": {
                "description": "The payload: the value itself, or its bytes when `opaque` is true.",
            },
            "opaque": {
                "type": "boolean", "default": false,
                "description": "True when `payload` is the bytes of the payload.",
            },
        },
    })
}

fn described(name: &str, description: &str) -> Value {
    let mut schema = reference(name);
    schema["description"] = json!(description);
    schema
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api, live};

    /// The table's crate cannot ask this one for its bounds.
    #[test]
    fn the_bounds_of_members_are_those_that_requests_are_held_to() {
        fn check(frame: &str, member: &str, keyword: &str, expected: u64) {
            let schema = &schemas()[frame]["properties"][member];
            assert_eq!(schema[keyword], expected, "{frame} {member}");
        }
        check(
            "CallFrame",
            "timeout_ms",
            "maximum",
            api::rpc::MAX_TIMEOUT_MS,
        );
        let replay = api::subscribe::MAX_REPLAY as u64;
        check("SubscribeFrame", "replay", "maximum", replay);
        let limit = macula_mesh::discover::MAX_LIMIT as u64;
        check("DiscoverFrame", "limit", "maximum", limit);
        let concurrency = live::MAX_CONCURRENCY;
        check("ServeFrame", "concurrency", "maximum", concurrency);
        let description = live::MAX_DESCRIPTION_BYTES as u64;
        check("ServeFrame", "description", "maxLength", description);
        let subject = api::sessions::MAX_SUBJECT_CHARS as u64;
        check("HelloFrame", "subject", "maxLength", subject);
        let key = api::idempotency::MAX_KEY_BYTES as u64;
        check("PublishFrame", "idempotency_key", "maxLength", key);
    }

    #[test]
    fn every_event_in_an_example_has_what_its_schema_requires() {
        let schemas = schemas();
        let example = &schemas["EventFrame"]["examples"][0]["event"];
        let members = example.as_object().unwrap();
        let event = &schemas["Event"];
        let required = event["required"].as_array().unwrap();
        for name in required {
            assert!(members.contains_key(name.as_str().unwrap()), "{name}");
        }
        for name in members.keys() {
            assert!(event["properties"].get(name).is_some(), "{name}");
        }
    }
}
