"""How long to wait before connecting again."""

FIRST = 0.1
"""The first pause lasts up to this, each further one up to twice as long; seconds."""
LONGEST = 30.0
"""No pause is longer, but for what the gateway asks for; seconds."""


class Backoff:
    """Pauses of anything up to a limit that doubles.

    So clients that were lost together do not come back together ("full jitter"). Use of the connection resets
    it, not connecting: a gateway that takes connections only to drop them is not asked more and more often.
    """

    def __init__(self) -> None:
        self._limit = FIRST

    def next(self, random: float, at_least: float = 0.0) -> float:
        """The next pause. `random` is from 0 to 1; `at_least` is what the gateway has asked for."""
        pause = self._limit * random
        self._limit = min(self._limit * 2, LONGEST)
        return max(pause, at_least)

    def reset(self) -> None:
        """The connection was of use."""
        self._limit = FIRST
