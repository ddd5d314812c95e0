"""Writes what the cases have found into target/tests/conformance/python.json."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from stage import ROOT, Stage

_results: list[dict[str, Any]] = []


@pytest.fixture(scope="session")
def control() -> Iterator[str]:
    """Where the stage is asked."""
    with Stage() as stage:
        yield stage.control


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    told = dict(report.user_properties)
    if "case" in told and (report.when == "call" or report.failed):
        found = {"case": told["case"], "name": told["name"], "sdk": "python", "environment": "cpython"}
        _results.append({**found, "transport": told["transport"], "passed": report.passed})


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workerinput") or not _results:
        return
    folder = ROOT / "target/tests/conformance"
    folder.mkdir(parents=True, exist_ok=True)
    _results.sort(key=lambda found: (found["transport"], found["case"]))
    (folder / "python.json").write_text(json.dumps(_results, indent=1) + "\n")
