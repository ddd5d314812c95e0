"""Requests over HTTP/3."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from qh3.h3.events import DataReceived, GoawayReceived, H3Event, HeadersReceived
from qh3.quic.events import QuicEvent, StreamReset

from ...errors import ConnectError
from ...options import Config
from ..quic import Connection, open_connection
from .client import headers_of
from .request import Asked

CANCELLED = 0x10C
"""`H3_REQUEST_CANCELLED` (RFC 9114 §8.1)."""


class H3Answer:
    """An answer that comes on a stream."""

    def __init__(self, connection: "RequestConnection", number: int) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self._connection = connection
        self._number = number
        self._pieces: asyncio.Queue[bytes | ConnectError | None] = asyncio.Queue()
        self._head: asyncio.Future[None] = connection.loop.create_future()
        self._is_over = False

    async def head(self) -> None:
        """Waits for status and headers."""
        await self._head

    def heard(self, event: HeadersReceived | DataReceived) -> None:
        """Takes a piece of it."""
        if isinstance(event, HeadersReceived) and not self._head.done():
            headers = {name.decode(): value.decode() for name, value in event.headers}
            self.status = int(headers.pop(":status"))
            self.headers = headers
            self._head.set_result(None)
        elif isinstance(event, DataReceived) and event.data:
            self._pieces.put_nowait(event.data)
        if event.stream_ended:
            self._is_over = True
            self._pieces.put_nowait(None)
            self._connection.forget(self._number)

    def fail(self, why: str) -> None:
        """Nothing more comes."""
        error = ConnectError(f"HTTP/3: {why}")
        self._is_over = True
        if not self._head.done():
            self._head.set_exception(error)
            self._head.exception()
        self._pieces.put_nowait(error)

    async def pieces(self) -> AsyncIterator[bytes]:
        while (piece := await self._pieces.get()) is not None:
            if isinstance(piece, ConnectError):
                raise piece
            yield piece

    async def close(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._connection.give_up(self._number)


class RequestConnection(Connection):
    """A connection of HTTP/3 for requests."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._answers: dict[int, H3Answer] = {}
        self.is_going = False
        """Whether the gateway takes no more requests on it."""

    def takes(self, event: QuicEvent) -> bool:
        if isinstance(event, StreamReset) and event.stream_id in self._answers:
            self._answers.pop(event.stream_id).fail("the gateway has reset the stream")
        return False

    def heard(self, event: H3Event) -> None:
        if isinstance(event, GoawayReceived):
            self.is_going = True
        elif isinstance(event, (HeadersReceived, DataReceived)) and event.stream_id in self._answers:
            self._answers[event.stream_id].heard(event)

    def was_ended(self) -> None:
        answers, self._answers = self._answers, {}
        for answer in answers.values():
            answer.fail(self.why)

    def forget(self, number: int) -> None:
        """An answer is over."""
        self._answers.pop(number, None)

    def give_up(self, number: int) -> None:
        """Wants no more of an answer. A half that is over already cannot be given up."""
        self.forget(number)
        if self.ended.is_set():
            return
        for act in (self._quic.reset_stream, self._quic.stop_stream):
            with contextlib.suppress(Exception):
                act(number, CANCELLED)
        self.flush()

    async def send(self, asked: Asked, token: str | None, authority: str) -> H3Answer:
        """Asks, and waits for the head of the answer."""
        number = self._quic.get_next_available_stream_id()
        answer = self._answers[number] = H3Answer(self, number)
        head = {
            ":method": asked.method,
            ":scheme": "https",
            ":authority": authority,
            ":path": asked.path,
            **headers_of(asked, token),
        }
        if asked.body is not None:
            head["content-length"] = str(len(asked.body))
        fields = [(name.encode(), value.encode()) for name, value in head.items()]
        self.http.send_headers(number, fields, end_stream=asked.body is None)
        if asked.body is not None:
            self.http.send_data(number, asked.body, end_stream=True)
        self.flush()
        try:
            await answer.head()
        except asyncio.CancelledError:
            await answer.close()
            raise
        return answer


class H3Client:
    """Requests on one connection, which is opened when there is none."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._connection: RequestConnection | None = None
        self._opening = asyncio.Lock()

    async def send(self, asked: Asked, token: str | None) -> H3Answer:
        connection = await self._connected()
        return await connection.send(asked, token, self._config.authority)

    async def _connected(self) -> RequestConnection:
        async with self._opening:
            connection = self._connection
            if connection is None or connection.ended.is_set() or connection.is_going:
                connection = await open_connection(self._config, RequestConnection, "HTTP/3")
                self._connection = connection
            return connection

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.abandon()
            self._connection = None
