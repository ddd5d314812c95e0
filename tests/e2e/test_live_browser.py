"""A tab in Chromium that serves and reads over a live session; its pictures are kept under target/tests."""

import json
import subprocess

from server import ROOT
from test_browser import JS, pages, spki_hash


def test_a_tab_serves_and_reads_and_goes_on_over_websocket_when_udp_is_cut(start):
    with pages() as origin:
        server = start(f"[api]\ncors_origins = ['{origin}']\n")
        pictures = ROOT / "target/tests"
        pictures.mkdir(parents=True, exist_ok=True)
        command = ["node", JS / "live.mjs", server.url, f"{origin}/live.html", server.ca]
        command += [server.ready["certificate_sha256"], spki_hash(server.directory), pictures / "live"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["events"] == [f"demo.clock: {number}" for number in range(30)]
    assert seen["calls"] == ['demo.add({"a":2,"b":3}) = 5', 'demo.add({"a":20,"b":22}) = 42']
    assert seen["sum"] == {"answer": 5, "version": "2"}
    assert seen["sum_after"] == {"answer": 42, "version": "2"}
    assert seen["errors"] == []


def test_a_browser_that_trusts_the_authority_needs_no_hash(server, tmp_path):
    database = tmp_path / ".pki/nssdb"
    database.mkdir(parents=True)
    certutil = ["certutil", "-d", f"sql:{database}"]
    subprocess.run([*certutil, "-N", "--empty-password"], check=True)
    subprocess.run([*certutil, "-A", "-t", "C,,", "-n", "macula", "-i", server.ca], check=True)
    # For a name with two addresses Chromium asks one of them only, and this node has one.
    node = server.url.replace("localhost", "127.0.0.1")
    command = ["node", JS / "authority.mjs", node, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"ordinary": "Opening handshake failed.", "developer": "open"}
