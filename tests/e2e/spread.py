"""How long a change takes to be known at all other nodes: measured by asking each again and again."""

import asyncio
import contextlib
import math
import time

import macula

# Between two looks at one node, so that looking leaves the machine to the nodes.
LOOK_SECONDS = 0.005


def connect(node, **options):
    """A session by the SDK, on the transport that costs the least here."""
    return macula.connect(node.url, ca=node.ca, transports=["websocket"], close_timeout=0, **options)


async def look(mesh, procedure, there):
    """Looks until a node knows that the procedure is served, or that it is not; when that was."""
    while bool(await mesh.discover(procedure)) != there:
        await asyncio.sleep(LOOK_SECONDS)
    return time.monotonic()


async def spread(nodes, changes, seconds, at_once=1):
    """Serves at one node after the other, and stops again: how long each change took to be at all the others.

    So many changes are under way at once. All of it may take so many seconds.
    """

    async def echo(argument):
        return argument

    took = []
    async with contextlib.AsyncExitStack() as stack:
        meshes = [await stack.enter_async_context(connect(node)) for node in nodes]
        await stack.enter_async_context(asyncio.timeout(seconds))
        numbers = iter(range(changes // 2))

        async def everywhere(began, procedure, others, there):
            looks = (look(mesh, procedure, there) for mesh in others)
            took.append(max(await asyncio.gather(*looks)) - began)

        async def work():
            for number in numbers:
                at = meshes[number % len(meshes)]
                others = [mesh for mesh in meshes if mesh is not at]
                procedure = f"spread.p{number}"
                began = time.monotonic()
                service = at.serve(procedure, echo)
                await everywhere(began, procedure, others, True)
                await service
                began = time.monotonic()
                service.stop()
                await everywhere(began, procedure, others, False)

        await asyncio.gather(*(work() for _ in range(at_once)))
    return sorted(took)


def percentile(took, part):
    """Of sorted times."""
    return took[math.ceil(part * len(took)) - 1]


def told(what, took):
    """Prints the figures that are in docs/GOSSIP.md; the 99th percentile."""
    p50, p99 = percentile(took, 0.5), percentile(took, 0.99)
    figures = f"p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms, worst {took[-1] * 1000:.0f} ms"
    print(f"{what}, {len(took)} changes: {figures}")
    return p99
