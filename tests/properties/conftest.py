"""Fixtures of the searches: where processes are killed, and what a search has done."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from amicopy.core import parallel
from tests.support.among.in_turn import InTurn
from tests.support.stage import Stage, staged
from tests.support.torture import HOME, Tally, Wireless


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


@pytest.fixture
def unplugged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wireless]:
    """Let every client in this process talk to the world at hand, without sockets."""
    Wireless.write_model(tmp_path / "models")
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path / "models"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASBOX123456789012")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sandbox")
    monkeypatch.setenv("AWS_REGION", HOME)
    monkeypatch.setenv("AWS_DEFAULT_REGION", HOME)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with Wireless().listening() as listening:
        yield listening


@pytest.fixture
def wireless(unplugged: Wireless, monkeypatch: pytest.MonkeyPatch) -> Wireless:
    """The same, without threads of its own."""
    monkeypatch.setattr(parallel, "Merged", InTurn)
    return unplugged
