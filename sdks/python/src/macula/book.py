"""What is under way in a session, without IO: what each frame means for it, and what goes on after a loss."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from msgspec import UNSET

from .errors import Lost, own_problem, problem_of
from .generated.models import (
    CallFrame,
    CallProgressFrame,
    CallResultFrame,
    CancelFrame,
    DiscoveredFrame,
    DiscoverFrame,
    EndedFrame,
    ErrorFrame,
    EventFrame,
    GapFrame,
    GatewayFrame,
    InvokeErrorFrame,
    InvokeFrame,
    InvokeResultFrame,
    PublishedFrame,
    PublishFrame,
    Resume,
    ServedFrame,
    ServeFrame,
    SubscribedFrame,
    SubscribeFrame,
    Subscription,
    UnserveFrame,
    UnsubscribeFrame,
)
from .problem import MaculaError
from .window import Bounds, Window

MAX_WAITING = 65_536
"""Operations that may wait for a connection, or for their turn. One more is refused: `overloaded`."""
MAX_KEPT = 64
"""Answers to invocations that are kept until the gateway has certainly got them; the oldest go first."""

Request = CallFrame | PublishFrame | DiscoverFrame | SubscribeFrame | ServeFrame
"""A frame that begins an operation."""
Ending = CancelFrame | UnsubscribeFrame | UnserveFrame
"""A frame that ends one that nobody waits for any more."""
News = CallProgressFrame | SubscribedFrame | EventFrame | GapFrame | ServedFrame
"""What the gateway says of an operation that goes on."""
Answer = CallResultFrame | PublishedFrame | DiscoveredFrame | EndedFrame
"""What the gateway says of an operation that is over."""
Reply = InvokeResultFrame | InvokeErrorFrame
"""What answers an invocation."""


class Sink(Protocol):
    """Where what the gateway says of an operation goes."""

    def hear(self, frame: News) -> None:
        """More may follow."""

    def end(self, frame: Answer) -> None:
        """The operation is over."""

    def fail(self, error: MaculaError) -> None:
        """It is over, with an error."""

    def position(self) -> str | None:
        """Where a subscription goes on: its last event's id, or what stands for it."""

    def begin_anew(self) -> None:
        """It begins anew, and may have missed something that the gateway cannot tell."""


@dataclass(slots=True, eq=False)
class Operation:
    """Something that was begun and has not ended."""

    id: int
    frame: Request
    encoded: bytes
    """The frame as it goes over the wire."""
    sink: Sink
    is_counted: bool
    """Whether it is one of those whose number in flight is bounded."""
    sent: bool = False
    """Whether the gateway may know of it."""

    def may_repeat(self) -> bool:
        """Whether to say it twice is no harm."""
        frame = self.frame
        return not isinstance(frame, (CallFrame, PublishFrame)) or bool(frame.idempotency_key)


class Invocation(Protocol):
    """A call that is answered here."""

    frame: InvokeFrame
    answer: Reply | None
    """The answer, when it is there and could not be said yet."""

    def abort(self) -> None:
        """Nobody wants its answer any more."""


class Counts(NamedTuple):
    """How much is under way."""

    subscriptions: int
    services: int
    calls: int


class Book:
    """All that a session has begun and not ended."""

    def __init__(self, encode: Callable[[Request], bytes]) -> None:
        self._encode = encode
        self._operations: dict[int, Operation] = {}
        # Operations to say, in their order; some may be over.
        self._waiting: deque[Operation] = deque()
        self._invocations: dict[int, Invocation] = {}
        # Answers that were said, and may be lost with the transport.
        self._kept: dict[int, Reply] = {}
        self._window = Window()
        self._last = 0

    def begin(self, frame: Request, sink: Sink) -> int:
        """Begins an operation, which then waits to be said. The frame gets its number here."""
        if len(self._waiting) >= MAX_WAITING:
            detail = f"{MAX_WAITING} operations wait for their turn here"
            raise own_problem("overloaded", 503, "later", detail)
        frame.id = number = self._last + 1
        is_counted = not isinstance(frame, (SubscribeFrame, ServeFrame))
        operation = Operation(number, frame, self._encode(frame), sink, is_counted)
        self._last = number
        self._operations[number] = operation
        self._waiting.append(operation)
        return number

    def next(self) -> Operation | None:
        """The next operation to say, if its turn has come; it counts as sent from now on."""
        waiting = self._waiting
        while waiting:
            operation = waiting[0]
            if operation.sent or self._operations.get(operation.id) is not operation:
                waiting.popleft()
                continue
            if operation.is_counted:
                if not self._window.has_room(len(operation.encoded)):
                    return None
                self._window.enter(len(operation.encoded))
            operation.sent = True
            return waiting.popleft()
        return None

    def _unsend(self, operation: Operation) -> None:
        if operation.sent and operation.is_counted:
            self._window.leave(len(operation.encoded))
        operation.sent = False

    def _remove(self, number: int) -> Operation | None:
        operation = self._operations.pop(number, None)
        if operation is not None and operation.sent and operation.is_counted:
            self._window.leave(len(operation.encoded))
        return operation

    def not_sent(self, number: int) -> None:
        """What was thought to be sent was not carried out: it is said again after the next welcome."""
        operation = self._operations.get(number)
        if operation is not None:
            self._unsend(operation)

    def give_up(self, number: int) -> Ending | None:
        """Ends an operation that nobody waits for any more; what to say of it, if it goes on at the gateway."""
        operation = self._remove(number)
        if operation is None or not operation.sent:
            return None
        if isinstance(operation.frame, SubscribeFrame):
            return UnsubscribeFrame(id=number)
        if isinstance(operation.frame, ServeFrame):
            return UnserveFrame(id=number)
        return CancelFrame(id=number)

    def take_event(self, frame: EventFrame) -> None:
        """Takes an event of a subscription."""
        operation = self._operations.get(frame.id)
        if operation is not None:
            operation.sink.hear(frame)

    def take(self, frame: GatewayFrame) -> None:
        """Takes what the gateway says of an operation."""
        if isinstance(frame, News):
            operation = self._operations.get(frame.id)
            if operation is not None:
                operation.sink.hear(frame)
        elif isinstance(frame, Answer):
            operation = self._remove(frame.id)
            if operation is not None:
                operation.sink.end(frame)
        elif isinstance(frame, ErrorFrame) and isinstance(frame.id, int):
            # One without a number says that a frame could not be used: its operation, if any, is told apart.
            self.fail(frame.id, problem_of(frame.problem))

    def fail(self, number: int, error: MaculaError) -> None:
        """Ends an operation with an error."""
        operation = self._remove(number)
        if operation is not None:
            operation.sink.fail(error)

    def close(self, error: MaculaError) -> None:
        """Ends all operations, and gives up all calls that are answered here."""
        for number in list(self._operations):
            self.fail(number, error)
        self.abort_invocations()

    def close_answers(self, error: MaculaError) -> list[Ending]:
        """Ends the operations that wait for one answer. What to say of those that the gateway may know of."""
        endings = []
        for operation in list(self._operations.values()):
            if operation.is_counted:
                ending = self.give_up(operation.id)
                operation.sink.fail(error)
                if ending is not None:
                    endings.append(ending)
        return endings

    def service(self, number: int) -> Sink | None:
        """A service, by the number of its `serve`."""
        operation = self._operations.get(number)
        return operation.sink if operation and isinstance(operation.frame, ServeFrame) else None

    def invoked(self, invocation: Invocation) -> None:
        """A call is answered here from now on."""
        self._invocations[invocation.frame.id] = invocation

    def forget(self, number: int) -> Invocation | None:
        """The call with this number is over: answered, or not wanted any more."""
        return self._invocations.pop(number, None)

    def is_invoked(self, number: int) -> bool:
        """Whether an answer to this call is still wanted."""
        return number in self._invocations

    @property
    def invocations(self) -> int:
        """How many calls are answered here now."""
        return len(self._invocations)

    def abort_invocations(self, serve: int | None = None) -> None:
        """Gives up the calls that are answered here: all, or those of one service."""
        for number, invocation in list(self._invocations.items()):
            if serve is None or invocation.frame.serve == serve:
                del self._invocations[number]
                invocation.abort()

    def keep(self, reply: Reply) -> None:
        """An answer was said, and it is not certain yet that the gateway has it."""
        self._kept[reply.id] = reply
        while len(self._kept) > MAX_KEPT:
            del self._kept[next(iter(self._kept))]

    @property
    def kept(self) -> list[int]:
        """The answers that were said by now; `confirm` them when something said later was answered."""
        return list(self._kept)

    def confirm(self, numbers: Iterable[int]) -> None:
        """The gateway has these answers."""
        for number in numbers:
            self._kept.pop(number, None)

    def resume(self, session: str) -> Resume:
        """With what the session goes on."""
        subscriptions, pending = [], []
        for operation in self._operations.values():
            if not operation.sent:
                continue
            position = operation.sink.position()
            if position is not None:
                subscriptions.append(Subscription(id=operation.id, last_event_id=position))
            elif not isinstance(operation.frame, SubscribeFrame):
                pending.append(operation.id)
        invokes = [*self._kept, *self._invocations]
        return Resume(session=session, subscriptions=subscriptions, pending=pending, invokes=invokes)

    def resumed(self, bounds: Bounds, unknown: Iterable[int]) -> list[Reply]:
        """The session goes on, and the gateway knows nothing of these. Answers to say (again)."""
        self._window.resize(bounds)
        gone = set(unknown)

        def goes_on(operation: Operation) -> bool:
            if operation.id in gone:
                return False
            return not isinstance(operation.frame, SubscribeFrame) or operation.sink.position() is not None

        self._again(goes_on)
        answered = (invocation.answer for invocation in self._invocations.values())
        return [*self._kept.values(), *(answer for answer in answered if answer is not None)]

    def anew(self, bounds: Bounds) -> None:
        """A new session has begun, in place of one that could not go on."""
        self._window.resize(bounds)
        self._kept.clear()
        self.abort_invocations()
        self._again(lambda _: False)

    def _again(self, goes_on: Callable[[Operation], bool]) -> None:
        """What does not go on waits to be said again, in its order. What must not be said twice has failed."""
        self._waiting.clear()
        for operation in list(self._operations.values()):
            if operation.sent and goes_on(operation):
                continue
            if operation.sent and not operation.may_repeat():
                self.fail(operation.id, Lost())
                continue
            self._unsend(operation)
            self._go_back(operation)
            self._waiting.append(operation)

    def _go_back(self, operation: Operation) -> None:
        """Lets a subscription begin where it was."""
        frame = operation.frame
        if not isinstance(frame, SubscribeFrame):
            return
        position = operation.sink.position()
        operation.sink.begin_anew()
        if position is not None:
            frame.after, frame.replay = position, UNSET
            operation.encoded = self._encode(frame)

    @property
    def serves(self) -> bool:
        """Whether a procedure is served, which not every transport can."""
        return self.counts.services > 0

    @property
    def counts(self) -> Counts:
        """How much is under way."""
        frames = [operation.frame for operation in self._operations.values()]
        subscriptions = sum(isinstance(frame, SubscribeFrame) for frame in frames)
        services = sum(isinstance(frame, ServeFrame) for frame in frames)
        return Counts(subscriptions, services, len(frames) - subscriptions - services)
