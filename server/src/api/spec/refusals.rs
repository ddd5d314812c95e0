//! The refusals that each operation can give, in its description.

use std::collections::BTreeMap;

use macula_proto::ErrorCode::{self, *};
use serde_json::{Map, Value, json};

/// What every operation can be refused for.
const ALWAYS: &[ErrorCode] = &[InvalidRequest, NotAcceptable, Internal];
/// What an operation that does something for somebody can be refused for.
const IDENTIFIED: &[ErrorCode] = &[
    Unauthenticated,
    SessionExpired,
    RateLimited,
    Draining,
    Overloaded,
];
/// What a path with names can be refused for.
const NAMED: &[ErrorCode] = &[InvalidName, Forbidden];
/// What an operation that is not safe can be refused for.
const UNSAFE: &[ErrorCode] = &[TooEarly];
/// What an operation with a body can be refused for.
const BODY: &[ErrorCode] = &[InvalidPayload, PayloadTooLarge, UnsupportedMediaType];
/// What an operation with a key can be refused for.
const KEYED: &[ErrorCode] = &[IdempotencyInFlight, IdempotencyMismatch];

/// The codes of an operation.
fn codes(operation: &str) -> Vec<ErrorCode> {
    let own: &[&[ErrorCode]] = match operation {
        "call" => &[
            IDENTIFIED,
            NAMED,
            UNSAFE,
            BODY,
            KEYED,
            &[
                ProcedureNotFound,
                HandlerFailed,
                ProviderUnavailable,
                Timeout,
            ],
        ],
        "publish" => &[IDENTIFIED, NAMED, UNSAFE, BODY, KEYED],
        "subscribe" | "discover" => &[IDENTIFIED, NAMED],
        "openSession" => &[IDENTIFIED, UNSAFE, BODY],
        "endSession" | "issueTicket" => &[IDENTIFIED, UNSAFE],
        "showSession" => &[IDENTIFIED],
        "connect" => &[IDENTIFIED, UNSAFE, &[Forbidden]],
        "explainError" => &[&[NotFound, Draining]],
        "metrics" => &[&[Forbidden]],
        _ => &[],
    };
    [&[ALWAYS], own].concat().concat()
}

/// Adds the refusals to an operation, by status.
pub(super) fn add(operation: &mut Map<String, Value>) {
    let id = operation["operationId"].as_str().unwrap_or_default();
    let codes = codes(id);
    let mut by_status = BTreeMap::<u16, Vec<ErrorCode>>::new();
    for &code in &codes {
        by_status.entry(code.status()).or_default().push(code);
    }
    if codes.contains(&Unauthenticated) {
        operation.insert("security".to_owned(), json!([{}, {"token": []}]));
    } else {
        operation.insert("security".to_owned(), json!([]));
    }
    let responses = operation["responses"].as_object_mut();
    let responses = responses.expect("an operation has responses");
    for (status, codes) in by_status {
        let refusal = refusal(&codes);
        match responses.get_mut(&status.to_string()) {
            None => drop(responses.insert(status.to_string(), refusal)),
            Some(response) => {
                let own = response["content"].as_object_mut();
                own.into_iter()
                    .for_each(|content| content.extend(content_of_problem()));
            }
        }
    }
}

fn refusal(codes: &[ErrorCode]) -> Value {
    let lines = codes
        .iter()
        .map(|code| format!("`{}`: {}", code.as_str(), code.meaning()));
    let mut refusal = json!({
        "description": lines.collect::<Vec<_>>().join("\n\n"),
        "content": content_of_problem(),
    });
    if codes
        .iter()
        .any(|code| matches!(code, RateLimited | Draining | Overloaded))
    {
        refusal["headers"] = json!({"retry-after": {
            "description": "Seconds after which to come again.",
            "schema": {"type": "integer", "minimum": 1},
        }});
    }
    refusal
}

fn content_of_problem() -> Map<String, Value> {
    let problem = json!({"schema": {"$ref": "#/components/schemas/Problem"}});
    ["application/problem+json", "application/problem+msgpack"]
        .into_iter()
        .map(|media_type| (media_type.to_owned(), problem.clone()))
        .collect()
}

/// The schemas of a problem. Codes are an open set: a client meets new ones before it is updated.
pub(super) fn schemas() -> Map<String, Value> {
    let codes: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    let text = |description: &str| json!({"type": "string", "description": description});
    let problem = json!({
        "type": "object",
        "description": "An error (RFC 9457), the same on every transport.",
        "required": ["type", "title", "status", "detail", "code", "instance", "retry"],
        "properties": {
            "type": {
                "type": "string", "format": "uri-reference", "example": "/v1/errors/timeout",
                "description": "Where the error is explained.",
            },
            "title": text("A short summary, the same for every occurrence."),
            "status": {
                "type": "integer", "minimum": 400, "maximum": 599,
                "description": "The HTTP status.",
            },
            "detail": text("What was wrong this time, and what was expected."),
            "code": {"$ref": "#/components/schemas/ErrorCode"},
            "instance": text("The request's id."),
            "retry": {
                "type": "string", "x-extensible-enum": ["never", "later", "elsewhere"],
                "description": "When the same request may succeed.",
            },
            "handler": {"$ref": "#/components/schemas/HandlerError"},
        },
    });
    let handler = json!({
        "type": "object",
        "description": "The error of the procedure's handler, with `handler_failed`.",
        "required": ["code", "detail"],
        "properties": {
            "code": text("The handler's code; its meaning is the procedure's."),
            "detail": text("What went wrong, for people."),
            "data": {"description": "Further data of the handler's choice."},
        },
    });
    let code = json!({
        "type": "string", "x-extensible-enum": codes, "example": "timeout",
        "description": "What went wrong, as a stable code; more may come.",
    });
    let schemas = [
        ("ErrorCode", code),
        ("HandlerError", handler),
        ("Problem", problem),
    ];
    schemas
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect()
}
