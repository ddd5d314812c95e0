"""Requests over HTTP/1.1: each that goes on has a connection of its own."""

from collections.abc import AsyncIterator

import httpx

from ...errors import ConnectError
from ...options import Config
from ..wire import OPEN
from .client import headers_of
from .request import Asked

KEPT = 8
"""Connections that are kept for further requests."""


class H1Client:
    """Requests by `httpx`. Nothing of the environment is looked at."""

    def __init__(self, config: Config) -> None:
        self._client = httpx.AsyncClient(
            base_url=config.origin,
            verify=config.tls(),
            trust_env=False,
            timeout=httpx.Timeout(None, connect=OPEN),
            # The session bounds its requests, and the gateway its streams.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=KEPT),
        )

    async def send(self, asked: Asked, token: str | None) -> "H1Answer":
        request = self._client.build_request(
            asked.method, asked.path, headers=headers_of(asked, token), content=asked.body
        )
        try:
            response = await self._client.send(request, stream=True)
        except httpx.HTTPError as error:
            raise lost(error) from error
        return H1Answer(response, is_refused=response.is_error and asked.body is not None)

    async def close(self) -> None:
        await self._client.aclose()


class H1Answer:
    """An answer of `httpx`."""

    def __init__(self, response: httpx.Response, is_refused: bool) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self._response = response
        # A gateway that does not read a body to its end closes the connection then. One whose answer is not read
        # to its very end is not used again, so what is asked next does not meet a connection that is closing.
        length = response.headers.get("content-length", "")
        self._left = int(length) if is_refused and length.isdigit() else None

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            if self._left == 0:
                return
            async for piece in self._response.aiter_raw():
                yield piece
                if self._left is not None:
                    self._left -= len(piece)
                    if self._left <= 0:
                        return
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise lost(error) from error

    async def close(self) -> None:
        await self._response.aclose()


def lost(error: Exception) -> ConnectError:
    return ConnectError(f"HTTP/1.1: {error or type(error).__name__}")
