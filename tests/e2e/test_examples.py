"""The programs of sdks/examples, as docs/TUTORIAL.md shows them."""

import json
import subprocess
import sys
from pathlib import Path

import pages
import test_browser
from server import ROOT

EXAMPLES = ROOT / "sdks/examples"


def test_the_tutorial_gives_what_it_shows(start):
    server = start()
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{pages.PATH}",
        "NODE_EXTRA_CA_CERTS": server.ca,
    }
    assert pages.run(ROOT / "docs/TUTORIAL.md", server, environment) == 6


def test_the_dashboard_is_of_the_types_that_it_says():
    done = subprocess.run(
        [EXAMPLES / "node_modules/.bin/tsc", "-p", EXAMPLES], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout


def test_tabs_of_the_chat_see_each_other(start):
    picture = ROOT / "target/tests/chat.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    with test_browser.pages(ROOT / "sdks") as origin:
        server = start(f"[api]\ncors_origins = ['{origin}']\n", listen=["127.0.0.1:0", "[::1]:0"])
        hash = server.ready["certificate_sha256"]
        page = f"{origin}/examples/chat/index.html?gateway={server.url}&hash={hash}"
        command = ["node", ROOT / "tests/js/chat.mjs", page, picture]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    said = ["annhello, is anybody here?", "bobyes, from another tab"]
    assert seen == {"both": [said, said], "late": said, "state": "connected, webtransport"}
