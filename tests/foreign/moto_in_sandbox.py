"""A pytest plugin that runs moto's own tests against the sandbox instead of moto's server.

It is loaded by its file's name alone: moto's tests, too, are a package called ``tests``.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from moto.core.models import ServerModeMockAWS
from moto.ec2.models.amis import AMIS

from amicopy.sandbox.behavior import timing_of
from amicopy.sandbox.http.server import Sandbox

OUTCOMES = "AMICOPY_FOREIGN_OUTCOMES"  # the file that gets a JSON object: test → "" or its failure
# moto's tests launch these without making them: they are in the list of AMIs that moto brings.
LAUNCHED = ("ami-12c6146b", "ami-03cf127a", "ami-fa7cdd89", "ami-f4cf1d8d")
AMAZON = "801119661308"

_sandbox = Sandbox.start(samples=False, timing=timing_of(copy_seconds=0))
_outcomes: dict[str, str] = {}
os.environ["TEST_SERVER_MODE_ENDPOINT"] = _sandbox.endpoint_url


def _reset(_mock: Any = None) -> None:
    """Start over: what moto's server does when it is asked at an address that the sandbox doesn't have."""
    world = _sandbox.reset()
    for row in AMIS:
        if row["ami_id"] not in LAUNCHED:
            continue
        for region in world.state.regions:
            world.register(
                region,
                name=row["name"],
                image_id=row["ami_id"],
                account=AMAZON,
                owner_alias="amazon",
                launch_permissions={"all"},
                architecture=row["architecture"],
                virtualization_type=row["virtualization_type"],
                platform=row.get("platform") or "",
            )


setattr(ServerModeMockAWS, "reset", _reset)  # noqa: B010 - a method, to the type checker


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note the outcome of a test, without the parts that differ from run to run."""
    if report.failed:
        crash = getattr(report.longrepr, "reprcrash", None)
        _outcomes[report.nodeid] = crash.message if crash else str(report.longrepr)
    elif report.passed and report.when == "call":
        _outcomes.setdefault(report.nodeid, "")


def pytest_sessionfinish() -> None:
    """Write the outcomes and stop the sandbox."""
    Path(os.environ[OUTCOMES]).write_text(json.dumps(_outcomes, indent=1))
    _sandbox.stop()
