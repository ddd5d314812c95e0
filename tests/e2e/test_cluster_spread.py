"""How soon a change is known at all nodes."""

import asyncio

from cluster import NO_QUOTAS, settle
from spread import spread, told

BOUND = 1.0


def changes_are_everywhere_soon(made, changes):
    settle(made.nodes)
    took = asyncio.run(spread(made.nodes, changes, seconds=changes * BOUND))
    assert told(f"{len(made.nodes)} nodes", took) < BOUND


def test_at_3_nodes_changes_are_everywhere_within_a_second(cluster):
    changes_are_everywhere_soon(cluster(3, NO_QUOTAS), 500)


def test_at_10_nodes_changes_are_everywhere_within_a_second(cluster):
    changes_are_everywhere_soon(cluster(10, NO_QUOTAS), 500)
