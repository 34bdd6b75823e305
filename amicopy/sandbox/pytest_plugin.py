"""The pytest fixture ``amicopy_sandbox``: a local EC2 for one test.

pytest loads this module into every test run of an environment with amicopy, so moto and a web server are imported only
when a test asks for the fixture.
"""

import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from amicopy.core.clock import SystemClock, Wakes

if TYPE_CHECKING:
    from amicopy.sandbox.accounts import Account
    from amicopy.sandbox.http.server import Sandbox
    from amicopy.sandbox.records import Image
    from amicopy.sandbox.world import World

__all__ = ["AmicopySandbox", "SandboxClock", "amicopy_sandbox"]

_LOOPBACK = "127.0.0.1"
_READS = ("Describe", "Get", "List")


class SandboxClock:
    """The sandbox's time: it runs as the machine's does, and a test can move it forward.

    As the clock of an `amicopy.Context` it makes waiting take no time: a sleep moves it. Safe to use from threads.
    """

    def __init__(self) -> None:
        self._real = SystemClock()
        self._ahead = timedelta(0)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the sandbox's time, in UTC."""
        return self._real.now() + self._ahead

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        with self._lock:
            self._ahead += timedelta(seconds=seconds)

    def sleep(self, seconds: float, until: Wakes | None = None) -> None:
        """Move the clock forward instead of waiting, unless the event is set."""
        if until is None or not until.is_set():
            self.advance(seconds)


class AmicopySandbox:
    """A local EC2 that belongs to one test. The environment variables of the test point every AWS client at it."""

    def __init__(self, server: "Sandbox", clock: SandboxClock) -> None:
        self._server = server
        self.clock = clock

    @property
    def endpoint_url(self) -> str:
        """The value of AWS_ENDPOINT_URL."""
        return self._server.endpoint_url

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that point any AWS client at the sandbox; they are set already."""
        return self._server.environment | {"NO_PROXY": _LOOPBACK, "no_proxy": _LOOPBACK}

    @property
    def world(self) -> "World":
        """The simulated EC2 itself: its records can be read and changed."""
        return self._server.world

    def add_account(self, account_id: str, **attributes: Any) -> "Account":
        """Add an account with a role that the default account may assume; return its record.

        ``attributes`` are those of `amicopy.sandbox.http.server.Sandbox.add_account`: ``name``, ``unit`` (an
        organizational unit such as ``workloads/test``), ``role``, ``external_id`` and others.

        Raises:
            TypeError: there is no such attribute.
            ValueError: the id isn't that of an account, or the sandbox has the account already.
        """
        return self._server.add_account(account_id, **attributes)

    def credentials(self, account_id: str) -> dict[str, str]:
        """Return the keyword arguments for a boto3 session that is allowed everything in the account."""
        return self._server.credentials(account_id)

    def register(self, region: str, *, name: str, **attributes: Any) -> "Image":
        """Add an image with its snapshots to a region and return it.

        ``attributes`` are any of `amicopy.sandbox.records.Image`, such as ``tags`` and ``launch_permissions``, and
        ``volumes``, a list of `amicopy.sandbox.records.Volume`; by default it has one volume.

        Raises:
            TypeError: there is no such attribute.
        """
        return self.world.register(region, name=name, **attributes)

    def images(self, region: str | None = None) -> "list[Image]":
        """Return the images of one region or of all, pending ones included."""
        return self.world.images(region)

    def inject(self, *faults: str) -> None:
        """Inject faults, written as for ``amicopy sandbox --fault``: ``CopyImage@eu-west-1=throttle*5``.

        Raises:
            ValueError: one isn't a fault, or is of an operation or region that there isn't; the message says what is.
        """
        from amicopy.sandbox.faults import known_fault
        from amicopy.sandbox.http.moto_adapter import operation_names

        for fault in [known_fault(text, operation_names(), self.world.state.regions) for text in faults]:
            self.world.inject(fault)

    def set_copy_seconds(self, seconds: float) -> None:
        """Make every copy that starts from now on take exactly this long, in seconds of the clock."""
        state = self.world.state
        state.timing = replace(
            state.timing, copy_seconds=seconds, seconds_per_gib=0.0, variation=0.0, finishing_seconds=0.0
        )

    @property
    def writes(self) -> list[str]:
        """The EC2 operations that were called and aren't reads, in order; calls with DryRun aren't among them."""
        return [
            request.operation
            for request in self.world.requests
            if not request.operation.startswith(_READS) and not request.params.get("DryRun")
        ]


@pytest.fixture(scope="session")
def _amicopy_sandbox_server() -> "Iterator[Sandbox]":
    """Serve one sandbox for all tests; each test starts over."""
    with pytest.MonkeyPatch.context() as monkeypatch:  # moto reads the environment when it starts
        _hide_configuration(monkeypatch)
        try:
            from amicopy.sandbox.http.server import Sandbox
        except ModuleNotFoundError as error:
            pytest.fail(f"amicopy_sandbox needs {error.name}: pip install 'amicopy[sandbox]'", pytrace=False)
        server = Sandbox.start(samples=False)
    with server:
        yield server


def _hide_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the AWS variables and configuration files of the environment."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)


@pytest.fixture
def amicopy_sandbox(
    _amicopy_sandbox_server: "Sandbox",
    monkeypatch: pytest.MonkeyPatch,
) -> AmicopySandbox:
    """Return an empty local EC2, whose clock the test moves and that fails as the test says.

    For the time of the test every AWS client uses it: all ``AWS_…`` variables, configuration files, proxies and boto3's
    default session of the environment are out of the way. Nothing leaves the machine.
    """
    _hide_configuration(monkeypatch)
    clock = SandboxClock()
    _amicopy_sandbox_server.reset(clock=clock)
    sandbox = AmicopySandbox(_amicopy_sandbox_server, clock)
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)
    if boto3 := sys.modules.get("boto3"):
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    return sandbox
