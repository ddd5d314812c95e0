"""The ways to a gateway."""

from ..codec import Codec
from ..errors import Invalid
from ..options import Config, Http
from .http.session import HttpSession
from .race import race
from .sse import open_sse
from .websocket import open_websocket
from .wire import Transport, Wire

# Which transport came through last, for each origin: it is tried first the next time.
_winners: dict[str, Transport] = {}


class Transports:
    """The ways to a gateway."""

    def __init__(self, config: Config, codec: Codec) -> None:
        self.codec = codec
        self._config = config
        versions: list[Http] = [version for version in config.http if version != 3 or has_h3()]
        self._http = HttpSession(config, codec, tuple(versions))

    async def open(self, serving: bool) -> Wire:
        """Opens one. `serving` leaves out those on which nothing can be served."""
        config = self._config
        here: list[Transport] = [name for name in config.transports if self._is_here(name)]
        if not here:
            raise Invalid("expected the extra macula-client[h3]: without it there is no HTTP/3 and no WebTransport")
        wanted: list[Transport] = [name for name in here if not (serving and name == "sse")]
        if not wanted:
            raise Invalid("expected a live transport: nothing can be served on SSE")
        # The winner of the last time goes first.
        wanted.sort(key=lambda name: name != _winners.get(config.origin))
        wire = await race(wanted, self._open)
        if len(wanted) > 1:
            _winners[config.origin] = wire.transport
        return wire

    async def _open(self, name: Transport) -> Wire:
        if name == "webtransport":
            # Without the extra `h3` this cannot be imported.
            from .webtransport import open_webtransport

            return await open_webtransport(self._config, self.codec)
        if name == "websocket":
            return await open_websocket(self._config, self.codec)
        return await open_sse(self._http)

    def _is_here(self, name: Transport) -> bool:
        """Whether what it needs is installed."""
        if name == "sse":
            return has_h3() or self._config.http != (3,)
        return name == "websocket" or has_h3()

    async def close(self) -> None:
        """Closes what is kept between two transports."""
        await self._http.disconnect()


def has_h3() -> bool:
    """Whether the extra `h3` is installed."""
    try:
        import qh3  # noqa: F401
    except ImportError:
        return False
    return True
