//! What a gateway says.

use std::sync::Arc;

use super::{
    Field, Members, Specification, Wrong,
    field::Flag,
    parts::{Anything, Bounds, Numbers, Report},
    table::frames,
};
use crate::{
    Event, EventId, GapReason, Headers, Payload, Procedure, Realm,
    envelope::{self, Writer},
};

frames! {
    /// A frame from a gateway.
    GatewayFrame from "gateway"

    #[doc = "Answers `hello`. The session lives from here on."]
    Welcome "welcome" {
        session: Arc<str> = "The live session's name, for `resume`.",
        token: Option<Arc<str>> = "The token of the session, if `hello` had none.",
        realm: Realm = "The realm in which the client may act.",
        subject: Arc<str> = "Who the client is.",
        node: Arc<str> = "The node's name.",
        expires_at: Arc<str> = "When the session ends whatever happens (RFC 3339).",
        grace_seconds: u64 = "How long the session waits for the client to come back when its transport is lost.",
        resumed: Flag = "True when `resume` was granted.",
        unknown: Option<Box<Numbers>> = "Numbers in `resume` that the gateway has no operation for: it never heard of them, or their answer was lost.",
        limits: Box<Bounds> = "What the session may use.",
    }

    #[doc = "The result of a call. Nothing follows."]
    CallResult "result" {
        id: u64 = "The number of the `call`.",
        served_by: Option<Arc<str>> = "Who answered: a session, an app or a node.",
        payload: Payload = "The result.",
    }

    #[doc = "How far a call is."]
    CallProgress "progress" {
        id: u64 = "The number of the `call`.",
        payload: Payload = "How far it is.",
    }

    #[doc = "An operation has failed, and is over; or, without a number, a frame could not be understood."]
    Error "error" {
        id: Option<u64> = "The operation's number.",
        problem: Box<Report> = "What went wrong: problem details (RFC 9457), as in the HTTP API.",
    }

    #[doc = "The event has its id and is on its way. Nothing follows."]
    Published "published" {
        id: u64 = "The number of the `publish`.",
        event_id: EventId = "The event's id.",
    }

    #[doc = "The subscription is there: every event after `position` comes, or is told as missed."]
    Subscribed "subscribed" {
        id: u64 = "The number of the `subscribe`.",
        backlog: u64 = "How many events and gaps of the past come first.",
        position: EventId = "Stands for the last event's id until the first event has come.",
    }

    #[doc = "An event of a subscription."]
    EventFrame "event" {
        id: u64 = "The number of the `subscribe`.",
        event: Event = "The event.",
    }

    #[doc = "Events were lost here."]
    Missed "gap" {
        id: u64 = "The number of the `subscribe`.",
        missed: Option<u64> = "How many, when that is known.",
        reason: GapReason = "Why.",
    }

    #[doc = "The procedure is served."]
    Served "served" {
        id: u64 = "The number of the `serve`.",
    }

    #[doc = "A page of what was found. Nothing follows."]
    Discovered "discovered" {
        id: u64 = "The number of the `discover`.",
        page: Box<Anything> = "The page, as `GET /v1/discover` gives it.",
    }

    #[doc = "A call of a procedure that the client serves; it answers with `progress`, then one `result` or `error`."]
    Invoke "invoke" {
        id: u64 = "The invocation's number: the gateway's own, apart from the client's.",
        serve: u64 = "The number of the `serve`.",
        realm: Realm = "The realm of the call.",
        procedure: Procedure = "The procedure.",
        caller: Arc<str> = "Who calls.",
        timeout_ms: u64 = "How long the caller waits from now on.",
        progress: Flag = "True when the caller wants progress.",
        headers: Headers = "Application headers.",
        argument: Payload = "The argument.",
    }

    #[doc = "The caller of an invocation has gone, or its time is over: no answer is wanted any more."]
    Revoked "cancel" {
        id: u64 = "The number of the `invoke`.",
    }

    #[doc = "An operation is over that has no other end: the answer to `unsubscribe`, `unserve` and `cancel`, and the end of a subscription with `overflow: close`."]
    Ended "ended" {
        id: u64 = "The operation's number.",
    }

    #[doc = "The gateway is about to close the transport."]
    Goaway "goaway" {
        problem: Box<Report> = "Why; `retry` says whether another node or a new session helps.",
        seconds: u64 = "How long the transport stays open for what is in flight.",
    }

    #[doc = "The answer to `ping`."]
    Pong "pong" {
        id: Option<u64> = "That of the `ping`.",
    }
}
