"""Server-Sent Events for subscriptions, a request for each call: where no live session comes through.

It speaks in frames as the live transports do, and plays the gateway's part in hello, resume and ping.
"""

import asyncio
import contextlib
from typing import Any

from msgspec import UNSET

from ..book import Ending, Operation
from ..errors import ConnectError, own_problem
from ..generated.models import ClientFrame, HelloFrame, Limits1, PingFrame, PongFrame, WelcomeFrame
from ..problem import MaculaError
from .http.session import HttpSession
from .wire import FAREWELL, OPEN, Aside, Listener, Transport

MAX_REQUESTS = 64
"""Requests in flight at a time; streams of events do not count."""
MAX_BYTES = 4 << 20
FRAME_OVERHEAD = 16 << 10


async def open_sse(session: HttpSession) -> "SseWire":
    """Asks whether the gateway is there."""
    try:
        async with asyncio.timeout(OPEN):
            await session.connect()
    except TimeoutError:
        session.give_up_all()
        raise ConnectError("HTTP: no answer in 10 s") from None
    except ConnectError:
        session.give_up_all()
        raise
    return SseWire(session)


class SseWire:
    """Requests and streams of events, as a wire."""

    transport: Transport = "sse"
    is_congested = False

    def __init__(self, session: HttpSession) -> None:
        self._session = session
        self._listener: Listener | None = None
        self._pinging: asyncio.Task[Any] | None = None

    async def room(self) -> None:
        pass

    async def hello(self, frame: HelloFrame) -> WelcomeFrame:
        session = self._session
        resume = frame.resume or None
        if resume is not None and (session.info is None or name_of(session.info.id) != resume.session):
            detail = "a session of another transport cannot go on over HTTP"
            raise own_problem("session_expired", 401, "never", detail)
        try:
            async with asyncio.timeout(OPEN):
                info = await session.open(frame.token or None, frame.realm or None, frame.subject or None)
        except TimeoutError:
            raise ConnectError("HTTP: not welcomed in 10 s") from None
        asked: list[int] = []
        if resume is not None:
            asked = [*(resume.pending or []), *(one.id for one in resume.subscriptions or [])]
        return WelcomeFrame(
            session=name_of(info.id),
            realm=info.realm,
            subject=info.subject,
            node="",
            expires_at=info.expires_at,
            grace_seconds=0,
            token=session.token or UNSET,
            resumed=resume is not None,
            unknown=[number for number in asked if not session.has(number)],
            limits=Limits1(
                max_frame_bytes=info.limits.max_body_bytes + FRAME_OVERHEAD,
                max_calls=MAX_REQUESTS,
                max_subscriptions=info.limits.max_streams,
                max_procedures=0,
                max_bytes_in_flight=MAX_BYTES,
            ),
        )

    def listen(self, listener: Listener) -> None:
        self._listener = listener
        self._session.listener = listener

    def send(self, operation: Operation) -> None:
        self._session.begin(operation)

    def give_up(self, ending: Ending) -> None:
        self._session.give_up(ending.id)

    def say(self, frame: ClientFrame) -> None:
        if isinstance(frame, PingFrame):
            self._pinging = asyncio.get_running_loop().create_task(self._ping())

    async def _ping(self) -> None:
        # Silence tells it.
        with contextlib.suppress(TimeoutError, MaculaError):
            async with asyncio.timeout(OPEN):
                await self._session.probe()
            if self._listener is not None:
                self._listener.heard(PongFrame(), Aside(lambda _: None))

    async def close(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL):
                await self._session.close()

    def abandon(self) -> None:
        if self._pinging is not None:
            self._pinging.cancel()
        self._session.give_up_all()


def name_of(number: str) -> str:
    """The name of such a session, apart from those of live ones."""
    return f"http:{number}"
