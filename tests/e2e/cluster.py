"""A cluster as processes: `macula cluster up`, and its nodes one by one."""

import collections
import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import threading

import clients
from server import BINARY, END_SECONDS, START_SECONDS, wait_for

ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("MACULA_")}
# One address asks for everything here.
NO_QUOTAS = {"MACULA_API__SESSION_REQUESTS_PER_SECOND": "0", "MACULA_API__ADDRESS_REQUESTS_PER_SECOND": "0"}


def free_base(nodes):
    """A port from which those of so many nodes are free: for TCP and UDP, and the next for UDP."""

    def free(kind, port):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
            return True

    for base in range(20_000 + os.getpid() % 10_000, 60_000, 10 * nodes):
        gateways = [base + 10 * i for i in range(nodes)]
        if all(
            free(socket.SOCK_STREAM, port)
            and free(socket.SOCK_DGRAM, port)
            and free(socket.SOCK_DGRAM, port + 1)
            for port in gateways
        ):
            return base
    raise AssertionError("no ports are free")


def begin(first, *others):
    """Starts the nodes of a cluster, and waits until they are one."""
    first.start()
    first.ready()
    for node in others:
        node.start(join=first)
    for node in others:
        node.ready()
    settle([first, *others])


def settle(nodes, seconds=10):
    """Waits until every node is connected to all others."""
    others = len(nodes) - 1
    for node in nodes:
        known = lambda: node.metrics()["macula_cluster_members"] == others
        wait_for(f"{others} others at {node.name}", known, seconds)


class Node:
    """One node, as clients reach it."""

    def __init__(self, told, ca):
        self.name = told["name"]
        self.url = told["url"]
        self.pid = told["pid"]
        self.port = int(self.url.rsplit(":", 1)[1])
        self.ca = ca

    def curl(self, method, path, body=None, protocol="h2", headers=()):
        headers = list(headers)
        if body is not None:
            headers.append(("content-type", "application/json"))
            body = json.dumps(body).encode()
        return clients.Curl(self, protocol).request(method, path, headers, body)

    def call(self, procedure, argument=None, **options):
        return self.curl("POST", f"/v1/rpc/dev/{procedure}", argument, **options)

    def publish(self, topic, payload, **options):
        answer = self.curl("POST", f"/v1/publish/dev/{topic}", payload, **options)
        assert answer.status == 202, answer
        return answer.value()["id"]

    def discover(self, pattern, query=""):
        answer = self.curl("GET", f"/v1/discover/dev/{pattern}{query}")
        assert answer.status == 200, answer
        return answer.value()

    def metric_lines(self, name):
        """The lines of /metrics with this figure, one for each of its labels."""
        text = self.curl("GET", "/metrics").body.decode()
        lines = [line for line in text.splitlines() if line.startswith((name + " ", name + "{"))]
        assert lines, f"{name} in {text}"
        return lines

    def metric(self, name):
        lines = self.metric_lines(name)
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def metrics(self):
        """All figures of /metrics by their names, each summed over its labels."""
        host, port = self.url.removeprefix("https://").rsplit(":", 1)
        trust = ssl.create_default_context(cafile=self.ca)
        connection = http.client.HTTPSConnection(host, int(port), timeout=clients.SECONDS, context=trust)
        try:
            connection.request("GET", "/metrics")
            lines = connection.getresponse().read().decode().splitlines()
        finally:
            connection.close()
        figures = collections.defaultdict(float)
        for line in lines:
            if not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                figures[name.split("{")[0]] += float(value)
        return dict(figures)

    def signal(self, number):
        os.kill(self.pid, number)


class Member(Node):
    """A node of a cluster that the test starts, kills and starts again; it keeps its ports, and who it is."""

    def __init__(self, directory, name, port, environment=(), place=None):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir()
        self.name = name
        self.port = port
        gateway, address = (place.gateway, place.address) if place else ("127.0.0.1", "127.0.0.1")
        self.url = f"https://{gateway}:{port}"
        self.mesh = f"{address}:{port + 1}"
        self.data = self.directory / "data"
        self.ca = self.data / "tls/ca.pem"
        self.environment = {**ENVIRONMENT, **dict(environment), "MACULA_NODE": name, "MACULA_TLS__NAMES": gateway}
        # What goes before a command for it to run there.
        self.inside = place.inside() if place else []
        self.process = None

    def start(self, join=None):
        """Starts it; the first time by `join`, a member of the cluster that invites."""
        command = [BINARY, "up", "--data-dir", self.data, "--mesh-listen", self.mesh]
        command += ["--listen", self.url.removeprefix("https://")]
        if join:
            token = self.directory / "token"
            invite = [BINARY, "cluster", "invite", "--data-dir", join.data]
            token.write_bytes(subprocess.run(invite, capture_output=True, check=True, env=ENVIRONMENT).stdout)
            self.environment["MACULA_CLUSTER__JOIN"] = join.mesh
            command += ["--token-file", token]
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(
                [*self.inside, *command], stdout=subprocess.DEVNULL, stderr=log, env=self.environment
            )
        self.pid = self.process.pid

    def ready(self):
        """Waits until it serves."""
        told = self.data / "run/ready.json"

        def serves():
            assert self.process.poll() is None, self.logged()
            # What a run that was killed has told is there still.
            return told.exists() and json.loads(told.read_text())["pid"] == self.pid

        wait_for(f"{self.name} serves", serves, START_SECONDS)
        return self

    def logged(self):
        return (self.directory / "log").read_text(errors="replace")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        """Ends it, if it is up; its exit and its log must be in order."""
        if self.process is None or self.process.returncode is not None:
            return
        self.process.terminate()
        # It may have been stopped.
        self.process.send_signal(signal.SIGCONT)
        try:
            code = self.process.wait(END_SECONDS)
        finally:
            self.kill()
        log = self.logged()
        assert "panicked" not in log, log
        assert code == 0, log


@contextlib.contextmanager
def several(directory, names, environment=(), places=()):
    """Members, not started yet, each in a place of its own if there are some; what is up in the end is ended."""
    base = free_base(len(names))
    with contextlib.ExitStack() as ends:
        made = []
        for number, name in enumerate(names):
            place = places[number] if places else None
            member = Member(pathlib.Path(directory) / name, name, base + 10 * number, environment, place)
            ends.callback(member.end)
            made.append(member)
        yield made


class Cluster:
    """So many nodes on this machine, ended together."""

    def __init__(self, directory, nodes, environment=(), seconds=START_SECONDS):
        self.directory = pathlib.Path(directory)
        command = [BINARY, "cluster", "up", str(nodes), "--base-port", str(free_base(nodes))]
        self.log = open(self.directory / "log", "wb")
        self.process = subprocess.Popen(
            [*command, "--data-dir", self.directory / "data"],
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env={**ENVIRONMENT, **dict(environment)},
        )
        # Told to end, and not killed: it ends the nodes that it has started.
        late = threading.Timer(seconds, self.process.terminate)
        late.start()
        line = self.process.stdout.readline()
        late.cancel()
        self.nodes = []
        if not line:
            self.end(code=None)
            raise AssertionError(f"not up within {seconds} s: {self.logged()}")
        told = json.loads(line)
        self.nodes = [Node(node, told["ca"]) for node in told["nodes"]]

    def logged(self):
        return (self.directory / "log").read_text(errors="replace")

    def end(self, code=0):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            ended = self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            for node in self.nodes:
                with contextlib.suppress(ProcessLookupError):
                    node.signal(signal.SIGKILL)
            raise
        finally:
            self.process.stdout.close()
            self.log.close()
        log = self.logged()
        assert "panicked" not in log, log
        assert code is None or ended == code, log
