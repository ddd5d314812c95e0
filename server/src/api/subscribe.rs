//! `GET /v1/subscribe/{realm}/{pattern}`: events as Server-Sent Events.

use std::{
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use axum::{extract::State, response::Response};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName};
use macula_mesh::{
    Delivery, Published, Replay, Slot, Subscribe, Subscription,
    pubsub::{Bounds, Overflow},
};
use macula_proto::{ErrorCode, EventId, MediaType, Pattern, Problem, Realm, json_envelope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    context::Context,
    gateway::Gateway,
    params::{Names, Params},
    principal::Principal,
    problem::Refused,
    sse,
};

/// Where a reader left off (the HTML standard, §9.2.4).
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// The most events that a reader may ask back.
pub const MAX_REPLAY: usize = 10_000;
/// Where an event keeps its Server-Sent Event, so that a thousand readers cost one rendering.
const MESSAGE: Slot = Slot::new(0);
/// The most events that are put into one frame.
const BATCH: usize = 64;

/// The parameters of a subscription. `ticket` is read before; it stands here to be known.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    replay: Option<usize>,
    last_event_id: Option<String>,
    #[serde(default)]
    overflow: OnOverflow,
    #[serde(rename = "ticket")]
    _ticket: Option<String>,
}

/// What happens to a reader that is too slow.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum OnOverflow {
    /// The oldest events that wait go, and a `gap` event tells how many.
    #[default]
    DropOldest,
    /// The stream ends after what waits.
    Close,
}

/// What the first event says.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Subscribed<'a> {
    /// The realm.
    realm: &'a str,
    /// The pattern.
    pattern: &'a str,
    /// How many events and gaps of the past come first.
    backlog: usize,
}

/// Subscribe to a pattern.
///
/// The first event is `subscribed`; each event then is a `message` with its id and a JSON envelope.
/// A `gap` event says how many were missed and why, whenever something is lost. `Last-Event-ID`
/// resumes without loss inside the replay window. A comment comes every 15 s.
#[utoipa::path(
    get,
    path = "/v1/subscribe/{realm}/{pattern}",
    operation_id = "subscribe",
    tag = "events",
    params(
        ("realm" = String, Path, description = "The realm.", example = "dev"),
        ("pattern" = String, Path, description = "The topics: a name in which a segment may be `*` and the last `**`.", example = "home.**"),
        ("replay" = Option<usize>, Query, description = "How many events back to begin.", minimum = 0, maximum = 10_000),
        ("last_event_id" = Option<String>, Query, description = "As the header `Last-Event-ID`, which wins.", min_length = 26, max_length = 26),
        ("overflow" = inline(Option<OnOverflow>), Query, description = "What happens when the reader is too slow."),
        ("ticket" = Option<String>, Query, description = "A one-use ticket, for `EventSource`."),
        ("last-event-id" = Option<String>, Header, description = "Resumes after this event.", min_length = 26, max_length = 26),
    ),
    responses((status = 200, description = "The stream; it does not end by itself.", content((String = "text/event-stream")))),
)]
pub(super) async fn subscribe(
    State(gateway): State<Arc<Gateway>>,
    context: Context,
    principal: Principal,
    Names(realm, pattern): Names<Realm, Pattern>,
    Params(query): Params<Query>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    principal.enter(&gateway, &realm)?;
    let event_stream = MediaType::parse("text/event-stream")?;
    if context.accept()?.quality(&event_stream) == 0 {
        let detail = "expected `Accept` to allow text/event-stream";
        return Err(Problem::new(ErrorCode::NotAcceptable, detail).into());
    }
    let overflow = match query.overflow {
        OnOverflow::DropOldest => Overflow::DropOldest,
        OnOverflow::Close => Overflow::Close,
    };
    let wanted = Subscribe {
        realm: realm.clone(),
        pattern: pattern.clone(),
        replay: replay(&headers, &query)?,
        queue: Bounds {
            events: gateway.settings.reader_events,
            bytes: gateway.settings.reader_bytes,
            overflow,
        },
    };
    let subscription = gateway.mesh.subscribe_in_cluster(wanted).await?;
    let subscribed = Subscribed {
        realm: realm.as_str(),
        pattern: pattern.as_str(),
        backlog: subscription.backlog(),
    };
    let mut first = BytesMut::from("retry: 1000\n");
    first.extend_from_slice(&sse::event_of("subscribed", &subscribed));
    let events = Events(subscription);
    Ok(sse::respond(
        &gateway,
        &principal,
        context,
        first.freeze(),
        events,
    )?)
}

/// Where to begin. The header wins, as a browser that reconnects sends it with the first URL.
fn replay(headers: &HeaderMap, query: &Query) -> Result<Replay, Problem> {
    let invalid = |detail: String| Problem::new(ErrorCode::InvalidRequest, detail);
    let header = headers.get(LAST_EVENT_ID);
    let header = header.map(|value| String::from_utf8_lossy(value.as_bytes()));
    let id = header.as_deref().or(query.last_event_id.as_deref());
    // The standard has browsers send an empty id when the last event had none.
    if let Some(id) = id.filter(|id| !id.is_empty()) {
        let id: EventId = id
            .parse()
            .map_err(|error| invalid(format!("last event id: {error}")))?;
        return Ok(Replay::After(id));
    }
    match query.replay {
        None | Some(0) => Ok(Replay::None),
        Some(count) if count <= MAX_REPLAY => Ok(Replay::Last(count)),
        Some(_) => Err(invalid(format!(
            "expected `replay` of at most {MAX_REPLAY}"
        ))),
    }
}

/// The events of a subscription.
struct Events(Subscription);

impl sse::Source for Events {
    fn poll_frame(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Bytes>> {
        // Allocates with the first event: an idle reader holds no buffer.
        let mut batch = Vec::new();
        let count = self.0.poll_batch(cx, BATCH, sse::FRAME_BYTES, &mut batch);
        count.map(|count| (count > 0).then(|| frame(&batch)))
    }
}

/// Several events as one frame; a single one is not copied.
fn frame(batch: &[Delivery]) -> Bytes {
    if let [single] = batch {
        return text(single);
    }
    let mut frame = BytesMut::with_capacity(sse::FRAME_BYTES);
    for delivery in batch {
        frame.extend_from_slice(&text(delivery));
    }
    frame.freeze()
}

fn text(delivery: &Delivery) -> Bytes {
    match delivery {
        Delivery::Event(published) => message(published),
        Delivery::Gap(gap) => sse::event_of("gap", gap),
    }
}

fn message(published: &Published) -> Bytes {
    published.rendered(MESSAGE, |event| {
        sse::event("message", Some(&event.id), &json_envelope(event))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: Option<&str>, query: &str, expected: Result<Replay, &str>) {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(LAST_EVENT_ID, header.parse().unwrap());
        }
        let uri: http::Uri = format!("/?{query}").parse().unwrap();
        let query = axum::extract::Query::<Query>::try_from_uri(&uri).unwrap().0;
        let found = replay(&headers, &query).map_err(|problem| problem.detail);
        assert_eq!(
            found,
            expected.map_err(str::to_owned),
            "{header:?} {query:?}"
        );
    }

    #[test]
    fn a_reader_says_where_to_begin() {
        let (a, b) = (EventId::from_u128(1), EventId::from_u128(2));
        let (text_a, text_b) = (a.to_string(), b.to_string());
        check(None, "", Ok(Replay::None));
        check(None, "replay=0", Ok(Replay::None));
        check(None, "replay=7", Ok(Replay::Last(7)));
        check(Some(""), "replay=7", Ok(Replay::Last(7)));
        check(Some(&text_a), "replay=7", Ok(Replay::After(a)));
        check(
            Some(&text_a),
            &format!("last_event_id={text_b}"),
            Ok(Replay::After(a)),
        );
        check(
            None,
            &format!("last_event_id={text_b}"),
            Ok(Replay::After(b)),
        );
        check(
            None,
            "replay=10001",
            Err("expected `replay` of at most 10000"),
        );
        let expected = "last event id: expected an event id: 26 characters of Crockford's base 32";
        check(Some("7"), "", Err(expected));
    }
}
