"""Live sessions by clients of other stacks: aioquic, qh3 and Deno on WebTransport, websockets on
WebSocket."""

import asyncio
import importlib
import json
import os
import ssl
import subprocess
import threading

import msgpack
import pytest
import websockets

import clients
from server import wait_for
from test_browser import JS

SECONDS = 20


def framed(frame):
    """A frame in MessagePack after its length, a QUIC varint of four bytes."""
    frame = msgpack.packb(frame)
    return (0x8000_0000 + len(frame)).to_bytes(4, "big") + frame


def split(held):
    """The first frame of what came on a stream, and the rest; none if it is not whole."""
    size = held and 1 << (held[0] >> 6)
    if not size or len(held) < size:
        return None, held
    length = int.from_bytes(held[:size], "big") & ((1 << (8 * size - 2)) - 1)
    if len(held) < size + length:
        return None, held
    return msgpack.unpackb(held[size : size + length]), held[size + length :]


def webtransport(library):
    """A session's protocol on `aioquic` or `qh3`, which have the same interface."""
    module = lambda name: importlib.import_module(f"{library}.{name}")
    events, h3 = module("h3.events"), module("h3.connection")
    quic, transport = module("quic.configuration"), module("quic.events")

    class Session(module("asyncio").QuicConnectionProtocol):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            self.http = h3.H3Connection(self._quic, enable_webtransport=True)
            self.status = asyncio.get_running_loop().create_future()
            self.session = self._quic.get_next_available_stream_id()
            self.held = {}
            self.frames = {}
            self.own = set()
            self.opened = asyncio.Queue()
            self.datagrams = asyncio.Queue()

        def queue(self, stream):
            return self.frames.setdefault(stream, asyncio.Queue())

        def quic_event_received(self, event):
            if isinstance(event, transport.StreamDataReceived) and event.stream_id in self.own:
                # The library takes what comes on our own streams for HTTP/3.
                return self.came(event.stream_id, event.data, event.end_stream)
            for event in self.http.handle_event(event):
                if isinstance(event, events.HeadersReceived):
                    self.status.set_result(dict(event.headers)[b":status"])
                elif isinstance(event, events.DatagramReceived):
                    self.datagrams.put_nowait(msgpack.unpackb(event.data))
                elif isinstance(event, events.WebTransportStreamDataReceived):
                    if event.stream_id not in self.frames:
                        self.opened.put_nowait(event.stream_id)
                    self.came(event.stream_id, event.data, event.stream_ended)

        def came(self, stream, data, ended):
            queue = self.queue(stream)
            frame, held = split(self.held.get(stream, b"") + data)
            while frame is not None:
                queue.put_nowait(frame)
                frame, held = split(held)
            self.held[stream] = held
            if ended:
                queue.put_nowait(None)

        async def open(self, authority):
            head = {
                ":method": "CONNECT", ":scheme": "https", ":authority": authority,
                ":path": "/v1/connect", ":protocol": "webtransport",
            }
            self.http.send_headers(self.session, [(k.encode(), v.encode()) for k, v in head.items()])
            self.transmit()
            return await self.status

        def begin(self, frame, end=True):
            """Says a frame on a stream of its own."""
            stream = self.http.create_webtransport_stream(self.session)
            self.own.add(stream)
            self.say(stream, frame, end)
            return stream

        def say(self, stream, frame, end=False):
            self._quic.send_stream_data(stream, framed(frame), end_stream=end)
            self.transmit()

        async def hear(self, stream):
            return await asyncio.wait_for(self.queue(stream).get(), SECONDS)

    def connect(server):
        configuration = quic.QuicConfiguration(
            alpn_protocols=h3.H3_ALPN, is_client=True, max_datagram_frame_size=65536
        )
        configuration.load_verify_locations(cafile=server.ca)
        return module("asyncio").connect(
            "localhost", server.port, configuration=configuration, create_protocol=Session
        )

    return connect


@pytest.mark.parametrize("library", ["aioquic", "qh3"])
def test_webtransport_of_another_stack(server, library):
    asyncio.run(asyncio.wait_for(session_on(server, library), SECONDS))


async def session_on(server, library):
    async with webtransport(library)(server) as session:
        assert await session.open(f"localhost:{server.port}") == b"200"
        control = session.begin({"type": "hello"}, end=False)
        welcome = await session.hear(control)
        assert (welcome["type"], welcome["realm"]) == ("welcome", "dev")

        call = {"type": "call", "id": 1, "procedure": "system.echo", "payload": b"\x00\xff"}
        stream = session.begin(call)
        result = await session.hear(stream)
        assert (result["id"], result["payload"]) == (1, b"\x00\xff")
        assert await session.hear(stream) is None

        name = f"stacks.{library}"
        session.say(control, {"type": "serve", "id": 2, "procedure": name})
        assert await session.hear(control) == {"type": "served", "id": 2}
        curl = asyncio.to_thread(
            clients.Curl(server, "h2").request, "POST", f"/v1/rpc/dev/{name}",
            [("content-type", "application/json")], b"[1,2]",
        )
        calling = asyncio.create_task(curl)
        asked = await asyncio.wait_for(session.opened.get(), SECONDS)
        invoke = await session.hear(asked)
        assert (invoke["type"], invoke["payload"]) == ("invoke", [1, 2])
        session.say(asked, {"type": "result", "id": invoke["id"], "payload": 3}, end=True)
        assert (await calling).value() == 3

        latest = {"type": "subscribe", "id": 3, "pattern": name, "delivery": "latest"}
        events = session.begin(latest)
        assert (await session.hear(events))["type"] == "subscribed"
        session.say(control, {"type": "publish", "topic": name, "payload": 21.5})
        event = await asyncio.wait_for(session.datagrams.get(), SECONDS)
        assert (event["id"], event["event"]["payload"]) == (3, 21.5)


CODECS = {
    "macula.v1.json": (json.dumps, json.loads),
    "macula.v1.msgpack": (msgpack.packb, msgpack.unpackb),
}


@pytest.mark.parametrize("protocol", CODECS)
def test_websocket_of_another_stack(server, protocol):
    asyncio.run(asyncio.wait_for(websocket_with(server, protocol), SECONDS))


def dial(server, protocols, **options):
    trust = ssl.create_default_context(cafile=server.ca)
    url = f"wss://localhost:{server.port}/v1/connect"
    return websockets.connect(url, ssl=trust, subprotocols=protocols, proxy=None, **options)


async def websocket_with(server, protocol):
    write, read = CODECS[protocol]
    async with dial(server, ["other", protocol]) as socket:
        assert socket.subprotocol == protocol

        async def ask(frame):
            await socket.send(write(frame))
            return read(await socket.recv())

        assert (await ask({"type": "hello"}))["type"] == "welcome"
        large = "x" * 200_000
        result = await ask({"type": "call", "id": 1, "procedure": "system.echo", "payload": large})
        assert result["payload"] == large
        # A message in fragments is one frame, and a ping between them is answered.
        half = len(write({"type": "ping", "id": 9})) // 2
        whole = write({"type": "ping", "id": 9})
        await socket.send([whole[:half], whole[half:]])
        await (await socket.ping())
        assert read(await socket.recv()) == {"type": "pong", "id": 9}


def test_a_page_of_another_origin_and_a_wrong_subprotocol_are_refused(server):
    async def refused(expected, protocols, **options):
        with pytest.raises(websockets.InvalidStatus) as caught:
            async with dial(server, protocols, **options):
                pass
        response = caught.value.response
        assert json.loads(response.body)["code"] == expected, response
        return response.status_code

    assert asyncio.run(refused("forbidden", None, origin="https://evil.example")) == 403
    assert asyncio.run(refused("invalid_request", ["other"])) == 400


def test_deno_serves_and_reads_over_webtransport(server):
    command = [JS / "node_modules/@deno/linux-x64-glibc/deno", "run", "--unstable-net", "--allow-net", "--no-config"]
    command += [JS / "deno.mjs", server.url, server.ready["certificate_sha256"]]
    environment = {**os.environ, "NO_COLOR": "1", "DENO_NO_UPDATE_CHECK": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment) as deno:
        watchdog = threading.Timer(3 * SECONDS, deno.kill)
        watchdog.start()
        try:
            hear = lambda: json.loads(deno.stdout.readline() or json.dumps(deno.stderr.read()))
            assert hear() == {"status": "WebTransport"}
            curl = clients.Curl(server, "h2")
            kind = [("content-type", "application/json")]
            post = lambda path, value: curl.request("POST", path, kind, json.dumps(value).encode())
            add = lambda: post("/v1/rpc/dev/deno.add", {"a": 2, "b": 3})
            sum = wait_for("deno to serve", lambda: (answer := add()).status == 200 and answer)
            assert sum.value() == 5
            assert hear() == {"procedure": "deno.add", "result": 5}
            for number in range(5):
                post("/v1/publish/dev/deno.clock", number)
                assert hear() == {"topic": "deno.clock", "payload": number}
        finally:
            watchdog.cancel()
            deno.kill()
