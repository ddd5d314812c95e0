"""Requests over HTTP/2 and HTTP/1.1."""

from collections.abc import AsyncIterator, Mapping
from typing import Protocol

import httpx

from ...errors import ConnectError
from ...options import Config, Http
from ..wire import OPEN
from .request import Asked


class Answer(Protocol):
    """What a request is answered with. `ConnectError` where the transport is lost on the way."""

    status: int
    headers: Mapping[str, str]

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


class HttpxClient:
    """Requests by `httpx`. Nothing of the environment is looked at."""

    def __init__(self, config: Config, version: Http) -> None:
        self._client = httpx.AsyncClient(
            base_url=config.origin,
            verify=config.tls(),
            http1=version == 1,
            http2=version == 2,
            trust_env=False,
            timeout=httpx.Timeout(None, connect=OPEN),
            # The session bounds its requests, and the gateway its streams.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=8),
        )

    async def send(self, asked: Asked, token: str | None) -> "HttpxAnswer":
        request = self._client.build_request(
            asked.method, asked.path, headers=headers_of(asked, token), content=asked.body
        )
        try:
            return HttpxAnswer(await self._client.send(request, stream=True))
        except httpx.HTTPError as error:
            raise lost(error) from error

    async def close(self) -> None:
        await self._client.aclose()


class HttpxAnswer:
    """An answer of `httpx`."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self._response = response

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._response.aiter_raw():
                yield piece
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise lost(error) from error

    async def close(self) -> None:
        await self._response.aclose()


def lost(error: Exception) -> ConnectError:
    return ConnectError(f"HTTP: {error or type(error).__name__}")
