"""``kill -9`` at requests of ``boot``: after the next run no instance runs, and that run ends well.

In ``make test`` the process dies before and after the requests of the launch and of the end; with AMICOPY_TORTURE set,
around every request.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from amicopy.sandbox.behavior import Timing
from tests.support.scenes import a_source
from tests.support.torture import HOME, Nursery, SharedClock, Strike, TortureSandbox, TortureWorld

LONG = int(os.environ.get("AMICOPY_TORTURE", "0"))
TIMING = Timing(visible_after=0, running_seconds=5, checked_seconds=20)
ENDED = {"shutting-down", "terminated"}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TortureSandbox, Nursery, SharedClock, Any]]:
    """Serve, and have processes ready to be born."""
    folder = tmp_path_factory.mktemp("boot")
    clock_file: Path = folder / "clock"
    clock = SharedClock(clock_file)
    with TortureSandbox.start(clock=clock, samples=False) as sandbox:
        nursery = Nursery(clock_file, {**sandbox.environment, "AWS_MAX_ATTEMPTS": "1", "HOME": str(folder)})
        ec2 = boto3.client("ec2", HOME, endpoint_url=sandbox.endpoint_url, **sandbox.credentials("123456789012"))
        try:
            yield sandbox, nursery, clock, ec2
        finally:
            ec2.close()
            nursery.close()


def running(ec2: Any) -> list[str]:
    """Return the instances that cost something."""
    found = [instance for one in ec2.describe_instances()["Reservations"] for instance in one["Instances"]]
    return [one["InstanceId"] for one in found if one["State"]["Name"] not in ENDED]


def test_no_instance_outlives_the_run_after_one_that_is_killed(stage: Any) -> None:
    sandbox, nursery, clock, ec2 = stage

    def begin() -> tuple[TortureWorld, list[str]]:
        clock.begin_anew()
        sandbox.reset(clock=clock, timing=TIMING)
        world = sandbox.torture
        return world, ["boot", "--yes", a_source(world).image_id, "--in", HOME, "--quiet"]

    world, argv = begin()
    made = nursery.run(world, argv).made
    number_of = {operation: number for number, operation in enumerate(made, 1) if operation}
    assert {"RunInstances", "CreateTags", "TerminateInstances"} <= number_of.keys()
    places = range(1, len(made) + 1) if LONG else sorted(number_of.values())
    broken = {}
    world, argv = begin()  # what `cancel` sweeps at once
    assert nursery.run(world, argv, Strike(request=number_of["RunInstances"], after=True)).happened
    assert len(running(ec2)) == 1
    assert nursery.run(world, ["cancel", argv[2], "--in", HOME, "--yes"]).status == 0
    assert running(ec2) == []
    for number in places:
        for after in (False, True):
            strike = Strike(request=number, after=after)
            world, argv = begin()
            struck = nursery.run(world, argv, strike)
            if not struck.happened:
                continue
            assert struck.status == -signal.SIGKILL
            status = nursery.run(world, argv).status
            if status or running(ec2):
                broken[str(strike)] = f"the next run ended with {status}, and left {running(ec2)}"
    assert broken == {}
