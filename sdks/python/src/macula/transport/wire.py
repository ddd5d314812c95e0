"""An open transport, as a session sees it."""

from collections.abc import Callable
from typing import Literal, Protocol

from ..book import Ending, Operation
from ..errors import ConnectError, problem_of
from ..generated.models import ClientFrame, ErrorFrame, GatewayFrame, HelloFrame, WelcomeFrame

Transport = Literal["webtransport", "websocket", "sse"]
"""What a session may be on. `sse` is Server-Sent Events for subscriptions and a request for each call."""

TRANSPORTS: tuple[Transport, ...] = ("webtransport", "websocket", "sse")

OPEN = 10.0
"""How long to connect, and how long to be welcomed; seconds."""
FAREWELL = 1.0
"""How long the gateway may take to hear that the session has ended; seconds."""
CONGESTED_BYTES = 1 << 20
"""Bytes that wait to be written until a wire counts as congested."""


class Channel(Protocol):
    """Where the answer to an invocation goes."""

    def say(self, frame: ClientFrame) -> None:
        """Says a frame before the last."""

    async def finish(self, frame: ClientFrame) -> bool:
        """Says the last frame; true when it is certain that the gateway has it."""
        ...

    def on_given_up(self, listener: Callable[[], None]) -> None:
        """Tells when the gateway gives the invocation up, as far as the channel can know."""


class Listener(Protocol):
    """Who hears what is said on a wire."""

    def heard(self, frame: GatewayFrame, channel: Channel) -> None:
        """A frame; answers to it, if any, go to the channel."""

    def not_sent(self, number: int) -> None:
        """An operation was refused before it began, and is to be said again."""

    def lost(self, retry_after: float | None = None) -> None:
        """The transport is lost, if it did not end by `close` or `abandon`. After so many seconds it may be back."""


class Wire(Protocol):
    """An open transport: what a session says frames on."""

    transport: Transport

    @property
    def is_congested(self) -> bool:
        """Whether so much waits to be written that what is only news is better left out."""
        ...

    async def room(self) -> None:
        """Waits until the wire is not congested, or not open any more."""

    async def hello(self, frame: HelloFrame) -> WelcomeFrame:
        """Begins or resumes a session: comes first, once. A refusal is a `Problem`, silence a `ConnectError`."""
        ...

    def listen(self, listener: Listener) -> None:
        """From the moment of the welcome the listener hears what the gateway says."""

    def send(self, operation: Operation) -> None:
        """Begins an operation."""

    def give_up(self, ending: Ending) -> None:
        """Ends one."""

    def say(self, frame: ClientFrame) -> None:
        """Says a frame that begins nothing."""

    async def close(self) -> None:
        """Ends the session at the gateway; waits until it has been told, or cannot be."""

    def abandon(self) -> None:
        """Leaves it as it is: it is of no use any more."""


class Aside:
    """A channel among all other frames of a wire."""

    def __init__(self, say: Callable[[ClientFrame], None]) -> None:
        self._say = say

    def say(self, frame: ClientFrame) -> None:
        """Says a frame."""
        self._say(frame)

    async def finish(self, frame: ClientFrame) -> bool:
        """Says the last; nothing tells that it has come."""
        self._say(frame)
        return False

    def on_given_up(self, listener: Callable[[], None]) -> None:
        """Nothing but a `cancel` tells."""


def welcome_of(frame: GatewayFrame) -> WelcomeFrame:
    """The welcome that a first frame is, or the error that stands in its place."""
    if isinstance(frame, WelcomeFrame):
        return frame
    if isinstance(frame, ErrorFrame):
        raise problem_of(frame.problem)
    raise ConnectError(f"expected `welcome`, found {type(frame).__name__}")
