"""What the README says is so: its commands are run, and their output is compared."""

import re

import pages
from server import ROOT

README = ROOT / "README.md"


def test_the_tour_gives_what_it_shows(start):
    assert pages.run(README, start()) >= 10


def test_the_test_command_is_there():
    assert "\ntests/run\n" in README.read_text()
    assert "tests/run" in (ROOT / ".ci/run").read_text()


def test_what_it_links_to_is_there():
    for page in ["README.md", *(str(p.relative_to(ROOT)) for p in (ROOT / "docs").rglob("*.md"))]:
        text = (ROOT / page).read_text()
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            target = (ROOT / page).parent / link
            assert target.exists(), f"{page} links to {link}"
