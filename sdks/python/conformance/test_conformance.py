"""Every case of sdks/conformance, on every transport: a test each."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from case import run
from stage import cases

TRANSPORTS = ["webtransport", "websocket", "sse-h3", "sse-h2", "sse-h1"]


def is_for(case: dict[str, Any], transport: str) -> bool:
    return transport.partition("-")[0] in case.get("transports", ["webtransport", "websocket", "sse"])


@pytest.mark.parametrize(
    ("case", "transport"),
    [
        pytest.param(case, transport, id=f"{transport}-{case['number']}")
        for transport in TRANSPORTS
        for case in cases()
        if is_for(case, transport)
    ],
)
def test_case(
    case: dict[str, Any], transport: str, control: str, record_property: Callable[[str, object], None]
) -> None:
    record_property("case", case["number"])
    record_property("name", case["name"])
    record_property("transport", transport)
    asyncio.run(run(case, control, transport), debug=False)
