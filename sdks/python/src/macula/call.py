"""Calls, with and without progress."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from .book import News
from .errors import Invalid, own_problem
from .generated.models import CallFrame, CallProgressFrame, CallResultFrame
from .generated.operations import TIMEOUT_MS
from .names import check_name
from .queue import Gap, Queue

if TYPE_CHECKING:
    from .session import Session

TIMEOUT = 5.0
"""How long to wait for a result unless said otherwise; seconds."""
OVERTIME = 3.0
"""How much longer than asked to wait for the gateway's own word that the time is over; seconds."""


def call_frame(
    procedure: str,
    argument: Any,
    *,
    timeout: float | None,
    idempotency_key: str | None,
    headers: Mapping[str, str] | None,
    progress: bool = False,
) -> CallFrame:
    """What asks the gateway for it, or `Invalid`."""
    least, most = TIMEOUT_MS
    timeout_ms = None if timeout is None else round(timeout * 1_000)
    if timeout_ms is not None and not least <= timeout_ms <= most:
        raise Invalid(f"expected a timeout of {least / 1_000} to {most / 1_000} s, found {timeout}")
    return CallFrame(
        id=0,
        procedure=check_name("procedure", procedure),
        timeout_ms=UNSET if timeout_ms is None else timeout_ms,
        progress=True if progress else UNSET,
        idempotency_key=UNSET if idempotency_key is None else idempotency_key,
        headers=headers_of(headers) if headers else UNSET,
        payload=UNSET if argument is None else argument,
    )


def headers_of(headers: Mapping[str, str]) -> dict[str, str]:
    """Application headers with names in lower case, as they travel."""
    return {name.lower(): value for name, value in headers.items()}


async def call(session: "Session", frame: CallFrame, hear: Callable[[News], None] | None = None) -> Any:
    """Calls, and gives the result."""
    timeout = TIMEOUT if frame.timeout_ms is UNSET else frame.timeout_ms / 1_000
    late = asyncio.timeout(timeout + OVERTIME)
    try:
        # The gateway tells when the time is over. Where it cannot, as while the transport is lost, this does.
        async with late:
            answer = await session.ask(frame, hear)
    except TimeoutError:
        if late.expired():
            raise own_problem("timeout", 504, "later", f"no answer within {timeout} s") from None
        raise
    if not isinstance(answer, CallResultFrame) or answer.payload is UNSET:
        return None
    return answer.payload


class StreamingCall:
    """A call that tells how far it is: iterating gives its progress, and `await call.result()` its end.

    To leave the loop before the end gives the call up, and so does `close()`. Progress that its reader is too slow
    for is left out. An error is raised by the loop as well.
    """

    def __init__(self, session: "Session", frame: CallFrame) -> None:
        self._progress: Queue[Any] = Queue()
        self._wake = asyncio.Event()
        self._end = session.spawn(call(session, frame, self._hear))
        self._end.add_done_callback(self._over)

    def _hear(self, frame: News) -> None:
        if isinstance(frame, CallProgressFrame):
            self._progress.push(None if frame.payload is UNSET else frame.payload)
            self._wake.set()

    def _over(self, end: "asyncio.Task[Any]") -> None:
        if not end.cancelled():
            end.exception()
        self._wake.set()

    async def result(self) -> Any:
        """Waits for the result; cancelled before that, it gives the call up."""
        return await self._end

    def close(self) -> None:
        """Gives the call up, if it goes on."""
        self._end.cancel()

    def __aiter__(self) -> AsyncIterator[Any]:
        return _Progress(self)

    async def next(self) -> Any:
        """The next progress; `StopAsyncIteration` at the end."""
        while True:
            if len(self._progress):
                told = self._progress.pop()
                if not isinstance(told, Gap):
                    return told
            elif self._end.done():
                await self._end
                raise StopAsyncIteration
            else:
                self._wake.clear()
                await self._wake.wait()


class _Progress:
    """A loop over progress; it gives the call up when it goes before the end."""

    def __init__(self, streaming: StreamingCall) -> None:
        self._streaming = streaming

    def __aiter__(self) -> "_Progress":
        return self

    async def __anext__(self) -> Any:
        try:
            return await self._streaming.next()
        finally:
            # A traceback would hold it otherwise, and keep the call from being given up.
            del self

    def __del__(self) -> None:
        self._streaming.close()
