"""``kill -9`` at requests of ``boot``: after the next run no instance runs, and that run ends well.

In ``make test`` the process dies before and after the requests of the launch and of the end; with AMICOPY_TORTURE set,
around every request. The image is one of the own account, or one of another account, where a role launches it.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from amicopy.sandbox.behavior import Timing
from tests.support.accounts import OWN, B
from tests.support.scenes import a_source
from tests.support.torture import HOME, Nursery, SharedClock, Strike, TortureSandbox, TortureWorld

LONG = int(os.environ.get("AMICOPY_TORTURE", "0"))
TIMING = Timing(visible_after=0, running_seconds=5, checked_seconds=20)
ENDED = {"shutting-down", "terminated"}
WRITES = {"RunInstances", "CreateTags", "TerminateInstances"}


@pytest.fixture(scope="module")
def stage(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[TortureSandbox, Nursery, SharedClock, dict[str, Any]]]:
    """Serve, and have processes ready to be born; with EC2 as each account sees it."""
    folder = tmp_path_factory.mktemp("boot")
    clock_file: Path = folder / "clock"
    clock = SharedClock(clock_file)
    with TortureSandbox.start(clock=clock, samples=False) as sandbox:
        nursery = Nursery(clock_file, {**sandbox.environment, "AWS_MAX_ATTEMPTS": "1", "HOME": str(folder)})
        seen_by = {
            account: boto3.client("ec2", HOME, endpoint_url=sandbox.endpoint_url, **sandbox.credentials(account))
            for account in (OWN, B)
        }
        try:
            yield sandbox, nursery, clock, seen_by
        finally:
            for ec2 in seen_by.values():
                ec2.close()
            nursery.close()


def running(ec2: Any) -> list[str]:
    """Return the instances that cost something."""
    found = [instance for one in ec2.describe_instances()["Reservations"] for instance in one["Instances"]]
    return [one["InstanceId"] for one in found if one["State"]["Name"] not in ENDED]


@pytest.mark.parametrize("account", [OWN, B], ids=["own account", "another account"])
def test_no_instance_outlives_the_run_after_one_that_is_killed(stage: Any, account: str) -> None:
    sandbox, nursery, clock, seen_by = stage
    ec2, there = seen_by[account], () if account == OWN else ("--account", account)

    def begin() -> tuple[TortureWorld, list[str]]:
        clock.begin_anew()
        sandbox.reset(clock=clock, timing=TIMING)
        sandbox.add_account(B)
        world = sandbox.torture
        image_id = a_source(world, account=account).image_id
        return world, ["boot", "--yes", image_id, "--in", HOME, "--quiet", *there]

    world, argv = begin()
    made = nursery.run(world, argv).made
    number_of = {operation: number for number, operation in enumerate(made, 1) if operation}
    assert number_of.keys() >= WRITES
    some = number_of.keys() if account == OWN else WRITES  # that the reads are survived does not depend on the account
    places = range(1, len(made) + 1) if LONG else sorted(number_of[operation] for operation in some)
    broken = {}
    world, argv = begin()  # what `cancel` sweeps at once
    assert nursery.run(world, argv, Strike(request=number_of["RunInstances"], after=True)).happened
    assert len(running(ec2)) == 1
    swept = [*(argv[2:3] if account == OWN else ["--copy", argv[2]]), "--in", HOME, "--yes", *there]
    assert nursery.run(world, ["cancel", *swept]).status == 0
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
