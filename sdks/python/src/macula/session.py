"""What all that is done in a session shares: what is under way, and the transport that it is said on."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, Literal, cast

from .book import Answer, Book, Invocation, News, Reply, Request, Sink
from .codec import Codec
from .errors import Closed, own_problem
from .generated.models import (
    EventFrame,
    GatewayFrame,
    InvokeCancelFrame,
    InvokeFrame,
    InvokeProgressFrame,
    PingFrame,
    PongFrame,
    PublishFrame,
    WelcomeFrame,
)
from .options import Config
from .problem import MaculaError
from .service import Call, Serving
from .transport.wire import Channel, Wire

State = Literal["connected", "reconnecting", "closed"]
"""How a session is."""

LOOKS = 3
"""How often in its patience a session looks whether the gateway has said anything."""


class Session:
    """A session, on whatever transport it is at the moment. All of it happens on one event loop."""

    def __init__(self, config: Config, codec: Codec, welcome: WelcomeFrame) -> None:
        self.config = config
        self.welcome = welcome
        self.token = welcome.token or config.token
        """The token that a resume gives."""
        self.state: State = "connected"
        self.reconnects = 0
        self.missed = 0
        """Events that were missed, as far as gaps have told how many."""
        self.round_trip: float | None = None
        """How long the gateway took for its last answer to a hello or ping, in seconds."""
        self.state_listeners: list[Callable[[State], object]] = []
        self.on_lost: Callable[[float | None], None] = lambda _: None
        """Told when the transport is lost; by the supervisor."""
        self.on_use: Callable[[], None] = lambda: None
        """Told at the first frame that comes after a welcome."""
        self.book = Book(codec.encode_frame)
        self.wire: Wire | None = None
        self.loop = asyncio.get_running_loop()
        self._closing = False
        self._closed: MaculaError | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._silent = 0
        self._heard = False
        self._used = False
        # When the last ping was said that is not answered, and the answers that were said before it.
        self._pinged: tuple[float, list[int]] | None = None
        self._idle = asyncio.Event()
        # Set while there is a wire, and when there never will be one again.
        self._attached = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Runs it beside; it is kept until it is done."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def begin(self, frame: Request, sink: Sink) -> int:
        """Begins an operation; its number. Raises what makes it impossible."""
        if self._closed is not None:
            raise self._closed
        if self._closing:
            raise Closed
        number = self.book.begin(frame, sink)
        self._pump()
        return number

    async def ask(self, frame: Request, hear: Callable[[News], None] | None = None) -> Answer:
        """Asks, and waits for the answer; cancelled before that, it gives the operation up."""
        answer: asyncio.Future[Answer] = self.loop.create_future()
        number = self.begin(frame, Asking(answer, hear))
        try:
            return await answer
        except asyncio.CancelledError:
            self.give_up(number)
            raise

    async def tell(self, frame: PublishFrame) -> None:
        """Says what has no answer, as soon as there is a transport with room for it."""
        while not self._closing:
            wire = self.wire
            if wire is None:
                await self._attached.wait()
            elif wire.is_congested:
                await wire.room()
            else:
                return wire.say(frame)
        raise self._closed or Closed()

    def give_up(self, number: int) -> None:
        """Ends an operation that nobody waits for any more."""
        ending = self.book.give_up(number)
        if ending is not None and self.wire is not None:
            self.wire.give_up(ending)
        self._pump()

    def _pump(self) -> None:
        """Says what may be said by now."""
        wire = self.wire
        while wire is not None and (operation := self.book.next()) is not None:
            limit = self.welcome.limits.max_frame_bytes
            if len(operation.encoded) <= limit:
                wire.send(operation)
                continue
            detail = f"expected a frame of at most {limit} bytes"
            self.book.fail(operation.id, own_problem("payload_too_large", 413, "never", detail))

    def attach(self, wire: Wire, welcome: WelcomeFrame, again: Callable[[Book], list[Reply]]) -> None:
        """Goes on with a wire that was welcomed. What has to be said again has its turn first."""
        self.welcome = welcome
        self.token = welcome.token or self.token
        for reply in again(self.book):
            wire.say(reply)
            self._answered(reply, is_certain=False)
        self.wire = wire
        self._attached.set()
        self._heard = True
        self._used = False
        self._silent = 0
        self._pinged = None
        self._look_later(wire)
        wire.listen(WireListener(self, wire))
        self._pump()
        self._become("connected")

    def _look_later(self, wire: Wire) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._watch = self.loop.call_later(self.config.patience / LOOKS, self._look, wire)

    def _look(self, wire: Wire) -> None:
        """Looks whether the gateway has said anything since the last look."""
        self._silent = 0 if self._heard else self._silent + 1
        self._heard = False
        if self._silent >= LOOKS:
            wire.abandon()
            self.lost(wire)
            return
        if self._silent or self.book.kept:
            self._ping()
        self._look_later(wire)

    def _ping(self) -> None:
        if self._pinged is None:
            self._pinged = (self.loop.time(), self.book.kept)
        if self.wire is not None:
            self.wire.say(PingFrame())

    def hear(self, frame: GatewayFrame, channel: Channel, wire: Wire) -> None:
        """Takes a frame."""
        self._heard = True
        if not self._used:
            self._used = True
            self.on_use()
        if isinstance(frame, EventFrame):
            # Most of what comes; nothing may be said now that might not before.
            self.book.take_event(frame)
        elif isinstance(frame, InvokeFrame):
            self._invoke(frame, channel, wire)
        elif isinstance(frame, InvokeCancelFrame):
            self._revoke(frame.id)
        elif isinstance(frame, PongFrame):
            self._ponged()
        else:
            self.book.take(frame)
            self._pump()

    def _ponged(self) -> None:
        if self._pinged is not None:
            at, said = self._pinged
            self.round_trip = self.loop.time() - at
            self.book.confirm(said)
            self._pinged = None

    def lost(self, wire: Wire, retry_after: float | None = None) -> None:
        """The wire is of no use any more, if it is the one in use."""
        if self.wire is not wire:
            return
        self.wire = None
        self._attached.clear()
        if self._watch is not None:
            self._watch.cancel()
        if self._closing:
            return
        self._become("reconnecting")
        self.on_lost(retry_after)

    def _invoke(self, frame: InvokeFrame, channel: Channel, wire: Wire) -> None:
        """Answers a call, unless the session is about to end: then its caller is told that the provider goes."""
        serving = cast(Serving | None, self.book.service(frame.serve))
        if serving is None or self._closing:
            return
        call = serving.call(frame, lambda told: self._progress(call, channel, wire, told))
        self.book.invoked(call)
        self._idle.clear()
        channel.on_given_up(lambda: self._revoke(frame.id))
        call.task = self.spawn(self._answer(call, channel, wire))

    async def _answer(self, call: Call, channel: Channel, wire: Wire) -> None:
        reply = await call.run()
        if not self.book.is_invoked(reply.id):
            return
        call.answer = reply
        if self.wire is wire:
            is_certain = await channel.finish(reply)
            # After a loss it is said again on the next transport.
            if is_certain or self.wire is wire:
                self._answered(reply, is_certain)
        elif self.wire is not None:
            self.wire.say(reply)
            self._answered(reply, is_certain=False)

    def _revoke(self, number: int) -> None:
        invocation = self._forget(number)
        if invocation is not None:
            invocation.abort()

    def _progress(self, call: Call, channel: Channel, wire: Wire, frame: InvokeProgressFrame) -> None:
        # What is only news is left out where it cannot be said at once.
        if not self.book.is_invoked(frame.id) or self.wire is None or self.wire.is_congested:
            return
        via = channel if self.wire is wire else self.wire
        via.say(frame)

    def _answered(self, reply: Reply, is_certain: bool) -> None:
        if not is_certain:
            self.book.keep(reply)
        self._forget(reply.id)

    def _forget(self, number: int) -> Invocation | None:
        invocation = self.book.forget(number)
        if self.book.invocations == 0:
            self._idle.set()
        return invocation

    def stop_serving(self, number: int) -> None:
        """Stops a service. Its calls that are not answered yet are cancelled."""
        self.give_up(number)
        self.book.abort_invocations(number)
        if self.book.invocations == 0:
            self._idle.set()

    async def finish(self, limit: float) -> None:
        """Takes nothing more, ends what waits for an answer, and lets handlers at work answer for so long."""
        self._closing = True
        for ending in self.book.close_answers(Closed()):
            if self.wire is not None:
                self.wire.give_up(ending)
        if self.wire is not None and self.book.invocations > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), limit)

    async def end(self, error: MaculaError) -> None:
        """Ends everything, for this reason."""
        if self._closed is not None:
            return
        self._closing = True
        self._closed = error
        if self._watch is not None:
            self._watch.cancel()
        wire, self.wire = self.wire, None
        self._attached.set()
        self.book.close(error)
        if wire is not None:
            await wire.close()
        self._become("closed")

    def _become(self, state: State) -> None:
        if self.state == state:
            return
        self.state = state
        for listener in list(self.state_listeners):
            listener(state)


class WireListener:
    """What a session hears of one wire."""

    def __init__(self, session: Session, wire: Wire) -> None:
        self._session = session
        self._wire = wire

    def heard(self, frame: GatewayFrame, channel: Channel) -> None:
        self._session.hear(frame, channel, self._wire)

    def not_sent(self, number: int) -> None:
        self._session.book.not_sent(number)

    def lost(self, retry_after: float | None = None) -> None:
        self._session.lost(self._wire, retry_after)


class Asking:
    """The one answer that somebody waits for."""

    __slots__ = ("_answer", "_hear")

    def __init__(self, answer: "asyncio.Future[Answer]", hear: Callable[[News], None] | None) -> None:
        self._answer = answer
        self._hear = hear

    def hear(self, frame: News) -> None:
        if self._hear is not None:
            self._hear(frame)

    def end(self, frame: Answer) -> None:
        if not self._answer.done():
            self._answer.set_result(frame)

    def fail(self, error: MaculaError) -> None:
        if not self._answer.done():
            self._answer.set_exception(error)

    def position(self) -> str | None:
        return None

    def begin_anew(self) -> None:
        pass
