"""How much is in flight."""

from typing import Protocol


class Bounds(Protocol):
    """How much a session may have in flight, as `welcome` tells it."""

    max_calls: int
    """Calls, publishes and discoveries."""
    max_bytes_in_flight: int
    """Bytes of all of them together."""


class Window:
    """Counts what is in flight, so that what is beyond the gateway's bounds waits here and is not refused there."""

    def __init__(self) -> None:
        self._max_count = 1
        self._max_bytes = 0
        self._count = 0
        self._bytes = 0

    def has_room(self, size: int) -> bool:
        """Whether one more of so many bytes may go. A single one always may: the gateway judges it."""
        if self._count == 0:
            return True
        return self._count < self._max_count and self._bytes + size <= self._max_bytes

    def enter(self, size: int) -> None:
        """One more of so many bytes is in flight."""
        self._count += 1
        self._bytes += size

    def leave(self, size: int) -> None:
        """One of so many bytes is not in flight any more."""
        self._count -= 1
        self._bytes -= size

    def resize(self, bounds: Bounds) -> None:
        """Takes the bounds of a new welcome. What is in flight stays counted."""
        self._max_count = bounds.max_calls
        self._max_bytes = bounds.max_bytes_in_flight
