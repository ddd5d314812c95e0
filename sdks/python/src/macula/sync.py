"""The same without `async`: a session on an event loop in a thread of its own.

Names, arguments and errors are those of `macula`. All methods may be used from any thread; each blocks until it is
done, and a `KeyboardInterrupt` gives up what was asked. Handlers run in threads, at most as many as the loop's
default executor has; one whose caller has gone is not interrupted, but its answer goes nowhere.
"""

import asyncio
import dataclasses
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from os import PathLike
from types import TracebackType
from typing import Any, Generic, TypedDict, TypeVar, Unpack, overload

from . import mesh as _async
from .call import StreamingCall as AsyncStreamingCall
from .codec import Encoding
from .errors import Closed
from .generated.models import Event, Item
from .mesh import Kind, Status
from .options import Http
from .problem import MaculaError
from .queue import Gap
from .service import Context, Handler, Policy
from .service import Service as AsyncService
from .session import State
from .subscription import Subscription as AsyncSubscription
from .transport.wire import Transport

T = TypeVar("T")
R = TypeVar("R")


class ConnectOptions(TypedDict, total=False):
    """Those of `macula.connect`. `renew` is a plain function here, called in a thread."""

    token: str | None
    renew: Callable[[], str] | None
    realm: str
    subject: str | None
    transports: Sequence[Transport]
    http: Sequence[Http]
    encoding: Encoding
    ca: str | PathLike[str] | None
    certificate_sha256: str | None
    patience: float
    close_timeout: float


class CallOptions(TypedDict, total=False):
    """Those of `Mesh.call`."""

    timeout: float | None
    idempotency_key: str | None
    headers: Mapping[str, str] | None


class SubscribeOptions(TypedDict, total=False):
    """Those of `Mesh.subscribe`. `on_gap` is called in the reader's thread."""

    replay: int | None
    after: str | None
    latest: bool
    on_gap: Callable[[Gap], object] | None
    queue: int


class ServeOptions(TypedDict, total=False):
    """Those of `Mesh.serve`. `on_error` is called in the session's thread."""

    policy: Policy | None
    concurrency: int | None
    description: str | None
    argument_schema: Mapping[str, Any] | None
    result_schema: Mapping[str, Any] | None
    argument: Any
    on_error: Callable[[Exception], object] | None


class _Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="macula", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            self._over = asyncio.Event()
            runner.run(self._until_over())

    async def _until_over(self) -> None:
        await self._over.wait()

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs it there, and blocks until it is done."""
        if self.loop.is_closed():
            work.close()
            raise Closed
        running = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return running.result()
        except BaseException:
            running.cancel()
            raise

    def do(self, act: Callable[[], T]) -> T:
        """Does it there."""

        async def acting() -> T:
            return act()

        return self.wait(acting())

    def stop(self) -> None:
        """Ends the thread."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._over.set)
            self._thread.join()


def connect(url: str, **options: Unpack[ConnectOptions]) -> "Mesh":
    """Opens a session as `macula.connect` does; use it in a `with`, or end it by `close()`."""
    loop = _Loop()
    given: dict[str, Any] = dict(options)
    if renew := options.get("renew"):
        given["renew"] = lambda: asyncio.to_thread(renew)

    async def opening() -> _async.Mesh:
        return await _async.connect(url, **given)

    try:
        return Mesh(loop, loop.wait(opening()))
    except BaseException:
        loop.stop()
        raise


class Mesh:
    """A session with the mesh: `macula.Mesh` without `async`."""

    def __init__(self, loop: _Loop, mesh: _async.Mesh) -> None:
        self._loop = loop
        self._mesh = mesh

    def __enter__(self) -> "Mesh":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def state(self) -> State:
        """How the session is."""
        return self._mesh.state

    @property
    def transport(self) -> Transport | None:
        """What the session is on; nothing while it is not connected."""
        return self._mesh.transport

    def on_state(self, listener: Callable[[State], object]) -> Callable[[], None]:
        """Tells each change of `state`, in the session's thread; what it gives stops that."""
        stop = self._loop.do(lambda: self._mesh.on_state(listener))
        return lambda: self._loop.do(stop)

    @overload
    def call(self, procedure: str, argument: Any = None, *, result: type[R], **options: Unpack[CallOptions]) -> R: ...

    @overload
    def call(
        self, procedure: str, argument: Any = None, *, result: None = None, **options: Unpack[CallOptions]
    ) -> Any: ...

    def call(self, procedure: str, argument: Any = None, *, result: Any = None, **options: Unpack[CallOptions]) -> Any:
        """Calls a procedure, wherever it is served, and gives its result."""
        return self._loop.wait(self._mesh.call(procedure, argument, result=result, **options))

    def call_streaming(self, procedure: str, argument: Any = None, **options: Unpack[CallOptions]) -> "StreamingCall":
        """Calls a procedure that tells how far it is; at once."""
        call = self._loop.do(lambda: self._mesh.call_streaming(procedure, argument, **options))
        return StreamingCall(self._loop, call)

    def publish(
        self,
        topic: str,
        payload: Any,
        *,
        headers: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> str:
        """Publishes an event; its id."""
        publishing = self._mesh.publish(topic, payload, headers=headers, idempotency_key=idempotency_key)
        return self._loop.wait(publishing)

    def publish_unacknowledged(self, topic: str, payload: Any, *, headers: Mapping[str, str] | None = None) -> None:
        """Publishes an event without waiting to hear of it."""
        self._loop.wait(self._mesh.publish_unacknowledged(topic, payload, headers=headers))

    def subscribe(self, pattern: str, **options: Unpack[SubscribeOptions]) -> "Subscription":
        """Subscribes to a pattern, at once; read it with `for`."""
        on_gap = options.pop("on_gap", None)
        subscription = self._loop.do(lambda: self._mesh.subscribe(pattern, **options))
        return Subscription(self._loop, subscription, on_gap)

    @overload
    def serve(self, procedure: str, handler: Handler, **options: Unpack[ServeOptions]) -> "Service": ...

    @overload
    def serve(self, procedure: str, **options: Unpack[ServeOptions]) -> Callable[[Handler], "Service"]: ...

    def serve(
        self, procedure: str, handler: Handler | None = None, **options: Unpack[ServeOptions]
    ) -> "Service | Callable[[Handler], Service]":
        """Serves a procedure: `mesh.serve(name, handler)`, or `@mesh.serve(name)` above a handler.

        It is there when this is done.
        """

        async def serving(handler: Handler) -> AsyncService:
            return await self._mesh.serve(procedure, in_thread(handler), **options)

        def decorate(handler: Handler) -> Service:
            return Service(self._loop, self._loop.wait(serving(handler)))

        return decorate if handler is None else decorate(handler)

    def discover(self, pattern: str, *, kind: Sequence[Kind] | None = None, limit: int = 100) -> list[Item]:
        """Finds procedures, topics and nodes whose name matches, at most `limit`."""
        return self._loop.wait(self._mesh.discover(pattern, kind=kind, limit=limit))

    def status(self) -> Status:
        """How the session is at this moment."""
        return self._loop.do(self._mesh.status)

    def close(self) -> None:
        """Ends the session: waits for handlers at work, at most `close_timeout`, and ends the thread."""
        if not self._loop.loop.is_closed():
            self._loop.wait(self._mesh.close())
            self._loop.stop()


def in_thread(handler: Handler) -> Callable[[Any, Context], Awaitable[Any]]:
    """The handler as one that does not block the event loop."""

    async def handle(argument: Any, context: Context) -> Any:
        loop = asyncio.get_running_loop()

        def progress(value: Any) -> None:
            loop.call_soon_threadsafe(context.progress, value)

        return await asyncio.to_thread(handler, argument, dataclasses.replace(context, progress=progress))

    return handle


class Service:
    """A procedure that is served, until `stop()` or the end of the session."""

    def __init__(self, loop: _Loop, service: AsyncService) -> None:
        self._loop = loop
        self._service = service
        self.procedure = service.procedure

    def ended(self) -> MaculaError | None:
        """Waits until it is not served any more: for the error that has ended it, or nothing after `stop()`."""
        return self._loop.wait(self._service.ended())

    def stop(self) -> None:
        """Stops serving. Callers that wait for an answer see `ProviderUnavailable`."""
        self._loop.do(self._service.stop)


class _Reading(Generic[T]):
    """A loop over what comes."""

    def __init__(self, loop: _Loop, comes: Any, close: Callable[[], None]) -> None:
        self._loop = loop
        self._comes = comes
        self._close = close

    def __iter__(self) -> Iterator[T]:
        try:
            while True:
                try:
                    came: T = self._loop.wait(_next(self._comes))
                except StopAsyncIteration:
                    return
                yield came
        finally:
            self._close()


async def _next(comes: Any) -> Any:
    return await anext(comes)


class StreamingCall:
    """A call that tells how far it is: iterating gives its progress, and `result()` its end."""

    def __init__(self, loop: _Loop, call: AsyncStreamingCall) -> None:
        self._loop = loop
        self._call = call

    def __iter__(self) -> Iterator[Any]:
        return iter(_Reading[Any](self._loop, aiter(self._call), self.close))

    def result(self) -> Any:
        """Waits for the result."""
        return self._loop.wait(self._call.result())

    def close(self) -> None:
        """Gives the call up, if it goes on."""
        self._loop.do(self._call.close)


class Subscription:
    """Events that match a pattern: `for event in subscription`. To leave the loop ends it at the gateway."""

    def __init__(self, loop: _Loop, subscription: AsyncSubscription, on_gap: Callable[[Gap], object] | None) -> None:
        self._loop = loop
        self._subscription = subscription
        self._on_gap = on_gap

    def __enter__(self) -> "Subscription":
        self.ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ready(self) -> None:
        """Waits until the gateway has it: what is published from then on comes, or is told as missed."""
        self._loop.wait(self._subscription.ready())

    def close(self) -> None:
        """Ends the subscription at the gateway, as leaving the loop does."""
        if not self._loop.loop.is_closed():
            self._loop.do(self._subscription.close)

    def deliveries(self) -> Iterator[Event | Gap]:
        """Events, and a `Gap` where events were lost, in one stream."""
        return iter(_Reading[Event | Gap](self._loop, self._subscription.deliveries(), self.close))

    def __iter__(self) -> Iterator[Event]:
        for delivery in self.deliveries():
            if not isinstance(delivery, Gap):
                yield delivery
            elif self._on_gap is not None:
                self._on_gap(delivery)
