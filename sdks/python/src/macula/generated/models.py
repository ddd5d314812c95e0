"""Models of the spec's schemas, frames among them.

Made from openapi/openapi.json by scripts/generate.py. Do not edit.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType, field


class CallProgressFrame(Struct, tag_field="type", tag="progress"):
    """
    How far a call is.
    """

    id: Annotated[int, Meta(description="The number of the `call`.")]
    content_type: (
        Annotated[
            str,
            Meta(description="The payload's media type; the frame's own encoding unless said otherwise."),
        ]
        | None
        | UnsetType
    ) = UNSET
    opaque: (
        Annotated[
            bool,
            Meta(
                description="True when `payload` is the bytes of the payload: of any media type but JSON and MessagePack."
            ),
        ]
        | UnsetType
    ) = False
    payload: (
        Annotated[
            Any,
            Meta(description="The payload: the value itself, or its bytes when `opaque` is true."),
        ]
        | UnsetType
    ) = UNSET


class CallResultFrame(Struct, tag_field="type", tag="result"):
    """
    The result of a call. Nothing follows.
    """

    id: Annotated[int, Meta(description="The number of the `call`.")]
    content_type: (
        Annotated[
            str,
            Meta(description="The payload's media type; the frame's own encoding unless said otherwise."),
        ]
        | None
        | UnsetType
    ) = UNSET
    opaque: (
        Annotated[
            bool,
            Meta(
                description="True when `payload` is the bytes of the payload: of any media type but JSON and MessagePack."
            ),
        ]
        | UnsetType
    ) = False
    payload: (
        Annotated[
            Any,
            Meta(description="The payload: the value itself, or its bytes when `opaque` is true."),
        ]
        | UnsetType
    ) = UNSET
    served_by: Annotated[str, Meta(description="Who answered: a session, an app or a node.")] | None | UnsetType = UNSET


class CancelFrame(Struct, tag_field="type", tag="cancel"):
    """
    Gives up a call or a discovery. `ended` follows, unless its answer was on the way.
    """

    id: Annotated[int, Meta(description="The number of the call.")]


class EndedFrame(Struct, tag_field="type", tag="ended"):
    """
    An operation is over that has no other end: the answer to `unsubscribe`, `unserve` and `cancel`, and the end of a subscription with `overflow: close`.
    """

    id: Annotated[int, Meta(description="The operation's number.")]


class Endpoint(Struct):
    """
    Where a session can connect.
    """

    protocols: Annotated[list[str], Meta(description="The protocols there, as in ALPN.")]
    url: Annotated[str, Meta(description="The base of the URLs.")]


ErrorCode: TypeAlias = Annotated[str, Meta(description="What went wrong, as a stable code; more may come.")]


class ErrorFrame(Struct, tag_field="type", tag="error"):
    """
    An operation has failed, and is over; or, without a number, a frame could not be understood.
    """

    problem: Annotated[
        dict[str, Any],
        Meta(description="What went wrong: problem details (RFC 9457), as in the HTTP API."),
    ]
    id: Annotated[int, Meta(description="The operation's number.")] | None | UnsetType = UNSET


class ErrorInfo(Struct):
    """
    One row of the error table.
    """

    code: Annotated[str, Meta(description="The stable code.")]
    meaning: Annotated[str, Meta(description="What the error means.")]
    remedy: Annotated[str, Meta(description="What to do about it.")]
    retry: Annotated[
        str,
        Meta(description="When the same request may succeed: `never`, `later` or `elsewhere`."),
    ]
    status: Annotated[int, Meta(description="The HTTP status.")]
    title: Annotated[str, Meta(description="A short summary.")]


class GapFrame(Struct, tag_field="type", tag="gap"):
    """
    Events were lost here.
    """

    id: Annotated[int, Meta(description="The number of the `subscribe`.")]
    reason: Annotated[str, Meta(description="Why.")]
    missed: Annotated[int, Meta(description="How many, when that is known.")] | None | UnsetType = UNSET


class GoawayFrame(Struct, tag_field="type", tag="goaway"):
    """
    The gateway is about to close the transport.
    """

    problem: Annotated[
        dict[str, Any],
        Meta(description="Why; `retry` says whether another node or a new session helps."),
    ]
    seconds: Annotated[
        int,
        Meta(description="How long the transport stays open for what is in flight."),
    ]


class HandlerError(Struct):
    """
    The error of the procedure's handler, with `handler_failed`.
    """

    code: Annotated[str, Meta(description="The handler's code; its meaning is the procedure's.")]
    detail: Annotated[str, Meta(description="What went wrong, for people.")]
    data: Annotated[Any, Meta(description="Further data of the handler's choice.")] | UnsetType = UNSET


class Health(Struct):
    """
    How the node is.
    """

    status: Annotated[str, Meta(description="`ok`, `draining` or `stuck`.")]


class Subscription(Struct):
    id: Annotated[int, Meta(description="The number of the `subscribe`.")]
    last_event_id: Annotated[
        str,
        Meta(description="The last event that came, or the `position` of `subscribed`."),
    ]


class Resume(Struct):
    """
    The live session to go on with.
    """

    session: Annotated[str, Meta(description="The live session's name, from `welcome`.")]
    invokes: (
        Annotated[
            list[int],
            Meta(description="Invocations that the client still answers; others end."),
        ]
        | UnsetType
    ) = UNSET
    pending: (
        Annotated[
            list[int],
            Meta(description="Operations without an answer yet, and `serve`s; others end."),
        ]
        | UnsetType
    ) = UNSET
    subscriptions: (
        Annotated[
            list[Subscription],
            Meta(description="The subscriptions that go on; others end."),
        ]
        | UnsetType
    ) = UNSET


class InvokeCancelFrame(Struct, tag_field="type", tag="cancel"):
    """
    The caller of an invocation has gone, or its time is over: no answer is wanted any more.
    """

    id: Annotated[int, Meta(description="The number of the `invoke`.")]


class InvokeErrorFrame(Struct, tag_field="type", tag="error"):
    """
    Answers an invocation with an error of the handler's own.
    """

    code: Annotated[str, Meta(description="The handler's code; 64 bytes are kept.")]
    id: Annotated[int, Meta(description="The number of the `invoke`.")]
    data: Annotated[Any, Meta(description="Further data of the handler's choice.")] | UnsetType = UNSET
    detail: Annotated[str, Meta(description="What went wrong, for people; 1024 bytes are kept.")] | UnsetType = UNSET


class InvokeProgressFrame(Struct, tag_field="type", tag="progress"):
    """
    Tells how far an invocation is.
    """

    id: Annotated[int, Meta(description="The number of the `invoke`.")]
    content_type: (
        Annotated[
            str,
            Meta(description="The payload's media type; the frame's own encoding unless said otherwise."),
        ]
        | UnsetType
    ) = UNSET
    opaque: (
        Annotated[
            bool,
            Meta(
                description="True when `payload` is the bytes of the payload: of any media type but JSON and MessagePack."
            ),
        ]
        | UnsetType
    ) = False
    payload: (
        Annotated[
            Any,
            Meta(description="The payload: the value itself, or its bytes when `opaque` is true."),
        ]
        | UnsetType
    ) = UNSET


class InvokeResultFrame(Struct, tag_field="type", tag="result"):
    """
    Answers an invocation.
    """

    id: Annotated[int, Meta(description="The number of the `invoke`.")]
    content_type: (
        Annotated[
            str,
            Meta(description="The payload's media type; the frame's own encoding unless said otherwise."),
        ]
        | UnsetType
    ) = UNSET
    opaque: (
        Annotated[
            bool,
            Meta(
                description="True when `payload` is the bytes of the payload: of any media type but JSON and MessagePack."
            ),
        ]
        | UnsetType
    ) = False
    payload: (
        Annotated[
            Any,
            Meta(description="The payload: the value itself, or its bytes when `opaque` is true."),
        ]
        | UnsetType
    ) = UNSET


class Limits(Struct):
    """
    What a session may use.
    """

    idle_seconds: Annotated[
        int,
        Meta(description="Seconds after which the session ends when it is not used."),
    ]
    max_body_bytes: Annotated[int, Meta(description="The longest body, in bytes.")]
    max_streams: Annotated[int, Meta(description="Streams open at a time.")]
    max_timeout_ms: Annotated[int, Meta(description="The longest `timeout_ms` of a call.")]
    requests_per_second: Annotated[int, Meta(description="Requests a second, and as many at once; 0 is no limit.")]


class Member(Struct):
    """
    Another node of the cluster, as the node that was asked sees it.
    """

    connected: Annotated[
        bool,
        Meta(description="Whether it is connected. One that is not is left out after a while."),
    ]
    id: Annotated[str, Meta(description="Its id: its public key, in hexadecimal.")]
    lag_ms: Annotated[
        int,
        Meta(
            description="For how long it has said that it has another state than this node, in milliseconds; 0 if it does not."
        ),
    ]
    streams: Annotated[int, Meta(description="Streams to it that are open.")]
    waiting: Annotated[int, Meta(description="Events that wait for it.")]
    gateway: Annotated[str | None, Meta(description="Where its gateway is, `HOST:PORT`.")] | None | UnsetType = UNSET
    round_trip_us: (
        Annotated[
            int | None,
            Meta(description="The round trip to it, in microseconds."),
        ]
        | None
        | UnsetType
    ) = UNSET
    since_ms: (
        Annotated[
            int | None,
            Meta(description="Since when it runs, in milliseconds since 1970 by its own clock."),
        ]
        | None
        | UnsetType
    ) = UNSET
    version: Annotated[str | None, Meta(description="The version of its program.")] | None | UnsetType = UNSET


Name: TypeAlias = Annotated[str, Meta(description="Dotted segments.")]


class Opening(Struct):
    """
    Who opens a session. Every member may be left out.
    """

    realm: (
        Annotated[
            str,
            Meta(description="The realm; the first open one unless said otherwise."),
        ]
        | None
        | UnsetType
    ) = UNSET
    subject: (
        Annotated[
            str,
            Meta(description="Who it is, as publishers and callers are named; `anonymous` unless said otherwise."),
        ]
        | None
        | UnsetType
    ) = UNSET


Pattern: TypeAlias = Annotated[
    str,
    Meta(description="A name in which a segment may be `*` and the last may be `**`."),
]


class Permissions(Struct):
    """
    Patterns of what a session may do.
    """

    call: Annotated[list[str], Meta(description="Procedures to call.")]
    publish: Annotated[list[str], Meta(description="Topics to publish under.")]
    serve: Annotated[list[str], Meta(description="Procedures to serve.")]
    subscribe: Annotated[list[str], Meta(description="Topics to subscribe to.")]


class PingFrame(Struct, tag_field="type", tag="ping"):
    """
    Asks whether the gateway is there. `pong` follows.
    """

    id: Annotated[int, Meta(description="Comes back in `pong`.")] | UnsetType = UNSET


class Place(Struct):
    """
    Where in the mesh something is.
    """

    level: Annotated[str, Meta(description="The level.")]
    node: Annotated[str, Meta(description="The node.")]


class PongFrame(Struct, tag_field="type", tag="pong"):
    """
    The answer to `ping`.
    """

    id: Annotated[int, Meta(description="That of the `ping`.")] | None | UnsetType = UNSET


class Provider(Struct):
    """
    One who serves a procedure.
    """

    id: Annotated[str, Meta(description="The session, app or node that serves.")]
    node: Annotated[str, Meta(description="The node that it is connected to.")]


class PublishFrame(Struct, tag_field="type", tag="publish"):
    """
    Publishes an event. `published` or `error` follows.
    """

    topic: Annotated[Name, Meta(description="The topic.")]
    content_type: (
        Annotated[
            str,
            Meta(description="The payload's media type; the frame's own encoding unless said otherwise."),
        ]
        | UnsetType
    ) = UNSET
    headers: (
        Annotated[
            dict[str, str],
            Meta(description="Application headers, names in lower case."),
        ]
        | UnsetType
    ) = UNSET
    id: (
        Annotated[
            int,
            Meta(description="The operation's number; without one nothing is answered."),
        ]
        | UnsetType
    ) = UNSET
    idempotency_key: (
        Annotated[
            str,
            Meta(description="Makes a repeated publish give the first one's answer, for 10 minutes."),
        ]
        | UnsetType
    ) = UNSET
    opaque: (
        Annotated[
            bool,
            Meta(
                description="True when `payload` is the bytes of the payload: of any media type but JSON and MessagePack."
            ),
        ]
        | UnsetType
    ) = False
    payload: (
        Annotated[
            Any,
            Meta(description="The payload: the value itself, or its bytes when `opaque` is true."),
        ]
        | UnsetType
    ) = UNSET
    realm: Annotated[Name, Meta(description="The realm; the session's unless said otherwise.")] | UnsetType = UNSET


class PublishedFrame(Struct, tag_field="type", tag="published"):
    """
    The event has its id and is on its way. Nothing follows.
    """

    event_id: Annotated[str, Meta(description="The event's id.")]
    id: Annotated[int, Meta(description="The number of the `publish`.")]


class Receipt(Struct):
    """
    What became of a publish.
    """

    id: Annotated[str, Meta(description="The event's id, a ULID; ids of one node rise.")]


class Schema(Struct):
    """
    JSON Schemas of a procedure.
    """

    argument: Annotated[dict[str, Any], Meta(description="The schema of the argument.")]
    result: Annotated[dict[str, Any], Meta(description="The schema of the result.")]


class ServeFrame(Struct, tag_field="type", tag="serve"):
    """
    Serves a procedure. `served` or `error` follows, then an `invoke` for each call until the client stops serving.
    """

    id: Annotated[int, Meta(description="The operation's number, new in this live session.")]
    procedure: Annotated[Name, Meta(description="The procedure.")]
    argument_schema: Annotated[Any, Meta(description="The JSON Schema of the argument.")] | UnsetType = UNSET
    concurrency: (
        Annotated[
            int,
            Meta(description="Calls at a time, 64 unless said otherwise; further ones wait."),
        ]
        | UnsetType
    ) = UNSET
    description: (
        Annotated[
            str,
            Meta(description="What the procedure does, for people; at most 1024 bytes."),
        ]
        | UnsetType
    ) = UNSET
    policy: (
        Annotated[
            Literal["round_robin", "random", "first", "least_busy"],
            Meta(
                description="How calls are spread over several providers; what the others have agreed on unless said otherwise."
            ),
        ]
        | UnsetType
    ) = UNSET
    realm: Annotated[Name, Meta(description="The realm; the session's unless said otherwise.")] | UnsetType = UNSET
    result_schema: Annotated[Any, Meta(description="The JSON Schema of the result.")] | UnsetType = UNSET


class ServedFrame(Struct, tag_field="type", tag="served"):
    """
    The procedure is served.
    """

    id: Annotated[int, Meta(description="The number of the `serve`.")]


class SessionInfo(Struct):
    """
    A session.
    """

    endpoints: Annotated[list[Endpoint], Meta(description="Where it can connect.")]
    expires_at: Annotated[str, Meta(description="When it ends whatever happens (RFC 3339).")]
    id: Annotated[str, Meta(description="Its public name.")]
    limits: Annotated[Limits, Meta(description="What it may use.")]
    permissions: Annotated[
        Permissions,
        Meta(description="What it may do: a name must match one of the patterns."),
    ]
    realm: Annotated[str, Meta(description="The realm in which it may act.")]
    subject: Annotated[str, Meta(description="Who it is.")]


class SubscribeFrame(Struct, tag_field="type", tag="subscribe"):
    """
    Subscribes to a pattern. `subscribed` follows, then `event` and `gap` until the client unsubscribes.
    """

    id: Annotated[int, Meta(description="The operation's number, new in this live session.")]
    pattern: Annotated[
        Pattern,
        Meta(description="The topics: a name in which a segment may be `*` and the last `**`."),
    ]
    after: Annotated[str, Meta(description="The event to begin after; wins over `replay`.")] | UnsetType = UNSET
    delivery: (
        Annotated[
            Literal["all", "latest"],
            Meta(description="Whether events may be lost on the way; `all` unless said otherwise."),
        ]
        | UnsetType
    ) = UNSET
    overflow: (
        Annotated[
            Literal["drop_oldest", "close"],
            Meta(description="What happens when the client is too slow; `drop_oldest` unless said otherwise."),
        ]
        | UnsetType
    ) = UNSET
    realm: Annotated[Name, Meta(description="The realm; the session's unless said otherwise.")] | UnsetType = UNSET
    replay: Annotated[int, Meta(description="How many events back to begin, at most 10000.")] | UnsetType = UNSET


class SubscribedFrame(Struct, tag_field="type", tag="subscribed"):
    """
    The subscription is there: every event after `position` comes, or is told as missed.
    """

    backlog: Annotated[int, Meta(description="How many events and gaps of the past come first.")]
    id: Annotated[int, Meta(description="The number of the `subscribe`.")]
    position: Annotated[
        str,
        Meta(description="Stands for the last event's id until the first event has come."),
    ]


class Ticket(Struct):
    """
    A ticket.
    """

    expires_at: Annotated[str, Meta(description="When it is worthless (RFC 3339).")]
    ticket: Annotated[str, Meta(description="Put it into the URL once: `?ticket=…`.")]


class UnserveFrame(Struct, tag_field="type", tag="unserve"):
    """
    Stops serving. `ended` follows; calls that wait for an answer end with `provider_unavailable`.
    """

    id: Annotated[int, Meta(description="The number of the `serve`.")]


class UnsubscribeFrame(Struct, tag_field="type", tag="unsubscribe"):
    """
    Ends a subscription. `ended` follows.
    """

    id: Annotated[int, Meta(description="The number of the subscription.")]


class Limits1(Struct):
    """
    What the session may use.
    """

    max_bytes_in_flight: Annotated[int, Meta(description="Bytes of all payloads in flight together.")]
    max_calls: Annotated[int, Meta(description="Calls, publishes and discoveries in flight.")]
    max_frame_bytes: Annotated[int, Meta(description="The longest frame, in bytes.")]
    max_procedures: Annotated[int, Meta(description="Procedures served.")]
    max_subscriptions: Annotated[int, Meta(description="Subscriptions.")]


class WelcomeFrame(Struct, tag_field="type", tag="welcome"):
    """
    Answers `hello`. The session lives from here on.
    """

    expires_at: Annotated[str, Meta(description="When the session ends whatever happens (RFC 3339).")]
    grace_seconds: Annotated[
        int,
        Meta(description="How long the session waits for the client to come back when its transport is lost."),
    ]
    limits: Annotated[Limits1, Meta(description="What the session may use.")]
    node: Annotated[str, Meta(description="The node's name.")]
    realm: Annotated[Name, Meta(description="The realm in which the client may act.")]
    session: Annotated[str, Meta(description="The live session's name, for `resume`.")]
    subject: Annotated[str, Meta(description="Who the client is.")]
    resumed: Annotated[bool, Meta(description="True when `resume` was granted.")] | UnsetType = False
    token: (
        Annotated[
            str,
            Meta(description="The token of the session, if `hello` had none."),
        ]
        | None
        | UnsetType
    ) = UNSET
    unknown: (
        Annotated[
            list[int],
            Meta(
                description="Numbers in `resume` that the gateway has no operation for: it never heard of them, or their answer was lost."
            ),
        ]
        | None
        | UnsetType
    ) = UNSET


class CallFrame(Struct, tag_field="type", tag="call"):
    """
    Calls a procedure. `progress` may follow, then one `result` or `error`.
    """

    id: Annotated[int, Meta(description="The operation's number, new in this live session.")]
    procedure: Annotated[Name, Meta(description="The procedure.")]
    content_type: (
        Annotated[
            str,
            Meta(description="The payload's media type; the frame's own encoding unless said otherwise."),
        ]
        | UnsetType
    ) = UNSET
    headers: (
        Annotated[
            dict[str, str],
            Meta(description="Application headers, names in lower case."),
        ]
        | UnsetType
    ) = UNSET
    idempotency_key: (
        Annotated[
            str,
            Meta(description="Makes a repeated call give the first one's answer, for 10 minutes."),
        ]
        | UnsetType
    ) = UNSET
    opaque: (
        Annotated[
            bool,
            Meta(
                description="True when `payload` is the bytes of the payload: of any media type but JSON and MessagePack."
            ),
        ]
        | UnsetType
    ) = False
    payload: (
        Annotated[
            Any,
            Meta(description="The payload: the value itself, or its bytes when `opaque` is true."),
        ]
        | UnsetType
    ) = UNSET
    progress: Annotated[bool, Meta(description="True when progress is wanted.")] | UnsetType = False
    realm: Annotated[Name, Meta(description="The realm; the session's unless said otherwise.")] | UnsetType = UNSET
    timeout_ms: (
        Annotated[
            int,
            Meta(description="How long to wait for the result; 5000 unless said otherwise, at most 600000."),
        ]
        | UnsetType
    ) = UNSET


class DiscoverFrame(Struct, tag_field="type", tag="discover"):
    """
    Finds procedures, topics and nodes. `discovered` or `error` follows.
    """

    id: Annotated[int, Meta(description="The operation's number, new in this live session.")]
    pattern: Annotated[Pattern, Meta(description="The names wanted.")]
    cursor: Annotated[str, Meta(description="Where the page before ended.")] | UnsetType = UNSET
    kind: (
        Annotated[
            str,
            Meta(
                description="The kinds wanted, with commas between: `procedure`, `topic`, `node`; all unless said otherwise."
            ),
        ]
        | UnsetType
    ) = UNSET
    limit: (
        Annotated[
            int,
            Meta(description="The most items of the answer, at most 1000; 100 unless said otherwise."),
        ]
        | UnsetType
    ) = UNSET
    realm: Annotated[Name, Meta(description="The realm; the session's unless said otherwise.")] | UnsetType = UNSET


class Event(Struct):
    """
    An event as readers see it, with its payload inline.
    """

    content_type: Annotated[str, Meta(description="The payload's media type.")]
    id: Annotated[
        str,
        Meta(description="The event's id, a ULID: ids of one publisher sort in the order of publishing."),
    ]
    payload: Annotated[
        Any,
        Meta(description="The payload: the value itself, or its bytes when `opaque` is true."),
    ]
    publisher: Annotated[str, Meta(description="Who published it.")]
    realm: Annotated[Name, Meta(description="The realm.")]
    time: Annotated[str, Meta(description="When it was published (RFC 3339).")]
    topic: Annotated[Name, Meta(description="The topic.")]
    headers: (
        Annotated[
            dict[str, str],
            Meta(description="Application headers, names in lower case."),
        ]
        | UnsetType
    ) = field(default_factory=dict)
    opaque: Annotated[bool, Meta(description="True when `payload` is the bytes of the payload.")] | UnsetType = False


class EventFrame(Struct, tag_field="type", tag="event"):
    """
    An event of a subscription.
    """

    event: Annotated[Event, Meta(description="The event.")]
    id: Annotated[int, Meta(description="The number of the `subscribe`.")]


class HelloFrame(Struct, tag_field="type", tag="hello"):
    """
    Begins or resumes a session. It is the first frame, and comes once.
    """

    realm: (
        Annotated[
            Name,
            Meta(description="The realm of the session to open; the first open one unless said otherwise."),
        ]
        | UnsetType
    ) = UNSET
    resume: Annotated[Resume, Meta(description="The live session to go on with.")] | UnsetType = UNSET
    subject: (
        Annotated[
            str,
            Meta(description="Who opens the session, as publishers and callers are named."),
        ]
        | UnsetType
    ) = UNSET
    token: (
        Annotated[
            str,
            Meta(description="The token of a session; without one a session is opened in an open realm."),
        ]
        | UnsetType
    ) = UNSET


class InvokeFrame(Struct, tag_field="type", tag="invoke"):
    """
    A call of a procedure that the client serves; it answers with `progress`, then one `result` or `error`.
    """

    caller: Annotated[str, Meta(description="Who calls.")]
    id: Annotated[
        int,
        Meta(description="The invocation's number: the gateway's own, apart from the client's."),
    ]
    procedure: Annotated[Name, Meta(description="The procedure.")]
    realm: Annotated[Name, Meta(description="The realm of the call.")]
    serve: Annotated[int, Meta(description="The number of the `serve`.")]
    timeout_ms: Annotated[int, Meta(description="How long the caller waits from now on.")]
    content_type: (
        Annotated[
            str,
            Meta(description="The payload's media type; the frame's own encoding unless said otherwise."),
        ]
        | None
        | UnsetType
    ) = UNSET
    headers: Annotated[dict[str, str], Meta(description="Application headers.")] | UnsetType = field(
        default_factory=dict
    )
    opaque: (
        Annotated[
            bool,
            Meta(
                description="True when `payload` is the bytes of the payload: of any media type but JSON and MessagePack."
            ),
        ]
        | UnsetType
    ) = False
    payload: (
        Annotated[
            Any,
            Meta(description="The payload: the value itself, or its bytes when `opaque` is true."),
        ]
        | UnsetType
    ) = UNSET
    progress: Annotated[bool, Meta(description="True when the caller wants progress.")] | UnsetType = False


class Item(Struct):
    """
    Something that was found.
    """

    found_at: Annotated[Place, Meta(description="Where it was found.")]
    kind: Annotated[str, Meta(description="`procedure`, `topic` or `node`.")]
    name: Annotated[str, Meta(description="Its name.")]
    description: Annotated[str | None, Meta(description="What it does, for people.")] | None | UnsetType = UNSET
    member: Annotated[Member | None, Meta(description="")] | None | UnsetType = UNSET
    policy: (
        Annotated[
            str | None,
            Meta(
                description="How its providers are balanced, for procedures: `round_robin`, `random`, `first` or\n`least_busy`."
            ),
        ]
        | None
        | UnsetType
    ) = UNSET
    providers: Annotated[list[Provider], Meta(description="Who serves it, for procedures.")] | None | UnsetType = UNSET
    schema: Annotated[Schema | None, Meta(description="")] | None | UnsetType = UNSET


class Opened(SessionInfo):
    """
    A session that was opened, with its token.
    """

    token: Annotated[
        str,
        Meta(description="The session's secret: send it as `Authorization: Bearer <token>`. It is not shown again."),
    ]


class Page(Struct):
    """
    A part of what was found.
    """

    asked: Annotated[
        list[str],
        Meta(description="The levels that were asked; what they do not know is not in the answer."),
    ]
    items: Annotated[list[Item], Meta(description="What was found, by kind and then by name.")]
    next: (
        Annotated[
            str | None,
            Meta(description="The `cursor` of the next part; none at the end."),
        ]
        | None
        | UnsetType
    ) = UNSET


ClientFrame: TypeAlias = Annotated[
    HelloFrame
    | CallFrame
    | PublishFrame
    | SubscribeFrame
    | UnsubscribeFrame
    | ServeFrame
    | UnserveFrame
    | CancelFrame
    | InvokeProgressFrame
    | InvokeResultFrame
    | InvokeErrorFrame
    | DiscoverFrame
    | PingFrame,
    Meta(description="A frame from a client."),
]


class DiscoveredFrame(Struct, tag_field="type", tag="discovered"):
    """
    A page of what was found. Nothing follows.
    """

    id: Annotated[int, Meta(description="The number of the `discover`.")]
    page: Annotated[Page, Meta(description="The page, as `GET /v1/discover` gives it.")]


GatewayFrame: TypeAlias = Annotated[
    WelcomeFrame
    | CallResultFrame
    | CallProgressFrame
    | ErrorFrame
    | PublishedFrame
    | SubscribedFrame
    | EventFrame
    | GapFrame
    | ServedFrame
    | DiscoveredFrame
    | InvokeFrame
    | InvokeCancelFrame
    | EndedFrame
    | GoawayFrame
    | PongFrame,
    Meta(description="A frame from a gateway. Later gateways may say more: pass over what is not known."),
]
