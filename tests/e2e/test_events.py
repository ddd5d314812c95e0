"""Events from each protocol to each protocol, and what becomes of them when a reader goes."""

import http.client
import json
import signal
import ssl
import subprocess
import threading

import pytest

import clients

PAIRS = [(a, b) for a in clients.PROTOCOLS for b in clients.PROTOCOLS]
JSON = ("content-type", "application/json")


def publish(server, topic, payloads):
    """Publishes one after the other on one connection; gives the ids."""
    context = ssl.create_default_context(cafile=server.ca)
    connection = http.client.HTTPSConnection("localhost", server.port, context=context)
    ids = []
    for payload in payloads:
        connection.request("POST", f"/v1/publish/dev/{topic}", payload, dict([JSON]))
        answer = connection.getresponse()
        assert answer.status == 202
        ids.append(json.loads(answer.read())["id"])
    connection.close()
    return ids


@pytest.mark.parametrize("sender, reader", PAIRS)
def test_messagepack_from_one_protocol_arrives_as_json_on_another(server, sender, reader):
    topic = f"pairs.{sender}.{reader}"
    with clients.client(server, reader).stream(f"/v1/subscribe/dev/{topic}") as stream:
        assert stream.event()[0] == "subscribed"
        headers = [("content-type", "application/msgpack"), ("macula-header-from", sender)]
        sent = clients.client(server, sender).request(
            "POST", f"/v1/publish/dev/{topic}", headers, b"\x82\xa1n\x07\xa1b\xc4\x01\xff"
        )
        assert sent.status == 202
        name, event_id, event = stream.event()
    assert (name, event_id) == ("message", sent.value()["id"])
    assert event["payload"] == {"n": 7, "b": {"$bytes": "/w=="}}
    assert event["content_type"] == "application/msgpack"
    assert event["headers"] == {"from": sender}
    assert event["topic"] == topic


@pytest.mark.parametrize("protocol", clients.PROTOCOLS)
def test_a_reader_killed_in_the_middle_of_10000_events_resumes_without_loss(server, protocol):
    count, topic = 10_000, f"resume.{protocol}"
    client = clients.client(server, protocol)
    path = f"/v1/subscribe/dev/{topic}"
    seen, last = [], None

    def read(stream, until):
        nonlocal last
        while len(seen) < until:
            name, last, event = stream.event()
            assert name == "message", event
            seen.append(event["payload"])

    with client.stream(path) as stream:
        assert stream.event()[0] == "subscribed"
        publisher = threading.Thread(
            target=publish, args=(server, topic, (str(n) for n in range(count)))
        )
        publisher.start()
        read(stream, count // 3)
    # The connection is gone here, while events go on.
    for until in (2 * count // 3, count):
        with client.stream(path, [("last-event-id", last)]) as stream:
            assert stream.event()[0] == "subscribed"
            read(stream, until)
    publisher.join()
    assert seen == list(range(count))


@pytest.mark.parametrize("protocol", clients.PROTOCOLS)
def test_a_resume_outside_of_the_window_is_told(start, protocol):
    server = start("[mesh]\nreplay_events = 10\n")
    ids = publish(server, "window", [str(n) for n in range(30)])
    client = clients.client(server, protocol)
    with client.stream("/v1/subscribe/dev/window", [("last-event-id", ids[0])]) as stream:
        assert stream.event()[0] == "subscribed"
        name, _, gap = stream.event()
        assert (name, gap["reason"]) == ("gap", "outside_window")
        assert [stream.event()[2]["payload"] for _ in range(10)] == list(range(20, 30))
    with client.stream("/v1/subscribe/dev/window", [("last-event-id", ids[24])]) as stream:
        stream.event()
        assert [stream.event()[2]["payload"] for _ in range(5)] == list(range(25, 30))


def test_a_session_that_ends_ends_its_streams(server):
    client = clients.client(server, "h2")
    session = client.request("POST", "/v1/session", [JSON], b'{"subject": "tab"}').value()
    bearer = ("authorization", f"Bearer {session['token']}")
    ticket = client.request("POST", "/v1/session/ticket", [bearer]).value()["ticket"]
    path = f"/v1/subscribe/dev/session?ticket={ticket}"
    with client.stream(path) as stream:
        assert stream.event()[0] == "subscribed"
        assert client.request("GET", path).status == 401
        client.request("POST", "/v1/publish/dev/session", [bearer, JSON], b"1")
        assert stream.event()[2]["publisher"] == "tab"
        assert client.request("DELETE", "/v1/session", [bearer]).status == 204
        name, _, problem = stream.event()
        assert (name, problem["code"]) == ("error", "session_expired")
        assert stream.event() is None
    again = client.request("GET", "/v1/session", [bearer])
    assert (again.status, again.value()["code"]) == (401, "session_expired")


def test_a_slow_reader_costs_bounded_memory_and_is_told(start):
    """curl is stopped, so that its socket fills; it is told what it missed when it goes on."""
    server = start("[api]\nreader_events = 16\n[mesh]\nreplay_events = 16\n")
    command = ["curl", "-sSN", "--http1.1", "--cacert", server.ca]
    reader = subprocess.Popen(
        [*command, server.url + "/v1/subscribe/dev/slow"], stdout=subprocess.PIPE
    )
    while b"subscribed" not in reader.stdout.readline():
        pass
    reader.send_signal(signal.SIGSTOP)
    payload = '"' + "x" * 100_000 + '"'
    publish(server, "slow", [payload] * 200)
    assert server.metric("macula_dropped_total") > 0
    reader.send_signal(signal.SIGCONT)
    for line in reader.stdout:
        if line.startswith(b"event: gap"):
            break
    gap = reader.stdout.readline()
    assert b'"reason":"slow_reader"' in gap, gap
    reader.kill()
    reader.wait()
