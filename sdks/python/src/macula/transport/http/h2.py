"""Requests over HTTP/2, on `h2`: one that is given up is reset, so that the gateway hears of it."""

import asyncio
import contextlib
from typing import cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import H2Error

from ...errors import ConnectError
from ...options import Config
from ..wire import OPEN
from .client import StreamAnswer, fields_of
from .request import Asked

WINDOW = 1 << 20
"""Bytes that the gateway may send ahead on the connection, beside those of each stream."""


async def open_h2(config: Config) -> "RequestConnection":
    """Connects, or raises `ConnectError`."""
    loop = asyncio.get_running_loop()
    context = config.tls()
    context.set_alpn_protocols(["h2"])
    connection = RequestConnection(config.authority)
    try:
        async with asyncio.timeout(OPEN):
            transport, _ = await loop.create_connection(
                lambda: connection, config.host, config.port, ssl=context, server_hostname=config.host
            )
    except (OSError, TimeoutError) as error:
        why = "no answer in 10 s" if isinstance(error, TimeoutError) else str(error)
        raise ConnectError(f"HTTP/2: {why}") from error
    secured = transport.get_extra_info("ssl_object")
    if secured.selected_alpn_protocol() != "h2":
        transport.abort()
        raise ConnectError("HTTP/2: not spoken there")
    return connection


class RequestConnection(asyncio.Protocol):
    """A connection of HTTP/2."""

    def __init__(self, authority: str) -> None:
        self._authority = authority
        self._h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._io: asyncio.Transport | None = None
        self._answers: dict[int, StreamAnswer] = {}
        # What is not sent yet of bodies, for want of room at the gateway.
        self._bodies: dict[int, bytes] = {}
        self._is_usable = True

    @property
    def is_usable(self) -> bool:
        return self._is_usable

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._io = cast(asyncio.Transport, transport)
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(WINDOW)
        self._flush()

    def data_received(self, data: bytes) -> None:
        try:
            for event in self._h2.receive_data(data):
                self._take(event)
            self._send_bodies()
        except H2Error as error:
            self._end(f"expected HTTP/2: {error}")
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(str(exc) if exc else "closed")

    def _take(self, event: Event) -> None:
        if isinstance(event, ConnectionTerminated):
            # What is under way may go on to its end.
            self._is_usable = False
            return
        number = getattr(event, "stream_id", None)
        if isinstance(event, DataReceived) and number is not None:
            self._h2.acknowledge_received_data(event.flow_controlled_length or 0, number)
        answer = self._answers.get(number or 0)
        if answer is None or number is None:
            return
        if isinstance(event, ResponseReceived):
            answer.begins({str(name): str(value) for name, value in event.headers or []})
        elif isinstance(event, DataReceived):
            answer.goes_on(event.data or b"")
        elif isinstance(event, StreamEnded):
            self._forget(number)
            answer.ends()
        elif isinstance(event, StreamReset):
            self._forget(number)
            answer.fail("the gateway has reset the stream")

    def _forget(self, number: int) -> None:
        self._answers.pop(number, None)
        self._bodies.pop(number, None)

    def _end(self, why: str) -> None:
        self._is_usable = False
        answers, self._answers = self._answers, {}
        self._bodies.clear()
        for answer in answers.values():
            answer.fail(why)

    async def send(self, asked: Asked, token: str | None) -> StreamAnswer:
        if not self._is_usable:
            raise ConnectError("HTTP/2: the connection is lost")
        number = self._h2.get_next_available_stream_id()
        answer = self._answers[number] = StreamAnswer(lambda: self._give_up(number))
        try:
            self._h2.send_headers(number, fields_of(asked, token, self._authority), end_stream=asked.body is None)
            if asked.body is not None:
                self._bodies[number] = asked.body
                self._send_bodies()
        except H2Error as error:
            self._forget(number)
            raise ConnectError(f"HTTP/2: {error}") from error
        self._flush()
        await answer.head()
        return answer

    def _send_bodies(self) -> None:
        """Sends as much of the bodies as the gateway takes by now."""
        for number, body in list(self._bodies.items()):
            while body or number in self._bodies:
                room = min(self._h2.local_flow_control_window(number), self._h2.max_outbound_frame_size)
                if body and room <= 0:
                    break
                piece, body = body[:room], body[room:]
                self._h2.send_data(number, piece, end_stream=not body)
                self._bodies[number] = body
                if not body:
                    del self._bodies[number]

    def _give_up(self, number: int) -> None:
        self._forget(number)
        if self._io is not None and not self._io.is_closing():
            # One that is over already cannot be given up.
            with contextlib.suppress(H2Error):
                self._h2.reset_stream(number, ErrorCodes.CANCEL)
            self._flush()

    def _flush(self) -> None:
        if self._io is not None and not self._io.is_closing() and (data := self._h2.data_to_send()):
            self._io.write(data)

    def abandon(self) -> None:
        self._end("given up")
        if self._io is not None and not self._io.is_closing():
            self._h2.close_connection()
            self._flush()
            self._io.close()
            asyncio.get_running_loop().call_later(1, self._io.abort)
