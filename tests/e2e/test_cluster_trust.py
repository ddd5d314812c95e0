"""Who is in the cluster, and who no longer: tokens, revocations, and nodes that have been away."""

import subprocess

from cluster import ENVIRONMENT
from server import BINARY, wait_for


def identity(node):
    """The node's id, as it tells it."""
    return node.call("system.info").value()["cluster"]["id"]


def revoke(node, data):
    command = [BINARY, "cluster", "revoke", node, "--data-dir", data]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)


def connected(node):
    return node.metric("macula_cluster_members")


def test_who_joins_for_the_first_time_needs_a_token_and_later_none(members):
    first, second = members(["first", "second"])
    first.start()
    first.ready()
    up = [BINARY, "up", "--data-dir", second.data, "--listen", second.url.removeprefix("https://")]

    def refused(*options, mesh=second.mesh):
        command = [*up, "--mesh-listen", mesh, *options]
        done = subprocess.run(command, capture_output=True, text=True, env=second.environment, timeout=30)
        assert done.returncode == 1, done
        return done.stderr

    assert "expected a join token" in refused("--join", first.mesh)
    missing = second.directory / "missing"
    assert "there is no such file" in refused("--join", first.mesh, "--token-file", missing)
    missing.write_text("hello")
    assert "expected a join token" in refused("--join", first.mesh, "--token-file", missing)
    # Nothing was founded by that.
    second.start(join=first)
    second.ready()
    wait_for("it is in", lambda: connected(second) == 1)
    second.kill()
    assert "Address already in use" in refused(mesh=first.mesh)
    # Started again without its token, by the same command.
    token = second.directory / "token"
    token.unlink()
    again = [*up, "--mesh-listen", second.mesh, "--token-file", token]
    with open(second.directory / "log", "ab") as log:
        second.process = subprocess.Popen(again, stdout=subprocess.DEVNULL, stderr=log, env=second.environment)
    second.pid = second.process.pid
    second.ready()
    wait_for("it is in again", lambda: connected(second) == 1)


def test_a_node_that_is_revoked_is_out_everywhere_and_stays_out(members):
    first, second, third = made = members(["first", "second", "third"])
    first.start()
    first.ready()
    for node in (second, third):
        node.start(join=first)
    for node in made:
        node.ready()
        wait_for("all are connected", lambda: connected(node) == 2)
    own, other = identity(first), identity(third)
    # Only who has the authority can, and not itself.
    refused = revoke(other, second.data)
    assert (refused.returncode, "holds no cluster's authority" in refused.stderr) == (1, True), refused.stderr
    refused = revoke(own, first.data)
    assert (refused.returncode, "expected another node" in refused.stderr) == (1, True), refused.stderr
    assert revoke("no-id", first.data).returncode == 2

    done = revoke(other, first.data)
    assert (done.returncode, other in done.stdout) == (0, True), done.stderr
    for node in (first, second):
        wait_for("it is out", lambda: node.metric("macula_cluster_known_nodes") == 1, seconds=10)
        wait_for("the state is that of two", lambda: node.metric("macula_cluster_state_entries") == 3, seconds=10)
    wait_for("nobody takes it in", lambda: connected(third) == 0, seconds=10)
    # What the one that is out makes of it changes nothing for the others.
    for node in (first, second):
        assert "begins a new life" not in node.logged()

    # Nobody forgets: the one that had it by gossip, started anew and alone, neither.
    first.kill()
    second.kill()
    second.start()
    second.ready()
    third.kill()
    third.environment["MACULA_CLUSTER__JOIN"] = second.mesh
    third.start()
    third.ready()
    refusals = 'macula_cluster_refused_by_others_total{reason="revoked"}'
    wait_for("it is refused", lambda: third.metric(refusals) > 0, seconds=30)
    assert connected(second) == 0
    # Until it is invited again.
    first.start()
    first.ready()
    third.kill()
    third.start(join=first)
    third.ready()
    for node in made:
        wait_for("all are connected again", lambda: connected(node) == 2, seconds=30)
    # From then on it is a node like others: that it is away when somebody else is revoked does not take it out.
    third.kill()
    wait_for("it is missed", lambda: connected(first) == 1, seconds=30)
    entries = first.metric("macula_cluster_state_entries")
    done = revoke("ab" * 32, first.data)
    assert done.returncode == 0, done.stderr
    wait_for("it is told", lambda: first.metric("macula_cluster_state_entries") == entries + 1, seconds=10)
    assert first.metric("macula_cluster_known_nodes") == 2
