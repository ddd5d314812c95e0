"""What the README says is so: its commands are run, and their output is compared."""

import os
import re
import subprocess

from server import BINARY, ROOT

README = (ROOT / "README.md").read_text()
# Stands between the outputs of two commands.
MARK = "--- the next command ---"


def commands():
    """Each command of the `console` blocks with the output that it should have."""
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def matches(expected, found):
    """`…` stands for any text within a line."""
    pattern = "[^\n]*".join(re.escape(part) for part in expected.strip("\n").split("…"))
    return re.fullmatch(pattern, found.strip("\n")) is not None


def test_the_tour_gives_what_it_shows(start):
    server = start()
    told = list(commands())
    assert len(told) >= 10
    script = f"\necho; echo '{MARK}'\n".join(command for command, _ in told)
    script = script.replace("localhost:4433", f"localhost:{server.port}")
    script = script.replace("~/.local/share/macula", str(server.directory / "data"))
    # The program finds the node's authority where a node of this user's keeps it.
    share = server.directory / "share"
    share.mkdir()
    (share / "macula").symlink_to(server.directory / "data")
    environment = {
        **os.environ,
        "PATH": f"{BINARY.parent}:{os.environ['PATH']}",
        "MACULA_URL": server.url,
        "XDG_DATA_HOME": str(share),
    }
    command = ["bash", "-c", "exec 2>&1\n" + script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    outputs = done.stdout.split(MARK)
    assert len(outputs) == len(told), done.stdout
    for (command, expected), found in zip(told, outputs):
        assert matches(expected, found), f"$ {command}\n{found}\nexpected:\n{expected}"


def test_the_test_command_is_there():
    assert "\ntests/run\n" in README
    assert "tests/run" in (ROOT / ".ci/run").read_text()


def test_what_it_links_to_is_there():
    for page in ["README.md", *(str(p.relative_to(ROOT)) for p in (ROOT / "docs").rglob("*.md"))]:
        text = (ROOT / page).read_text()
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            target = (ROOT / page).parent / link
            assert target.exists(), f"{page} links to {link}"
