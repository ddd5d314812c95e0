"""A page in Chromium; what it looked like is kept under target/tests."""

import base64
import contextlib
import functools
import hashlib
import http.server
import json
import subprocess
import threading

from server import ROOT

JS = ROOT / "tests/js"


def spki_hash(directory):
    """The base64 SHA-256 of the certificate's public key, as Chromium wants it."""
    certificate = directory / "data/tls/cert.pem"
    command = ["openssl", "x509", "-pubkey", "-noout", "-in", certificate]
    public_key = subprocess.run(command, capture_output=True, check=True).stdout
    command = ["openssl", "pkey", "-pubin", "-outform", "der"]
    der = subprocess.run(command, input=public_key, capture_output=True, check=True).stdout
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


@contextlib.contextmanager
def pages(directory=JS):
    """Serves pages, those of the tests unless said otherwise, from an origin of their own."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=directory)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_page_publishes_and_reads_over_http3_and_the_docs_need_no_other_host(start):
    # Chromium takes `localhost` for ::1 first.
    both = ["127.0.0.1:0", "[::1]:0"]
    pictures = ROOT / "target/tests"
    pictures.mkdir(parents=True, exist_ok=True)
    with pages() as origin:
        server = start(f"[api]\ncors_origins = ['{origin}']\n", listen=both)
        page = f"{origin}/page.html?node={server.url}"
        command = ["node", JS / "browser.mjs", server.url, page, spki_hash(server.directory)]
        command.append(pictures / "browser")
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    expected = [
        f'page.temperature by tab: {{"celsius":{celsius}}}' for celsius in ("20.5", "21", "21.5")
    ]
    assert seen["events"] == expected
    assert (seen["status"], seen["errors"]) == ("subscribed", [])
    assert seen["protocols"] == ["h3"]
    assert "/v1/rpc/{realm}/{procedure}" in seen["paths"]
    assert seen["asked"] == [f"localhost:{server.port}"]
