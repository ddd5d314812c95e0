"""Procedures that are served here."""

import asyncio
import inspect
import logging
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from msgspec import UNSET

from .book import Answer, News, Reply
from .codec import converted
from .errors import Closed, HandlerError, Invalid
from .generated.models import (
    InvokeErrorFrame,
    InvokeFrame,
    InvokeProgressFrame,
    InvokeResultFrame,
    ServedFrame,
    ServeFrame,
)
from .names import check_name
from .problem import MaculaError

if TYPE_CHECKING:
    from .session import Session

Policy = Literal["round_robin", "random", "first", "least_busy"]
"""How calls are spread over several providers of a procedure."""

log = logging.getLogger("macula")


@dataclass(frozen=True, slots=True)
class Context:
    """What a handler knows of a call beside its argument."""

    caller: str
    """Who calls."""
    realm: str
    procedure: str
    headers: Mapping[str, str]
    """Application headers, names in lower case."""
    deadline: float
    """When the caller stops waiting, as `time.monotonic()` counts. The handler's task is cancelled then."""
    progress: Callable[[Any], None]
    """Tells the caller how far the call is, if it wants to know. Left out where it cannot be said at once."""


Handler = Callable[..., Any]
"""What answers calls: a coroutine function, or a plain one, which must not block the event loop. It takes the
argument, and a `Context` if it has a second parameter.

What it raises is `HandlerFailed` for the caller: a `HandlerError` with its own words. When nobody waits for the
answer any more, its task is cancelled.
"""


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """How to serve."""

    policy: Policy | None = None
    concurrency: int | None = None
    description: str | None = None
    argument_schema: Mapping[str, Any] | None = None
    result_schema: Mapping[str, Any] | None = None
    argument: Any = None
    on_error: Callable[[Exception], object] | None = None

    def frame(self, procedure: str) -> ServeFrame:
        """What asks the gateway for it."""
        return ServeFrame(
            id=0,
            procedure=check_name("procedure", procedure),
            policy=UNSET if self.policy is None else self.policy,
            concurrency=UNSET if self.concurrency is None else self.concurrency,
            description=UNSET if self.description is None else self.description,
            argument_schema=UNSET if self.argument_schema is None else self.argument_schema,
            result_schema=UNSET if self.result_schema is None else self.result_schema,
        )


class Service:
    """A procedure that is served, until `stop()` or the end of the session. Awaiting it waits until it is ready."""

    def __init__(self, session: "Session", handler: Handler, frame: ServeFrame, options: ServeOptions) -> None:
        """Serves at once."""
        if session.wire is not None and session.wire.transport == "sse":
            raise Invalid("expected a live transport: nothing can be served on SSE")
        self.procedure = frame.procedure
        self._session = session
        self._serving = Serving(handler, options, session.loop)
        self._number = session.begin(frame, self._serving)

    async def ready(self) -> None:
        """Waits until the gateway has it. Raises what the gateway has against it."""
        await asyncio.shield(self._serving.ready)

    def __await__(self) -> Generator[Any, None, "Service"]:
        yield from self.ready().__await__()
        return self

    async def ended(self) -> MaculaError | None:
        """Waits until it is not served any more: for the error that has ended it, or nothing after `stop()`."""
        return await asyncio.shield(self._serving.ended)

    def stop(self) -> None:
        """Stops serving. Calls that are not answered yet are cancelled; their callers see `ProviderUnavailable`."""
        self._session.stop_serving(self._number)
        self._serving.over(None)


class Serving:
    """The session's side of a service."""

    def __init__(self, handler: Handler, options: ServeOptions, loop: asyncio.AbstractEventLoop) -> None:
        self._handler = _with_context(handler)
        self._options = options
        self.ready: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[MaculaError | None] = loop.create_future()

    def hear(self, frame: News) -> None:
        if isinstance(frame, ServedFrame) and not self.ready.done():
            self.ready.set_result(None)

    def end(self, frame: Answer) -> None:
        self.over(None)

    def fail(self, error: MaculaError) -> None:
        self.over(error)

    def over(self, error: MaculaError | None) -> None:
        """It is not served any more."""
        if not self.ready.done():
            self.ready.set_exception(error or Closed())
            # Who does not wait for it hears of it where the service has ended.
            self.ready.exception()
        if not self.ended.done():
            self.ended.set_result(None if isinstance(error, Closed) else error)

    def position(self) -> str | None:
        return None

    def begin_anew(self) -> None:
        pass

    def call(self, frame: InvokeFrame, tell: Callable[[InvokeProgressFrame], None]) -> "Call":
        """A call to answer."""
        return Call(frame, self._handler, self._options, tell)


def _with_context(handler: Handler) -> Handler:
    """The handler, called with a context that it may not want."""
    try:
        inspect.signature(handler).bind(None, None)
    except TypeError:
        return lambda argument, _context: handler(argument)
    return handler


class Call:
    """A call that is answered here, in a task of its own."""

    def __init__(
        self,
        frame: InvokeFrame,
        handler: Handler,
        options: ServeOptions,
        tell: Callable[[InvokeProgressFrame], None],
    ) -> None:
        self.frame = frame
        self.answer: Reply | None = None
        self.task: asyncio.Task[None] | None = None
        self._handler = handler
        self._options = options
        self._tell = tell

    def abort(self) -> None:
        if self.task is not None:
            self.task.cancel()

    def _progress(self, value: Any) -> None:
        if self.frame.progress:
            self._tell(InvokeProgressFrame(id=self.frame.id, payload=value))

    async def run(self) -> Reply:
        """Lets the handler answer; what it raises is an answer too."""
        number = self.frame.id
        try:
            return InvokeResultFrame(id=number, payload=await self._handled())
        except HandlerError as error:
            data = UNSET if error.data is None else error.data
            return InvokeErrorFrame(id=number, code=error.code, detail=error.detail, data=data)
        except Exception as error:
            if self._options.on_error is not None:
                self._options.on_error(error)
            else:
                log.exception("the handler of %s failed", self.frame.procedure)
            return InvokeErrorFrame(id=number, code="failed", detail="the handler raised an error")

    async def _handled(self) -> Any:
        frame = self.frame
        context = Context(
            caller=frame.caller,
            realm=frame.realm,
            procedure=frame.procedure,
            headers=frame.headers or {},
            deadline=time.monotonic() + frame.timeout_ms / 1_000,
            progress=self._progress,
        )
        argument = None if frame.payload is UNSET else frame.payload
        if self._options.argument is not None:
            try:
                argument = converted(argument, self._options.argument, "an argument")
            except Invalid as error:
                raise HandlerError("invalid_argument", str(error)) from error
        result = self._handler(argument, context)
        return await result if inspect.isawaitable(result) else result
