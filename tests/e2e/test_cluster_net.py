"""A cluster on networks that lose packets, or are slow."""

import asyncio
import time

import pytest

import macula
from cluster import NO_QUOTAS, begin
from spread import connect, percentile, spread, told

NODES = 4
SECONDS = 60
# A change is everywhere within it, for 99 of 100; the goal of gossip with 30 % lost.
BOUND = 5.0


@pytest.fixture
def nodes(network, members):
    """A cluster on a network that is good still."""
    made = members([f"node-{number + 1}" for number in range(NODES)], NO_QUOTAS, places=network.nodes)
    begin(*made)
    yield made
    network.between(network.addresses, network.addresses)


async def calls(caller, provider, count):
    """How long each of so many calls took, from one node to another; all are answered."""

    async def echo(argument):
        return argument

    took = []
    async with connect(caller) as mesh, connect(provider) as there:
        await there.serve("net.echo", echo)
        async with asyncio.timeout(SECONDS):
            while not await mesh.discover("net.echo"):
                await asyncio.sleep(0.02)
        for number in range(count):
            began = time.monotonic()
            assert await mesh.call("net.echo", number, timeout=SECONDS) == number
            took.append(time.monotonic() - began)
    return sorted(took)


async def events(publisher, reader, count):
    """How long each of so many events took, from one node to another; all come, each once, in their order."""
    took = []
    async with connect(publisher) as mesh, connect(reader) as there:
        async with asyncio.timeout(SECONDS), there.subscribe("net.events") as subscription:
            deliveries = subscription.deliveries()
            for number in range(count):
                began = time.monotonic()
                await mesh.publish("net.events", number)
                delivery = await anext(deliveries)
                assert not isinstance(delivery, macula.Gap), delivery
                assert delivery.payload == number
                took.append(time.monotonic() - began)
    return sorted(took)


@pytest.mark.parametrize(("loss", "changes"), [(0.1, 200), (0.3, 500)])
def test_what_is_lost_is_said_again(network, nodes, loss, changes):
    network.between(network.addresses, network.addresses, loss=loss)
    took = asyncio.run(spread(nodes, changes, seconds=3 * SECONDS, at_once=8))
    assert told(f"{NODES} nodes, {loss:.0%} lost", took) < BOUND
    for what, measure in [("calls", calls), ("events", events)]:
        took = asyncio.run(measure(nodes[0], nodes[1], 50))
        print(f"50 {what}: p50 {percentile(took, 0.5) * 1000:.0f} ms, worst {took[-1] * 1000:.0f} ms")
    packets = network.between(network.addresses, network.addresses)
    lost = packets["dropped"] / (packets["dropped"] + packets["passed"])
    assert loss / 2 < lost < loss * 1.5, packets


def test_on_a_slow_path_a_call_takes_one_round_trip_and_an_event_half_of_one(network, nodes):
    network.between(network.addresses, network.addresses, delay=0.1)
    for measure, least in [(calls, 0.2), (events, 0.1)]:
        took = asyncio.run(measure(nodes[0], nodes[1], 20))
        print(f"20 {measure.__name__}: p50 {percentile(took, 0.5) * 1000:.0f} ms, worst {took[-1] * 1000:.0f} ms")
        assert least <= percentile(took, 0.5) < least + 0.1
    took = asyncio.run(spread(nodes, 100, seconds=SECONDS, at_once=8))
    assert told(f"{NODES} nodes, 100 ms each way", took) < BOUND
