"""How soon a change is known at all nodes, and what it costs in messages."""

import asyncio
import contextlib
import time

from cluster import NO_QUOTAS, settle
from server import wait_for
from spread import connect, spread, told

BOUND = 1.0
# Of gossip for one change at 50 nodes, far more than was measured; it is 499 in the simulation.
MESSAGES = 1_000
# With so many peers that agree a node is quiet.
AGREEING = 9


def changes_are_everywhere_soon(made, changes):
    settle(made.nodes)
    took = asyncio.run(spread(made.nodes, changes, seconds=changes * BOUND))
    assert told(f"{len(made.nodes)} nodes", took) < BOUND


def test_at_3_nodes_changes_are_everywhere_within_a_second(cluster):
    changes_are_everywhere_soon(cluster(3, NO_QUOTAS), 500)


def test_at_10_nodes_changes_are_everywhere_within_a_second(cluster):
    changes_are_everywhere_soon(cluster(10, NO_QUOTAS), 500)


def test_50_nodes_that_start_at_once_have_one_state_and_are_quiet(cluster):
    made = cluster(50, NO_QUOTAS, seconds=120)
    count = len(made.nodes)
    began = time.monotonic()
    one_state(made.nodes, entries=count)
    started = gossip(made.nodes)
    print(f"{count} nodes have one state {time.monotonic() - began:.0f} s after they serve: {costs(started, count)}")
    began = time.monotonic()
    after = asyncio.run(serve_at_each(made.nodes))
    cost = [now - before for now, before in zip(after, started)]
    print(f"and again {time.monotonic() - began:.0f} s after each has served something: {costs(cost, count)}")
    for messages, _ in (started, cost):
        assert messages < MESSAGES * count


async def serve_at_each(nodes):
    """Each node serves something, until all of them know it."""

    async def echo(argument):
        return argument

    async with contextlib.AsyncExitStack() as stack:
        meshes = [await stack.enter_async_context(connect(node)) for node in nodes]
        await asyncio.gather(*(mesh.serve(f"spread.p{number}", echo) for number, mesh in enumerate(meshes)))
        await asyncio.to_thread(one_state, nodes, 2 * len(nodes))
        return gossip(nodes)


def one_state(nodes, entries):
    """Waits until each node is connected to all others, has all that they say, and knows that others have the same."""

    def same(node):
        figures = node.metrics()
        found = [figures[f"macula_cluster_{name}"] for name in ("known_nodes", "members", "state_entries")]
        return found == [len(nodes) - 1, len(nodes) - 1, entries] and figures["macula_cluster_gossip_agreeing"] >= AGREEING

    for node in nodes:
        wait_for(f"{node.name} has the state of all", lambda: same(node), seconds=120)


def gossip(nodes):
    """Messages and bytes that all nodes have sent."""
    figures = [node.metrics() for node in nodes]
    return [sum(one[f"macula_cluster_gossip_{name}_total"] for one in figures) for name in ("sent", "sent_bytes")]


def costs(cost, changes):
    messages, size = cost
    return f"{messages / changes:.0f} messages and {size / changes:.0f} bytes a change"
