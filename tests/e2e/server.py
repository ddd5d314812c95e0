"""Macula as a process: started on a free port, watched, and ended politely."""

import json
import os
import pathlib
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("MACULA_BINARY", ROOT / "target/debug/macula"))
START_SECONDS = 20
END_SECONDS = 20


def wait_for(what, condition, seconds=10):
    """Polls until the condition gives something, which is returned."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


class Server:
    """A node with a data directory and a port of its own."""

    def __init__(self, directory, config="", listen=("127.0.0.1:0",)):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / "macula.toml"
        path.write_text(config)
        self.log = self.directory / "log"
        self.out = self.directory / "out"
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MACULA_")}
        command = [BINARY, "up", "--data-dir", self.directory / "data"]
        for address in listen:
            command += ["--listen", address]
        with self.log.open("wb") as log, self.out.open("wb") as out:
            self.process = subprocess.Popen(
                [*command, "--config", path], stdout=out, stderr=log, env=environment
            )
        ready = self.directory / "data/run/ready.json"
        wait_for("ready.json", lambda: ready.exists() or self.process.poll(), START_SECONDS)
        if self.process.poll() is not None:
            raise AssertionError(self.log.read_text())
        self.ready = json.loads(ready.read_text())
        self.url = self.ready["url"]
        self.port = int(self.url.rsplit(":", 1)[1])
        self.ca = self.ready["ca"]

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self):
        return self.process.wait(END_SECONDS)

    def end(self):
        """Ends the node; its exit and its log must be in order."""
        if self.process.poll() is None:
            self.signal()
        code = self.wait()
        log = self.log.read_text()
        assert "panicked" not in log, log
        assert code == 0, log
        assert not (self.directory / "data/run/ready.json").exists()

    def metric(self, name):
        """One figure of /metrics, summed over its labels."""
        import clients

        text = clients.Curl(self, "h1").request("GET", "/metrics").body.decode()
        lines = [line for line in text.splitlines() if line.startswith((name + " ", name + "{"))]
        assert lines, f"{name} in {text}"
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)
