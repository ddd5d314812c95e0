"""Runs the README's program against a gateway of its own; needs nothing but the package and the program `macula`."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from gateway import Gateway  # noqa: E402

PROGRAM = re.compile(r"```python\n(import asyncio.*?)```", re.DOTALL)


def program() -> str:
    """The first program, line for line."""
    found = PROGRAM.search((HERE / "../README.md").read_text())
    assert found is not None
    return found[1]


def run(text: str, gateway: Gateway) -> str:
    """What it prints, with the gateway in place of the one on the usual port."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "ca.pem").write_text(Path(gateway.ca).read_text())
        text = text.replace("https://localhost:4433", gateway.url)
        ran = subprocess.run(
            [sys.executable, "-c", text], cwd=folder, env=os.environ, capture_output=True, text=True, timeout=30
        )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


if __name__ == "__main__":
    with Gateway() as started:
        assert run(program(), started) == "1 + 2 = 3\n"
