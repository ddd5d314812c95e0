"""The description against the running node, by schemathesis."""

import os
import pathlib
import subprocess
import sys

import clients
from server import ROOT

EXAMPLES = "25"


def test_the_node_does_what_its_description_says(start):
    server = start("[api]\naddress_requests_per_second = 0\n")
    program = pathlib.Path(sys.executable).parent / "schemathesis"
    command = [program, "run", f"{server.url}/v1/openapi.json", "--url", server.url]
    # A stream of events never ends, and a WebSocket begins with a handshake that is not described.
    command += ["--exclude-operation-id", "subscribe", "--exclude-operation-id", "connect"]
    command += ["--max-examples", EXAMPLES]
    command += ["--seed", "1", "--tls-verify", server.ca, "--request-timeout", "20", "--no-color"]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "hooks"}
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=600,
        env=environment,
        cwd=ROOT / "tests/e2e",
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    assert clients.client(server, "h2").request("GET", "/readyz").status == 200
