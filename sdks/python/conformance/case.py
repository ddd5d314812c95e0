"""Does one case of sdks/conformance with this SDK."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from handlers import Handlers
from stage import Gateway
from values import includes, same, value_of

import macula

WAIT = 15.0
"""How long any wait of a case may take, in seconds."""
POLL = 0.02

KINDS = {
    "problem": macula.Problem,
    "lost": macula.Lost,
    "closed": macula.Closed,
    "connect": macula.ConnectError,
    "invalid": macula.Invalid,
    "aborted": asyncio.CancelledError,
}

Step = dict[str, Any]


@dataclass
class Client:
    """A client, and how it came to its token."""

    mesh: macula.Mesh | None = None
    token: str | None = None
    renewed: int = 0


@dataclass
class Called:
    """A call that goes on."""

    end: asyncio.Task[Any]
    progress: list[Any] = field(default_factory=list)


@dataclass
class Reader:
    """A subscription that is read."""

    subscription: macula.Subscription
    deliveries: Any
    last: str | None = None


async def run(case: dict[str, Any], control: str, transport: str) -> None:
    """Runs it; raises what is not as it should be."""
    gateway = await Gateway.open(control, case.get("settings", {}))
    stepping = Case(gateway, transport)
    failure: Exception | None = None
    for step in case["steps"]:
        try:
            await stepping.do(step)
        except Exception as error:
            error.add_note(f"in the step {step}")
            failure = error
            break
    try:
        await stepping.end()
    except Exception as error:
        failure = failure or error
    if failure is not None:
        raise failure


class Case:
    """A case, step by step."""

    def __init__(self, gateway: Gateway, transport: str) -> None:
        self._gateway = gateway
        self._transport, _, http = transport.partition("-h")
        self._http = int(http or 2)
        self._handlers = Handlers()
        self._clients: dict[str, Client] = {}
        self._services: dict[str, macula.Service] = {}
        self._calls: dict[str, Called] = {}
        self._readers: dict[str, Reader] = {}

    async def do(self, step: Step) -> None:
        """Does a step, within the time that a wait may take."""
        name = next(member for member in step if hasattr(self, f"_do_{member}"))
        act: Callable[[Step], Awaitable[None]] = getattr(self, f"_do_{name}")
        async with asyncio.timeout(WAIT + 1):
            await act(step)

    async def end(self) -> None:
        """Closes all clients, and the gateway."""
        try:
            async with asyncio.timeout(WAIT):
                await asyncio.gather(*(client.mesh.close() for client in self._clients.values() if client.mesh))
        finally:
            await self._gateway.close()

    def _mesh(self, name: str) -> macula.Mesh:
        mesh = self._clients[name].mesh
        assert mesh is not None
        return mesh

    async def _do_connect(self, step: Step) -> None:
        client = self._clients[step["connect"]] = Client()
        asked = step.get("options", {})
        given = self._options(asked, step.get("on"))
        if asked.get("token"):
            client.token = given["token"] = (await self._gateway.act("tokens"))["token"]
        if asked.get("renew"):

            async def renew() -> str:
                client.renewed += 1
                client.token = (await self._gateway.act("tokens"))["token"]
                return client.token or ""

            given["renew"] = renew

        def connected(mesh: macula.Mesh) -> None:
            client.mesh = mesh

        await expect(macula.connect(self._gateway.url, **given), step, connected)

    def _options(self, asked: dict[str, Any], on: str | None) -> dict[str, Any]:
        live = "websocket" if self._transport == "sse" else self._transport
        transport = live if on == "live" else on or self._transport
        given: dict[str, Any] = {"ca": self._gateway.ca, "http": [self._http]}
        if not asked.get("automatic"):
            given["transports"] = [transport]
        given |= {name: asked[name] for name in ("encoding", "subject", "realm") if name in asked}
        if "patience_ms" in asked:
            given["patience"] = asked["patience_ms"] / 1_000
        if "close_ms" in asked:
            given["close_timeout"] = asked["close_ms"] / 1_000
        return given

    async def _do_serve(self, step: Step) -> None:
        async def serve() -> macula.Service:
            handler = self._handlers.named(step["handler"])
            options = step.get("options", {})
            return await self._mesh(step["by"]).serve(step["serve"], handler, on_error=lambda _: None, **options)

        def served(service: macula.Service) -> None:
            self._services[f"{step['by']} {step['serve']}"] = service

        await expect(serve(), step, served)

    async def _do_unserve(self, step: Step) -> None:
        self._services[f"{step['by']} {step['unserve']}"].stop()

    async def _do_call(self, step: Step) -> None:
        asked = step.get("options", {})
        given = {name: asked[name] for name in ("idempotency_key", "headers") if name in asked}
        if "timeout_ms" in asked:
            given["timeout"] = asked["timeout_ms"] / 1_000
        mesh, argument, progress = self._mesh(step["by"]), value_of(step.get("argument")), list[Any]()

        async def stream() -> Any:
            call = mesh.call_streaming(step["call"], argument, **given)
            async for told in call:
                progress.append(told)
            return await call.result()

        ask = stream() if "progress" in step else mesh.call(step["call"], argument, **given)
        called = Called(asyncio.create_task(ask), progress)
        if "as" in step:
            self._calls[step["as"]] = called
        else:
            await self._end(called, step)

    async def _end(self, called: Called, step: Step) -> None:
        def check_result(found: Any) -> None:
            check(same(value_of(step.get("result")), found), step.get("result"), found)

        await expect(asyncio.shield(called.end), step, check_result)
        if "progress" in step:
            check(same(value_of(step["progress"]), called.progress), step["progress"], called.progress)

    async def _do_await(self, step: Step) -> None:
        await self._end(self._calls[step["await"]], step)

    async def _do_abort(self, step: Step) -> None:
        self._calls[step["abort"]].end.cancel()

    async def _do_publish(self, step: Step) -> None:
        mesh = self._mesh(step["by"])
        if "numbers" in step:
            for number in range(*step["numbers"]):
                await mesh.publish(step["publish"], number)
        else:
            payload, options = value_of(step.get("payload")), step.get("options", {})
            await expect(mesh.publish(step["publish"], payload, **options), step)

    async def _do_outside(self, step: Step) -> None:
        first, last = step["numbers"]
        await self._gateway.act("publish", {"topic": step["outside"], "from": first, "to": last})

    async def _do_subscribe(self, step: Step) -> None:
        after = self._readers[step["after"]].last if "after" in step else None

        async def subscribe() -> macula.Subscription:
            mesh = self._mesh(step["by"])
            subscription = mesh.subscribe(step["subscribe"], after=after, **step.get("options", {}))
            await subscription.ready()
            return subscription

        def subscribed(subscription: macula.Subscription) -> None:
            self._readers[step["as"]] = Reader(subscription, subscription.deliveries())

        await expect(subscribe(), step, subscribed)

    async def _do_receive(self, step: Step) -> None:
        reader = self._readers[step["receive"]]
        if "gap" in step:
            found = await anext(reader.deliveries)
            check(isinstance(found, macula.Gap) and includes(step["gap"], found), step["gap"], found)
        for expected in step.get("events", []):
            event = await self._event(reader)
            check(includes(value_of(expected), event), expected, event)
        for number in range(*step.get("numbers", [0])):
            event = await self._event(reader)
            check(same(number, event.payload), number, event)

    async def _event(self, reader: Reader) -> macula.Event:
        found = await anext(reader.deliveries)
        check(isinstance(found, macula.Event), "an event", found)
        reader.last = found.id
        return found  # type: ignore[no-any-return]

    async def _do_leave(self, step: Step) -> None:
        # Nobody holds the loop any more then, as after a `break`.
        del self._readers[step["leave"]].deliveries

    async def _do_discover(self, step: Step) -> None:
        items = await self._mesh(step["by"]).discover(step["discover"])
        for expected in step["finds"]:
            check(any(includes(expected, item) for item in items), expected, items)

    async def _do_release(self, step: Step) -> None:
        self._handlers.release(step["release"])

    async def _do_handled(self, step: Step) -> None:
        await until(step["times"], lambda: self._handlers.handled[step["handled"]])

    async def _do_cancelled(self, step: Step) -> None:
        await until(step["times"], lambda: self._handlers.cancelled[step["cancelled"]])

    async def _do_cut(self, step: Step) -> None:
        await self._gateway.act("cut", {"udp": step["cut"] != "tcp", "tcp": step["cut"] != "udp"})

    async def _do_heal(self, _: Step) -> None:
        await self._gateway.act("heal")

    async def _do_drop(self, _: Step) -> None:
        await self._gateway.act("drop")

    async def _do_state(self, step: Step) -> None:
        mesh = self._mesh(step["state"])
        await until(step["is"], lambda: mesh.state)
        if "transport" in step:
            await until(step["transport"], lambda: mesh.transport)

    async def _do_restart(self, _: Step) -> None:
        await self._gateway.act("restart")

    async def _do_expire(self, step: Step) -> None:
        await self._gateway.act("expire", {"token": self._clients[step["expire"]].token})

    async def _do_renewed(self, step: Step) -> None:
        await until(step["times"], lambda: self._clients[step["renewed"]].renewed)

    async def _do_gateway(self, step: Step) -> None:
        found = -1

        async def look() -> int:
            return await self._gateway.metric(step["gateway"])

        deadline = asyncio.get_running_loop().time() + WAIT
        while (found := await look()) != step["is"]:
            check(asyncio.get_running_loop().time() < deadline, step["is"], found)
            await asyncio.sleep(POLL)

    async def _do_close(self, step: Step) -> None:
        await self._mesh(step["close"]).close()


async def expect(asking: Awaitable[Any], step: Step, good: Callable[[Any], None] = lambda _: None) -> None:
    """Waits for what the step says: a good end, or an error of a kind."""
    fails = step.get("fails")
    if fails is None:
        good(await asking)
        return
    try:
        found = await asking
    except (macula.MaculaError, asyncio.CancelledError) as error:
        members = {name: value for name, value in fails.items() if name not in ("kind", "handler")}
        handler = fails.get("handler", {})
        is_same = includes(members, error) and includes(handler, getattr(error, "handler", None))
        if not isinstance(error, KINDS[fails["kind"]]) or not is_same:
            raise AssertionError(f"expected {fails}, found {error!r}") from error
    else:
        raise AssertionError(f"expected {fails}, found {found!r}")


def check(good: bool, expected: Any, found: Any) -> None:
    assert good, f"expected {expected}, found {found!r}"


async def until(expected: Any, look: Callable[[], Any]) -> None:
    deadline = asyncio.get_running_loop().time() + WAIT
    while (found := look()) != expected:
        check(asyncio.get_running_loop().time() < deadline, expected, f"{found} to the end")
        await asyncio.sleep(POLL)
