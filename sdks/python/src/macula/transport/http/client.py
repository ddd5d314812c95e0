"""Requests of the HTTP API, whatever version of HTTP they are on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Protocol

from ...errors import ConnectError
from .request import Asked


class Answer(Protocol):
    """What a request is answered with. `ConnectError` where the transport is lost on the way."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    def pieces(self) -> AsyncIterator[bytes]:
        """The body, as it comes."""
        ...

    async def close(self) -> None:
        """Wants no more of it."""


class Client(Protocol):
    """Makes requests of one gateway."""

    async def send(self, asked: Asked, token: str | None) -> Answer:
        """The head of the answer; its body follows."""
        ...

    async def close(self) -> None:
        """Gives up what is under way."""


async def body_of(answer: Answer) -> bytes:
    """The whole body."""
    try:
        return b"".join([piece async for piece in answer.pieces()])
    finally:
        await answer.close()


def headers_of(asked: Asked, token: str | None) -> dict[str, str]:
    """The request's headers. A token stands there alone, never in a URL."""
    own = {"authorization": f"Bearer {token}"} if token else {}
    return {**asked.headers, "user-agent": "macula-python", **own}


def fields_of(asked: Asked, token: str | None, authority: str) -> list[tuple[str, str]]:
    """The head of a request in HTTP/2 and HTTP/3."""
    head = {":method": asked.method, ":scheme": "https", ":authority": authority, ":path": asked.path}
    length = {} if asked.body is None else {"content-length": str(len(asked.body))}
    return list({**head, **headers_of(asked, token), **length}.items())


class StreamAnswer:
    """An answer that comes on a stream of a connection. What has come waits here; its reader keeps up."""

    def __init__(self, give_up: Callable[[], None]) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self._give_up = give_up
        self._head: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pieces: asyncio.Queue[bytes | ConnectError | None] = asyncio.Queue()
        self._is_over = False

    async def head(self) -> None:
        """Waits for status and headers; cancelled before that, it gives the request up."""
        try:
            await self._head
        except asyncio.CancelledError:
            await self.close()
            raise

    def begins(self, fields: Mapping[str, str]) -> None:
        """Status and headers are there."""
        if self._head.done():
            return
        self.status = int(fields[":status"])
        self.headers = fields
        self._head.set_result(None)

    def goes_on(self, piece: bytes) -> None:
        """A piece of the body."""
        if piece:
            self._pieces.put_nowait(piece)

    def ends(self) -> None:
        """The body is all there."""
        self._is_over = True
        self._pieces.put_nowait(None)

    def fail(self, why: str) -> None:
        """Nothing more comes."""
        error = ConnectError(f"HTTP: {why}")
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
            self._give_up()


class Connection(Protocol):
    """A connection for many requests."""

    @property
    def is_usable(self) -> bool:
        """Whether it takes another request."""
        ...

    async def send(self, asked: Asked, token: str | None) -> StreamAnswer:
        """The head of the answer; its body follows."""
        ...

    def abandon(self) -> None:
        """Ends it."""


class KeptClient:
    """Requests on one connection, which is opened when there is none."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]]) -> None:
        self._connect = connect
        self._connection: Connection | None = None
        self._opening = asyncio.Lock()

    async def send(self, asked: Asked, token: str | None) -> StreamAnswer:
        async with self._opening:
            if self._connection is None or not self._connection.is_usable:
                self._connection = await self._connect()
            connection = self._connection
        return await connection.send(asked, token)

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.abandon()
            self._connection = None
