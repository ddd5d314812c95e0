"""The stage of sdks/conformance: a gateway for each case, behind a network that can be cut."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[3]
CASES = Path(os.environ.get("MACULA_CONFORMANCE", ROOT / "sdks/conformance"))
"""Where cases and stage are: the repository's, unless the environment names another copy."""
ENDS = 30
"""How long the stage may take to end, in seconds."""


def cases() -> list[dict[str, Any]]:
    """All cases, in the order of their numbers."""
    found = [case for file in sorted((CASES / "cases").glob("*.json")) for case in json.loads(file.read_text())]
    return sorted(found, key=lambda case: int(case["number"]))


class Stage:
    """The stage, running. It ends with its standard input."""

    def __enter__(self) -> "Stage":
        binary = os.environ.get("MACULA_BINARY")
        command = [shutil.which("node") or "node", str(CASES / "stage/main.mjs"), *([binary] if binary else [])]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the stage ended with {self._process.wait()}")
        self.control: str = json.loads(line)["control"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        status = self._process.wait(ENDS)
        if status != 0 and error is None:
            raise RuntimeError(f"the stage ended with {status}")


class Gateway:
    """A gateway on the stage."""

    def __init__(self, client: httpx.AsyncClient, told: dict[str, Any]) -> None:
        self._client = client
        self._id = told["id"]
        self.url: str = told["url"]
        self.ca: str = told["ca"]

    @classmethod
    async def open(cls, control: str, settings: dict[str, Any]) -> "Gateway":
        client = httpx.AsyncClient(base_url=control, trust_env=False, timeout=60)
        return cls(client, await asked(client, "POST", "/gateways", settings))

    async def act(self, action: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Does one of the stage's actions: cut, heal, drop, restart, publish, tokens, expire."""
        return await asked(self._client, "POST", f"/gateways/{self._id}/{action}", body or {})

    async def metric(self, name: str) -> int:
        return int((await asked(self._client, "GET", f"/gateways/{self._id}/metrics/{name}"))["value"])

    async def close(self) -> None:
        """Ends it; an error says that it did not end in order."""
        try:
            await asked(self._client, "DELETE", f"/gateways/{self._id}")
        finally:
            await self._client.aclose()


async def asked(
    client: httpx.AsyncClient, method: str, path: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    response = await client.request(method, path, json=body)
    said: dict[str, Any] = response.json()
    if response.is_error:
        raise RuntimeError(f"the stage, {method} {path}: {said.get('error')}")
    return said
