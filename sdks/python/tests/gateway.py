"""A gateway for tests."""

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

BINARY = os.environ.get("MACULA_BINARY") or str(Path(__file__).resolve().parents[3] / "target/debug/macula")
START = 20.0


class Gateway:
    """`macula up` on a free port, in a directory of its own."""

    url: str
    ca: str
    certificate_sha256: str

    def __enter__(self) -> "Gateway":
        self._folder = tempfile.TemporaryDirectory()
        data = Path(self._folder.name) / "data"
        command = [BINARY, "up", "--listen", "127.0.0.1:0", "--data-dir", str(data)]
        # To the gateway a variable of this name is a setting.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MACULA_")}
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ready, deadline = data / "run/ready.json", time.monotonic() + START
        while not ready.exists():
            assert self._process.poll() is None, "the gateway did not start"
            assert time.monotonic() < deadline, "the gateway takes too long to start"
            time.sleep(0.02)
        told = json.loads(ready.read_text())
        self.url, self.ca, self.certificate_sha256 = told["url"], told["ca"], told["certificate_sha256"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(START)
        self._folder.cleanup()
