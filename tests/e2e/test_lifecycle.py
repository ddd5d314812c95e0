"""How a node starts and ends."""

import json
import signal
import subprocess
import threading
import time

import pytest

import clients
from server import BINARY, wait_for

JSON = ("content-type", "application/json")


@pytest.mark.parametrize("protocol", clients.PROTOCOLS)
def test_a_drain_finishes_what_is_in_flight_and_tells_readers(start, protocol):
    server = start()
    client = clients.client(server, protocol)
    answers = []

    def call():
        count = json.dumps({"to": 10, "delay_ms": 100}).encode()
        answers.append(client.request("POST", "/v1/rpc/dev/system.count", [JSON], count))

    reader = clients.client(server, protocol).stream("/v1/subscribe/dev/a")
    assert reader.event()[0] == "subscribed"
    caller = threading.Thread(target=call)
    caller.start()
    wait_for("the call to begin", lambda: server.metric("macula_calls") == 1)
    started = time.monotonic()
    server.signal()
    name, _, problem = reader.event()
    assert (name, problem["code"]) == ("error", "draining")
    assert reader.event() is None
    caller.join()
    assert answers[0].value() == {"counted": 10}
    assert server.wait() == 0
    assert time.monotonic() - started < 8


def test_what_does_not_end_within_the_drain_time_is_cut_off(start):
    server = start("[transport]\ndrain_seconds = 1\n")
    client = clients.client(server, "h2")
    count = json.dumps({"to": 1000, "delay_ms": 100}).encode()
    headers = [JSON, ("accept", "text/event-stream")]
    path = "/v1/rpc/dev/system.count?timeout_ms=100000"
    with client.stream(path, headers, "POST", count) as stream:
        stream.event()
        started = time.monotonic()
        server.signal()
        server.wait()
        assert time.monotonic() - started < 6


def test_a_second_signal_ends_a_node_at_once(tmp_path):
    from server import Server

    server = Server(tmp_path)
    client = clients.client(server, "h1")
    count = json.dumps({"to": 1000, "delay_ms": 100}).encode()
    caller = threading.Thread(
        target=lambda: subprocess.run(
            client.command("POST", "/v1/rpc/dev/system.count?timeout_ms=60000", [JSON], b""),
            input=count,
            capture_output=True,
        )
    )
    caller.start()
    wait_for("the call to begin", lambda: server.metric("macula_calls") == 1)
    server.signal(signal.SIGINT)
    wait_for("the drain", lambda: "draining" in server.log.read_text())
    server.signal(signal.SIGTERM)
    assert server.wait() == 128 + signal.SIGTERM
    caller.join()


def test_a_data_directory_has_one_node(start):
    server = start()
    command = [BINARY, "up", "--listen", "127.0.0.1:0", "--data-dir", server.directory / "data"]
    second = subprocess.run(command, capture_output=True, text=True, timeout=10)
    assert second.returncode == 1
    assert "another node uses" in second.stderr


def test_a_node_listens_on_both_families_on_one_port(start):
    server = start(listen=["127.0.0.1:0", "[::1]:0"])
    assert server.ready["listen"] == [f"127.0.0.1:{server.port}", f"[::1]:{server.port}"]
    command = ["curl", "-sS6", "--cacert", server.ca, server.url + "/healthz"]
    assert b"ok" in subprocess.run(command, capture_output=True).stdout


def test_tcp_says_where_http3_is(server):
    for protocol in ("h1", "h2"):
        answer = clients.client(server, protocol).request("GET", "/healthz")
        assert answer.headers["alt-svc"] == f'h3=":{server.port}"; ma=86400'


def test_the_printed_lines_work(start):
    server = start()
    lines = [line.strip() for line in server.out.read_text().splitlines() if "curl " in line]
    assert len(lines) == 3
    outputs = []
    for line in lines:
        limit = "timeout 2 " if "/subscribe/" in line else ""
        done = subprocess.run(limit + line + " -sS", shell=True, capture_output=True, text=True)
        outputs.append(done.stdout)
    assert outputs[0] == '{"hello":"mesh"}'
    assert list(json.loads(outputs[1])) == ["id"]
    assert '"payload":{"celsius":21.5}' in outputs[2]


def test_an_unknown_setting_is_named_with_its_line(tmp_path):
    path = tmp_path / "macula.toml"
    path.write_text("[transport]\nidle_secnds = 1\n")
    command = [BINARY, "up", "--config", path, "--data-dir", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    assert done.returncode != 0
    assert "line 2" in done.stderr and "idle_secnds" in done.stderr
