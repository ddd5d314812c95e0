"""How to connect, checked."""

import re
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Literal
from urllib.parse import urlsplit

from .codec import Encoding
from .errors import Invalid
from .names import check_name
from .transport.wire import TRANSPORTS, Transport
from .trust import tls_context

Http = Literal[3, 2, 1]
"""A version of HTTP."""
Renew = Callable[[], Awaitable[str]]
"""Gets a new token."""

LEAST_PATIENCE = 1.0


@dataclass(slots=True)
class Config:
    """The options of `connect`, checked."""

    host: str
    port: int
    token: str | None
    renew: Renew | None
    realm: str
    subject: str | None
    transports: tuple[Transport, ...]
    http: tuple[Http, ...]
    encoding: Encoding
    ca: str | None
    certificate_sha256: str | None
    patience: float
    close_timeout: float

    @property
    def authority(self) -> str:
        """Host and port, as they stand in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """The gateway's URL."""
        return f"https://{self.authority}"

    def tls(self) -> ssl.SSLContext:
        """Whom to trust over TCP."""
        try:
            return tls_context(self.ca, self.certificate_sha256)
        except (OSError, ssl.SSLError) as error:
            raise Invalid(f"expected a file of certificates, {self.ca}: {error}") from error


def checked(
    url: str,
    *,
    token: str | None,
    renew: Renew | None,
    realm: str,
    subject: str | None,
    transports: Sequence[Transport],
    http: Sequence[Http],
    encoding: Encoding,
    ca: str | PathLike[str] | None,
    certificate_sha256: str | None,
    patience: float,
    close_timeout: float,
) -> Config:
    """The options, or `Invalid`."""
    host, port = address_of(url)
    for name in transports:
        if name not in TRANSPORTS:
            raise Invalid(f"expected one of {', '.join(TRANSPORTS)}, found {name!r}")
    if not transports:
        raise Invalid("expected a transport")
    if not http or not set(http) <= {1, 2, 3}:
        raise Invalid(f"expected versions of HTTP, 3, 2 or 1, found {list(http)}")
    if encoding not in ("msgpack", "json"):
        raise Invalid(f"expected an encoding, msgpack or json, found {encoding!r}")
    return Config(
        host=host,
        port=port,
        token=token,
        renew=renew,
        realm=check_name("realm", realm),
        subject=subject,
        transports=tuple(transports),
        http=tuple(http),
        encoding=encoding,
        ca=None if ca is None else str(ca),
        certificate_sha256=None if certificate_sha256 is None else digits_of(certificate_sha256),
        patience=max(patience, LEAST_PATIENCE),
        close_timeout=max(close_timeout, 0.0),
    )


def address_of(url: str) -> tuple[str, int]:
    """Host and port of `https://HOST[:PORT]`."""
    try:
        parsed = urlsplit(url)
        host, port = parsed.hostname, parsed.port or 443
    except ValueError:
        parsed, host, port = urlsplit(""), None, 0
    bare = parsed.path in ("", "/") and not parsed.query and not parsed.fragment and not parsed.username
    if parsed.scheme != "https" or not host or not bare:
        raise Invalid(f"expected https://HOST[:PORT], found {url!r}")
    return host, port


def digits_of(fingerprint: str) -> str:
    """A SHA-256 in lower case and without colons."""
    digits = fingerprint.replace(":", "").lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise Invalid(f"expected a SHA-256 in hexadecimal, found {fingerprint!r}")
    return digits
