//! Members of frames that have members of their own.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::field::{Scalar, Structured};
use crate::{
    EventId, HandlerError, Problem,
    envelope::Writer,
    frame::members::Raw,
    sink::Text,
    words::{GapReason, Overflow, Policy, Reliability},
};

/// The most operations that `resume` may list.
pub const MAX_RESUMED: usize = 4_096;

/// The live session that a client goes on with, and what it holds of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    /// Its name, from `welcome`.
    pub session: String,
    /// The subscriptions that go on.
    #[serde(default)]
    pub subscriptions: Vec<Position>,
    /// The numbers of other operations without an answer yet, and of `serve`s.
    #[serde(default)]
    pub pending: Vec<u64>,
    /// The numbers of `invoke`s that the client will answer.
    #[serde(default)]
    pub invokes: Vec<u64>,
}

/// Where a subscription stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// The number of the `subscribe`.
    pub id: u64,
    /// The last event that came, or the `position` of `subscribed`.
    #[serde(with = "text")]
    pub last_event_id: EventId,
}

/// An id as its text.
mod text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::EventId;

    pub(super) fn serialize<S: Serializer>(id: &EventId, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(id)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<EventId, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl Structured for Resume {
    fn schema() -> Value {
        let number = |doc: &str| {
            let mut number = <u64 as Scalar>::schema();
            number["description"] = json!(doc);
            number
        };
        let numbers = |doc: &str| {
            json!({
                "type": "array",
                "maxItems": MAX_RESUMED,
                "description": doc,
                "items": <u64 as Scalar>::schema(),
            })
        };
        let mut id = <EventId as Scalar>::schema();
        id["description"] = json!("The last event that came, or the `position` of `subscribed`.");
        json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["session"],
            "properties": {
                "session": {"type": "string", "description": "The live session's name, from `welcome`."},
                "subscriptions": {
                    "type": "array",
                    "maxItems": MAX_RESUMED,
                    "description": "The subscriptions that go on; others end.",
                    "items": {
                        "type": "object",
                        "additionalProperties": false,
                        "required": ["id", "last_event_id"],
                        "properties": {
                            "id": number("The number of the `subscribe`."),
                            "last_event_id": id,
                        },
                    },
                },
                "pending": numbers("Operations without an answer yet, and `serve`s; others end."),
                "invokes": numbers("Invocations that the client still answers; others end."),
            },
        })
    }
}

/// Numbers of operations.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Numbers(pub Vec<u64>);

impl Structured for Numbers {
    fn schema() -> Value {
        json!({"type": "array", "items": <u64 as Scalar>::schema()})
    }
}

/// Any value that both encodings have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Anything(pub Value);

impl Structured for Anything {
    fn schema() -> Value {
        json!({})
    }
}

/// What a live session may use.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Bounds {
    /// The longest frame, in bytes.
    pub max_frame_bytes: u64,
    /// Calls, publishes and discoveries in flight.
    pub max_calls: u64,
    /// Subscriptions.
    pub max_subscriptions: u64,
    /// Procedures served.
    pub max_procedures: u64,
    /// Bytes of all arguments, payloads and results in flight together.
    pub max_bytes_in_flight: u64,
}

impl Structured for Bounds {
    fn schema() -> Value {
        let limit = |doc: &str| json!({"type": "integer", "minimum": 0, "description": doc});
        json!({
            "type": "object",
            "required": [
                "max_frame_bytes",
                "max_calls",
                "max_subscriptions",
                "max_procedures",
                "max_bytes_in_flight",
            ],
            "properties": {
                "max_frame_bytes": limit("The longest frame, in bytes."),
                "max_calls": limit("Calls, publishes and discoveries in flight."),
                "max_subscriptions": limit("Subscriptions."),
                "max_procedures": limit("Procedures served."),
                "max_bytes_in_flight": limit("Bytes of all payloads in flight together."),
            },
        })
    }
}

/// A problem as a reader finds it: an unknown code or advice is kept, and so are members that a later gateway
/// may tell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Where the error is explained.
    #[serde(rename = "type")]
    pub kind: String,
    /// A short summary.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What was wrong this time.
    pub detail: String,
    /// The stable code.
    pub code: String,
    /// The request or operation, for the logs.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instance: String,
    /// What a client may do: `never`, `later` or `elsewhere`.
    pub retry: String,
    /// The handler's own error, with `handler_failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handler: Option<HandlerError>,
    /// All other members.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Report {
    /// The problem, as it is told to a client; `instance` is the operation's name in the logs.
    #[must_use]
    pub fn of(problem: &Problem, instance: String) -> Self {
        let code = problem.code;
        Self {
            kind: format!("/v1/errors/{}", code.as_str()),
            title: code.title().to_owned(),
            status: code.status(),
            detail: problem.detail.clone(),
            code: code.as_str().to_owned(),
            instance,
            retry: code.retry().as_str().to_owned(),
            handler: problem.handler.clone(),
            more: Map::new(),
        }
    }
}

impl Structured for Report {
    fn schema() -> Value {
        json!({"$ref": "#/components/schemas/Problem"})
    }
}

macro_rules! word_scalars {
    ($($word:ident)*) => {$(
        impl Scalar for $word {
            fn schema() -> Value {
                let words: Vec<_> = Self::ALL.iter().map(|word| word.as_str()).collect();
                json!({"type": "string", "enum": words})
            }

            fn read(raw: Raw<'_>) -> Result<Self, String> {
                raw.text(|text| text.parse::<Self>().map_err(|error| error.to_string()))
            }

            fn write<W: Writer>(&self, writer: &mut W) {
                writer.text(Text::Plain(self.as_str()));
            }
        }
    )*};
}

word_scalars! { GapReason Overflow Policy Reliability }
