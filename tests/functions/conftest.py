"""The functions as they are configured in Lambda, called in this process."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from amicopy.aws_lambda import settings
from amicopy.aws_lambda.one_pass import PassFailed
from amicopy.sandbox.http.server import Sandbox
from tests.support.scenes import HOME

EVENTS = Path(__file__).parent / "events"


@dataclass(frozen=True, slots=True)
class Remaining:
    """Lambda's context, as far as the functions use it."""

    seconds: float = 120.0

    def get_remaining_time_in_millis(self) -> int:
        """Return the time until the function is ended."""
        return int(self.seconds * 1000)


@pytest.fixture
def bundle(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a function's bundle, where its manifest is ``amis.yaml``; new sessions, as after a cold start."""
    assert sandbox.endpoint_url
    monkeypatch.setenv("LAMBDA_TASK_ROOT", str(tmp_path))
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "amicopy")
    monkeypatch.delenv("HOME")
    for cached in (settings.session, settings.session_of_functions):
        cached.cache_clear()
    yield tmp_path
    for cached in (settings.session, settings.session_of_functions):
        cached.cache_clear()


def manifest(bundle: Path, to: str, more: str = "", name: str = "web*") -> None:
    """Write a manifest of one image into the bundle."""
    text = f"images:\n  - {{source: {{name: '{name}'}}, from: {HOME}, to: '{to}'{', ' if more else ''}{more}}}\n"
    (bundle / "amis.yaml").write_text(text)


def states(document: Any) -> dict[str, int]:
    """Return how many copies of a pass are in which state."""
    found: dict[str, int] = document["copies"]
    return found


@contextmanager
def answered_in_time() -> Iterator[None]:
    """Check that a function says that its time was up before a call that hangs for 30 seconds is answered."""
    started = time.monotonic()
    with pytest.raises(PassFailed, match="time was up"):
        yield
    assert time.monotonic() - started < 25
