"""Connections of HTTP/3 on `qh3`, which the extra `h3` installs."""

import asyncio
import socket
import ssl
from contextlib import AsyncExitStack
from typing import Any, TypeVar, cast

from qh3.asyncio.client import connect
from qh3.asyncio.protocol import QuicConnectionProtocol
from qh3.h3.connection import H3_ALPN, H3Connection
from qh3.h3.events import H3Event
from qh3.quic.configuration import QuicConfiguration
from qh3.quic.events import ConnectionTerminated, QuicEvent

from ..errors import ConnectError, Invalid
from ..options import Config
from .race import race
from .wire import OPEN

MAX_DATAGRAM = 65_536
NO_ERROR = 0x100
"""`H3_NO_ERROR` (RFC 9114 §8.1)."""
IDLE = 30.0
"""The least time of silence after which a connection is over, whoever asks; seconds."""
LEAVING = 5.0
"""How long a connection that is left may take to be over; seconds."""


class Connection(QuicConnectionProtocol):
    """A connection of HTTP/3; its subclasses say what is done with what comes."""

    web_transport = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.http = H3Connection(self._quic, enable_webtransport=self.web_transport)
        self.loop = asyncio.get_running_loop()
        self.why = "closed"
        self.ended = asyncio.Event()
        self.stack = AsyncExitStack()
        self._leaving: asyncio.Task[None] | None = None
        self._flushing: asyncio.Handle | None = None

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, ConnectionTerminated):
            self.why = event.reason_phrase or f"closed with {event.error_code:#x}"
            self.ended.set()
            self.was_ended()
        elif not self.takes(event):
            for said in self.http.handle_event(event):
                self.heard(said)

    def takes(self, event: QuicEvent) -> bool:
        """Takes what is no HTTP/3; false for all else."""
        return False

    def heard(self, event: H3Event) -> None:
        """Takes what is said in HTTP/3."""

    def was_ended(self) -> None:
        """The connection is over."""

    def flush(self) -> None:
        """Sends what was written, with all that is written before the event loop's next turn."""
        if self._flushing is None:
            self._flushing = self.loop.call_soon(self._flush_now)

    def _flush_now(self) -> None:
        self._flushing = None
        if not self.ended.is_set():
            self.transmit()

    def abandon(self) -> None:
        """Ends the connection, whatever is under way on it."""
        if self._leaving is None:
            # Not the code 0, by which a client may say that its session has ended.
            self._quic.close(error_code=NO_ERROR)
            self.transmit()
            self._leaving = self.loop.create_task(self._leave())

    async def _leave(self) -> None:
        try:
            async with asyncio.timeout(LEAVING):
                await self.stack.aclose()
        except (OSError, TimeoutError):
            # Then nobody hears that it has ended.
            pass


C = TypeVar("C", bound=Connection)


async def open_connection(config: Config, kind: type[C], name: str) -> C:
    """Connects to the address of the host that answers first, or raises `ConnectError`."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(OPEN):
            found = await loop.getaddrinfo(config.host, config.port, type=socket.SOCK_DGRAM)
            addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
            return await race(addresses, lambda address: _connect(config, kind, address))
    except TimeoutError:
        raise ConnectError(f"{name}: no answer in 10 s") from None
    except (OSError, ConnectError) as error:
        raise ConnectError(f"{name}: {error}") from error


async def _connect(config: Config, kind: type[C], address: str) -> C:
    stack = AsyncExitStack()
    try:
        connection = await stack.enter_async_context(
            connect(address, config.port, configuration=_configuration(config), create_protocol=kind)
        )
    except ConnectionError as error:
        raise ConnectError(f"no connection to {address}: {error or 'refused'}") from error
    connection = cast(C, connection)
    connection.stack = stack
    return connection


def _configuration(config: Config) -> QuicConfiguration:
    configuration = QuicConfiguration(
        is_client=True,
        alpn_protocols=H3_ALPN,
        server_name=config.host,
        idle_timeout=max(config.patience, IDLE),
        max_datagram_frame_size=MAX_DATAGRAM,
    )
    if config.certificate_sha256 is not None:
        configuration.assert_fingerprint = config.certificate_sha256
        configuration.verify_mode = ssl.CERT_NONE
        configuration.verify_hostname = False
    elif config.ca is not None:
        try:
            configuration.load_verify_locations(cafile=config.ca)
        except OSError as error:
            raise Invalid(f"expected a file of certificates, {config.ca}: {error}") from error
    return configuration
