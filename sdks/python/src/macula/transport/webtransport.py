"""A live session on WebTransport: a control stream, a stream for each operation, and datagrams."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from qh3.h3.events import DatagramReceived, DataReceived, H3Event, HeadersReceived
from qh3.quic.events import QuicEvent, StopSendingReceived, StreamDataReceived, StreamReset

from ..book import Ending, Operation
from ..codec import Codec, Unreadable, decode_payload
from ..errors import ConnectError, problem_of
from ..generated.models import ClientFrame, GatewayFrame, HelloFrame, PublishFrame, WelcomeFrame
from ..options import Config
from ..problem import MaculaError
from ..splitter import Splitter, framed, varint
from .quic import Connection, open_connection
from .wire import CONGESTED_BYTES, FAREWELL, OPEN, Aside, Listener, Transport, welcome_of

STREAM_STEP = 4
"""Between the numbers of two streams that one side opens, and that go both ways (RFC 9000 §2.1)."""
GIVEN_UP = 0x52E4A40FA8DB
"""Code 0 of an application on WebTransport, as a stream of HTTP/3 is reset with it."""


LOOK = 0.001
"""How often a congested connection is looked at; seconds."""


class Stream:
    """Frames on a stream in both directions."""

    def __init__(self, connection: "WebTransportConnection", number: int, is_ours: bool) -> None:
        self._connection = connection
        self._number = number
        self._splitter = Splitter()
        # What a stream of the gateway's begins with, until it is whole: its kind and its session.
        self._head = None if is_ours else b""
        self._frames: list[bytes] = []
        self._end: bool | None = None
        self._hear: Callable[[bytes], None] | None = None
        self._over: Callable[[bool], None] = lambda _: None

    def attach(self, hear: Callable[[bytes], None], over: Callable[[bool], None] = lambda _: None) -> None:
        """From now on frames go to `hear`, and those that came before; its end to `over`: whether in order."""
        self._hear, self._over = hear, over
        frames, self._frames = self._frames, []
        for frame in frames:
            hear(frame)
        if self._end is not None:
            over(self._end)

    def came(self, data: bytes, is_end: bool) -> None:
        """Takes a piece."""
        if self._head is not None:
            data, self._head = without_head(self._head + data)
        try:
            for frame in self._splitter.push(data):
                if self._hear is None:
                    self._frames.append(frame)
                else:
                    self._hear(frame)
        except MaculaError:
            self.cancel()
        if is_end:
            self.ended(in_order=True)

    def ended(self, in_order: bool) -> None:
        """The gateway has said all, or has given it up."""
        self._connection.forget(self._number)
        self._end = in_order
        if self._hear is not None:
            self._over(in_order)

    def write(self, frame: bytes, is_last: bool = False) -> None:
        """Says a frame."""
        self._connection.write(self._number, framed(frame), is_last)

    def end(self) -> None:
        """Ends our half."""
        self._connection.write(self._number, b"", True)

    def cancel(self) -> None:
        """Gives the operation up."""
        self._connection.give_up(self._number)


def without_head(held: bytes) -> tuple[bytes, bytes | None]:
    """What comes after the head of a stream of the gateway's, and what there is of a head that is not whole."""
    at = 0
    for _ in ("kind", "session"):
        read = varint(held, at)
        if read is None:
            return b"", held
        at = read[1]
    return held[at:], None


class WebTransportConnection(Connection):
    """A connection with one session on it."""

    web_transport = True

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.on_stream: Callable[[Stream], None] | None = None
        self.on_datagram: Callable[[bytes], None] = lambda _: None
        self.on_over: Callable[[], None] = lambda: None
        self.headers: asyncio.Future[dict[str, str]] = self.loop.create_future()
        self.refusal = bytearray()
        self.is_over = asyncio.Event()
        self._session = -1
        self._streams: dict[int, Stream] = {}
        # Streams of the gateway's that came before somebody asked for them.
        self._early: list[Stream] = []

    def takes(self, event: QuicEvent) -> bool:
        # The library tracks no streams of the session's that we open, and keeps those of the gateway's for ever.
        if not isinstance(event, (StreamDataReceived, StreamReset, StopSendingReceived)):
            return False
        number = event.stream_id
        is_of_session = number & 2 == 0 and number != self._session
        if not is_of_session or isinstance(event, StopSendingReceived):
            return is_of_session
        stream = self._streams.get(number)
        if stream is None and number & 1 and isinstance(event, StreamDataReceived):
            stream = self._new_stream(number)
        if stream is None:
            # What comes on one that was given up is passed over.
            return True
        if isinstance(event, StreamReset):
            stream.ended(in_order=False)
        else:
            stream.came(event.data, event.end_stream)
        return True

    def _new_stream(self, number: int) -> Stream:
        stream = self._streams[number] = Stream(self, number, is_ours=False)
        if self.on_stream is None:
            self._early.append(stream)
        else:
            self.on_stream(stream)
        return stream

    def heard(self, event: H3Event) -> None:
        if isinstance(event, DatagramReceived):
            self.on_datagram(event.data)
        elif isinstance(event, HeadersReceived) and event.stream_id == self._session:
            if not self.headers.done():
                self.headers.set_result({name.decode(): value.decode() for name, value in event.headers})
            if event.stream_ended:
                self._session_over()
        elif isinstance(event, DataReceived) and event.stream_id == self._session:
            self.refusal += event.data
            if event.stream_ended:
                self._session_over()

    def take_streams(self, on_stream: Callable[[Stream], None]) -> None:
        """From now on the gateway's streams go there, and those that came before."""
        self.on_stream = on_stream
        early, self._early = self._early, []
        for stream in early:
            on_stream(stream)

    def was_ended(self) -> None:
        if not self.headers.done():
            self.headers.set_exception(ConnectError(f"WebTransport: {self.why}"))
            self.headers.exception()
        self._session_over()

    def _session_over(self) -> None:
        self.is_over.set()
        self.on_over()

    def begin(self, authority: str) -> None:
        """Asks for the session."""
        self._session = self._quic.get_next_available_stream_id()
        head = {
            ":method": "CONNECT",
            ":scheme": "https",
            ":authority": authority,
            ":path": "/v1/connect",
            ":protocol": "webtransport",
        }
        fields = [(name.encode(), value.encode()) for name, value in head.items()]
        self.http.send_headers(self._session, fields)
        self.flush()

    @property
    def has_place(self) -> bool:
        """Whether the gateway has place for another stream of ours. It gives more as they are used."""
        return self._quic.get_next_available_stream_id() < STREAM_STEP * self._quic.max_concurrent_bidi_streams

    def open(self) -> Stream:
        """Opens a stream."""
        number = self.http.create_webtransport_stream(self._session)
        stream = self._streams[number] = Stream(self, number, is_ours=True)
        return stream

    def forget(self, number: int) -> None:
        """A stream is over, or was given up."""
        self._streams.pop(number, None)

    def write(self, number: int, data: bytes, is_last: bool) -> None:
        """Says something on a stream. One that the gateway has stopped takes nothing more."""
        if self.ended.is_set():
            return
        with contextlib.suppress(Exception):
            self._quic.send_stream_data(number, data, end_stream=is_last)
        self.flush()

    def give_up(self, number: int) -> None:
        """Resets our half of a stream and stops the gateway's. A half that is over already cannot be given up."""
        self.forget(number)
        if self.ended.is_set():
            return
        for act in (self._quic.reset_stream, self._quic.stop_stream):
            with contextlib.suppress(Exception):
                act(number, GIVEN_UP)
        self.flush()

    @property
    def backlog(self) -> int:
        """Bytes that wait to be sent."""
        return self._quic.get_send_buffer_size()


async def open_webtransport(config: Config, codec: Codec) -> "WebTransportWire":
    """Opens a session and its control stream, or raises `ConnectError`; a refusal says why in a `Problem`."""
    connection = await open_connection(config, WebTransportConnection, "WebTransport")
    try:
        connection.begin(config.authority)
        async with asyncio.timeout(OPEN):
            headers = await connection.headers
            if headers.get(":status") != "200":
                raise await refused(connection, headers)
        return WebTransportWire(connection, codec)
    except TimeoutError:
        connection.abandon()
        raise ConnectError("WebTransport: no answer in 10 s") from None
    except BaseException:
        connection.abandon()
        raise


async def refused(connection: WebTransportConnection, headers: dict[str, str]) -> MaculaError:
    """Why the gateway has refused the session."""
    await connection.is_over.wait()
    media_type = headers.get("content-type", "")
    if "problem" in media_type and connection.refusal:
        return problem_of(decode_payload(bytes(connection.refusal), media_type))
    return ConnectError(f"WebTransport: refused with status {headers.get(':status')}")


class Asked:
    """The stream of an invocation, to answer on."""

    def __init__(self, stream: Stream, codec: Codec) -> None:
        self._stream = stream
        self._codec = codec
        self._given_up: Callable[[], None] = lambda: None
        self._end: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def say(self, frame: ClientFrame) -> None:
        self._stream.write(self._codec.encode_frame(frame))

    async def finish(self, frame: ClientFrame) -> bool:
        self._given_up = lambda: None
        self._stream.write(self._codec.encode_frame(frame), is_last=True)
        # The gateway ends its half when it has the answer.
        return await self._end

    def on_given_up(self, listener: Callable[[], None]) -> None:
        self._given_up = listener

    def over(self, in_order: bool) -> None:
        """The gateway has ended its half."""
        if not self._end.done():
            self._end.set_result(in_order)
        if not in_order:
            self._given_up()

    def lost(self) -> None:
        """The transport is lost, and nobody has given anything up."""
        if not self._end.done():
            self._end.set_result(False)


class WebTransportWire:
    """A session on WebTransport."""

    transport: Transport = "webtransport"

    def __init__(self, connection: WebTransportConnection, codec: Codec) -> None:
        self._connection = connection
        self._codec = codec
        self._control = connection.open()
        self._channel = Aside(self.say)
        # Operations with a stream of their own.
        self._streams: dict[int, Stream] = {}
        self._asked: set[Asked] = set()
        # What came after the welcome, before somebody listened.
        self._early: list[bytes] = []
        self._listener: Listener | None = None
        self._is_open = True

    @property
    def is_congested(self) -> bool:
        return self._connection.backlog > CONGESTED_BYTES

    async def room(self) -> None:
        while self._is_open and self.is_congested:  # noqa: ASYNC110
            # The library does not tell when it has sent something.
            await asyncio.sleep(LOOK)

    async def hello(self, frame: HelloFrame) -> WelcomeFrame:
        first: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def hear(said: bytes) -> None:
            if first.done():
                self._early.append(said)
            else:
                first.set_result(said)

        def lost(_: bool = False) -> None:
            if not first.done():
                first.set_exception(ConnectError(f"WebTransport: {self._connection.why}"))

        self._control.attach(hear, lost)
        self._connection.on_over = lost
        self.say(frame)
        try:
            async with asyncio.timeout(OPEN):
                welcome = welcome_of(self._codec.decode_frame(await first))
        except TimeoutError:
            raise ConnectError("WebTransport: not welcomed in 10 s") from None
        except Unreadable as error:
            raise ConnectError(f"WebTransport: expected `welcome`: {error}") from error
        return welcome

    def listen(self, listener: Listener) -> None:
        self._listener = listener
        for said in self._early:
            self._hear(said)
        self._control.attach(self._hear, lambda _: self._lost())
        self._connection.on_over = self._lost
        self._connection.on_datagram = self._hear
        self._connection.take_streams(self._invoked)
        if self._connection.is_over.is_set():
            self._lost()

    def _hear(self, said: bytes) -> None:
        frame = self._decoded(said)
        if frame is not None and self._listener is not None:
            self._listener.heard(frame, self._channel)

    def _decoded(self, said: bytes) -> GatewayFrame | None:
        try:
            return self._codec.decode_frame(said)
        except Unreadable:
            # A later gateway may say what this client cannot read.
            return None

    def _lost(self) -> None:
        if not self._is_open:
            return
        self._is_open = False
        for asked in list(self._asked):
            asked.lost()
        if self._listener is not None:
            self._listener.lost()
        self._connection.abandon()

    def _invoked(self, stream: Stream) -> None:
        """Answers the call that the gateway asks on a stream of its own."""
        asked = Asked(stream, self._codec)
        self._asked.add(asked)

        def hear(said: bytes) -> None:
            frame = self._decoded(said)
            if frame is not None and self._listener is not None:
                self._listener.heard(frame, asked)

        def over(in_order: bool) -> None:
            self._asked.discard(asked)
            asked.over(in_order)

        stream.attach(hear, over)

    def send(self, operation: Operation) -> None:
        # Publishes stay in their order, so they share the control stream.
        if isinstance(operation.frame, PublishFrame):
            self._control.write(operation.encoded)
            return
        if not self._connection.has_place:
            # There is place on the control stream always, and its answer comes there.
            self._control.write(operation.encoded)
            return
        number = operation.id
        stream = self._streams[number] = self._connection.open()
        stream.attach(self._hear, lambda _: self._forget(number))
        stream.write(operation.encoded, is_last=True)

    def _forget(self, number: int) -> None:
        self._streams.pop(number, None)

    def give_up(self, ending: Ending) -> None:
        stream = self._streams.pop(ending.id, None)
        if stream is not None:
            stream.cancel()
        else:
            # A publish, or what goes on since a former transport: that is among the frames of the control stream.
            self.say(ending)

    def say(self, frame: ClientFrame) -> None:
        if self._is_open:
            self._control.write(self._codec.encode_frame(frame))

    async def close(self) -> None:
        self._is_open = False
        # The end of the control stream is the end of the session.
        self._control.end()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL):
                await self._connection.is_over.wait()
        self._connection.abandon()

    def abandon(self) -> None:
        self._is_open = False
        for asked in list(self._asked):
            asked.lost()
        self._connection.abandon()
