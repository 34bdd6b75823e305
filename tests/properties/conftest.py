"""Fixtures of the searches: where processes are killed, and what a search has done."""

import os
from collections.abc import Iterator

import pytest

from tests.support.stage import Stage, staged
from tests.support.torture import Tally


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Return a server, and processes that can be born."""
    with staged(tmp_path_factory.mktemp("torture")) as made:
        yield made


@pytest.fixture(scope="module")
def tally() -> Iterator[Tally]:
    """Count what was done, and say it at the end."""
    counting = Tally(int(os.environ.get("AMICOPY_TORTURE_SEED", "1")))
    yield counting
    print(f"\n{counting}")
