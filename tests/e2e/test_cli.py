"""The program as a client: what it prints, how it ends."""

import json
import os
import signal
import subprocess

import pytest

import clients
from server import BINARY, wait_for

SECONDS = 30


def run(server, *arguments, stdin=None, url=None):
    """Runs a command to its end; what it printed as JSON, its errors, and its exit code."""
    command = [BINARY, *arguments, "--url", url or server.url, "--ca", server.ca]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MACULA_")}
    done = subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=SECONDS, env=environment
    )
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr, done.returncode


@pytest.fixture
def serving(server):
    """Starts `macula serve`, which is interrupted after the test."""
    started = []

    def serve(procedure, command, *options):
        command = [BINARY, "serve", "dev", procedure, "--exec", command, *options]
        command += ["--url", server.url, "--ca", server.ca]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        assert json.loads(process.stdout.readline()) == {"serving": procedure}
        return process

    yield serve
    for process in started:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=SECONDS)


@pytest.mark.parametrize("transport", ["auto", "webtransport", "websocket"])
def test_call_and_its_progress(server, transport):
    on = ["--transport", transport]
    assert run(server, "call", "dev", "system.echo", '{"a":[1]}', *on) == ([{"a": [1]}], "", 0)
    assert run(server, "call", "dev", "system.echo", "-", *on, stdin='"in"') == (["in"], "", 0)
    told, _, code = run(
        server, "call", "dev", "system.count", '{"to":2,"delay_ms":1}', "--progress", *on
    )
    assert (told, code) == ([{"progress": 1}, {"progress": 2}, {"counted": 2}], 0)


def test_publish_and_subscribe(server):
    ids = [run(server, "publish", "dev", "cli.a", str(n))[0][0]["id"] for n in range(3)]
    events, _, code = run(server, "subscribe", "dev", "cli.*", "--replay", "3", "--count", "3")
    assert code == 0
    assert [(event["id"], event["payload"]) for event in events] == list(zip(ids, range(3)))


def test_a_command_answers_calls_and_stops_at_once(server, serving):
    process = serving("cli.upper", "tr a-z A-Z", "--description", "shouts")
    found, _, _ = run(server, "discover", "dev", "cli.*")
    assert [(item["name"], item["description"]) for item in found if item["kind"] == "procedure"] == [
        ("cli.upper", "shouts")
    ]
    assert run(server, "call", "dev", "cli.upper", '"hello"')[0] == ["HELLO"]
    curl = clients.Curl(server, "h2")
    headers = [("content-type", "application/json")]
    answer = curl.request("POST", "/v1/rpc/dev/cli.upper", headers, b'"curl"')
    assert answer.value() == "CURL"
    process.send_signal(signal.SIGINT)
    assert process.wait(SECONDS) == 130
    errors = run(server, "call", "dev", "cli.upper", '"late"')[1]
    assert json.loads(errors)["code"] == "procedure_not_found"


def test_a_command_that_is_told_to_end_serves_no_more(server, serving):
    process = serving("cli.brief", "cat")
    process.terminate()
    assert process.wait(SECONDS) == 130
    errors = run(server, "call", "dev", "cli.brief", '"late"')[1]
    assert json.loads(errors)["code"] == "procedure_not_found"


def test_a_command_that_fails_talks_too_much_or_takes_too_long(server, serving, tmp_path):
    serving("cli.fails", "echo so sad >&2; exit 3")
    error = json.loads(run(server, "call", "dev", "cli.fails")[1])
    assert (error["code"], error["handler"]["code"]) == ("handler_failed", "exit")
    assert "so sad" in error["handler"]["detail"]
    serving("cli.floods", "head -c 2000000 /dev/zero")
    error = json.loads(run(server, "call", "dev", "cli.floods")[1])
    assert error["handler"]["code"] == "too_large"
    pids = tmp_path / "pids"
    serving("cli.sleeps", f"sleep 1000 & echo $$ $! > {pids}; wait")
    error = json.loads(run(server, "call", "dev", "cli.sleeps", "--timeout", "0.5")[1])
    assert error["code"] == "timeout"
    shell, started = pids.read_text().split()
    wait_for("the command's end", lambda: not os.path.exists(f"/proc/{shell}"))
    wait_for("the end of what it has started", lambda: not os.path.exists(f"/proc/{started}"))


def test_exit_codes(server):
    assert run(server, "call", "dev", "no.such")[2] == 1
    assert run(server, "call", "dev", "a..b")[2] == 2
    assert run(server, "call", "dev", "system.echo", "{")[2] == 2
    assert run(server, "call", "dev", "system.echo", "--transport", "pigeon")[2] == 2
    assert run(server, "call", "dev", "system.echo", url="https://localhost:1")[2] == 3
    assert run(server, "call", "closed", "system.echo")[2] == 4
    assert run(server, "call", "dev", "system.echo", "--token", "guess")[2] == 4


def test_status_and_doctor(server):
    (status,), _, code = run(server, "status")
    assert (status["realm"], status["transport"], code) == ("dev", "WebTransport", 0)
    stages, _, code = run(server, "doctor", server.url)
    assert code == 0, stages
    assert [stage["stage"] for stage in stages if stage["ok"]] == [
        "name", "TCP", "TLS", "HTTP/2", "UDP", "HTTP/3", "WebTransport", "WebSocket", "session",
    ]
    # Nobody is there: what needs what failed is not tried.
    stages, _, code = run(server, "doctor", "https://localhost:1")
    assert code == 1
    tried = {stage["stage"]: stage.get("ok") for stage in stages}
    assert (tried["name"], tried["TCP"], tried["TLS"], tried["WebTransport"]) == (True, False, None, None)
    assert all("advice" in stage for stage in stages if stage.get("ok") is False)


def test_completions():
    for shell in ["bash", "zsh", "fish"]:
        done = subprocess.run([BINARY, "completions", shell], capture_output=True, text=True)
        assert done.returncode == 0 and "subscribe" in done.stdout
