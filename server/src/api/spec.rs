//! The OpenAPI description of the API and the AsyncAPI description of the live session, from the code.
//!
//! `utoipa` collects what stands beside the handlers. [`document`] adds what holds for all of them:
//! MessagePack wherever there is JSON, and the refusals that each operation can give. The result is
//! committed under `openapi/`, where a test compares it with the code, and served from there.

mod asyncapi;
mod frames;
mod refusals;

use std::sync::Arc;

use axum::{Router, routing::get};
use http::header;
use serde_json::{Map, Value, json};
use utoipa::openapi::{InfoBuilder, License, OpenApi, OpenApiBuilder, server::Server};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::gateway::Gateway;

/// The committed description, as JSON.
const JSON: &str = include_str!("../../../openapi/openapi.json");
/// The committed description, as YAML.
const YAML: &str = include_str!("../../../openapi/openapi.yaml");
/// The committed description of the live session.
const ASYNCAPI: &str = include_str!("../../../openapi/asyncapi.yaml");

const DESCRIPTION: &str = "\
Call procedures, publish, subscribe and discover across a mesh, over HTTP/1.1, HTTP/2 or HTTP/3.

MessagePack is the primary encoding and JSON the fallback; `Accept` decides. Without it an answer \
comes in the request's own encoding, else in JSON. JSON has no bytes: they are \
`{\"$bytes\": \"<base64>\"}`. Every error is a problem (RFC 9457) with a stable `code`, which \
`/v1/errors/{code}` explains.";

const TAGS: [(&str, &str); 5] = [
    ("calls", "Call procedures, wherever they are served."),
    ("events", "Publish and subscribe."),
    ("discovery", "Find procedures, topics and nodes."),
    ("session", "Who a client is, and what it may do."),
    ("about", "How the node is, and what its errors mean."),
];

/// What the description begins with.
pub(super) fn base() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Macula")
        .version("1")
        .description(Some(DESCRIPTION))
        .license(Some(
            License::builder()
                .name("Apache-2.0")
                .identifier(Some("Apache-2.0"))
                .build(),
        ))
        .build();
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([Server::new("/")]))
        .build()
}

/// The whole description; members are sorted, so that it is the same each time.
#[must_use]
pub fn document() -> Value {
    let described = super::routes().into_openapi();
    let mut document = serde_json::to_value(described).expect("a description is JSON");
    document["openapi"] = json!("3.2.0");
    document["tags"] = TAGS
        .iter()
        .map(|(name, description)| json!({"name": name, "description": description}))
        .collect();
    let components = document["components"].as_object_mut();
    let components = components.expect("there are schemas");
    components.insert(
        "securitySchemes".to_owned(),
        json!({"token": {
            "type": "http",
            "scheme": "bearer",
            "description": "The token of a session. Open realms need none.",
        }}),
    );
    if let Some(schemas) = components["schemas"].as_object_mut() {
        schemas.extend(refusals::schemas());
        schemas.extend(frames::schemas());
        schemas.extend(names());
    }
    let paths = document["paths"].as_object_mut().expect("there are paths");
    for operation in paths
        .values_mut()
        .filter_map(Value::as_object_mut)
        .flatten()
    {
        let operation = operation.1.as_object_mut().expect("an operation is a map");
        name_names(operation);
        add_msgpack(operation);
        refusals::add(operation);
    }
    // OpenAPI has no place for what is said after an upgrade, but extensions.
    let connect = &mut document["paths"]["/v1/connect"]["get"];
    for (extension, direction) in ["x-client-frame", "x-gateway-frame"]
        .into_iter()
        .zip(frames::directions())
    {
        connect[extension] = frames::reference(direction.name);
    }
    document
}

/// The description of the live session, as AsyncAPI.
#[must_use]
pub fn asyncapi() -> Value {
    let document = document();
    let schemas = document["components"]["schemas"].as_object();
    asyncapi::document(schemas.expect("there are schemas"))
}

/// Says of each name in a path what a name is, and of a payload that there may be none.
fn name_names(operation: &mut Map<String, Value>) {
    let parameters = operation
        .get_mut("parameters")
        .and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten() {
        let schema = match parameter["name"].as_str() {
            Some("realm" | "topic" | "procedure") => "Name",
            Some("pattern") => "Pattern",
            _ => continue,
        };
        parameter["schema"] = json!({"$ref": format!("#/components/schemas/{schema}")});
    }
    if let Some(body) = operation.get_mut("requestBody") {
        body["required"] = json!(false);
    }
}

/// The grammar of names and patterns; that there are at most 16 segments stands in both.
fn names() -> Map<String, Value> {
    let segment = "[A-Za-z0-9_~-]{1,64}";
    let name = format!("^{segment}(\\.{segment}){{0,15}}$");
    let any = format!("({segment}|\\*)");
    let pattern = format!("^({any}(\\.{any}){{0,15}}|({any}\\.){{0,15}}\\*\\*)$");
    let schema = |description: &str, example: &str, pattern: String| {
        json!({
            "type": "string", "description": description, "example": example,
            "pattern": pattern, "minLength": 1, "maxLength": 255,
        })
    };
    let name = schema("Dotted segments.", "home.kitchen.temperature", name);
    let wildcards = "A name in which a segment may be `*` and the last may be `**`.";
    let pattern = schema(wildcards, "home.**", pattern);
    [("Name", name), ("Pattern", pattern)]
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect()
}

/// MessagePack wherever there is JSON.
fn add_msgpack(operation: &mut Map<String, Value>) {
    if let Some(request) = operation.get_mut("requestBody") {
        double(request);
    }
    let responses = operation
        .get_mut("responses")
        .and_then(Value::as_object_mut);
    responses
        .into_iter()
        .flat_map(Map::values_mut)
        .for_each(double);
}

fn double(body: &mut Value) {
    let Some(content) = body.get_mut("content").and_then(Value::as_object_mut) else {
        return;
    };
    if let Some(json) = content.get("application/json").cloned() {
        content.insert("application/msgpack".to_owned(), json);
    }
}

/// The description, and a page to read it that asks nothing of other hosts.
pub(super) fn pages() -> Router<Arc<Gateway>> {
    let file = |media_type: &'static str, text: &'static str| {
        get(move || async move { ([(header::CONTENT_TYPE, media_type)], text) })
    };
    let swagger = SwaggerUi::new("/docs").config(Config::from("/v1/openapi.json"));
    Router::from(swagger)
        .route("/v1/openapi.json", file("application/json", JSON))
        .route("/v1/openapi.yaml", file("application/yaml", YAML))
        .route("/v1/asyncapi.yaml", file("application/yaml", ASYNCAPI))
}
