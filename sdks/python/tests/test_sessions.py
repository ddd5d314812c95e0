"""Sessions with a gateway: what is Python's own, beside the conformance cases."""

import asyncio
import contextlib
import gc
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
import readme
from gateway import Gateway

import macula
import macula.sync

Doing = Callable[[macula.Mesh], Awaitable[None]]


def in_session(gateway: Gateway, do: Doing, **options: Any) -> None:
    async def run() -> None:
        async with asyncio.timeout(20), macula.connect(gateway.url, ca=gateway.ca, **options) as mesh:
            await do(mesh)

    asyncio.run(run())


async def until(good: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not good():
            await asyncio.sleep(0.01)


def test_the_readme_s_program_has_ten_lines_and_runs(gateway: Gateway) -> None:
    program = readme.program()
    assert len([line for line in program.splitlines() if line]) <= 10
    assert readme.run(program, gateway) == "1 + 2 = 3\n"


def test_the_first_transport_that_comes_through_is_used(gateway: Gateway) -> None:
    async def do(mesh: macula.Mesh) -> None:
        assert mesh.transport == "webtransport"
        assert mesh.state == "connected"

    in_session(gateway, do)


class Sum(msgspec.Struct):
    total: int


@dataclass
class Pair:
    a: int
    b: int


def test_results_and_arguments_have_the_types_that_are_asked_for(gateway: Gateway) -> None:
    async def add(pair: Pair, context: macula.Context) -> Sum:
        return Sum(pair.a + pair.b)

    async def do(mesh: macula.Mesh) -> None:
        await mesh.serve("demo.add", add, argument=Pair)
        assert await mesh.call("demo.add", Pair(1, 2), result=Sum) == Sum(3)
        with pytest.raises(macula.Invalid):
            await mesh.call("demo.add", Pair(1, 2), result=int)
        with pytest.raises(macula.problems.HandlerFailed) as failed:
            await mesh.call("demo.add", "no pair")
        assert failed.value.handler
        assert failed.value.handler.code == "invalid_argument"

    in_session(gateway, do)


def test_leaving_a_loop_by_an_exception_ends_the_subscription(gateway: Gateway) -> None:
    async def do(mesh: macula.Mesh) -> None:
        subscription = mesh.subscribe("home.**")
        await subscription.ready()
        await mesh.publish("home.x", 1)
        with contextlib.suppress(ValueError):
            async for _ in subscription:
                raise ValueError
        gc.collect()
        assert mesh.status().subscriptions == 0

    in_session(gateway, do)


def test_a_reader_that_waits_is_cancelled_without_losing_what_comes_later(gateway: Gateway) -> None:
    async def do(mesh: macula.Mesh) -> None:
        async with mesh.subscribe("home.**") as subscription:
            deliveries = subscription.deliveries()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(deliveries), 0.05)
            await mesh.publish("home.x", 1)
            found = await anext(deliveries)
            assert isinstance(found, macula.Event)
            assert found.payload == 1

    in_session(gateway, do)


def test_leaving_a_loop_by_cancelling_ends_the_subscription(gateway: Gateway) -> None:
    async def do(mesh: macula.Mesh) -> None:
        async def read() -> None:
            async for _ in mesh.subscribe("home.**"):
                raise AssertionError

        reading = asyncio.create_task(read())
        await until(lambda: mesh.status().subscriptions == 1)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert mesh.status().subscriptions == 0

    in_session(gateway, do)


def test_one_delivery_may_be_waited_for(gateway: Gateway) -> None:
    async def do(mesh: macula.Mesh) -> None:
        async with mesh.subscribe("home.**") as subscription:
            waiting = asyncio.create_task(anext_of(subscription))
            await asyncio.sleep(0)
            await mesh.publish("home.x", 1)
            assert isinstance(await waiting, macula.Event)

    in_session(gateway, do)


async def anext_of(subscription: macula.Subscription) -> macula.Event | macula.Gap:
    return await anext(subscription.deliveries())


def test_a_slow_reader_is_told_what_it_has_missed(gateway: Gateway) -> None:
    gaps: list[macula.Gap] = []

    async def do(mesh: macula.Mesh) -> None:
        async with mesh.subscribe("home.**", queue=4, on_gap=gaps.append) as subscription:
            for number in range(10):
                await mesh.publish("home.x", number)
            await until(lambda: mesh.status().missed == 6)
            await mesh.publish("home.x", 10)
            found = []
            async for event in subscription:
                found.append(event.payload)
                if len(found) == 4:
                    await mesh.publish("home.x", 11)
                if event.payload == 11:
                    break
        assert found == [0, 1, 2, 3, 11]
        assert gaps == [macula.Gap(7, "slow_reader")]

    in_session(gateway, do)


@pytest.mark.parametrize("transport", ["webtransport", "websocket", "sse"])
def test_events_that_are_not_acknowledged_come_in_order(gateway: Gateway, transport: macula.Transport) -> None:
    async def do(mesh: macula.Mesh) -> None:
        async with mesh.subscribe("home.**") as subscription:
            for number in range(100):
                await mesh.publish_unacknowledged("home.x", number)
            deliveries = subscription.deliveries()
            found = [await anext(deliveries) for _ in range(100)]
            assert [isinstance(one, macula.Event) and one.payload for one in found] == list(range(100))

    in_session(gateway, do, transports=[transport])


@pytest.mark.parametrize("transport", ["webtransport", "websocket", "sse"])
@pytest.mark.parametrize("http", [3, 2, 1])
def test_one_certificate_is_trusted_and_no_other(
    gateway: Gateway, transport: macula.Transport, http: macula.Http
) -> None:
    async def run() -> None:
        options: dict[str, Any] = {"transports": [transport], "http": [http]}
        async with macula.connect(gateway.url, certificate_sha256=gateway.certificate_sha256, **options) as mesh:
            assert await mesh.call("system.echo", 1) == 1
        with pytest.raises(macula.ConnectError):
            await macula.connect(gateway.url, certificate_sha256="0" * 64, **options)

    asyncio.run(run())


def test_a_gateway_of_an_authority_that_is_not_trusted_is_not_used(gateway: Gateway) -> None:
    async def run() -> None:
        with pytest.raises(macula.ConnectError):
            await macula.connect(gateway.url)

    asyncio.run(run())


def test_a_value_that_cannot_be_said_is_invalid_and_the_session_goes_on(gateway: Gateway) -> None:
    async def do(mesh: macula.Mesh) -> None:
        for value in (object(), 2**64, {"deep": object()}):
            with pytest.raises(macula.Invalid):
                await mesh.call("system.echo", value)
        assert await mesh.call("system.echo", 1) == 1

    in_session(gateway, do)


@pytest.mark.parametrize("transport", ["webtransport", "websocket"])
def test_a_transport_that_is_abandoned_is_no_end_of_the_session(gateway: Gateway, transport: macula.Transport) -> None:
    async def do(mesh: macula.Mesh) -> None:
        async with mesh.subscribe("home.**") as subscription:
            name, session = mesh.status().session, mesh._session
            wire = session.wire
            assert wire is not None
            wire.abandon()
            session.lost(wire)
            assert mesh.state == "reconnecting"
            await until(lambda: mesh.state == "connected")
            assert (mesh.status().session, mesh.status().reconnects) == (name, 1)
            await mesh.publish("home.x", 1)
            found = await anext(subscription.deliveries())
            assert isinstance(found, macula.Event)

    in_session(gateway, do, transports=[transport])


def test_the_state_is_told_to_whom_it_may_concern(gateway: Gateway) -> None:
    async def run() -> None:
        told: list[macula.State] = []
        mesh = await macula.connect(gateway.url, ca=gateway.ca)
        stop = mesh.on_state(told.append)
        await mesh.close()
        stop()
        assert told == ["closed"]

    asyncio.run(run())


def test_without_async_it_is_the_same(gateway: Gateway) -> None:
    with macula.sync.connect(gateway.url, ca=gateway.ca) as mesh:

        @mesh.serve("sync.add")
        def add(numbers: list[int], context: macula.Context) -> int:
            context.progress("half")
            time.sleep(0.01)
            return sum(numbers)

        assert mesh.call("sync.add", [1, 2], result=int) == 3
        call = mesh.call_streaming("sync.add", [1, 2])
        assert (list(call), call.result()) == (["half"], 3)
        with mesh.subscribe("sync.**") as subscription:
            mesh.publish("sync.x", 5)
            for event in subscription:
                assert event.payload == 5
                break
        assert mesh.status().subscriptions == 0
        assert [item.name for item in mesh.discover("sync.add")] == ["sync.add"]
        add.stop()
        with pytest.raises(macula.problems.ProcedureNotFound):
            mesh.call("sync.add", [1])
    with pytest.raises(macula.Closed):
        mesh.call("sync.add", [1])
    assert mesh.state == "closed"
