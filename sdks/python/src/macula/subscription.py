"""Events that match a pattern, for one reader."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Generic, TypeVar

from msgspec import UNSET

from .book import Answer, News
from .errors import Closed
from .generated.models import Event, EventFrame, GapFrame, SubscribedFrame, SubscribeFrame
from .names import check_pattern
from .problem import MaculaError
from .queue import QUEUE, Gap, Queue

if TYPE_CHECKING:
    from .session import Session

T = TypeVar("T")


class Subscription:
    """Events that match a pattern: `async for event in subscription`.

    To leave the loop ends the subscription at the gateway, and so do `close()` and the end of
    `async with subscription`. The loop ends with `close()` of the session, and raises when the session or the
    subscription ends with an error.
    """

    def __init__(
        self,
        session: "Session",
        pattern: str,
        *,
        replay: int | None = None,
        after: str | None = None,
        latest: bool = False,
        on_gap: Callable[[Gap], object] | None = None,
        queue: int = QUEUE,
    ) -> None:
        """Subscribes at once."""
        self.pattern = pattern
        self._session = session
        self._on_gap = on_gap
        self._queue: Queue[Event] = Queue(queue)
        self._readers: deque[asyncio.Future[None]] = deque()
        self._ready: asyncio.Future[None] = session.loop.create_future()
        self._position: str | None = None
        self._over = False
        self._error: MaculaError | None = None
        self._thread = threading.get_ident()
        frame = SubscribeFrame(
            id=0,
            pattern=check_pattern(pattern),
            overflow="drop_oldest",
            replay=UNSET if replay is None else replay,
            after=UNSET if after is None else after,
            delivery="latest" if latest else UNSET,
        )
        self._number = session.begin(frame, _Sink(self))

    async def ready(self) -> None:
        """Waits until the gateway has it: what is published from then on comes, or is told as missed."""
        await asyncio.shield(self._ready)

    def close(self) -> None:
        """Ends the subscription at the gateway, as leaving the loop does."""
        if threading.get_ident() != self._thread:
            # The last reader was forgotten in another thread.
            if not self._session.loop.is_closed():
                self._session.loop.call_soon_threadsafe(self.close)
            return
        if not self._over:
            self._session.give_up(self._number)
        self.end(None)

    async def __aenter__(self) -> "Subscription":
        await self.ready()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __aiter__(self) -> AsyncIterator[Event]:
        return _Loop(self, self._event)

    def deliveries(self) -> "_Loop[Event | Gap]":
        """Events, and a `Gap` where events were lost, in one stream."""
        return _Loop(self, lambda delivery: delivery)

    def _event(self, delivery: Event | Gap) -> Event | None:
        if not isinstance(delivery, Gap):
            return delivery
        if self._on_gap is not None:
            self._on_gap(delivery)
        return None

    async def next(self, pick: Callable[[Event | Gap], T | None], reader: object) -> T:
        """What `pick` makes of the next delivery, but for what it leaves out; `StopAsyncIteration` at the end."""
        try:
            while True:
                delivery = self._queue.pop()
                if delivery is not None:
                    picked = pick(delivery)
                    if picked is not None:
                        return picked
                elif self._error is not None:
                    raise self._error
                elif self._over:
                    raise StopAsyncIteration
                else:
                    news = self._session.loop.create_future()
                    self._readers.append(news)
                    await news
        finally:
            # Held while it waits. A traceback would hold it longer, and keep the subscription from ending.
            del reader

    def heard(self, frame: EventFrame) -> None:
        """Takes an event."""
        event = frame.event
        self._position = event.id
        if not self._queue.push(event):
            self._session.missed += 1
        if self._readers:
            self._wake()

    def missed(self, gap: Gap) -> None:
        """Takes a gap."""
        self._session.missed += gap.missed or 0
        self._queue.gap(gap)
        self._wake()

    def subscribed(self, position: str) -> None:
        """The gateway has it."""
        # On SSE the gateway tells none.
        self._position = self._position or position or None
        if not self._ready.done():
            self._ready.set_result(None)

    @property
    def position(self) -> str | None:
        """The last event's id, or what stands for it."""
        return self._position

    def begins_anew(self) -> None:
        """The gateway has forgotten it, and does not know where it was."""
        if self._ready.done() and self._position is None:
            self.missed(Gap(None, "unknown_id"))

    def end(self, error: MaculaError | None) -> None:
        """It is over."""
        if self._over:
            return
        self._over = True
        if not isinstance(error, Closed):
            self._error = error
        if not self._ready.done():
            self._ready.set_exception(error or Closed())
            # Who reads hears of a failure there too.
            self._ready.exception()
        while self._readers:
            self._wake()

    def _wake(self) -> None:
        while self._readers:
            reader = self._readers.popleft()
            if not reader.done():
                reader.set_result(None)
                return


class _Sink:
    """The session's side of a subscription."""

    __slots__ = ("_subscription",)

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    def hear(self, frame: News) -> None:
        if isinstance(frame, EventFrame):
            self._subscription.heard(frame)
        elif isinstance(frame, GapFrame):
            self._subscription.missed(Gap(frame.missed or None, frame.reason))
        elif isinstance(frame, SubscribedFrame):
            self._subscription.subscribed(frame.position)

    def end(self, frame: Answer) -> None:
        self._subscription.end(None)

    def fail(self, error: MaculaError) -> None:
        self._subscription.end(error)

    def position(self) -> str | None:
        return self._subscription.position

    def begin_anew(self) -> None:
        self._subscription.begins_anew()


class _Loop(Generic[T]):
    """A loop over deliveries, but for what `pick` leaves out. It ends the subscription when it goes."""

    def __init__(self, subscription: Subscription, pick: Callable[[Event | Gap], T | None]) -> None:
        self._subscription = subscription
        self._pick = pick

    def __aiter__(self) -> "_Loop[T]":
        return self

    def __anext__(self) -> Awaitable[T]:
        return self._subscription.next(self._pick, self)

    async def aclose(self) -> None:
        """Leaves the loop."""
        self._subscription.close()

    def __del__(self) -> None:
        self._subscription.close()
