"""Calls, by each client."""

import json

import msgpack
import pytest

import clients
from server import wait_for

ECHO = "/v1/rpc/dev/system.echo"
COUNT = "/v1/rpc/dev/system.count"
JSON = ("content-type", "application/json")
MSGPACK = ("content-type", "application/msgpack")


def test_an_argument_comes_back(client):
    answer = client.request("POST", ECHO, [JSON], b'{"a": 1}')
    assert (answer.status, answer.body) == (200, b'{"a": 1}')
    assert answer.headers["macula-served-by"]
    assert answer.headers["date"]


def test_json_goes_in_and_messagepack_comes_out(client):
    answer = client.request("POST", ECHO, [JSON, ("accept", "application/msgpack")], b'{"a": [1]}')
    assert answer.media_type == "application/msgpack"
    assert msgpack.unpackb(answer.body) == {"a": [1]}


def test_bytes_have_a_form_in_json(client):
    answer = client.request("POST", ECHO, [MSGPACK, ("accept", "application/json")], b"\xc4\x01\xff")
    assert answer.body == b'{"$bytes":"/w=="}'


def test_a_large_body_streams_both_ways(client):
    body = bytes(range(256)) * 4000
    answer = client.request("POST", ECHO, [("content-type", "image/png")], body)
    assert (answer.status, answer.media_type) == (200, "image/png")
    assert answer.body == body


def test_a_head_has_no_body(client):
    answer = client.request("HEAD", "/healthz")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


def test_a_request_that_expects_to_continue_goes_on(client):
    headers = [JSON, ("expect", "100-continue")]
    assert client.request("POST", ECHO, headers, b"1").body == b"1"


def test_a_deadline_ends_a_call(client):
    count = json.dumps({"to": 100, "delay_ms": 100}).encode()
    answer = client.request("POST", COUNT + "?timeout_ms=250", [JSON], count)
    assert (answer.status, answer.value()["code"]) == (504, "timeout")


def test_progress_comes_before_the_result(client):
    count = json.dumps({"to": 3, "delay_ms": 20}).encode()
    headers = [JSON, ("accept", "text/event-stream")]
    with client.stream(COUNT, headers, "POST", count) as stream:
        events = [(name, data["payload"]) for name, _, data in iter(stream.event, None)]
    progress = [("progress", n) for n in (1, 2, 3)]
    assert events == [*progress, ("result", {"counted": 3})]


def test_a_caller_that_goes_cancels_its_call(client, server):
    count = json.dumps({"to": 1000, "delay_ms": 100}).encode()
    headers = [JSON, ("accept", "text/event-stream")]
    with client.stream(COUNT + "?timeout_ms=100000", headers, "POST", count) as stream:
        assert stream.event()[0] == "progress"
        assert server.metric("macula_calls") == 1
    wait_for("the call to end", lambda: server.metric("macula_calls") == 0)


def test_a_repeated_call_gets_the_first_ones_answer(client, request):
    headers = [JSON, ("idempotency-key", request.node.name)]
    info = "/v1/rpc/dev/system.info"
    first = client.request("POST", info, headers, b"null")
    assert client.request("POST", info, headers, b"null").body == first.body
    other = client.request("POST", info, headers, b"1")
    assert (other.status, other.value()["code"]) == (422, "idempotency_mismatch")


def test_ids_and_traces_come_back(client):
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = [("x-request-id", "mine"), ("traceparent", parent)]
    answer = client.request("GET", "/healthz", headers)
    assert answer.headers["x-request-id"] == "mine"
    assert answer.headers["traceparent"].startswith(parent[:36])
    assert answer.headers["traceparent"] != parent


def test_a_quota_is_told_and_kept(start):
    server = start("[api]\naddress_requests_per_second = 5\n")
    client = clients.client(server, "h2")
    answers = [client.request("POST", ECHO, [JSON], b"1") for _ in range(30)]
    limited = [answer for answer in answers if answer.status == 429]
    assert answers[0].headers["ratelimit-policy"] == '"address";q=5;w=1'
    # A process a request takes a while: some pass as the bucket fills.
    for answer in limited:
        assert (answer.headers["retry-after"], answer.value()["code"]) == ("1", "rate_limited")
    fast = clients.Qh3(server, "qh3").requests([("POST", ECHO, [JSON], b"1")] * 20)
    assert {answer.status for answer in fast} >= {429}


@pytest.mark.parametrize("path", ["/v1/openapi.yaml", "/v1/openapi.json", "/v1/asyncapi.yaml", "/docs/", "/metrics"])
def test_pages_are_served(client, path):
    assert client.request("GET", path).status == 200
