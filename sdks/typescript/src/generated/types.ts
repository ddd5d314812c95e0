// Made from openapi/openapi.json by `npm run generate`. Do not edit.

export type ClientOptions = {
    baseUrl: `${string}://${string}` | (string & {});
};

/**
 * Calls a procedure. `progress` may follow, then one `result` or `error`.
 */
export type CallFrame = {
    /**
     * The payload's media type; the frame's own encoding unless said otherwise.
     */
    content_type?: string;
    /**
     * Application headers, names in lower case.
     */
    headers?: {
        [key: string]: string;
    };
    /**
     * The operation's number, new in this live session.
     */
    id: number;
    /**
     * Makes a repeated call give the first one's answer, for 10 minutes.
     */
    idempotency_key?: string;
    /**
     * True when `payload` is the bytes of the payload: of any media type but JSON and MessagePack.
     */
    opaque?: boolean;
    /**
     * The payload: the value itself, or its bytes when `opaque` is true.
     */
    payload?: unknown;
    /**
     * The procedure.
     */
    procedure: Name;
    /**
     * True when progress is wanted.
     */
    progress?: boolean;
    /**
     * The realm; the session's unless said otherwise.
     */
    realm?: Name;
    /**
     * How long to wait for the result; 5000 unless said otherwise, at most 600000.
     */
    timeout_ms?: number;
    /**
     * Which frame it is.
     */
    type: 'call';
};

/**
 * How far a call is.
 */
export type CallProgressFrame = {
    /**
     * The payload's media type; the frame's own encoding unless said otherwise.
     */
    content_type?: string;
    /**
     * The number of the `call`.
     */
    id: number;
    /**
     * True when `payload` is the bytes of the payload: of any media type but JSON and MessagePack.
     */
    opaque?: boolean;
    /**
     * The payload: the value itself, or its bytes when `opaque` is true.
     */
    payload?: unknown;
    /**
     * Which frame it is.
     */
    type: 'progress';
};

/**
 * The result of a call. Nothing follows.
 */
export type CallResultFrame = {
    /**
     * The payload's media type; the frame's own encoding unless said otherwise.
     */
    content_type?: string;
    /**
     * The number of the `call`.
     */
    id: number;
    /**
     * True when `payload` is the bytes of the payload: of any media type but JSON and MessagePack.
     */
    opaque?: boolean;
    /**
     * The payload: the value itself, or its bytes when `opaque` is true.
     */
    payload?: unknown;
    /**
     * Who answered: a session, an app or a node.
     */
    served_by?: string;
    /**
     * Which frame it is.
     */
    type: 'result';
};

/**
 * Gives up a call or a discovery. `ended` follows, unless its answer was on the way.
 */
export type CancelFrame = {
    /**
     * The number of the call.
     */
    id: number;
    /**
     * Which frame it is.
     */
    type: 'cancel';
};

/**
 * A frame from a client.
 */
export type ClientFrame = ({
    type: 'hello';
} & HelloFrame) | ({
    type: 'call';
} & CallFrame) | ({
    type: 'publish';
} & PublishFrame) | ({
    type: 'subscribe';
} & SubscribeFrame) | ({
    type: 'unsubscribe';
} & UnsubscribeFrame) | ({
    type: 'serve';
} & ServeFrame) | ({
    type: 'unserve';
} & UnserveFrame) | ({
    type: 'cancel';
} & CancelFrame) | ({
    type: 'progress';
} & InvokeProgressFrame) | ({
    type: 'result';
} & InvokeResultFrame) | ({
    type: 'error';
} & InvokeErrorFrame) | ({
    type: 'discover';
} & DiscoverFrame) | ({
    type: 'ping';
} & PingFrame);

/**
 * Finds procedures, topics and nodes. `discovered` or `error` follows.
 */
export type DiscoverFrame = {
    /**
     * Where the page before ended.
     */
    cursor?: string;
    /**
     * The operation's number, new in this live session.
     */
    id: number;
    /**
     * The kinds wanted, with commas between: `procedure`, `topic`, `node`; all unless said otherwise.
     */
    kind?: string;
    /**
     * The most items of the answer, at most 1000; 100 unless said otherwise.
     */
    limit?: number;
    /**
     * The names wanted.
     */
    pattern: Pattern;
    /**
     * The realm; the session's unless said otherwise.
     */
    realm?: Name;
    /**
     * Which frame it is.
     */
    type: 'discover';
};

/**
 * A page of what was found. Nothing follows.
 */
export type DiscoveredFrame = {
    /**
     * The number of the `discover`.
     */
    id: number;
    /**
     * The page, as `GET /v1/discover` gives it.
     */
    page: Page;
    /**
     * Which frame it is.
     */
    type: 'discovered';
};

/**
 * An operation is over that has no other end: the answer to `unsubscribe`, `unserve` and `cancel`, and the end of a subscription with `overflow: close`.
 */
export type EndedFrame = {
    /**
     * The operation's number.
     */
    id: number;
    /**
     * Which frame it is.
     */
    type: 'ended';
};

/**
 * Where a session can connect.
 */
export type Endpoint = {
    /**
     * The protocols there, as in ALPN.
     */
    protocols: Array<string>;
    /**
     * The base of the URLs.
     */
    url: string;
};

/**
 * What went wrong, as a stable code; more may come.
 */
export type ErrorCode = string;

/**
 * An operation has failed, and is over; or, without a number, a frame could not be understood.
 */
export type ErrorFrame = {
    /**
     * The operation's number.
     */
    id?: number;
    /**
     * What went wrong: problem details (RFC 9457), as in the HTTP API.
     */
    problem: Problem;
    /**
     * Which frame it is.
     */
    type: 'error';
};

/**
 * One row of the error table.
 */
export type ErrorInfo = {
    /**
     * The stable code.
     */
    code: string;
    /**
     * What the error means.
     */
    meaning: string;
    /**
     * What to do about it.
     */
    remedy: string;
    /**
     * When the same request may succeed: `never`, `later` or `elsewhere`.
     */
    retry: string;
    /**
     * The HTTP status.
     */
    status: number;
    /**
     * A short summary.
     */
    title: string;
};

/**
 * An event as readers see it, with its payload inline.
 */
export type Event = {
    /**
     * The payload's media type.
     */
    content_type: string;
    /**
     * Application headers, names in lower case.
     */
    headers?: {
        [key: string]: string;
    };
    /**
     * The event's id, a ULID: ids of one publisher sort in the order of publishing.
     */
    id: string;
    /**
     * True when `payload` is the bytes of the payload.
     */
    opaque?: boolean;
    /**
     * The payload: the value itself, or its bytes when `opaque` is true.
     */
    payload: unknown;
    /**
     * Who published it.
     */
    publisher: string;
    /**
     * The realm.
     */
    realm: Name;
    /**
     * When it was published (RFC 3339).
     */
    time: string;
    /**
     * The topic.
     */
    topic: Name;
};

/**
 * An event of a subscription.
 */
export type EventFrame = {
    /**
     * The event.
     */
    event: Event;
    /**
     * The number of the `subscribe`.
     */
    id: number;
    /**
     * Which frame it is.
     */
    type: 'event';
};

/**
 * Events were lost here.
 */
export type GapFrame = {
    /**
     * The number of the `subscribe`.
     */
    id: number;
    /**
     * How many, when that is known.
     */
    missed?: number;
    /**
     * Why.
     */
    reason: 'slow_reader' | 'outside_window' | 'unknown_id' | 'link';
    /**
     * Which frame it is.
     */
    type: 'gap';
};

/**
 * A frame from a gateway. Later gateways may say more: pass over what is not known.
 */
export type GatewayFrame = ({
    type: 'welcome';
} & WelcomeFrame) | ({
    type: 'result';
} & CallResultFrame) | ({
    type: 'progress';
} & CallProgressFrame) | ({
    type: 'error';
} & ErrorFrame) | ({
    type: 'published';
} & PublishedFrame) | ({
    type: 'subscribed';
} & SubscribedFrame) | ({
    type: 'event';
} & EventFrame) | ({
    type: 'gap';
} & GapFrame) | ({
    type: 'served';
} & ServedFrame) | ({
    type: 'discovered';
} & DiscoveredFrame) | ({
    type: 'invoke';
} & InvokeFrame) | ({
    type: 'cancel';
} & InvokeCancelFrame) | ({
    type: 'ended';
} & EndedFrame) | ({
    type: 'goaway';
} & GoawayFrame) | ({
    type: 'pong';
} & PongFrame);

/**
 * The gateway is about to close the transport.
 */
export type GoawayFrame = {
    /**
     * Why; `retry` says whether another node or a new session helps.
     */
    problem: Problem;
    /**
     * How long the transport stays open for what is in flight.
     */
    seconds: number;
    /**
     * Which frame it is.
     */
    type: 'goaway';
};

/**
 * The error of the procedure's handler, with `handler_failed`.
 */
export type HandlerError = {
    /**
     * The handler's code; its meaning is the procedure's.
     */
    code: string;
    /**
     * Further data of the handler's choice.
     */
    data?: unknown;
    /**
     * What went wrong, for people.
     */
    detail: string;
};

/**
 * How the node is.
 */
export type Health = {
    /**
     * `ok`, `draining` or `stuck`.
     */
    status: string;
};

/**
 * Begins or resumes a session. It is the first frame, and comes once.
 */
export type HelloFrame = {
    /**
     * The realm of the session to open; the first open one unless said otherwise.
     */
    realm?: Name;
    /**
     * The live session to go on with.
     */
    resume?: {
        /**
         * Invocations that the client still answers; others end.
         */
        invokes?: Array<number>;
        /**
         * Operations without an answer yet, and `serve`s; others end.
         */
        pending?: Array<number>;
        /**
         * The live session's name, from `welcome`.
         */
        session: string;
        /**
         * The subscriptions that go on; others end.
         */
        subscriptions?: Array<{
            /**
             * The number of the `subscribe`.
             */
            id: number;
            /**
             * The last event that came, or the `position` of `subscribed`.
             */
            last_event_id: string;
        }>;
    };
    /**
     * Who opens the session, as publishers and callers are named.
     */
    subject?: string;
    /**
     * The token of a session; without one a session is opened in an open realm.
     */
    token?: string;
    /**
     * Which frame it is.
     */
    type: 'hello';
};

/**
 * The caller of an invocation has gone, or its time is over: no answer is wanted any more.
 */
export type InvokeCancelFrame = {
    /**
     * The number of the `invoke`.
     */
    id: number;
    /**
     * Which frame it is.
     */
    type: 'cancel';
};

/**
 * Answers an invocation with an error of the handler's own.
 */
export type InvokeErrorFrame = {
    /**
     * The handler's code; 64 bytes are kept.
     */
    code: string;
    /**
     * Further data of the handler's choice.
     */
    data?: unknown;
    /**
     * What went wrong, for people; 1024 bytes are kept.
     */
    detail?: string;
    /**
     * The number of the `invoke`.
     */
    id: number;
    /**
     * Which frame it is.
     */
    type: 'error';
};

/**
 * A call of a procedure that the client serves; it answers with `progress`, then one `result` or `error`.
 */
export type InvokeFrame = {
    /**
     * Who calls.
     */
    caller: string;
    /**
     * The payload's media type; the frame's own encoding unless said otherwise.
     */
    content_type?: string;
    /**
     * Application headers.
     */
    headers?: {
        [key: string]: string;
    };
    /**
     * The invocation's number: the gateway's own, apart from the client's.
     */
    id: number;
    /**
     * True when `payload` is the bytes of the payload: of any media type but JSON and MessagePack.
     */
    opaque?: boolean;
    /**
     * The payload: the value itself, or its bytes when `opaque` is true.
     */
    payload?: unknown;
    /**
     * The procedure.
     */
    procedure: Name;
    /**
     * True when the caller wants progress.
     */
    progress?: boolean;
    /**
     * The realm of the call.
     */
    realm: Name;
    /**
     * The number of the `serve`.
     */
    serve: number;
    /**
     * How long the caller waits from now on.
     */
    timeout_ms: number;
    /**
     * Which frame it is.
     */
    type: 'invoke';
};

/**
 * Tells how far an invocation is.
 */
export type InvokeProgressFrame = {
    /**
     * The payload's media type; the frame's own encoding unless said otherwise.
     */
    content_type?: string;
    /**
     * The number of the `invoke`.
     */
    id: number;
    /**
     * True when `payload` is the bytes of the payload: of any media type but JSON and MessagePack.
     */
    opaque?: boolean;
    /**
     * The payload: the value itself, or its bytes when `opaque` is true.
     */
    payload?: unknown;
    /**
     * Which frame it is.
     */
    type: 'progress';
};

/**
 * Answers an invocation.
 */
export type InvokeResultFrame = {
    /**
     * The payload's media type; the frame's own encoding unless said otherwise.
     */
    content_type?: string;
    /**
     * The number of the `invoke`.
     */
    id: number;
    /**
     * True when `payload` is the bytes of the payload: of any media type but JSON and MessagePack.
     */
    opaque?: boolean;
    /**
     * The payload: the value itself, or its bytes when `opaque` is true.
     */
    payload?: unknown;
    /**
     * Which frame it is.
     */
    type: 'result';
};

/**
 * Something that was found.
 */
export type Item = {
    /**
     * What it does, for people.
     */
    description?: string | null;
    /**
     * Where it was found.
     */
    found_at: Place;
    /**
     * `procedure`, `topic` or `node`.
     */
    kind: string;
    member?: Member | null;
    /**
     * Its name.
     */
    name: string;
    /**
     * How its providers are balanced, for procedures: `round_robin`, `random`, `first` or
     * `least_busy`.
     */
    policy?: string | null;
    /**
     * Who serves it, for procedures.
     */
    providers?: Array<Provider>;
    schema?: Schema | null;
};

/**
 * What a session may use.
 */
export type Limits = {
    /**
     * Seconds after which the session ends when it is not used.
     */
    idle_seconds: number;
    /**
     * The longest body, in bytes.
     */
    max_body_bytes: number;
    /**
     * Streams open at a time.
     */
    max_streams: number;
    /**
     * The longest `timeout_ms` of a call.
     */
    max_timeout_ms: number;
    /**
     * Requests a second, and as many at once; 0 is no limit.
     */
    requests_per_second: number;
};

/**
 * Another node of the cluster, as the node that was asked sees it.
 */
export type Member = {
    /**
     * Whether it is connected. One that is not is left out after a while.
     */
    connected: boolean;
    /**
     * Where its gateway is, `HOST:PORT`.
     */
    gateway?: string | null;
    /**
     * Its id: its public key, in hexadecimal.
     */
    id: string;
    /**
     * For how long it has said that it has another state than this node, in milliseconds; 0 if it does not.
     */
    lag_ms: number;
    /**
     * The round trip to it, in microseconds.
     */
    round_trip_us?: number | null;
    /**
     * Since when it runs, in milliseconds since 1970 by its own clock.
     */
    since_ms?: number | null;
    /**
     * Streams to it that are open.
     */
    streams: number;
    /**
     * The version of its program.
     */
    version?: string | null;
    /**
     * Events that wait for it.
     */
    waiting: number;
};

/**
 * Dotted segments.
 */
export type Name = string;

/**
 * A session that was opened, with its token.
 */
export type Opened = SessionInfo & {
    /**
     * The session's secret: send it as `Authorization: Bearer <token>`. It is not shown again.
     */
    token: string;
};

/**
 * Who opens a session. Every member may be left out.
 */
export type Opening = {
    /**
     * The realm; the first open one unless said otherwise.
     */
    realm?: string | null;
    /**
     * Who it is, as publishers and callers are named; `anonymous` unless said otherwise.
     */
    subject?: string | null;
};

/**
 * A part of what was found.
 */
export type Page = {
    /**
     * The levels that were asked; what they do not know is not in the answer.
     */
    asked: Array<string>;
    /**
     * What was found, by kind and then by name.
     */
    items: Array<Item>;
    /**
     * The `cursor` of the next part; none at the end.
     */
    next?: string | null;
};

/**
 * A name in which a segment may be `*` and the last may be `**`.
 */
export type Pattern = string;

/**
 * Patterns of what a session may do.
 */
export type Permissions = {
    /**
     * Procedures to call.
     */
    call: Array<string>;
    /**
     * Topics to publish under.
     */
    publish: Array<string>;
    /**
     * Procedures to serve.
     */
    serve: Array<string>;
    /**
     * Topics to subscribe to.
     */
    subscribe: Array<string>;
};

/**
 * Asks whether the gateway is there. `pong` follows.
 */
export type PingFrame = {
    /**
     * Comes back in `pong`.
     */
    id?: number;
    /**
     * Which frame it is.
     */
    type: 'ping';
};

/**
 * Where in the mesh something is.
 */
export type Place = {
    /**
     * The level.
     */
    level: string;
    /**
     * The node.
     */
    node: string;
};

/**
 * The answer to `ping`.
 */
export type PongFrame = {
    /**
     * That of the `ping`.
     */
    id?: number;
    /**
     * Which frame it is.
     */
    type: 'pong';
};

/**
 * An error (RFC 9457), the same on every transport.
 */
export type Problem = {
    code: ErrorCode;
    /**
     * What was wrong this time, and what was expected.
     */
    detail: string;
    handler?: HandlerError;
    /**
     * The request's id.
     */
    instance: string;
    /**
     * When the same request may succeed.
     */
    retry: string;
    /**
     * The HTTP status.
     */
    status: number;
    /**
     * A short summary, the same for every occurrence.
     */
    title: string;
    /**
     * Where the error is explained.
     */
    type: string;
};

/**
 * One who serves a procedure.
 */
export type Provider = {
    /**
     * The session, app or node that serves.
     */
    id: string;
    /**
     * The node that it is connected to.
     */
    node: string;
};

/**
 * Publishes an event. `published` or `error` follows.
 */
export type PublishFrame = {
    /**
     * The payload's media type; the frame's own encoding unless said otherwise.
     */
    content_type?: string;
    /**
     * Application headers, names in lower case.
     */
    headers?: {
        [key: string]: string;
    };
    /**
     * The operation's number; without one nothing is answered.
     */
    id?: number;
    /**
     * Makes a repeated publish give the first one's answer, for 10 minutes.
     */
    idempotency_key?: string;
    /**
     * True when `payload` is the bytes of the payload: of any media type but JSON and MessagePack.
     */
    opaque?: boolean;
    /**
     * The payload: the value itself, or its bytes when `opaque` is true.
     */
    payload?: unknown;
    /**
     * The realm; the session's unless said otherwise.
     */
    realm?: Name;
    /**
     * The topic.
     */
    topic: Name;
    /**
     * Which frame it is.
     */
    type: 'publish';
};

/**
 * The event has its id and is on its way. Nothing follows.
 */
export type PublishedFrame = {
    /**
     * The event's id.
     */
    event_id: string;
    /**
     * The number of the `publish`.
     */
    id: number;
    /**
     * Which frame it is.
     */
    type: 'published';
};

/**
 * What became of a publish.
 */
export type Receipt = {
    /**
     * The event's id, a ULID; ids of one node rise.
     */
    id: string;
};

/**
 * JSON Schemas of a procedure.
 */
export type Schema = {
    /**
     * The schema of the argument.
     */
    argument: {
        [key: string]: unknown;
    };
    /**
     * The schema of the result.
     */
    result: {
        [key: string]: unknown;
    };
};

/**
 * Serves a procedure. `served` or `error` follows, then an `invoke` for each call until the client stops serving.
 */
export type ServeFrame = {
    /**
     * The JSON Schema of the argument.
     */
    argument_schema?: unknown;
    /**
     * Calls at a time, 64 unless said otherwise; further ones wait.
     */
    concurrency?: number;
    /**
     * What the procedure does, for people; at most 1024 bytes.
     */
    description?: string;
    /**
     * The operation's number, new in this live session.
     */
    id: number;
    /**
     * How calls are spread over several providers; what the others have agreed on unless said otherwise.
     */
    policy?: 'round_robin' | 'random' | 'first' | 'least_busy';
    /**
     * The procedure.
     */
    procedure: Name;
    /**
     * The realm; the session's unless said otherwise.
     */
    realm?: Name;
    /**
     * The JSON Schema of the result.
     */
    result_schema?: unknown;
    /**
     * Which frame it is.
     */
    type: 'serve';
};

/**
 * The procedure is served.
 */
export type ServedFrame = {
    /**
     * The number of the `serve`.
     */
    id: number;
    /**
     * Which frame it is.
     */
    type: 'served';
};

/**
 * A session.
 */
export type SessionInfo = {
    /**
     * Where it can connect.
     */
    endpoints: Array<Endpoint>;
    /**
     * When it ends whatever happens (RFC 3339).
     */
    expires_at: string;
    /**
     * Its public name.
     */
    id: string;
    /**
     * What it may use.
     */
    limits: Limits;
    /**
     * What it may do: a name must match one of the patterns.
     */
    permissions: Permissions;
    /**
     * The realm in which it may act.
     */
    realm: string;
    /**
     * Who it is.
     */
    subject: string;
};

/**
 * Subscribes to a pattern. `subscribed` follows, then `event` and `gap` until the client unsubscribes.
 */
export type SubscribeFrame = {
    /**
     * The event to begin after; wins over `replay`.
     */
    after?: string;
    /**
     * Whether events may be lost on the way; `all` unless said otherwise.
     */
    delivery?: 'all' | 'latest';
    /**
     * The operation's number, new in this live session.
     */
    id: number;
    /**
     * What happens when the client is too slow; `drop_oldest` unless said otherwise.
     */
    overflow?: 'drop_oldest' | 'close';
    /**
     * The topics: a name in which a segment may be `*` and the last `**`.
     */
    pattern: Pattern;
    /**
     * The realm; the session's unless said otherwise.
     */
    realm?: Name;
    /**
     * How many events back to begin, at most 10000.
     */
    replay?: number;
    /**
     * Which frame it is.
     */
    type: 'subscribe';
};

/**
 * The subscription is there: every event after `position` comes, or is told as missed.
 */
export type SubscribedFrame = {
    /**
     * How many events and gaps of the past come first.
     */
    backlog: number;
    /**
     * The number of the `subscribe`.
     */
    id: number;
    /**
     * Stands for the last event's id until the first event has come.
     */
    position: string;
    /**
     * Which frame it is.
     */
    type: 'subscribed';
};

/**
 * A ticket.
 */
export type Ticket = {
    /**
     * When it is worthless (RFC 3339).
     */
    expires_at: string;
    /**
     * Put it into the URL once: `?ticket=…`.
     */
    ticket: string;
};

/**
 * Stops serving. `ended` follows; calls that wait for an answer end with `provider_unavailable`.
 */
export type UnserveFrame = {
    /**
     * The number of the `serve`.
     */
    id: number;
    /**
     * Which frame it is.
     */
    type: 'unserve';
};

/**
 * Ends a subscription. `ended` follows.
 */
export type UnsubscribeFrame = {
    /**
     * The number of the subscription.
     */
    id: number;
    /**
     * Which frame it is.
     */
    type: 'unsubscribe';
};

/**
 * Answers `hello`. The session lives from here on.
 */
export type WelcomeFrame = {
    /**
     * When the session ends whatever happens (RFC 3339).
     */
    expires_at: string;
    /**
     * How long the session waits for the client to come back when its transport is lost.
     */
    grace_seconds: number;
    /**
     * What the session may use.
     */
    limits: {
        /**
         * Bytes of all payloads in flight together.
         */
        max_bytes_in_flight: number;
        /**
         * Calls, publishes and discoveries in flight.
         */
        max_calls: number;
        /**
         * The longest frame, in bytes.
         */
        max_frame_bytes: number;
        /**
         * Procedures served.
         */
        max_procedures: number;
        /**
         * Subscriptions.
         */
        max_subscriptions: number;
    };
    /**
     * The node's name.
     */
    node: string;
    /**
     * The realm in which the client may act.
     */
    realm: Name;
    /**
     * True when `resume` was granted.
     */
    resumed?: boolean;
    /**
     * The live session's name, for `resume`.
     */
    session: string;
    /**
     * Who the client is.
     */
    subject: string;
    /**
     * The token of the session, if `hello` had none.
     */
    token?: string;
    /**
     * Which frame it is.
     */
    type: 'welcome';
    /**
     * Numbers in `resume` that the gateway has no operation for: it never heard of them, or their answer was lost.
     */
    unknown?: Array<number>;
};

export type HealthData = {
    body?: never;
    path?: never;
    query?: never;
    url: '/healthz';
};

export type HealthErrors = {
    /**
     * `invalid_request`: A parameter, header or field of the request is missing, unknown or out of its range.
     */
    400: Problem;
    /**
     * `not_acceptable`: The answer cannot be given in any media type that `Accept` allows.
     */
    406: Problem;
    /**
     * `internal`: The gateway failed; the fault is not the request's.
     */
    500: Problem;
};

export type HealthError = HealthErrors[keyof HealthErrors];

export type HealthResponses = {
    /**
     * It is.
     */
    200: Health;
};

export type HealthResponse = HealthResponses[keyof HealthResponses];

export type MetricsData = {
    body?: never;
    path?: never;
    query?: never;
    url: '/metrics';
};

export type MetricsErrors = {
    /**
     * `invalid_request`: A parameter, header or field of the request is missing, unknown or out of its range.
     */
    400: Problem;
    /**
     * `forbidden`: The session may not do this in this realm.
     */
    403: Problem;
    /**
     * `not_acceptable`: The answer cannot be given in any media type that `Accept` allows.
     */
    406: Problem;
    /**
     * `internal`: The gateway failed; the fault is not the request's.
     */
    500: Problem;
};

export type MetricsError = MetricsErrors[keyof MetricsErrors];

export type MetricsResponses = {
    /**
     * The counters, in the OpenMetrics text format.
     */
    200: string;
};

export type MetricsResponse = MetricsResponses[keyof MetricsResponses];

export type ReadyData = {
    body?: never;
    path?: never;
    query?: never;
    url: '/readyz';
};

export type ReadyErrors = {
    /**
     * `invalid_request`: A parameter, header or field of the request is missing, unknown or out of its range.
     */
    400: Problem;
    /**
     * `not_acceptable`: The answer cannot be given in any media type that `Accept` allows.
     */
    406: Problem;
    /**
     * `internal`: The gateway failed; the fault is not the request's.
     */
    500: Problem;
    /**
     * It drains, or an event did not come back.
     */
    503: Health;
};

export type ReadyError = ReadyErrors[keyof ReadyErrors];

export type ReadyResponses = {
    /**
     * It does.
     */
    200: Health;
};

export type ReadyResponse = ReadyResponses[keyof ReadyResponses];

export type ConnectData = {
    body?: never;
    headers?: {
        /**
         * `macula.v1.msgpack` or `macula.v1.json`.
         */
        'sec-websocket-protocol'?: string | null;
    };
    path?: never;
    query?: {
        /**
         * A one-use ticket, in place of the token in `hello`.
         */
        ticket?: string;
    };
    url: '/v1/connect';
};

export type ConnectErrors = {
    /**
     * `invalid_request`: A parameter, header or field of the request is missing, unknown or out of its range.
     */
    400: Problem;
    /**
     * `unauthenticated`: The request has no credentials, or they are not known here.
     *
     * `session_expired`: The session has ended or its time is over.
     */
    401: Problem;
    /**
     * `forbidden`: The session may not do this in this realm.
     */
    403: Problem;
    /**
     * `not_acceptable`: The answer cannot be given in any media type that `Accept` allows.
     */
    406: Problem;
    /**
     * `too_early`: The request came in TLS early data, which an attacker could replay, and it is not safe to repeat.
     */
    425: Problem;
    /**
     * `rate_limited`: The session or address has used up its requests for now.
     */
    429: Problem;
    /**
     * `internal`: The gateway failed; the fault is not the request's.
     */
    500: Problem;
    /**
     * `draining`: This node is shutting down.
     *
     * `overloaded`: A queue or table of this node is full.
     */
    503: Problem;
};

export type ConnectError = ConnectErrors[keyof ConnectErrors];

export type ConnectResponses = {
    /**
     * The same, as HTTP/2 answers an extended CONNECT.
     */
    200: unknown;
};

export type DiscoverData = {
    body?: never;
    path: {
        /**
         * The realm.
         */
        realm: Name;
        /**
         * The names: a name in which a segment may be `*` and the last `**`.
         */
        pattern: Pattern;
    };
    query?: {
        /**
         * The kinds wanted, with commas between: `procedure`, `topic`, `node`. All unless said otherwise.
         */
        kind?: string;
        /**
         * How far up to ask; `cluster` is the level of this node.
         */
        scope?: string;
        /**
         * The most items of the answer; 100 unless said otherwise.
         */
        limit?: number;
        /**
         * The `next` of an earlier answer.
         */
        cursor?: string;
    };
    url: '/v1/discover/{realm}/{pattern}';
};

export type DiscoverErrors = {
    /**
     * `invalid_request`: A parameter, header or field of the request is missing, unknown or out of its range.
     *
     * `invalid_name`: A realm, topic, procedure or pattern does not follow the grammar of names.
     */
    400: Problem;
    /**
     * `unauthenticated`: The request has no credentials, or they are not known here.
     *
     * `session_expired`: The session has ended or its time is over.
     */
    401: Problem;
    /**
     * `forbidden`: The session may not do this in this realm.
     */
    403: Problem;
    /**
     * `not_acceptable`: The answer cannot be given in any media type that `Accept` allows.
     */
    406: Problem;
    /**
     * `rate_limited`: The session or address has used up its requests for now.
     */
    429: Problem;
    /**
     * `internal`: The gateway failed; the fault is not the request's.
     */
    500: Problem;
    /**
     * `draining`: This node is shutting down.
     *
     * `overloaded`: A queue or table of this node is full.
     */
    503: Problem;
};

export type DiscoverError = DiscoverErrors[keyof DiscoverErrors];

export type DiscoverResponses = {
    /**
     * What was found.
     */
    200: Page;
};

export type DiscoverResponse = DiscoverResponses[keyof DiscoverResponses];

export type ExplainErrorData = {
    body?: never;
    path: {
        /**
         * The `code` of a problem.
         */
        code: string;
    };
    query?: never;
    url: '/v1/errors/{code}';
};

export type ExplainErrorErrors = {
    /**
     * `invalid_request`: A parameter, header or field of the request is missing, unknown or out of its range.
     */
    400: Problem;
    /**
     * `not_found`: There is nothing at this path.
     */
    404: Problem;
    /**
     * `not_acceptable`: The answer cannot be given in any media type that `Accept` allows.
     */
    406: Problem;
    /**
     * `internal`: The gateway failed; the fault is not the request's.
     */
    500: Problem;
    /**
     * `draining`: This node is shutting down.
     */
    503: Problem;
};

export type ExplainErrorError = ExplainErrorErrors[keyof ExplainErrorErrors];

export type ExplainErrorResponses = {
    /**
     * What the code means.
     */
    200: ErrorInfo;
};

export type ExplainErrorResponse = ExplainErrorResponses[keyof ExplainErrorResponses];

export type PublishData = {
    /**
     * The payload.
     */
    body?: unknown;
    headers?: {
        /**
         * Makes a repeated request give the first one's answer, for 10 minutes.
         */
        'idempotency-key'?: string | null;
    };
    path: {
        /**
         * The realm.
         */
        realm: Name;
        /**
         * The topic, a name.
         */
        topic: Name;
    };
    query?: never;
    url: '/v1/publish/{realm}/{topic}';
};

export type PublishErrors = {
    /**
     * `invalid_request`: A parameter, header or field of the request is missing, unknown or out of its range.
     *
     * `invalid_name`: A realm, topic, procedure or pattern does not follow the grammar of names.
     *
     * `invalid_payload`: The body is not what its media type says, or it is nested too deeply.
     */
    400: Problem;
    /**
     * `unauthenticated`: The request has no credentials, or they are not known here.
     *
     * `session_expired`: The session has ended or its time is over.
     */
    401: Problem;
    /**
     * `forbidden`: The session may not do this in this realm.
     */
    403: Problem;
    /**
     * `not_acceptable`: The answer cannot be given in any media type that `Accept` allows.
     */
    406: Problem;
    /**
     * `idempotency_in_flight`: A request with the same `Idempotency-Key` has not finished yet.
     */
    409: Problem;
    /**
     * `payload_too_large`: The body is larger than this node allows.
     */
    413: Problem;
    /**
     * `unsupported_media_type`: The body's media type or content encoding cannot be used here.
     */
    415: Problem;
    /**
     * `idempotency_mismatch`: The `Idempotency-Key` was used before with a different request.
     */
    422: Problem;
    /**
     * `too_early`: The request came in TLS early data, which an attacker could replay, and it is not safe to repeat.
     */
    425: Problem;
    /**
     * `rate_limited`: The session or address has used up its requests for now.
     */
    429: Problem;
    /**
     * `internal`: The gateway failed; the fault is not the request's.
     */
    500: Problem;
    /**
     * `draining`: This node is shutting down.
     *
     * `overloaded`: A queue or table of this node is full.
     */
    503: Problem;
};

export type PublishError = PublishErrors[keyof PublishErrors];

export type PublishResponses = {
    /**
     * The event has its id and is on its way.
     */
    202: Receipt;
};

export type PublishResponse = PublishResponses[keyof PublishResponses];

export type CallData = {
    /**
     * The argument.
     */
    body?: unknown;
    headers?: {
        /**
         * Makes a repeated request give the first one's answer, for 10 minutes. Not with a streamed answer.
         */
        'idempotency-key'?: string | null;
    };
    path: {
        /**
         * The realm.
         */
        realm: Name;
        /**
         * The procedure, a name.
         */
        procedure: Name;
    };
    query?: {
        /**
         * How long to wait for the result; 5000 unless said otherwise.
         */
        timeout_ms?: number;
    };
    url: '/v1/rpc/{realm}/{procedure}';
};

export type CallErrors = {
    /**
     * `invalid_request`: A parameter, header or field of the request is missing, unknown or out of its range.
     *
     * `invalid_name`: A realm, topic, procedure or pattern does not follow the grammar of names.
     *
     * `invalid_payload`: The body is not what its media type says, or it is nested too deeply.
     */
    400: Problem;
    /**
     * `unauthenticated`: The request has no credentials, or they are not known here.
     *
     * `session_expired`: The session has ended or its time is over.
     */
    401: Problem;
    /**
     * `forbidden`: The session may not do this in this realm.
     */
    403: Problem;
    /**
     * `procedure_not_found`: Nobody serves this procedure in this realm.
     */
    404: Problem;
    /**
     * `not_acceptable`: The answer cannot be given in any media type that `Accept` allows.
     */
    406: Problem;
    /**
     * `idempotency_in_flight`: A request with the same `Idempotency-Key` has not finished yet.
     */
    409: Problem;
    /**
     * `payload_too_large`: The body is larger than this node allows.
     */
    413: Problem;
    /**
     * `unsupported_media_type`: The body's media type or content encoding cannot be used here.
     */
    415: Problem;
    /**
     * `idempotency_mismatch`: The `Idempotency-Key` was used before with a different request.
     */
    422: Problem;
    /**
     * `too_early`: The request came in TLS early data, which an attacker could replay, and it is not safe to repeat.
     */
    425: Problem;
    /**
     * `rate_limited`: The session or address has used up its requests for now.
     */
    429: Problem;
    /**
     * `internal`: The gateway failed; the fault is not the request's.
     */
    500: Problem;
    /**
     * `handler_failed`: The procedure's handler answered with an error of its own.
     */
    502: Problem;
    /**
     * `draining`: This node is shutting down.
     *
     * `overloaded`: A queue or table of this node is full.
     *
     * `provider_unavailable`: The provider of the procedure went away before it answered.
     */
    503: Problem;
    /**
     * `timeout`: The answer did not come before the deadline.
     */
    504: Problem;
};

export type CallError = CallErrors[keyof CallErrors];

export type CallResponses = {
    /**
     * The result.
     */
    200: unknown;
};

export type EndSessionData = {
    body?: never;
    path?: never;
    query?: never;
    url: '/v1/session';
};

export type EndSessionErrors = {
    /**
     * `invalid_request`: A parameter, header or field of the request is missing, unknown or out of its range.
     */
    400: Problem;
    /**
     * `unauthenticated`: The request has no credentials, or they are not known here.
     *
     * `session_expired`: The session has ended or its time is over.
     */
    401: Problem;
    /**
     * `not_acceptable`: The answer cannot be given in any media type that `Accept` allows.
     */
    406: Problem;
    /**
     * `too_early`: The request came in TLS early data, which an attacker could replay, and it is not safe to repeat.
     */
    425: Problem;
    /**
     * `rate_limited`: The session or address has used up its requests for now.
     */
    429: Problem;
    /**
     * `internal`: The gateway failed; the fault is not the request's.
     */
    500: Problem;
    /**
     * `draining`: This node is shutting down.
     *
     * `overloaded`: A queue or table of this node is full.
     */
    503: Problem;
};

export type EndSessionError = EndSessionErrors[keyof EndSessionErrors];

export type EndSessionResponses = {
    /**
     * The session has ended.
     */
    204: void;
};

export type EndSessionResponse = EndSessionResponses[keyof EndSessionResponses];

export type ShowSessionData = {
    body?: never;
    path?: never;
    query?: never;
    url: '/v1/session';
};

export type ShowSessionErrors = {
    /**
     * `invalid_request`: A parameter, header or field of the request is missing, unknown or out of its range.
     */
    400: Problem;
    /**
     * `unauthenticated`: The request has no credentials, or they are not known here.
     *
     * `session_expired`: The session has ended or its time is over.
     */
    401: Problem;
    /**
     * `not_acceptable`: The answer cannot be given in any media type that `Accept` allows.
     */
    406: Problem;
    /**
     * `rate_limited`: The session or address has used up its requests for now.
     */
    429: Problem;
    /**
     * `internal`: The gateway failed; the fault is not the request's.
     */
    500: Problem;
    /**
     * `draining`: This node is shutting down.
     *
     * `overloaded`: A queue or table of this node is full.
     */
    503: Problem;
};

export type ShowSessionError = ShowSessionErrors[keyof ShowSessionErrors];

export type ShowSessionResponses = {
    /**
     * The session.
     */
    200: SessionInfo;
};

export type ShowSessionResponse = ShowSessionResponses[keyof ShowSessionResponses];

export type OpenSessionData = {
    /**
     * Who it is; may be left out.
     */
    body?: Opening | null;
    path?: never;
    query?: never;
    url: '/v1/session';
};

export type OpenSessionErrors = {
    /**
     * `invalid_request`: A parameter, header or field of the request is missing, unknown or out of its range.
     *
     * `invalid_payload`: The body is not what its media type says, or it is nested too deeply.
     */
    400: Problem;
    /**
     * `unauthenticated`: The request has no credentials, or they are not known here.
     *
     * `session_expired`: The session has ended or its time is over.
     */
    401: Problem;
    /**
     * `not_acceptable`: The answer cannot be given in any media type that `Accept` allows.
     */
    406: Problem;
    /**
     * `payload_too_large`: The body is larger than this node allows.
     */
    413: Problem;
    /**
     * `unsupported_media_type`: The body's media type or content encoding cannot be used here.
     */
    415: Problem;
    /**
     * `too_early`: The request came in TLS early data, which an attacker could replay, and it is not safe to repeat.
     */
    425: Problem;
    /**
     * `rate_limited`: The session or address has used up its requests for now.
     */
    429: Problem;
    /**
     * `internal`: The gateway failed; the fault is not the request's.
     */
    500: Problem;
    /**
     * `draining`: This node is shutting down.
     *
     * `overloaded`: A queue or table of this node is full.
     */
    503: Problem;
};

export type OpenSessionError = OpenSessionErrors[keyof OpenSessionErrors];

export type OpenSessionResponses = {
    /**
     * The session and its token.
     */
    201: Opened;
};

export type OpenSessionResponse = OpenSessionResponses[keyof OpenSessionResponses];

export type IssueTicketData = {
    body?: never;
    path?: never;
    query?: never;
    url: '/v1/session/ticket';
};

export type IssueTicketErrors = {
    /**
     * `invalid_request`: A parameter, header or field of the request is missing, unknown or out of its range.
     */
    400: Problem;
    /**
     * `unauthenticated`: The request has no credentials, or they are not known here.
     *
     * `session_expired`: The session has ended or its time is over.
     */
    401: Problem;
    /**
     * `not_acceptable`: The answer cannot be given in any media type that `Accept` allows.
     */
    406: Problem;
    /**
     * `too_early`: The request came in TLS early data, which an attacker could replay, and it is not safe to repeat.
     */
    425: Problem;
    /**
     * `rate_limited`: The session or address has used up its requests for now.
     */
    429: Problem;
    /**
     * `internal`: The gateway failed; the fault is not the request's.
     */
    500: Problem;
    /**
     * `draining`: This node is shutting down.
     *
     * `overloaded`: A queue or table of this node is full.
     */
    503: Problem;
};

export type IssueTicketError = IssueTicketErrors[keyof IssueTicketErrors];

export type IssueTicketResponses = {
    /**
     * The ticket.
     */
    201: Ticket;
};

export type IssueTicketResponse = IssueTicketResponses[keyof IssueTicketResponses];

export type SubscribeData = {
    body?: never;
    headers?: {
        /**
         * Resumes after this event.
         */
        'last-event-id'?: string | null;
    };
    path: {
        /**
         * The realm.
         */
        realm: Name;
        /**
         * The topics: a name in which a segment may be `*` and the last `**`.
         */
        pattern: Pattern;
    };
    query?: {
        /**
         * How many events back to begin.
         */
        replay?: number;
        /**
         * As the header `Last-Event-ID`, which wins.
         */
        last_event_id?: string;
        /**
         * What happens to a reader that is too slow.
         */
        overflow?: 'drop_oldest' | 'close';
        /**
         * A one-use ticket, for `EventSource`.
         */
        ticket?: string;
    };
    url: '/v1/subscribe/{realm}/{pattern}';
};

export type SubscribeErrors = {
    /**
     * `invalid_request`: A parameter, header or field of the request is missing, unknown or out of its range.
     *
     * `invalid_name`: A realm, topic, procedure or pattern does not follow the grammar of names.
     */
    400: Problem;
    /**
     * `unauthenticated`: The request has no credentials, or they are not known here.
     *
     * `session_expired`: The session has ended or its time is over.
     */
    401: Problem;
    /**
     * `forbidden`: The session may not do this in this realm.
     */
    403: Problem;
    /**
     * `not_acceptable`: The answer cannot be given in any media type that `Accept` allows.
     */
    406: Problem;
    /**
     * `rate_limited`: The session or address has used up its requests for now.
     */
    429: Problem;
    /**
     * `internal`: The gateway failed; the fault is not the request's.
     */
    500: Problem;
    /**
     * `draining`: This node is shutting down.
     *
     * `overloaded`: A queue or table of this node is full.
     */
    503: Problem;
};

export type SubscribeError = SubscribeErrors[keyof SubscribeErrors];

export type SubscribeResponses = {
    /**
     * The stream; it does not end by itself.
     */
    200: string;
};

export type SubscribeResponse = SubscribeResponses[keyof SubscribeResponses];
