"""A session with the mesh, as an application uses it."""

from collections.abc import Callable, Generator, Mapping, Sequence
from os import PathLike
from types import TracebackType
from typing import Any, Literal, TypeVar, overload

import msgspec
from msgspec import UNSET

from .call import StreamingCall, call, call_frame, headers_of
from .codec import Encoding, converted
from .generated.models import DiscoveredFrame, DiscoverFrame, Item, PublishedFrame, PublishFrame
from .names import check_name, check_pattern
from .options import Config, Http, Renew, checked
from .queue import QUEUE, Gap
from .service import Handler, Policy, ServeOptions, Service
from .session import State
from .subscription import Subscription
from .supervisor import Supervisor
from .transport.wire import TRANSPORTS, Transport

R = TypeVar("R")
Kind = Literal["procedure", "topic", "node"]
"""What discovery finds."""

PAGE = 1_000
"""The most items of one page."""


class Status(msgspec.Struct, frozen=True):
    """How a session is at a moment."""

    state: State
    transport: Transport | None
    """What it is on, while it is connected."""
    session: str
    """The session's name."""
    realm: str
    subject: str
    """Who we are."""
    node: str
    """The node's name; empty where the transport does not tell it."""
    round_trip: float | None
    """How long the gateway took for its last answer to a hello or ping; seconds."""
    subscriptions: int
    services: int
    calls: int
    """Calls, publishes and discoveries that wait for their answer."""
    reconnects: int
    """Times that the session has connected again."""
    missed: int
    """Events that were missed, as far as gaps have told how many."""


class Connecting:
    """A session that is about to open: `async with connect(…) as mesh`, or `mesh = await connect(…)`."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._mesh: Mesh | None = None

    async def _open(self) -> "Mesh":
        return Mesh(await Supervisor.start(self._config))

    def __await__(self) -> Generator[Any, None, "Mesh"]:
        return self._open().__await__()

    async def __aenter__(self) -> "Mesh":
        self._mesh = await self._open()
        return self._mesh

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._mesh is not None:
            await self._mesh.close()


def connect(
    url: str,
    *,
    token: str | None = None,
    renew: Renew | None = None,
    realm: str = "dev",
    subject: str | None = None,
    transports: Sequence[Transport] = TRANSPORTS,
    http: Sequence[Http] = (3, 2, 1),
    encoding: Encoding = "msgpack",
    ca: str | PathLike[str] | None = None,
    certificate_sha256: str | None = None,
    patience: float = 25.0,
    close_timeout: float = 5.0,
) -> Connecting:
    """Opens a session with the gateway at `https://HOST[:PORT]`.

    `token`: of a session; without one a session is opened in an open realm: `realm`, as `subject`.
    `renew`: a coroutine function that gets a new token. It is asked once each time that the gateway no longer takes
    the old one; then a new session begins with the same subscriptions and services.
    `transports`: those to try, the preferred one first. `http`: the versions of HTTP that `sse` may use, likewise.
    `encoding`: how frames and payloads are written.
    `ca`: a file with the authority to trust; `certificate_sha256`: the one certificate to trust, in hexadecimal; else
    the system's authorities are.
    `patience`: how long the gateway may say nothing, not even to a ping, until the transport counts as lost; seconds,
    at least 1. `close_timeout`: how long `close()` waits for handlers at work; seconds.

    Raises `Invalid`, `ConnectError`, or a `Problem` of the gateway.
    """
    return Connecting(
        checked(
            url,
            token=token,
            renew=renew,
            realm=realm,
            subject=subject,
            transports=transports,
            http=http,
            encoding=encoding,
            ca=ca,
            certificate_sha256=certificate_sha256,
            patience=patience,
            close_timeout=close_timeout,
        )
    )


class Mesh:
    """A session with the mesh, over whatever transport comes through. It goes on when the network changes.

    All methods are of the event loop in which it was opened. To cancel what waits gives up what was asked.
    """

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._session = supervisor.session

    @property
    def state(self) -> State:
        """How the session is."""
        return self._session.state

    @property
    def transport(self) -> Transport | None:
        """What the session is on; nothing while it is not connected."""
        return self._session.wire.transport if self._session.wire else None

    def on_state(self, listener: Callable[[State], object]) -> Callable[[], None]:
        """Tells each change of `state`; what it gives stops that."""
        listeners = self._session.state_listeners
        listeners.append(listener)
        return lambda: listeners.remove(listener) if listener in listeners else None

    @overload
    async def call(
        self,
        procedure: str,
        argument: Any = None,
        *,
        result: type[R],
        timeout: float | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> R: ...

    @overload
    async def call(
        self,
        procedure: str,
        argument: Any = None,
        *,
        result: None = None,
        timeout: float | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any: ...

    async def call(
        self,
        procedure: str,
        argument: Any = None,
        *,
        result: Any = None,
        timeout: float | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Calls a procedure, wherever it is served, and gives its result.

        `result`: the type that the result is to have, as `msgspec` knows types; anything else is `Invalid`.
        `timeout`: seconds, 0.001 to 600; 5 unless said otherwise. `idempotency_key`: makes a repeated call give the
        first one's answer, for 10 minutes, and lets a call that was lost be made again. `headers`: at most 16.
        """
        frame = call_frame(procedure, argument, timeout=timeout, idempotency_key=idempotency_key, headers=headers)
        answer = await call(self._session, frame)
        return answer if result is None else converted(answer, result, "a result")

    def call_streaming(
        self,
        procedure: str,
        argument: Any = None,
        *,
        timeout: float | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> StreamingCall:
        """Calls a procedure that tells how far it is; at once."""
        frame = call_frame(
            procedure,
            argument,
            timeout=timeout,
            idempotency_key=idempotency_key,
            headers=headers,
            progress=True,
        )
        return StreamingCall(self._session, frame)

    async def publish(
        self,
        topic: str,
        payload: Any,
        *,
        headers: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> str:
        """Publishes an event; its id.

        Of those that are published at a time as many are under way as the gateway takes, and 65,536 more may wait.
        `headers`: at most 16. `idempotency_key`: makes a repeated publish give the first one's id, for 10 minutes, and
        lets one that was lost be made again.
        """
        frame = publish_frame(topic, payload, headers, idempotency_key)
        answer = await self._session.ask(frame)
        return answer.event_id if isinstance(answer, PublishedFrame) else ""

    async def publish_unacknowledged(
        self, topic: str, payload: Any, *, headers: Mapping[str, str] | None = None
    ) -> None:
        """Publishes an event without waiting to hear of it: as soon as it can be said.

        In the order of those that are published so, and faster; but what is refused is not told, and what is lost
        with the transport is lost. On SSE the gateway is asked as by `publish`.
        """
        frame = publish_frame(topic, payload, headers, None)
        if self.transport == "sse":
            await self._session.ask(frame)
        else:
            await self._session.tell(frame)

    def subscribe(
        self,
        pattern: str,
        *,
        replay: int | None = None,
        after: str | None = None,
        latest: bool = False,
        on_gap: Callable[[Gap], object] | None = None,
        queue: int = QUEUE,
    ) -> Subscription:
        """Subscribes to a pattern, at once; read it with `async for`.

        `replay`: begins so many events back, at most 10,000. `after`: begins after the event with this id; wins over
        `replay`. `latest`: lets events be lost on the way rather than come late. `on_gap`: told of events that were
        missed, where they were missed. `queue`: deliveries that may wait for the reader; what is more is lost, and
        told as a gap.
        """
        return Subscription(
            self._session, pattern, replay=replay, after=after, latest=latest, on_gap=on_gap, queue=queue
        )

    @overload
    def serve(
        self,
        procedure: str,
        handler: Handler,
        *,
        policy: Policy | None = None,
        concurrency: int | None = None,
        description: str | None = None,
        argument_schema: Mapping[str, Any] | None = None,
        result_schema: Mapping[str, Any] | None = None,
        argument: Any = None,
        on_error: Callable[[Exception], object] | None = None,
    ) -> Service: ...

    @overload
    def serve(
        self,
        procedure: str,
        *,
        policy: Policy | None = None,
        concurrency: int | None = None,
        description: str | None = None,
        argument_schema: Mapping[str, Any] | None = None,
        result_schema: Mapping[str, Any] | None = None,
        argument: Any = None,
        on_error: Callable[[Exception], object] | None = None,
    ) -> Callable[[Handler], Service]: ...

    def serve(
        self,
        procedure: str,
        handler: Handler | None = None,
        *,
        policy: Policy | None = None,
        concurrency: int | None = None,
        description: str | None = None,
        argument_schema: Mapping[str, Any] | None = None,
        result_schema: Mapping[str, Any] | None = None,
        argument: Any = None,
        on_error: Callable[[Exception], object] | None = None,
    ) -> Service | Callable[[Handler], Service]:
        """Serves a procedure, at once: `await mesh.serve(name, handler)`, or `@mesh.serve(name)` above a handler.

        `await service` waits until the gateway has it. Nothing can be served on SSE: `Invalid`.
        `policy`: how calls are spread over several providers; what the others have agreed on unless said otherwise.
        `concurrency`: calls at a time, 64 unless said otherwise, at most 1,024; further ones wait at the gateway.
        `description`: for people, at most 1,024 bytes; `argument_schema` and `result_schema`: JSON Schemas; discovery
        shows all three. `argument`: the type of arguments, as `msgspec` knows types; a call with anything else is
        answered `invalid_argument`. `on_error`: told what a handler has raised that is no `HandlerError`; it is
        logged unless said otherwise, and callers never see it.
        """
        options = ServeOptions(policy, concurrency, description, argument_schema, result_schema, argument, on_error)
        frame = options.frame(procedure)

        def decorate(handler: Handler) -> Service:
            return Service(self._session, handler, frame, options)

        return decorate if handler is None else decorate(handler)

    async def discover(self, pattern: str, *, kind: Sequence[Kind] | None = None, limit: int = 100) -> list[Item]:
        """Finds procedures, topics and nodes whose name matches, at most `limit`."""
        check_pattern(pattern)
        items: list[Item] = []
        cursor: str | None = None
        while True:
            frame = DiscoverFrame(
                id=0,
                pattern=pattern,
                kind=",".join(kind) if kind else UNSET,
                limit=min(max(limit - len(items), 1), PAGE),
                cursor=cursor or UNSET,
            )
            answer = await self._session.ask(frame)
            if not isinstance(answer, DiscoveredFrame):
                return items
            items += answer.page.items
            cursor = answer.page.next or None
            if cursor is None or len(items) >= limit:
                return items[:limit]

    def status(self) -> Status:
        """How the session is at this moment."""
        session = self._session
        welcome, counts = session.welcome, session.book.counts
        return Status(
            state=session.state,
            transport=self.transport,
            session=welcome.session,
            realm=welcome.realm,
            subject=welcome.subject,
            node=welcome.node,
            round_trip=session.round_trip,
            subscriptions=counts.subscriptions,
            services=counts.services,
            calls=counts.calls,
            reconnects=session.reconnects,
            missed=session.missed,
        )

    async def close(self) -> None:
        """Ends the session: waits for handlers at work, at most `close_timeout`, and cancels the rest.

        Whatever is asked from now on raises `Closed`.
        """
        await self._supervisor.close()


def publish_frame(
    topic: str, payload: Any, headers: Mapping[str, str] | None, idempotency_key: str | None
) -> PublishFrame:
    """What asks the gateway to publish an event, or `Invalid`."""
    return PublishFrame(
        topic=check_name("topic", topic),
        idempotency_key=UNSET if idempotency_key is None else idempotency_key,
        headers=headers_of(headers) if headers else UNSET,
        payload=payload,
    )
