"""The first of several that comes through."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from ..errors import ConnectError

HEAD_START = 0.3
"""How long one is tried before the next one is tried beside it: most often it is there by then; seconds."""


class Abandonable(Protocol):
    """What may come through after the race is over."""

    def abandon(self) -> None:
        """It is not wanted."""


N = TypeVar("N")
W = TypeVar("W", bound=Abandonable)


async def race(names: Sequence[N], run: Callable[[N], Awaitable[W]]) -> W:
    """The first runner that comes through.

    Each has a head start before the next, unless it has failed; those that are still running when one is through
    are cancelled, and what they bring nevertheless is abandoned.
    """
    tasks: list[asyncio.Task[W]] = []
    winner = None
    try:
        for name in names:
            tasks.append(asyncio.ensure_future(run(name)))
            winner = await _through(tasks, HEAD_START if len(tasks) < len(names) else None)
            if winner is not None:
                return winner.result()
        raise all_of([error for task in tasks if (error := task.exception())])
    finally:
        for task in tasks:
            if task is not winner:
                task.cancel()
                task.add_done_callback(_leave)


async def _through(tasks: Sequence["asyncio.Task[W]"], patience: float | None) -> "asyncio.Task[W] | None":
    """The task that is through; none when the newest has failed before that, or the time is over, or all have."""
    while True:
        winner = next((task for task in tasks if task.done() and not task.exception()), None)
        running = [task for task in tasks if not task.done()]
        if winner is not None or not running or (patience is not None and tasks[-1].done()):
            return winner
        done, _ = await asyncio.wait(running, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            return None


def _leave(task: "asyncio.Task[W]") -> None:
    if not task.cancelled() and not task.exception():
        task.result().abandon()


def all_of(errors: Sequence[BaseException]) -> BaseException:
    """What the gateway itself says counts; else all that went wrong."""
    told = next((error for error in errors if not isinstance(error, ConnectError)), None)
    if told is not None or len(errors) == 1:
        return told or errors[0]
    return ConnectError("; ".join(str(error) for error in errors))
