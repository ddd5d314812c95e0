"""Connects, and connects again when the transport is lost."""

import asyncio
import random
from collections.abc import Callable
from typing import NamedTuple

from msgspec import UNSET

from .backoff import Backoff
from .book import Book, Reply
from .codec import codec_of
from .errors import Closed, ConnectError, is_final, says_no_session
from .generated.models import HelloFrame, WelcomeFrame
from .options import Config
from .problem import MaculaError, Problem
from .session import Session
from .transport.transports import Transports
from .transport.wire import Wire


class Opened(NamedTuple):
    """An open transport, and how it was welcomed."""

    wire: Wire
    welcome: WelcomeFrame
    round_trip: float


class Supervisor:
    """Keeps a session on a transport."""

    def __init__(self, config: Config, transports: Transports, opened: Opened) -> None:
        self._config = config
        self._transports = transports
        self._backoff = Backoff()
        self._reconnecting: asyncio.Task[None] | None = None
        self._closing: asyncio.Future[None] | None = None
        self.session = session = Session(config, transports.codec, opened.welcome)
        session.round_trip = opened.round_trip
        session.on_use = self._backoff.reset
        session.on_lost = self._lost
        session.attach(opened.wire, opened.welcome, lambda book: book.resumed(opened.welcome.limits, []))

    @classmethod
    async def start(cls, config: Config) -> "Supervisor":
        """Opens the session. What goes wrong now is told at once, but for a token that can be renewed."""
        transports = Transports(config, codec_of(config.encoding))
        return cls(config, transports, await begin(config, transports, serving=False))

    def _lost(self, retry_after: float | None) -> None:
        self._reconnecting = self.session.spawn(self._reconnect(retry_after or 0.0))

    async def _reconnect(self, retry_after: float) -> None:
        """Connects again, until it succeeds or is of no use."""
        while True:
            await asyncio.sleep(self._backoff.next(random.random(), retry_after))
            try:
                return await self._attempt()
            except Exception as error:
                if is_final(error):
                    return await self._end(error)
                retry_after = (isinstance(error, Problem) and error.retry_after) or 0.0

    async def _attempt(self) -> None:
        session = self.session
        hello = HelloFrame(token=session.token or UNSET, resume=session.book.resume(session.welcome.session))
        try:
            opened = await open_on(self._transports, session.book.serves, hello)
        except Problem as error:
            if not says_no_session(error):
                raise
            # The session is over, or forgotten there, as after a restart. Our token may still be good.
            opened = await begin(self._config, self._transports, session.book.serves)
            session.token = self._config.token

            def anew(book: Book) -> list[Reply]:
                book.anew(opened.welcome.limits)
                return []

            self._go_on(opened, anew)
        else:
            unknown = opened.welcome.unknown or []
            self._go_on(opened, lambda book: book.resumed(opened.welcome.limits, unknown))

    def _go_on(self, opened: Opened, again: Callable[[Book], list[Reply]]) -> None:
        session = self.session
        session.reconnects += 1
        session.round_trip = opened.round_trip
        session.attach(opened.wire, opened.welcome, again)

    async def _end(self, error: Exception) -> None:
        known = error if isinstance(error, MaculaError) else ConnectError(str(error))
        known.__cause__ = None if known is error else error
        await self.session.end(known)
        await self._transports.close()

    async def close(self) -> None:
        """Waits for handlers at work, at most as long as configured, and ends the session."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        if self.session.state == "closed":
            return
        if self._reconnecting is not None:
            self._reconnecting.cancel()
        await self.session.finish(self._config.close_timeout)
        await self.session.end(Closed())
        await self._transports.close()


async def begin(config: Config, transports: Transports, serving: bool) -> Opened:
    """Begins a session, with a new token if the one that we have is of no use."""
    try:
        return await open_on(transports, serving, first_hello(config))
    except Problem as error:
        if not says_no_session(error) or config.renew is None:
            raise
        config.token = await config.renew()
        return await open_on(transports, serving, first_hello(config))


def first_hello(config: Config) -> HelloFrame:
    if config.token:
        return HelloFrame(token=config.token)
    return HelloFrame(realm=config.realm, subject=config.subject or UNSET)


async def open_on(transports: Transports, serving: bool, hello: HelloFrame) -> Opened:
    """Opens a transport and says hello on it."""
    wire = await transports.open(serving)
    loop = asyncio.get_running_loop()
    asked = loop.time()
    try:
        welcome = await wire.hello(hello)
    except BaseException:
        wire.abandon()
        raise
    return Opened(wire, welcome, loop.time() - asked)
