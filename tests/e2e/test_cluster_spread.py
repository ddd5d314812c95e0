"""How soon a change is known at all nodes, and what it costs in messages."""

import asyncio
import contextlib
import math
import time

import macula

from cluster import NO_QUOTAS, settle

BOUND = 1.0
# Between two looks at one node, so that looking leaves the machine to the nodes.
LOOK_SECONDS = 0.005


async def look(mesh, procedure, there):
    """Looks until a node knows that the procedure is served, or that it is not; when that was."""
    while bool(await mesh.discover(procedure)) != there:
        await asyncio.sleep(LOOK_SECONDS)
    return time.monotonic()


async def spread(nodes, changes, seconds):
    """Serves at one node after the other, and stops again: how long each change took to be at all the others."""

    async def echo(argument):
        return argument

    took = []
    async with contextlib.AsyncExitStack() as stack:
        opened = [macula.connect(node.url, ca=node.ca, transports=["websocket"]) for node in nodes]
        meshes = [await stack.enter_async_context(one) for one in opened]
        await stack.enter_async_context(asyncio.timeout(seconds))
        for number in range(changes // 2):
            at = meshes[number % len(meshes)]
            others = [mesh for mesh in meshes if mesh is not at]
            procedure = f"spread.p{number}"
            began = time.monotonic()
            service = at.serve(procedure, echo)
            took.append(max(await asyncio.gather(*(look(mesh, procedure, True) for mesh in others))) - began)
            await service
            began = time.monotonic()
            service.stop()
            took.append(max(await asyncio.gather(*(look(mesh, procedure, False) for mesh in others))) - began)
    return sorted(took)


def told(nodes, took):
    """Prints the figures of docs/GOSSIP.md; the 99th percentile."""
    p50, p99 = (took[math.ceil(part * len(took)) - 1] for part in (0.5, 0.99))
    figures = f"p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms, worst {took[-1] * 1000:.0f} ms"
    print(f"{nodes} nodes, {len(took)} changes: {figures}")
    return p99


def changes_are_everywhere_soon(made, changes):
    settle(made.nodes)
    took = asyncio.run(spread(made.nodes, changes, seconds=changes * BOUND))
    assert told(len(made.nodes), took) < BOUND


def test_at_3_nodes_changes_are_everywhere_within_a_second(cluster):
    changes_are_everywhere_soon(cluster(3, NO_QUOTAS), 500)


def test_at_10_nodes_changes_are_everywhere_within_a_second(cluster):
    changes_are_everywhere_soon(cluster(10, NO_QUOTAS), 500)
