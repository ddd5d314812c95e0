"""A live session on a WebSocket (RFC 6455): every frame is one message."""

import asyncio
from collections import deque
from typing import cast

from websockets import Subprotocol
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

from ..book import Ending, Operation
from ..codec import Codec, Unreadable, decode_payload
from ..errors import ConnectError, problem_of
from ..generated.models import ClientFrame, HelloFrame, WelcomeFrame
from ..options import Config
from ..problem import MaculaError
from .messages import Masks, Message, Messages, Opcode, framed
from .wire import CONGESTED_BYTES, FAREWELL, OPEN, Aside, Listener, Transport, welcome_of

NORMAL = (1000).to_bytes(2, "big")
ABANDONED = (4000).to_bytes(2, "big")
BATCH = 64 << 10
"""Bytes of frames that are written together, at most."""


async def open_websocket(config: Config, codec: Codec) -> "WebSocketWire":
    """Opens one, or raises `ConnectError`; a gateway that refuses it says why in a `Problem`."""
    loop = asyncio.get_running_loop()
    wire = WebSocketWire(config, codec)
    try:
        async with asyncio.timeout(OPEN):
            await loop.create_connection(
                lambda: wire, config.host, config.port, ssl=config.tls(), server_hostname=config.host
            )
            await wire.shake_hands()
    except (OSError, TimeoutError, InvalidHandshake) as error:
        wire.abandon()
        why = "no answer in 10 s" if isinstance(error, TimeoutError) else str(error)
        raise ConnectError(f"WebSocket: {why or type(error).__name__}") from error
    except BaseException:
        wire.abandon()
        raise
    return wire


class WebSocketWire(asyncio.Protocol):
    """The protocol of the connection, and the wire in one: what comes is handed on at once."""

    transport: Transport = "websocket"

    def __init__(self, config: Config, codec: Codec) -> None:
        self._codec = codec
        self._loop = asyncio.get_running_loop()
        self._opcode = Opcode.TEXT if codec.encoding == "json" else Opcode.BINARY
        self._protocol = ClientProtocol(
            parse_uri(f"wss://{config.authority}/v1/connect"),
            subprotocols=[Subprotocol(f"macula.v1.{codec.encoding}")],
        )
        # Once the gateway has agreed, messages are read and written here.
        self._messages = Messages()
        self._masks = Masks()
        self._is_agreed = False
        self._written: list[bytes] = []
        self._io: asyncio.Transport | None = None
        self._listener: Listener | None = None
        self._channel = Aside(self.say)
        # Messages that came before somebody listened.
        self._early: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._ended = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()
        # Frames that wait for the event loop's next turn, to be written together.
        self._unwritten = 0
        self._flushing: asyncio.Handle | None = None
        self._is_open = True
        self._has_said_close = False
        self._why = ""

    # What the event loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._io = cast(asyncio.Transport, transport)
        self._io.set_write_buffer_limits(high=CONGESTED_BYTES)

    def data_received(self, data: bytes) -> None:
        if self._is_agreed:
            try:
                for message in self._messages.push(data):
                    self._take(message)
            except MaculaError as error:
                self._why = str(error)
                self.abandon()
        else:
            self._protocol.receive_data(data)
            # The gateway says nothing else before it is asked.
            self._protocol.events_received()
            self._is_agreed = self._protocol.state is State.OPEN
            self._flush()
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._is_agreed:
            self._protocol.receive_eof()
        self._why = self._why or (str(exc) if exc else "") or "closed"
        self._ended.set()
        self._news.set()
        self._has_room.set()
        if self._is_open:
            self._is_open = False
            if self._listener is not None:
                self._listener.lost()

    def _take(self, message: Message) -> None:
        if message.opcode == self._opcode:
            if self._listener is None:
                self._early.append(message.data)
            else:
                self._hand_on(message.data, self._listener)
        elif message.opcode == Opcode.PING:
            self._write(Opcode.PONG, message.data)
        elif message.opcode == Opcode.CLOSE:
            self._why = message.data[2:].decode(errors="replace")
            self._end(message.data[:2])

    def _hand_on(self, message: bytes, listener: Listener) -> None:
        try:
            frame = self._codec.decode_frame(message)
        except Unreadable:
            # A later gateway may say what this client cannot read.
            return
        listener.heard(frame, self._channel)

    def pause_writing(self) -> None:
        self._has_room.clear()

    def resume_writing(self) -> None:
        self._has_room.set()

    def _flush(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        self._unwritten = 0
        if self._io is None or self._io.is_closing():
            return
        if data := b"".join(self._written if self._is_agreed else self._protocol.data_to_send()):
            self._io.write(data)
        self._written.clear()

    # What the opening asks.

    async def shake_hands(self) -> None:
        """Asks for the WebSocket, and waits until it is there."""
        self._protocol.send_request(self._protocol.connect())
        self._flush()
        while self._protocol.state is State.CONNECTING and self._protocol.handshake_exc is None:
            if self._ended.is_set():
                raise ConnectError(f"WebSocket: {self._why}")
            await self._next_news()
        refusal = self._protocol.handshake_exc
        if refusal is None:
            return
        response = getattr(refusal, "response", None)
        media_type = response.headers.get("content-type", "") if isinstance(response, Response) else ""
        if isinstance(response, Response) and "problem" in media_type and response.body:
            raise problem_of(decode_payload(bytes(response.body), media_type))
        raise ConnectError(f"WebSocket: {refusal}") from refusal

    async def _next_news(self) -> None:
        self._news.clear()
        await self._news.wait()

    # What the session says.

    @property
    def is_congested(self) -> bool:
        return not self._has_room.is_set()

    async def room(self) -> None:
        await self._has_room.wait()

    async def hello(self, frame: HelloFrame) -> WelcomeFrame:
        self.say(frame)
        try:
            async with asyncio.timeout(OPEN):
                while not self._early:
                    if self._ended.is_set() or self._has_said_close:
                        raise ConnectError(f"WebSocket: {self._why or 'closed'}")
                    await self._next_news()
        except TimeoutError:
            raise ConnectError("WebSocket: not welcomed in 10 s") from None
        try:
            return welcome_of(self._codec.decode_frame(self._early.popleft()))
        except Unreadable as error:
            raise ConnectError(f"WebSocket: expected `welcome`: {error}") from error

    def listen(self, listener: Listener) -> None:
        self._listener = listener
        while self._early:
            self._hand_on(self._early.popleft(), listener)
        if not self._is_open:
            listener.lost()

    def send(self, operation: Operation) -> None:
        if self._is_open:
            self._write(self._opcode, operation.encoded)

    def give_up(self, ending: Ending) -> None:
        self.say(ending)

    def say(self, frame: ClientFrame) -> None:
        if self._is_open:
            self._write(self._opcode, self._codec.encode_frame(frame))

    def _write(self, opcode: Opcode, data: bytes) -> None:
        if self._has_said_close:
            return
        self._written.append(framed(opcode, data, self._masks.next()))
        self._unwritten += len(data)
        if self._unwritten >= BATCH:
            self._flush()
        elif self._flushing is None:
            self._flushing = self._loop.call_soon(self._flush)

    def _end(self, code: bytes) -> None:
        """Says that it is over, and why; once."""
        if self._is_agreed:
            self._write(Opcode.CLOSE, code)
            self._has_said_close = True
            self._flush()
        if self._io is not None:
            # What was said goes first, for as long as the network takes it.
            self._io.close()
            self._loop.call_later(FAREWELL, self._io.abort)

    async def close(self) -> None:
        self._is_open = False
        if not self._is_agreed or self._io is None:
            return self._end(b"")
        self._write(Opcode.CLOSE, NORMAL)
        self._has_said_close = True
        self._flush()
        try:
            async with asyncio.timeout(FAREWELL):
                await self._ended.wait()
        except TimeoutError:
            self._io.abort()

    def abandon(self) -> None:
        self._is_open = False
        # No code that means the end: the session may go on elsewhere.
        self._end(ABANDONED)
