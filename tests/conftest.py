"""Fixtures: a sandbox whose time is the test's, commands run against it, and no way out of the machine."""

import json
import os
import random
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
from hypothesis import HealthCheck, settings

from amicopy.cli.environment import Environment
from amicopy.cli.main import main
from amicopy.core.parallel import THREAD, Stop
from amicopy.sandbox.behavior import Timing
from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.world import World
from tests.support.clock import FakeClock, one_after_another
from tests.support.schema import check_output

# EC2 may take a moment to show a new image: every command has to cope with that.
EVENTUALLY_CONSISTENT = Timing(visible_after=0.5)
LOOPBACK = {"127.0.0.1", "::1", "localhost"}
KEPT = "AMICOPY_STOCK_BOTOCORE"  # whoever runs the tests decides whether amicopy's start-up is switched off in them


# These need what Windows lacks: signals to other processes, terminals, a shell, permissions of files, mke2fs.
if sys.platform == "win32":
    collect_ignore = [
        *("commands/test_completion.py", "commands/test_notify.py", "commands/test_streams_and_exit_codes.py"),
        *("commands/test_terminal.py", "commands/accounts/test_checking.py", "commands/copy/test_checking.py"),
        *(
            "commands/copy/test_failed_checks.py",
            "commands/copy/test_scan.py",
            "commands/scan",
            "unit/core/test_parallel.py",
        ),
        *("unit/aws/startup/test_cache.py", "unit/render/test_exports.py", "unit/render/test_files.py", "unit/scan"),
        *("documents", "functions", "properties"),
    ]

# How fast this machine is says nothing about amicopy.
settings.register_profile("no-real-time", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no-real-time")


def _loopback_only(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple) and arguments[1][0] not in LOOPBACK:
        raise RuntimeError(f"a test tried to reach {arguments[1]}")


sys.addaudithook(_loopback_only)


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials, no configuration, no home directory, no variables of the developer's; pauses drawn alike."""
    random.seed(20261123)
    for name in os.environ:
        if name == KEPT:
            continue
        if name.startswith(("AWS_", "AMICOPY_", "BOTO_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="session")
def served() -> Iterator[Sandbox]:
    """One server for all tests; each gets a world of its own."""
    with Sandbox.start(clock=FakeClock(), samples=False) as sandbox:
        yield sandbox


@pytest.fixture
def clock() -> FakeClock:
    """The test's time."""
    return FakeClock()


@pytest.fixture
def sandbox(served: Sandbox, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """The server with a fresh world, and an environment that points every AWS client at it.

    Ends when the test's last thread has, so that none of its calls comes to the next test's world.
    """
    served.reset(clock=clock, timing=EVENTUALLY_CONSISTENT)
    for name, value in served.environment.items():
        monkeypatch.setenv(name, value)
    # What botocore would retry by sleeping in real time is left to amicopy's own patience, which asks the clock.
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    yield served
    for thread in threading.enumerate():
        if thread.name == THREAD:
            thread.join(timeout=10)


@pytest.fixture
def world(sandbox: Sandbox) -> World:
    """The fresh world itself."""
    return sandbox.world


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    def __post_init__(self) -> None:
        """Hold every JSON document that any test makes a command write to the published schema."""
        check_output(self.out)

    @property
    def json(self) -> Any:
        """The document on stdout."""
        return json.loads(self.out)


class Run(Protocol):
    """A command, run in this process."""

    def __call__(self, *argv: str, stop: Stop | None = None) -> Ran:
        """Return what ``amicopy ARGV`` said and how it ended."""


@pytest.fixture
def amicopy(clock: FakeClock, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command as a user does, under the test's clock, its lanes one after another."""

    def run(*argv: str, stop: Stop | None = None) -> Ran:
        capsys.readouterr()
        environment = Environment(clock=clock, drive=one_after_another, stop=stop or Stop())
        code = main(argv, environment)
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return run
