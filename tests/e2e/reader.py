"""What comes to a subscription."""

import asyncio
import time

import macula


class Reader:
    """Keeps what comes to a subscription at one node, gaps as well."""

    def __init__(self, mesh, pattern, **options):
        self.events = []
        self.gaps = []
        self.subscription = mesh.subscribe(pattern, **options)
        self.task = asyncio.create_task(self.read())

    async def read(self):
        async for delivery in self.subscription.deliveries():
            if isinstance(delivery, macula.Gap):
                self.gaps.append(delivery)
            else:
                self.events.append(delivery.payload)

    async def until(self, what, condition, seconds):
        """Waits until the events that have come are so."""
        deadline = time.monotonic() + seconds
        while not condition(self.events):
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}, but {self.events} and {self.gaps}"
            await asyncio.sleep(0.02)

    async def has(self, events, seconds=60):
        await self.until(events, lambda found: found == events, seconds)

    async def has_come_to(self, last, seconds=60):
        await self.until(f"event {last}", lambda found: found[-1:] == [last], seconds)
