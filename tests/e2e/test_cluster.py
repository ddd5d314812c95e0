"""Nodes that act as one: what is served or subscribed at one is reachable at all."""

import concurrent.futures
import json
import signal
import subprocess
import time

import pytest

import clients
from cluster import ENVIRONMENT
from server import BINARY, wait_for

SECONDS = 30


@pytest.fixture
def serve():
    """Starts `macula serve` at a node."""
    started = []

    def serve(node, procedure, command):
        arguments = [BINARY, "serve", "dev", procedure, "--exec", command, "--url", node.url, "--ca", node.ca]
        process = subprocess.Popen(
            arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=ENVIRONMENT
        )
        started.append(process)
        assert json.loads(process.stdout.readline()) == {"serving": procedure}
        return process

    yield serve
    for process in started:
        process.kill()
        process.wait(SECONDS)
        process.stdout.close()


def members(node):
    """The nodes that a node knows, by the name."""
    items = node.discover("**", "?kind=node")["items"]
    return sorted(item["name"] for item in items)


def settled(cluster):
    """Waits until every node knows all of them."""
    names = [node.name for node in cluster.nodes]
    for node in cluster.nodes:
        wait_for(f"all members at {node.name}", lambda: members(node) == names)


def test_three_nodes_act_as_one_soon(cluster, serve):
    started = time.monotonic()
    made = cluster(3)
    ready = time.monotonic()
    print(f"three nodes know each other {ready - started:.3f} s after the command")
    first, second, third = made.nodes
    assert all(len(members(node)) == 3 for node in made.nodes)
    serve(first, "demo.upper", "tr a-z A-Z")
    answer = third.call("demo.upper", "hello")
    assert (answer.status, answer.value()) == (200, "HELLO")
    # It is far less on a machine that has nothing else to do; starting the commands is in it.
    assert time.monotonic() - ready < 10
    reader = clients.Curl(second, "h2").stream("/v1/subscribe/dev/home.**")
    assert reader.event()[0] == "subscribed"
    sent = first.publish("home.kitchen", {"celsius": 21.5})
    name, identity, data = reader.event()
    assert (name, identity, data["payload"]) == ("message", sent, {"celsius": 21.5})
    reader.close()


def test_what_is_found_says_where_it_is(cluster, serve):
    made = cluster(3)
    first, second, third = made.nodes
    serve(second, "demo.upper", "tr a-z A-Z")
    for node in made.nodes:
        found = wait_for("the procedure", lambda: node.discover("demo.*")["items"])
        assert found[0]["found_at"]["node"] == second.name
        assert found[0]["providers"][0]["node"] == second.name
    settled(made)
    answer = first.curl("GET", "/v1/discover/dev/**?kind=node").value()
    assert [item["name"] for item in answer["items"]] == [node.name for node in made.nodes]


def test_lesson_1_a_publish_crosses_as_many_links_as_there_are_nodes_that_want_it(cluster):
    made = cluster(4)
    settled(made)
    first, second, third, fourth = made.nodes
    readers = []
    for node, pattern in [(second, "home.**"), (second, "home.*"), (third, "home.a"), (fourth, "other.**")]:
        reader = clients.Curl(node, "h2").stream(f"/v1/subscribe/dev/{pattern}")
        assert reader.event()[0] == "subscribed"
        readers.append(reader)
    for number in range(10):
        first.publish("home.a", number)
    for reader in readers[:3]:
        assert [reader.event()[2]["payload"] for _ in range(10)] == list(range(10))
    crossed = [node.metric("macula_cluster_forwarded_total") for node in made.nodes]
    received = [node.metric("macula_cluster_received_total") for node in made.nodes]
    assert (crossed, received) == ([20, 0, 0, 0], [0, 10, 10, 0])
    for reader in readers:
        reader.close()


def test_a_node_tells_how_its_cluster_is(cluster, serve):
    made = cluster(3)
    settled(made)
    first, second, third = made.nodes
    serve(third, "demo.upper", "tr a-z A-Z")
    arguments = [BINARY, "status", "--url", first.url, "--ca", first.ca]
    status = json.loads(subprocess.run(arguments, capture_output=True, timeout=SECONDS, env=ENVIRONMENT).stdout)
    told = {node["name"]: node["member"] for node in status["nodes"] if "member" in node}
    assert sorted(told) == [second.name, third.name]
    for member in told.values():
        assert member["connected"] and member["streams"] >= 2 and member["round_trip_us"] < 1_000_000
        assert (member["waiting"], len(member["id"])) == (0, 64)
    assert status["cluster"]["nodes"] == 2
    wait_for("the table of the DHT", lambda: first.metric("macula_cluster_dht_peers") == 2)
    for node in made.nodes:
        wait_for("its provider record", lambda: node.metric("macula_cluster_dht_providers") == 1)
    # Each node, and the procedure.
    wait_for("the same state", lambda: [n.metric("macula_cluster_state_entries") for n in made.nodes] == [4, 4, 4])
    assert first.metric("macula_cluster_gossip_received_total") > 0
    for name in ("connected", "round_trip_seconds", "lag_seconds", "streams", "waiting_events"):
        lines = first.metric_lines(f"macula_cluster_member_{name}")
        assert [line for line in lines if told[third.name]["id"] in line], lines


def test_a_replay_has_what_other_nodes_have_kept(cluster):
    made = cluster(3)
    settled(made)
    first, second, third = made.nodes
    ids = [first.publish("home.a", 1), second.publish("home.b", 2), first.publish("home.a", 3)]
    reader = clients.Curl(third, "h2").stream("/v1/subscribe/dev/home.**?replay=10")
    assert reader.event()[2]["backlog"] == 3
    assert [reader.event()[1] for _ in range(3)] == ids
    later = third.publish("home.c", 4)
    assert reader.event()[1] == later
    reader.close()
    # A reader that moves to another node goes on behind the last event that it had.
    moved = clients.Curl(second, "h2").stream(f"/v1/subscribe/dev/home.**?last_event_id={ids[0]}")
    moved.event()
    assert [moved.event()[1] for _ in range(3)] == [*ids[1:], later]
    moved.close()


def test_a_node_that_dies_is_gone_everywhere(cluster, serve):
    made = cluster(3)
    made.code = None
    settled(made)
    first, second, third = made.nodes
    serve(third, "demo.slow", "sleep 60")
    serve(third, "demo.upper", "tr a-z A-Z")
    wait_for("the procedure", lambda: first.discover("demo.upper")["items"])
    pool = concurrent.futures.ThreadPoolExecutor(1)
    waiting = pool.submit(first.call, "demo.slow?timeout_ms=60000", 1)
    wait_for("the call", lambda: third.metric("macula_calls") == 1)
    died = time.monotonic()
    third.signal(signal.SIGKILL)
    answer = waiting.result(10)
    assert answer.value()["code"] == "provider_unavailable"
    for node in (first, second):
        wait_for("its services are gone", lambda: not node.discover("demo.*")["items"], seconds=10)
        wait_for("the member is gone", lambda: len(members(node)) == 2, seconds=10)
    assert time.monotonic() - died < 10
    assert first.call("demo.upper", "hello").value()["code"] == "procedure_not_found"


def test_a_node_that_leaves_says_so(cluster, serve):
    made = cluster(3)
    made.code = None
    settled(made)
    first, second, third = made.nodes
    serve(third, "demo.upper", "tr a-z A-Z")
    wait_for("the procedure", lambda: first.discover("demo.upper")["items"])
    left = time.monotonic()
    third.signal(signal.SIGTERM)
    wait_for("it is gone", lambda: len(members(first)) == 2 and len(members(second)) == 2, seconds=5)
    assert not first.discover("demo.upper")["items"]
    assert time.monotonic() - left < 5


def test_a_key_that_one_node_has_seen_is_known_at_another(cluster, serve, tmp_path):
    made = cluster(3)
    settled(made)
    first, second, third = made.nodes
    count = tmp_path / "count"
    serve(first, "demo.once", f"echo x >> {count}; wc -l < {count}")
    wait_for("the procedure", lambda: third.discover("demo.once")["items"])
    key = [("idempotency-key", "same-for-all")]
    answers = [node.call("demo.once", None, headers=key).value() for node in (second, third, first)]
    assert answers == [1, 1, 1]
    other = third.call("demo.once", 7, headers=key)
    assert other.value()["code"] == "idempotency_mismatch"
