//! What a client says.

use std::sync::Arc;

use super::{
    Field, Members, Specification, Wrong,
    field::Flag,
    parts::{Anything, Resume},
    table::frames,
};
use crate::{
    EventId, Headers, Overflow, Pattern, Payload, Policy, Procedure, Realm, Reliability, Topic,
    envelope::{self, Writer},
};

frames! {
    /// A frame from a client.
    ClientFrame from "client"

    #[doc = "Begins or resumes a session. It is the first frame, and comes once."]
    Hello "hello" {
        token: Option<Arc<str>> = "The token of a session; without one a session is opened in an open realm.",
        realm: Option<Realm> = "The realm of the session to open; the first open one unless said otherwise.",
        subject: Option<Arc<str>> = "Who opens the session, as publishers and callers are named.",
        resume: Option<Box<Resume>> = "The live session to go on with.",
    }

    #[doc = "Calls a procedure. `progress` may follow, then one `result` or `error`."]
    Call "call" {
        id: u64 = "The operation's number, new in this live session.",
        realm: Option<Realm> = "The realm; the session's unless said otherwise.",
        procedure: Procedure = "The procedure.",
        timeout_ms: Option<u64> = "How long to wait for the result; 5000 unless said otherwise, at most 600000.",
        progress: Flag = "True when progress is wanted.",
        idempotency_key: Option<Arc<str>> = "Makes a repeated call give the first one's answer, for 10 minutes.",
        headers: Headers = "Application headers, names in lower case.",
        argument: Payload = "The argument; `null` unless said otherwise.",
    }

    #[doc = "Publishes an event. `published` or `error` follows."]
    Publish "publish" {
        id: Option<u64> = "The operation's number; without one nothing is answered.",
        realm: Option<Realm> = "The realm; the session's unless said otherwise.",
        topic: Topic = "The topic.",
        idempotency_key: Option<Arc<str>> = "Makes a repeated publish give the first one's answer, for 10 minutes.",
        headers: Headers = "Application headers, names in lower case.",
        payload: Payload = "The payload; `null` unless said otherwise.",
    }

    #[doc = "Subscribes to a pattern. `subscribed` follows, then `event` and `gap` until the client unsubscribes."]
    Subscribe "subscribe" {
        id: u64 = "The operation's number, new in this live session.",
        realm: Option<Realm> = "The realm; the session's unless said otherwise.",
        pattern: Pattern = "The topics: a name in which a segment may be `*` and the last `**`.",
        replay: Option<u64> = "How many events back to begin, at most 10000.",
        after: Option<EventId> = "The event to begin after; wins over `replay`.",
        overflow: Option<Overflow> = "What happens when the client is too slow; `drop_oldest` unless said otherwise.",
        delivery: Option<Reliability> = "Whether events may be lost on the way; `all` unless said otherwise.",
    }

    #[doc = "Ends a subscription. `ended` follows."]
    Unsubscribe "unsubscribe" {
        id: u64 = "The number of the subscription.",
    }

    #[doc = "Serves a procedure. `served` or `error` follows, then an `invoke` for each call until the client stops serving."]
    Serve "serve" {
        id: u64 = "The operation's number, new in this live session.",
        realm: Option<Realm> = "The realm; the session's unless said otherwise.",
        procedure: Procedure = "The procedure.",
        policy: Option<Policy> = "How calls are spread over several providers; what the others have agreed on unless said otherwise.",
        concurrency: Option<u64> = "Calls at a time, 64 unless said otherwise; further ones wait.",
        description: Option<Arc<str>> = "What the procedure does, for people; at most 1024 bytes.",
        argument_schema: Option<Box<Anything>> = "The JSON Schema of the argument.",
        result_schema: Option<Box<Anything>> = "The JSON Schema of the result.",
    }

    #[doc = "Stops serving. `ended` follows; calls that wait for an answer end with `provider_unavailable`."]
    Unserve "unserve" {
        id: u64 = "The number of the `serve`.",
    }

    #[doc = "Gives up a call or a discovery. `ended` follows, unless its answer was on the way."]
    Cancel "cancel" {
        id: u64 = "The number of the call.",
    }

    #[doc = "Tells how far an invocation is."]
    Progressed "progress" {
        id: u64 = "The number of the `invoke`.",
        payload: Payload = "How far it is.",
    }

    #[doc = "Answers an invocation."]
    Returned "result" {
        id: u64 = "The number of the `invoke`.",
        payload: Payload = "The result; `null` unless said otherwise.",
    }

    #[doc = "Answers an invocation with an error of the handler's own."]
    Failed "error" {
        id: u64 = "The number of the `invoke`.",
        code: Arc<str> = "The handler's code; 64 bytes are kept.",
        detail: Option<Arc<str>> = "What went wrong, for people; 1024 bytes are kept.",
        data: Option<Box<Anything>> = "Further data of the handler's choice.",
    }

    #[doc = "Finds procedures, topics and nodes. `discovered` or `error` follows."]
    Discover "discover" {
        id: u64 = "The operation's number, new in this live session.",
        realm: Option<Realm> = "The realm; the session's unless said otherwise.",
        pattern: Pattern = "The names wanted.",
        kind: Option<Arc<str>> = "The kinds wanted, with commas between: `procedure`, `topic`, `node`; all unless said otherwise.",
        limit: Option<u64> = "The most items of the answer, at most 1000; 100 unless said otherwise.",
        cursor: Option<Arc<str>> = "Where the page before ended.",
    }

    #[doc = "Asks whether the gateway is there. `pong` follows."]
    Ping "ping" {
        id: Option<u64> = "Comes back in `pong`.",
    }
}
