"""Real clients behind one small interface: `request` and `stream`.

- `h1`, `h2`: the curl of the system
- `h3`: a libcurl that speaks HTTP/3 (curl_cffi)
- `qh3`: an independent QUIC and HTTP/3 stack
"""

import asyncio
import dataclasses
import json
import queue
import subprocess
import tempfile
import threading

import curl_cffi
import msgpack
from curl_cffi.curl import CURL_WRITEFUNC_ERROR
from qh3.asyncio import QuicConnectionProtocol, connect
from qh3.h3.connection import H3_ALPN, H3Connection
from qh3.h3.events import DataReceived, HeadersReceived
from qh3.quic.configuration import QuicConfiguration
from qh3.quic.events import ConnectionTerminated, StreamReset

PROTOCOLS = ["h1", "h2", "h3", "qh3"]
SECONDS = 30
END = object()


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def media_type(self):
        return self.headers.get("content-type", "")

    def value(self):
        if self.media_type.endswith("msgpack"):
            return msgpack.unpackb(self.body)
        return json.loads(self.body)


def client(server, protocol):
    kind = {"h1": Curl, "h2": Curl, "h3": CurlCffi, "qh3": Qh3}[protocol]
    return kind(server, protocol)


class Stream:
    """Lines of Server-Sent Events, read by a thread of their own."""

    def __init__(self, close):
        self.lines = queue.Queue()
        self.close = close

    def event(self, seconds=SECONDS):
        """The next event as (name, id, data); None at the end. Comments and `retry` are left out."""
        fields = {}
        while True:
            line = self.lines.get(timeout=seconds)
            if line is END:
                return None
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value
            elif not line and "data" in fields:
                return fields.get("event"), fields.get("id"), json.loads(fields["data"])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Curl:
    """The system's curl, a process a request."""

    def __init__(self, server, protocol):
        self.server = server
        self.flag = {"h1": "--http1.1", "h2": "--http2"}[protocol]
        self.version = {"h1": "1.1", "h2": "2"}[protocol]

    def command(self, method, path, headers, body):
        command = ["curl", "-sS", "--path-as-is", "--globoff", self.flag, "--cacert", self.server.ca]
        command += ["-X", method] if method != "HEAD" else ["--head"]
        for name, value in headers:
            command += ["-H", f"{name}: {value}"]
        if body is not None:
            command += ["--data-binary", "@-"]
            if not any(name.lower() == "content-type" for name, _ in headers):
                command += ["-H", "content-type:"]
        return [*command, self.server.url + path]

    def request(self, method, path, headers=(), body=None):
        with tempfile.NamedTemporaryFile() as head:
            command = self.command(method, path, headers, body)
            if method != "HEAD":
                command += ["-D", head.name]
            command += ["-w", "%{stderr}%{http_version}"]
            done = subprocess.run(command, input=body, capture_output=True, timeout=SECONDS)
            assert done.returncode == 0, done.stderr
            assert done.stderr.decode() == self.version
            text = done.stdout if method == "HEAD" else head.read()
        blocks = [block for block in text.decode().split("\r\n\r\n") if block]
        status, *lines = blocks[-1].split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines if ": " in line)
        fields = {name.lower(): value for name, value in fields.items()}
        return Answer(int(status.split()[1]), fields, b"" if method == "HEAD" else done.stdout)

    def stream(self, path, headers=(), method="GET", body=None):
        command = self.command(method, path, headers, body) + ["-N"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if body:
            process.stdin.write(body)
        process.stdin.close()
        stream = Stream(lambda: (process.kill(), process.wait()))

        def read():
            for line in process.stdout:
                stream.lines.put(line.decode().rstrip("\n"))
            stream.lines.put(END)

        threading.Thread(target=read, daemon=True).start()
        return stream


class CurlCffi:
    """A libcurl that speaks HTTP/3 and nothing else."""

    def __init__(self, server, _):
        self.server = server
        self.session = self.open()

    def open(self):
        return curl_cffi.requests.Session(
            http_version=curl_cffi.CurlHttpVersion.V3ONLY,
            verify=self.server.ca,
            default_headers=False,
            curl_options={curl_cffi.CurlOpt.PATH_AS_IS: 1},
        )

    def fields(self, headers, body):
        fields = dict(headers)
        names = {name.lower() for name in fields}
        if body is not None and "content-type" not in names:
            fields["content-type"] = None
        return {"accept": None, "accept-encoding": None, **fields}

    def request(self, method, path, headers=(), body=None):
        answer = self.session.request(
            method,
            self.server.url + path,
            headers=self.fields(headers, body),
            data=body,
            timeout=SECONDS,
            quote=False,
        )
        assert answer.http_version == 30, answer.http_version
        fields = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(answer.status_code, fields, answer.content)

    def stream(self, path, headers=(), method="GET", body=None):
        session = self.open()
        ended = threading.Event()
        stream = Stream(ended.set)
        rest = b""

        def write(chunk):
            nonlocal rest
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                stream.lines.put(line.decode())
            return CURL_WRITEFUNC_ERROR if ended.is_set() else len(chunk)

        def read():
            try:
                session.request(
                    method,
                    self.server.url + path,
                    headers=self.fields(headers, body),
                    data=body,
                    content_callback=write,
                    timeout=None,
                    quote=False,
                )
            except curl_cffi.CurlError:
                pass
            session.close()
            stream.lines.put(END)

        threading.Thread(target=read, daemon=True).start()
        return stream


class Protocol(QuicConnectionProtocol):
    """HTTP/3 of qh3: queues what comes on each stream."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.http = H3Connection(self._quic)
        self.streams = {}

    def ask(self, server, method, path, headers, body):
        stream = self._quic.get_next_available_stream_id()
        self.streams[stream] = asyncio.Queue()
        fields = [
            (":method", method),
            (":scheme", "https"),
            (":authority", f"localhost:{server.port}"),
            (":path", path),
            *((name.lower(), value) for name, value in headers),
        ]
        fields = [(name.encode(), str(value).encode()) for name, value in fields]
        self.http.send_headers(stream, fields, end_stream=body is None)
        if body is not None:
            self.http.send_data(stream, body, end_stream=True)
        self.transmit()
        return stream

    def quic_event_received(self, event):
        if isinstance(event, StreamReset) and event.stream_id in self.streams:
            self.streams[event.stream_id].put_nowait(None)
        if isinstance(event, ConnectionTerminated):
            for events in self.streams.values():
                events.put_nowait(None)
        for event in self.http.handle_event(event):
            if isinstance(event, (HeadersReceived, DataReceived)):
                self.streams[event.stream_id].put_nowait(event)


class Qh3:
    """qh3, a stack that shares nothing with the server's."""

    def __init__(self, server, _):
        self.server = server

    def connect(self):
        configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN)
        configuration.load_verify_locations(self.server.ca)
        configuration.server_name = "localhost"
        return connect(
            "127.0.0.1", self.server.port, configuration=configuration, create_protocol=Protocol
        )

    def request(self, method, path, headers=(), body=None):
        return self.requests([(method, path, headers, body)])[0]

    def requests(self, asked):
        """Several requests, one after the other, on one connection."""

        async def run():
            async with self.connect() as protocol:
                return [await self.answer(protocol, *one) for one in asked]

        return asyncio.run(asyncio.wait_for(run(), SECONDS))

    async def answer(self, protocol, method, path, headers=(), body=None):
        stream = protocol.ask(self.server, method, path, headers, body)
        fields, content = {}, b""
        while True:
            event = await protocol.streams[stream].get()
            assert event is not None, f"{method} {path} was reset"
            if isinstance(event, HeadersReceived):
                fields |= {name.decode(): value.decode() for name, value in event.headers}
            elif isinstance(event, DataReceived):
                content += event.data
            if event.stream_ended:
                return Answer(int(fields.pop(":status")), fields, content)

    def stream(self, path, headers=(), method="GET", body=None):
        loop = asyncio.new_event_loop()
        tasks = []
        stream = Stream(lambda: loop.call_soon_threadsafe(tasks[0].cancel))

        async def run():
            rest = b""
            async with self.connect() as protocol:
                opened = protocol.ask(self.server, method, path, headers, body)
                while True:
                    event = await protocol.streams[opened].get()
                    if isinstance(event, DataReceived):
                        *lines, rest = (rest + event.data).split(b"\n")
                        for line in lines:
                            stream.lines.put(line.decode())
                    if event is None or event.stream_ended:
                        return

        def read():
            tasks.append(loop.create_task(run()))
            try:
                loop.run_until_complete(tasks[0])
            except asyncio.CancelledError:
                pass
            stream.lines.put(END)

        threading.Thread(target=read, daemon=True).start()
        return stream
