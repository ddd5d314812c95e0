"""One node for most tests; those that need settings of their own start another."""

import contextlib
import itertools
import os

import pytest

import clients
from cluster import Cluster, Member, free_base
from server import Server

# A client trusts what the test tells it to, and nothing that the environment does.
for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
    os.environ.pop(name, None)
for name in ("http_proxy", "https_proxy", "all_proxy"):
    os.environ.pop(name, None)
    os.environ.pop(name.upper(), None)

CONFIG = """
[api]
reader_events = 20000
reader_bytes = 67108864
[mesh]
replay_events = 20000
"""


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("node"), CONFIG)
    yield server
    server.end()


@pytest.fixture
def start(tmp_path):
    """Starts further nodes, which are ended after the test."""
    started = []

    def start(config="", **options):
        server = Server(tmp_path / f"node-{len(started)}", config, **options)
        started.append(server)
        return server

    yield start
    for server in started:
        server.end()


@pytest.fixture
def cluster(tmp_path):
    """Starts clusters, which are ended after the test; one whose nodes were killed says so by `code`."""
    with contextlib.ExitStack() as ends:
        numbers = itertools.count()

        def cluster(nodes, environment=(), **options):
            directory = tmp_path / f"cluster-{next(numbers)}"
            directory.mkdir()
            made = Cluster(directory, nodes, environment, **options)
            made.code = 0
            ends.callback(lambda: made.end(made.code))
            return made

        yield cluster


@pytest.fixture
def members(tmp_path):
    """Starts nodes of one cluster that are killed and started by the test; what is up after it is ended."""
    with contextlib.ExitStack() as ends:

        def members(names, environment=()):
            base = free_base(len(names))
            made = []
            for number, name in enumerate(names):
                member = Member(tmp_path / name, name, base + 10 * number, environment=environment)
                ends.callback(member.end)
                made.append(member)
            return made

        yield members


@pytest.fixture(params=clients.PROTOCOLS)
def client(request, server):
    return clients.client(server, request.param)
