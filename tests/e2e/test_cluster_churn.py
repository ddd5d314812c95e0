"""What holds while nodes come and go: events cross as few links as before, and tables go back to their sizes."""

import asyncio
import contextlib
import time

from cluster import NO_QUOTAS, begin
from reader import Reader
from server import wait_for
from spread import connect

BURST = 200
DEATHS = 100
SECONDS = 60
# What two nodes keep of each other when nothing is served or wanted: who each is, and a link and gossip each way.
AT_REST = {
    "macula_subscriptions": 0,
    "macula_calls": 0,
    "macula_cluster_members": 1,
    "macula_cluster_known_nodes": 1,
    "macula_cluster_state_entries": 2,
    "macula_cluster_connections": 1,
    "macula_cluster_streams": 4,
    "macula_cluster_streams_waiting": 0,
    "macula_cluster_dht_peers": 1,
    "macula_cluster_dht_records": 0,
    "macula_cluster_dht_providers": 0,
    "macula_cluster_member_waiting_events": 0,
}
# So soon is a node that is lost taken out, so that a test can wait for it.
SOON = {"MACULA_CLUSTER__BOUNDS__FORGET_SECONDS": "4"}


def forwarded(node):
    return int(node.metrics()["macula_cluster_forwarded_total"])


def received(node):
    return int(node.metrics()["macula_cluster_received_total"])


async def serve_alone(mesh, procedure, other):
    """Serves a procedure, and waits until another node knows it and no other that this node served in former lives.

    What a node is connected for and what it has said are two things: it may be seen to serve something new while
    what its former life wanted is in the state. When the one is there and the other is not, that life is over.
    """

    async def handle(argument):
        return argument

    await mesh.serve(procedure, handle)
    async with asyncio.timeout(SECONDS):
        while [item.name for item in await other.discover("guest.*")] != [procedure]:
            await asyncio.sleep(0.02)


class Publisher:
    """Publishes numbers, each once."""

    def __init__(self, mesh):
        self.mesh = mesh
        self.published = 0

    async def burst(self, meanwhile=None):
        """Publishes some; in the middle of it something else happens."""
        for number in range(BURST):
            if number == BURST // 2 and meanwhile:
                meanwhile()
            await self.mesh.publish("churn.events", self.published)
            self.published += 1

    async def until_links(self, node, links):
        """Publishes one by one until one crosses so many links."""
        async with asyncio.timeout(SECONDS):
            crossed = None
            while crossed != links:
                before = forwarded(node)
                await self.mesh.publish("churn.events", self.published)
                self.published += 1
                crossed = forwarded(node) - before
                await asyncio.sleep(0.02)


def test_lesson_1_a_publish_crosses_as_many_links_as_nodes_want_it_while_nodes_come_and_go(members):
    names = ["publisher", "reader-1", "reader-2", "bystander", "guest", "passer-by"]
    nodes = members(names, NO_QUOTAS)
    begin(*nodes)
    asyncio.run(come_and_go(*nodes))


async def come_and_go(first, second, third, bystander, guest, passer_by):
    async with contextlib.AsyncExitStack() as stack:
        meshes = [await stack.enter_async_context(connect(node)) for node in (first, second, third)]
        stable = [Reader(mesh, "churn.**", queue=100_000) for mesh in meshes]
        for reader in stable:
            await reader.subscription.ready()
        publisher = Publisher(meshes[0])

        def again(node):
            node.kill()
            node.start()

        for life in range(3):
            # The guest has said that it wants the events, and the others have heard it.
            guest_mesh = await connect(guest)
            await serve_alone(guest_mesh, f"guest.life{life}", meshes[0])
            visitor = Reader(guest_mesh, "churn.**", queue=100_000)
            await visitor.subscription.ready()
            before, at_guest = forwarded(first), received(guest)
            await publisher.burst(lambda: again(passer_by))
            await visitor.has_come_to(publisher.published - 1)
            assert visitor.events == list(range(publisher.published - BURST, publisher.published))
            assert forwarded(first) - before == 3 * BURST
            assert received(guest) - at_guest == BURST

            # It dies in the middle: an event goes to it or not.
            before = forwarded(first)
            await publisher.burst(guest.kill)
            assert 2 * BURST <= forwarded(first) - before <= 3 * BURST
            assert visitor.events == list(range(visitor.events[0], visitor.events[0] + len(visitor.events)))
            await guest_mesh.close()
            visitor.task.cancel()
            passer_by.ready()
            if life == 0:
                # It stays away, and after a while nothing is kept for it.
                await publisher.until_links(first, 2)
            else:
                # It is back, as the publisher has heard, and does not want them any more.
                guest.start()
                guest.ready()
                async with connect(guest) as guest_mesh:
                    await serve_alone(guest_mesh, f"guest.back{life}", meshes[0])
            before = forwarded(first)
            await publisher.burst()
            assert forwarded(first) - before == 2 * BURST
            if life == 0:
                guest.start()
                guest.ready()

        for reader in stable:
            await reader.has_come_to(publisher.published - 1)
            assert reader.events == list(range(publisher.published))
            # Nobody knows whether a node that begins anew had published something: each time is told, once.
            assert all((gap.reason, gap.missed) == ("link", None) for gap in reader.gaps)
            assert len(reader.gaps) <= 6, reader.gaps
        assert [received(node) for node in (first, second, third)] == [0, publisher.published, publisher.published]
        for node in (second, third, bystander, guest, passer_by):
            assert forwarded(node) == 0
        for node in (bystander, passer_by):
            assert received(node) == 0


def at_rest(node):
    """Waits until the tables have the sizes that they have at rest; those of procedures, which are the node's own."""
    figures = {}

    def same():
        figures.update(node.metrics())
        return all(figures[name] == size for name, size in AT_REST.items())

    with contextlib.suppress(AssertionError):
        wait_for("the sizes", same, seconds=30)
    assert {name: figures[name] for name in AT_REST} == AT_REST, node.name
    return figures["macula_providers"]


def test_lesson_3_after_100_deaths_every_table_is_back_to_its_size(members):
    nodes = members(["first", "second", *(f"victim-{number}" for number in range(4))], {**NO_QUOTAS, **SOON})
    (first, second), victims = nodes[:2], nodes[2:]
    begin(first, second)
    before = [at_rest(first), at_rest(second)]
    for victim in victims:
        victim.start(join=first)
    began = time.monotonic()
    asyncio.run(die_often(first, second, victims))
    print(f"{DEATHS} deaths of {len(victims)} nodes in {time.monotonic() - began:.0f} s")
    assert [at_rest(first), at_rest(second)] == before


async def die_often(first, second, victims):
    async with connect(first) as one, connect(second) as other:
        await asyncio.gather(*(live_and_die(victim, [one, other]) for victim in victims))


async def live_and_die(victim, others):
    """Starts a node, has it serve and subscribe, and kills it when the others know; again and again."""

    async def handle(argument):
        return argument

    for life in range(DEATHS // 4):
        if life > 0:
            victim.start()
        await asyncio.to_thread(victim.ready)
        mesh = await connect(victim)
        names = [f"churn.{victim.name}.life{life}.p{number}" for number in range(3)]
        readers = [mesh.subscribe(f"{name}.**") for name in names]
        await asyncio.gather(*(mesh.serve(name, handle) for name in names), *(reader.ready() for reader in readers))
        async with asyncio.timeout(SECONDS):
            for other in others:
                while len(await other.discover(f"churn.{victim.name}.life{life}.*")) < len(names):
                    await asyncio.sleep(0.02)
        victim.kill()
        await mesh.close()
