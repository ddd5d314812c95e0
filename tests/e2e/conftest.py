"""One node for most tests; those that need settings of their own start another."""

import contextlib
import itertools
import os

import pytest

import clients
import netns
from cluster import Cluster, several
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
    """Makes nodes of a cluster that are started and killed by the test; what is up after it is ended."""
    with contextlib.ExitStack() as ends:
        yield lambda *args, **options: ends.enter_context(several(tmp_path, *args, **options))


@pytest.fixture(scope="module")
def network(request):
    """A network of so many nodes as `NODES` of the module says, each in a namespace; the tests are at its hub."""
    if reason := netns.missing():
        pytest.skip(reason)
    made = netns.Network(request.module.NODES)
    yield made
    made.close()


@pytest.fixture(params=clients.PROTOCOLS)
def client(request, server):
    return clients.client(server, request.param)
