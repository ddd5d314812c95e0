"""Pages of documentation whose `console` blocks are run: each line after `$ `, against a fresh node."""

import os
import re
import subprocess

from server import BINARY, ROOT

# Stands between the outputs of two commands.
MARK = "--- the next command ---"
# Finds the program first.
PATH = f"{BINARY.parent}:{os.environ['PATH']}"
SECONDS = 120


def commands(page):
    """Each command of the `console` blocks with the output that it should have."""
    for block in re.findall(r"```console\n(.*?)```", page.read_text(), re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def matches(expected, found):
    """`…` stands for any text within a line."""
    pattern = "[^\n]*".join(re.escape(part) for part in expected.strip("\n").split("…"))
    return re.fullmatch(pattern, found.strip("\n")) is not None


def run(page, server, environment=()):
    """Runs the commands in one shell and compares what comes with what stands there; how many there were."""
    told = list(commands(page))
    script = f"\necho; echo '{MARK}'\n".join(command for command, _ in told)
    script = script.replace("localhost:4433", f"localhost:{server.port}")
    script = script.replace("~/.local/share/macula", str(server.directory / "data"))
    # The program finds the node's authority where a node of this user's keeps it.
    share = server.directory / "share"
    share.mkdir()
    (share / "macula").symlink_to(server.directory / "data")
    environment = {
        **os.environ,
        "PATH": PATH,
        "MACULA_URL": server.url,
        "XDG_DATA_HOME": str(share),
        **dict(environment),
    }
    command = ["bash", "-c", "exec 2>&1\n" + script]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, env=environment, cwd=ROOT
    )
    outputs = done.stdout.split(MARK)
    assert len(outputs) == len(told), done.stdout
    for (command, expected), found in zip(told, outputs):
        assert matches(expected, found), f"$ {command}\n{found}\nexpected:\n{expected}"
    return len(told)
