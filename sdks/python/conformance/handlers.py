"""The handlers that cases serve procedures with, and how often they were called and cancelled."""

import asyncio
from collections import Counter, defaultdict
from typing import Any

from macula import Context, Handler, HandlerError


class Handlers:
    """The handlers of one case."""

    def __init__(self) -> None:
        self.handled: Counter[str] = Counter()
        self.cancelled: Counter[str] = Counter()
        self._held: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def release(self, procedure: str) -> None:
        """Lets the calls that `hold` has answer."""
        self._held.pop(procedure, asyncio.Event()).set()

    def named(self, name: str) -> Handler:
        """The handler with this name."""
        act = getattr(self, f"_{name}")

        async def handler(argument: Any, context: Context) -> Any:
            self.handled[context.procedure] += 1
            try:
                return await act(argument, context)
            except asyncio.CancelledError:
                self.cancelled[context.procedure] += 1
                raise

        return handler

    async def _echo(self, argument: Any, _: Context) -> Any:
        return argument

    async def _add(self, argument: dict[str, int], _: Context) -> int:
        return argument["a"] + argument["b"]

    async def _caller(self, _: Any, context: Context) -> str:
        return context.caller

    async def _headers(self, _: Any, context: Context) -> dict[str, str]:
        return dict(context.headers)

    async def _count(self, argument: dict[str, int], context: Context) -> int:
        for number in range(1, argument["to"] + 1):
            context.progress(number)
        return argument["to"]

    async def _slow(self, argument: Any, _: Context) -> Any:
        await asyncio.sleep(0.3)
        return argument

    async def _fail(self, _: Any, __: Context) -> None:
        raise RuntimeError("broken")

    async def _refuse(self, _: Any, __: Context) -> None:
        raise HandlerError("out_of_range", "a is too large", {"limit": 10})

    async def _wait(self, _: Any, __: Context) -> None:
        await asyncio.Event().wait()

    async def _hold(self, argument: Any, context: Context) -> Any:
        await self._held[context.procedure].wait()
        return argument
