"""Nodes of one network that find each other without being told where."""

import subprocess

from cluster import ENVIRONMENT
from server import BINARY, wait_for

NODES = 2


def test_two_nodes_on_one_table_find_each_other(network, members):
    found = {"MACULA_CLUSTER__BOUNDS__ENGINE__MDNS": "true"}
    first, second = members(["first", "second"], found, places=network.nodes)
    first.start()
    first.ready()
    invite = [BINARY, "cluster", "invite", "--data-dir", first.data]
    token = subprocess.run(invite, capture_output=True, text=True, check=True, env=ENVIRONMENT).stdout.strip()
    second.environment["MACULA_CLUSTER__TOKEN"] = token
    second.start()
    second.ready()
    for node in (first, second):
        wait_for("they have found each other", lambda: node.metric("macula_cluster_members") == 1, seconds=30)
