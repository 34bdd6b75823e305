"""A world in which policies are enforced, and a caller who has one."""

from collections.abc import Iterator

import pytest

from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.world import World
from tests.support.clock import FakeClock
from tests.support.iam import Caller


@pytest.fixture
def guarded(sandbox: Sandbox, clock: FakeClock) -> World:
    """A world in which every call is held against the caller's policies."""
    return sandbox.reset(clock=clock, enforce_iam=True)


@pytest.fixture
def caller(guarded: World, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Caller]:
    """The one whose credentials the commands use."""
    assert guarded is sandbox.world
    one = Caller(sandbox, monkeypatch)
    yield one
    one.close()
