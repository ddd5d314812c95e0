from collections.abc import Iterator

import pytest
from gateway import Gateway


@pytest.fixture(scope="session")
def gateway() -> Iterator[Gateway]:
    with Gateway() as started:
        yield started
