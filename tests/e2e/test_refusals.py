"""Bad input, by each client: told what is wrong, and everybody else's requests go on."""

import pytest

import clients

ECHO = "/v1/rpc/dev/system.echo"
JSON = ("content-type", "application/json")
MSGPACK = ("content-type", "application/msgpack")

# Method, path, headers, body, status, code.
BAD = [
    ("POST", "/v1/rpc/dev/..", [], b"", 400, "invalid_name"),
    ("POST", "/v1/rpc/dev/%2e%2e", [], b"", 400, "invalid_name"),
    ("POST", "/v1/rpc/dev/%2E", [], b"", 400, "invalid_name"),
    ("POST", "/v1/rpc/dev/a%2fb", [], b"", 400, "invalid_name"),
    ("POST", "/v1/rpc/dev/a%00", [], b"", 400, "invalid_name"),
    ("POST", "/v1/rpc/dev/%ff", [], b"", 400, "invalid_name"),
    ("POST", "/v1/publish/dev/a.*", [], b"", 400, "invalid_name"),
    ("GET", "/v1/subscribe/dev/**.a", [], None, 400, "invalid_name"),
    ("GET", "/v1/discover/dev/a..b", [], None, 400, "invalid_name"),
    ("GET", "/v1/nothing", [], None, 404, "not_found"),
    ("GET", ECHO, [], None, 405, "method_not_allowed"),
    ("PATCH", "/v1/session", [], b"", 405, "method_not_allowed"),
    ("BREW", "/v1/session", [], None, 405, "method_not_allowed"),
    ("POST", "/v1/rpc/dev/nobody", [], b"", 404, "procedure_not_found"),
    ("POST", "/v1/rpc/closed/system.echo", [], b"", 401, "unauthenticated"),
    ("POST", ECHO + "?timeout_ms=0", [], b"", 400, "invalid_request"),
    ("POST", ECHO + "?timeout=1", [], b"", 400, "invalid_request"),
    ("POST", ECHO, [("accept", "no media type")], b"", 400, "invalid_request"),
    ("POST", ECHO, [("accept", "image/png")], b"", 406, "not_acceptable"),
    ("POST", ECHO, [("content-type", "json")], b"1", 415, "unsupported_media_type"),
    ("POST", ECHO, [JSON, ("content-encoding", "br")], b"1", 415, "unsupported_media_type"),
    ("POST", ECHO, [JSON], b'{"a":', 400, "invalid_payload"),
    ("POST", ECHO, [JSON], b"[" * 1000, 400, "invalid_payload"),
    ("POST", ECHO, [JSON], b'"\xff"', 400, "invalid_payload"),
    ("POST", ECHO, [MSGPACK], b"\xdd\xff\xff\xff\xff", 400, "invalid_payload"),
    ("POST", ECHO, [MSGPACK], b"\xdb\xff\xff\xff\xff", 400, "invalid_payload"),
    ("POST", ECHO, [MSGPACK], b"\x91" * 1000, 400, "invalid_payload"),
    ("POST", ECHO, [], b"x" * (1 << 20) + b"x", 413, "payload_too_large"),
    ("POST", ECHO, [("authorization", "Basic eA==")], b"", 401, "unauthenticated"),
    ("POST", ECHO, [("idempotency-key", "k" * 256)], b"", 400, "invalid_request"),
    ("GET", "/v1/subscribe/dev/a", [("last-event-id", "7")], None, 400, "invalid_request"),
    ("GET", "/v1/subscribe/dev/a?overflow=x", [], None, 400, "invalid_request"),
    ("GET", "/v1/discover/dev/a?cursor=x", [], None, 400, "invalid_request"),
    ("GET", "/v1/session?ticket=x", [], None, 401, "unauthenticated"),
    ("POST", "/v1/session", [JSON], b'{"realm": 1}', 400, "invalid_payload"),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: f"{bad[0]} {bad[1]} {bad[4]} {bad[5]}")
def test_bad_input_gets_its_code(client, bad):
    method, path, headers, body, status, code = bad
    answer = client.request(method, path, headers, body)
    problem = answer.value()
    assert (answer.status, problem["code"]) == (status, code), problem
    msgpack = MSGPACK in headers
    assert answer.media_type == f"application/problem+{'msgpack' if msgpack else 'json'}"
    assert problem["status"] == status
    assert problem["instance"] == answer.headers["x-request-id"]
    assert problem["type"] == f"/v1/errors/{code}"
    assert problem["detail"]


def test_a_head_that_is_too_large_is_refused(client, request):
    # HTTP/1.1 has a limit of its own, twice as large.
    kilobytes = 40 if "[h1]" in request.node.name else 20
    head = [(f"x-{n}", "x" * 1000) for n in range(kilobytes)]
    assert client.request("GET", "/healthz", head).status == 431


def test_a_refusal_leaves_the_connection_to_the_others(server):
    """All bad requests on one HTTP/3 connection, each with a good one after it."""
    asked = []
    for method, path, headers, body, *_ in BAD:
        asked += [(method, path, headers, body), ("POST", ECHO, [JSON], b"1")]
    answers = clients.Qh3(server, "qh3").requests(asked)
    assert [answer.status for answer in answers[0::2]] == [bad[4] for bad in BAD]
    assert [answer.body for answer in answers[1::2]] == [b"1"] * len(BAD)
