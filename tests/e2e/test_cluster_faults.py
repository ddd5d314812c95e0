"""A network that parts for 30 s, a node that is killed, and one that stands still for 20 s: each in a cluster of its
own, all at the same time."""

import asyncio
import contextlib
import signal
import time

import pytest

import macula
from cluster import NO_QUOTAS, begin, several
from reader import Reader
from spread import connect

NODES = 10
PARTED_SECONDS = 30
FROZEN_SECONDS = 20
# A lost node is given up after 5 to 6 s; the machine may be busy.
GONE_SECONDS = 15
# A lost node is dialled at least every 30 s.
BACK_SECONDS = 45
SECONDS = 30
CASE_SECONDS = 150


async def until(what, condition, seconds=SECONDS):
    """Asks again and again until the answer is yes; how long that took."""
    began = time.monotonic()
    while not await condition():
        assert time.monotonic() < began + seconds, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.05)
    return time.monotonic() - began


async def echo(argument):
    return argument


async def names(mesh, pattern="**", kind="node"):
    """The nodes that a node is connected to and itself, or what they serve, each as often as it is listed."""
    return sorted(item.name for item in await mesh.discover(pattern, kind=[kind]))


async def refused(mesh, procedure):
    """With what code a call is refused."""
    with pytest.raises(macula.Problem) as refusal:
        await mesh.call(procedure)
    return refusal.value.code


async def publish(mesh, topic, payloads):
    for payload in payloads:
        await mesh.publish(topic, payload)
    return payloads


async def parted(nodes, network):
    """Both halves serve their own; together again they are what they were, and what each has said meanwhile."""
    left, right = ([node.mesh.split(":")[0] for node in half] for half in (nodes[:2], nodes[2:]))
    whole = sorted(node.name for node in nodes)
    async with contextlib.AsyncExitStack() as stack:
        meshes = [await stack.enter_async_context(connect(node, patience=120)) for node in nodes]
        halves = [meshes[:2], meshes[2:]]
        readers = [Reader(mesh, "half.events") for mesh in meshes]
        for reader in readers:
            await reader.subscription.ready()
        for (serving, _), half in zip(halves, ["left", "right"]):
            await serving.serve(f"half.{half}", echo)

        async def everywhere(served):
            return all([await names(mesh, "half.**", "procedure") == served for mesh in meshes])

        await until("both are known", lambda: everywhere(["half.left", "half.right"]))
        before = await publish(meshes[0], "half.events", [f"before {number}" for number in range(5)])
        for reader in readers:
            await reader.has(before)

        network.between(left, right, loss=1)
        parted_at = time.monotonic()

        async def alone():
            return all([await names(mesh) == whole[:2] for mesh in halves[0]]) and all(
                [await names(mesh) == whole[2:] for mesh in halves[1]]
            )

        print(f"parted: the others are given up after {await until('they are gone', alone, GONE_SECONDS):.1f} s")
        meanwhile = {}
        for (serving, other), half, others in zip(halves, ["left", "right"], ["right", "left"]):
            assert await other.call(f"half.{half}", 1) == 1
            assert await refused(other, f"half.{others}") == "procedure_not_found"
            await serving.serve(f"half.{half}.new", echo)
            assert await other.call(f"half.{half}.new", 2) == 2
            meanwhile[half] = await publish(serving, "half.events", [f"{half} {number}" for number in range(5)])
        for reader, half in zip(readers, ["left", "left", "right", "right"]):
            await reader.has(before + meanwhile[half])
            assert reader.gaps == []
        await asyncio.sleep(parted_at + PARTED_SECONDS - time.monotonic())

        network.between(left, right)
        served = ["half.left", "half.left.new", "half.right", "half.right.new"]
        took = await until("they are together", lambda: everywhere(served), BACK_SECONDS)
        print(f"healed: everything is known everywhere after {took:.1f} s")

        async def together():
            return all([await names(mesh) == whole for mesh in meshes])

        # One may be connected a little later than what it serves is known of it.
        await until("each knows each, once", together, BACK_SECONDS)
        for mesh in meshes:
            assert [await mesh.call(procedure, 3) for procedure in served] == [3] * 4
        after = await publish(meshes[0], "half.events", [f"after {number}" for number in range(5)])
        for reader, half in zip(readers, ["left", "left", "right", "right"]):
            await reader.has(before + meanwhile[half] + after)
            # What the other half has published is told as missed.
            assert {gap.reason for gap in reader.gaps} == {"link"}
        # Half a minute is less than the minute after which a lost node is taken out of the state.
        assert not any("taken out of the cluster's state" in node.logged() for node in nodes)


async def killed(nodes):
    """It comes back as who it was; what it had served is gone, and what it serves now is known."""
    first, second, third = nodes
    whole = sorted(node.name for node in nodes)

    async def about(mesh):
        [item] = [item for item in await mesh.discover("**", kind=["node"]) if item.name == third.name]
        return item.member

    async with connect(first) as one, connect(second) as other:
        mesh = await connect(third)
        await mesh.serve("life.old", echo)

        async def known(served):
            return all([await names(each, "life.*", "procedure") == served for each in (one, other)])

        await until("it is known", lambda: known(["life.old"]))
        before = await about(one)
        third.kill()
        began = time.monotonic()
        third.start()
        await mesh.close()
        await asyncio.to_thread(third.ready)
        async with connect(third) as again:
            await again.serve("life.new", echo)
            await until("its new life is known", lambda: known(["life.new"]))
            print(f"killed: started again, and known after {time.monotonic() - began:.1f} s")
            after = await about(one)
            assert after.id == before.id
            assert after.since_ms > before.since_ms

            async def once():
                return all([await names(each) == whole for each in (one, other, again)])

            await until("each knows each, once", once)
            assert await one.call("life.new", 1) == 1
            assert await refused(one, "life.old") == "procedure_not_found"
            assert await again.discover("life.old") == []


async def frozen(nodes):
    """It is given up and taken out of the state; it goes on, and is again what it was."""
    first, second, third = nodes
    whole = sorted(node.name for node in nodes)
    async with contextlib.AsyncExitStack() as stack:
        one, other, ice = [await stack.enter_async_context(connect(node, patience=120)) for node in nodes]
        await ice.serve("ice.echo", echo)
        reader, cold = Reader(other, "ice.events"), Reader(ice, "ice.events")
        for each in (reader, cold):
            await each.subscription.ready()
        before = await publish(one, "ice.events", [f"before {number}" for number in range(5)])
        for each in (reader, cold):
            await each.has(before)

        third.signal(signal.SIGSTOP)
        frozen_at = time.monotonic()

        async def given_up():
            return all([await names(mesh) == whole[:2] for mesh in (one, other)])

        print(f"frozen: it is given up after {await until('it is gone', given_up, GONE_SECONDS):.1f} s")
        assert await one.discover("ice.echo") == []
        assert await refused(other, "ice.echo") == "procedure_not_found"
        meanwhile = await publish(one, "ice.events", [f"meanwhile {number}" for number in range(5)])
        await reader.has(before + meanwhile)

        async def taken_out():
            return all("taken out of the cluster's state" in node.logged() for node in (first, second))

        await until("it is taken out of the state", taken_out)
        await asyncio.sleep(max(0, frozen_at + FROZEN_SECONDS - time.monotonic()))

        third.signal(signal.SIGCONT)

        async def as_before():
            return all([await names(mesh) == whole for mesh in (one, other, ice)]) and all(
                [await mesh.discover("ice.echo") for mesh in (one, other, ice)]
            )

        print(f"it goes on: everything is as before after {await until('it is back', as_before, BACK_SECONDS):.1f} s")
        for mesh in (one, other):
            assert await mesh.call("ice.echo", 1) == 1

        async def wanted():
            await one.publish("ice.events", "again")
            return "again" in cold.events

        await until("what it wants is known again", wanted)
        after = await publish(one, "ice.events", [f"after {number}" for number in range(5)])
        for each in (reader, cold):
            await until("the last has come", lambda: came(each, after[-1]))
            missed = [] if each is cold else meanwhile
            assert [event for event in each.events if event != "again"] == before + missed + after
        assert {gap.reason for gap in cold.gaps} == {"link"}


async def came(reader, event):
    return event in reader.events


@pytest.fixture(scope="module")
def outcomes(network, tmp_path_factory):
    """What became of each case: nothing, or what was wrong."""
    free = iter(network.nodes)
    cases = {
        "parted": (parted, ["a", "b", "c", "d"], {}, [network]),
        "killed": (killed, ["e", "f", "g"], {}, []),
        "frozen": (frozen, ["h", "i", "j"], {"MACULA_CLUSTER__BOUNDS__FORGET_SECONDS": "8"}, []),
    }
    with contextlib.ExitStack() as ends:
        running = []
        for name, (case, nodes, settings, more) in cases.items():
            places = [next(free) for _ in nodes]
            members = several(tmp_path_factory.mktemp(name), nodes, {**NO_QUOTAS, **settings}, places)
            made = ends.enter_context(members)
            begin(*made)
            running.append(case(made, *more))

        async def together():
            late = [asyncio.wait_for(case, CASE_SECONDS) for case in running]
            return await asyncio.gather(*late, return_exceptions=True)

        yield dict(zip(cases, asyncio.run(together())))


def told(outcome):
    if outcome is not None:
        raise outcome


def test_a_network_that_parts_for_half_a_minute_heals(outcomes):
    told(outcomes["parted"])


def test_a_node_that_is_killed_comes_back_as_who_it_was(outcomes):
    told(outcomes["killed"])


def test_a_node_that_stood_still_comes_back(outcomes):
    told(outcomes["frozen"])
