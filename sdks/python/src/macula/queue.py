"""What waits for a reader."""

from collections import deque
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")

QUEUE = 1_024
"""Deliveries that may wait for a reader."""


class Gap(msgspec.Struct, frozen=True):
    """Events were lost here."""

    missed: int | None
    """How many, when that is known."""
    reason: str
    """`slow_reader`: the reader did not keep up. `outside_window`: they are not kept any more. `unknown_id`: the
    gateway does not know where the reader was, as after its restart. A later gateway may know more reasons."""


class Queue(Generic[T]):
    """Deliveries in their order. What does not fit is lost, and told as a gap as soon as there is room."""

    def __init__(self, room: int = QUEUE) -> None:
        self._room = room
        self._items: deque[T | Gap] = deque()
        self._missed = 0

    def __len__(self) -> int:
        return len(self._items)

    def push(self, event: T) -> bool:
        """Takes an event; false when it is lost."""
        if len(self._items) < self._room and (self._missed == 0 or self._caught_up()):
            self._items.append(event)
            return True
        self._missed += 1
        return False

    def gap(self, gap: Gap) -> None:
        """Takes a gap that the gateway tells."""
        if self._caught_up():
            self._items.append(gap)
        else:
            # How many are missing in all is not known when it is not told apart, but that some are is.
            self._missed += gap.missed or 1

    def _caught_up(self) -> bool:
        """Whether there is room, behind the gap that tells what was lost before."""
        if self._missed and len(self._items) < self._room:
            self._items.append(Gap(self._missed, "slow_reader"))
            self._missed = 0
        return len(self._items) < self._room and not self._missed

    def pop(self) -> T | Gap | None:
        """The next delivery; none when nothing waits and nothing was lost."""
        if self._items:
            return self._items.popleft()
        if not self._missed:
            return None
        gap = Gap(self._missed, "slow_reader")
        self._missed = 0
        return gap
