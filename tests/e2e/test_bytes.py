"""Bytes that no client sends: malformed, slow, oversized. The node answers or closes, and goes on."""

import socket
import ssl
import time

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest

import clients

CONFIG = """
[transport]
header_seconds = 1
handshake_seconds = 1
[api]
body_seconds = 1
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    from server import Server

    server = Server(tmp_path_factory.mktemp("bytes"), CONFIG)
    yield server
    assert clients.client(server, "h1").request("GET", "/readyz").status == 200
    server.end()


def connect(server, alpn):
    context = ssl.create_default_context(cafile=server.ca)
    context.set_alpn_protocols([alpn])
    stream = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    return context.wrap_socket(stream, server_hostname="localhost")


def read_all(stream):
    """Everything until the node closes."""
    received = b""
    try:
        while chunk := stream.recv(65536):
            received += chunk
    except (ConnectionResetError, ssl.SSLError):
        pass
    return received


@pytest.mark.parametrize(
    "sent, status",
    [
        (b"\x00\x01\x02\x03\r\n\r\n", b"400"),
        (b"GET /healthz HTTP/9.9\r\n\r\n", b"400"),
        (b"GET /healthz HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
        (b"GET /healthz HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n", b"400"),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nhost: a\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 500 + b"\r\n", b"431"),
    ],
)
def test_malformed_http1_is_answered_and_closed(server, sent, status):
    with connect(server, "http/1.1") as stream:
        stream.sendall(sent)
        answer = read_all(stream)
    assert answer.split(b" ")[1][:3] == status, answer[:200]


@pytest.mark.parametrize("chunk", [b"zz\r\n", b"ffffffffffffffffff\r\n", b"5\r\nab"])
def test_a_malformed_or_missing_chunk_is_no_hang(server, chunk):
    head = b"POST /v1/rpc/dev/system.echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
    with connect(server, "http/1.1") as stream:
        stream.sendall(head + chunk)
        answer = read_all(stream)
    assert answer.startswith(b"HTTP/1.1 400") and b"invalid_request" in answer, answer[:300]


def test_a_head_that_comes_too_slowly_is_given_up(server):
    started = time.monotonic()
    with connect(server, "http/1.1") as stream:
        stream.sendall(b"GET /healthz HTTP/1.1\r\nhost:")
        read_all(stream)
    assert 0.5 < time.monotonic() - started < 8


def test_a_body_that_does_not_come_is_given_up(server):
    head = b"POST /v1/publish/dev/a HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n"
    with connect(server, "http/1.1") as stream:
        stream.sendall(head)
        answer = stream.recv(65536)
    assert b"invalid_request" in answer and b"within 1 s" in answer


def test_a_handshake_that_does_not_come_is_given_up(server):
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as stream:
        assert stream.recv(1) == b""
    assert 0.5 < time.monotonic() - started < 8


def test_plain_http_on_the_tls_port_is_refused(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as stream:
        stream.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert b"HTTP/1.1 200" not in read_all(stream)


@pytest.mark.parametrize(
    "frame",
    [
        b"\xff\xff\xff\x00\x00\x00\x00\x00\x01",  # DATA longer than any frame may be
        b"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00",  # WINDOW_UPDATE of nothing
        b"\x00\x00\x01\x00\x00\x00\x00\x00\x01x",  # DATA on a stream that is not open
        b"\x00\x00\x02\x01\x04\x00\x00\x00\x01\xff\xff",  # HEADERS that are no HPACK
    ],
)
def test_malformed_http2_frames_close_their_connection_alone(server, frame):
    with connect(server, "h2") as stream:
        connection = h2.connection.H2Connection()
        connection.initiate_connection()
        stream.sendall(connection.data_to_send() + frame)
        read_all(stream)
    assert clients.client(server, "h2").request("GET", "/healthz").status == 200


def test_http2_streams_are_bounded_and_others_go_on(server):
    with connect(server, "h2") as stream:
        connection = h2.connection.H2Connection(h2.config.H2Configuration())
        connection.initiate_connection()
        stream.sendall(connection.data_to_send())
        settings = None
        while settings is None:
            for event in connection.receive_data(stream.recv(65536)):
                if isinstance(event, h2.events.RemoteSettingsChanged):
                    settings = event.changed_settings
        codes = h2.settings.SettingCodes
        assert settings[codes.MAX_CONCURRENT_STREAMS].new_value == 1024
        assert settings[codes.MAX_HEADER_LIST_SIZE].new_value == 16384
