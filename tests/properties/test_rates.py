"""Many AMIs while EC2 throttles as it documents: every run comes to its end, and none of its calls is throttled.

botocore's own retries are off here, so that a throttled call is seen.
"""

import contextlib
from collections import Counter

import pytest

from amicopy.sandbox.ec2.errors import Ec2Error
from amicopy.sandbox.records import Volume
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.scenes import EAST, HOME, SOMEBODY, WEST, a_source, asked, slow, snapshots_of, writes


@pytest.fixture(autouse=True)
def limited(world: World) -> None:
    world.rates = "ec2"


def sources_of(world: World, count: int, volumes: int) -> list[str]:
    """Register images that need every kind of write, and return their ids."""
    return [
        a_source(
            world,
            name=f"web-{number}",
            tags={"team": "web"},
            launch_permissions={SOMEBODY},
            volumes=[
                Volume(device=f"/dev/sd{one}", gib=8, tags={"disk": one}, shared_with=frozenset({SOMEBODY}))
                for one in "abcdef"[:volumes]
            ],
        ).image_id
        for number in range(count)
    ]


def throttled(world: World) -> dict[str, int]:
    """Return how many calls were throttled, by region and operation."""
    return dict(
        Counter(f"{one.region} {one.operation}" for one in world.requests if one.error == "RequestLimitExceeded")
    )


@pytest.mark.parametrize(("count", "volumes", "regions"), [(60, 3, (WEST, EAST)), (110, 1, (WEST,))])
def test_many_amis_come_to_their_end_and_no_call_is_throttled(
    amicopy: Run, world: World, count: int, volumes: int, regions: tuple[str, ...]
) -> None:
    slow(world, 120)
    sources = sources_of(world, count, volumes)
    command = ("copy", *sources, "--to", ",".join(regions), "--deprecate-after", "30d", "--quiet")
    ran = amicopy(*command)
    assert (ran.code, throttled(world)) == (0, {}), ran.err
    for region in regions:
        assert len(asked(world, "CopyImage", region)) == count
        for copy in world.images(region):
            snapshots = snapshots_of(world, copy).values()
            assert (copy.state, copy.launch_permissions, copy.deprecate_at is None) == ("available", {SOMEBODY}, False)
            assert [(one.tags["disk"], one.shared_with) for one in snapshots] == [
                (one, {SOMEBODY}) for one in "abcdef"[:volumes]
            ]
    world.requests.clear()
    ran = amicopy(*command)
    assert (ran.code, throttled(world), writes(world)) == (0, {}, [])


@pytest.mark.parametrize("operation", ["DescribeImages", "DescribeSnapshotAttribute", "ModifySnapshotAttribute"])
def test_what_others_take_of_the_rates_only_takes_time(amicopy: Run, world: World, operation: str) -> None:
    sources = sources_of(world, 30, 1)
    for region in (HOME, WEST):
        for _ in range(100):
            with contextlib.suppress(Ec2Error):  # what it lacks does not matter: it takes a token
                world.call(operation, region=region)
    ran = amicopy("copy", *sources, "--to", WEST, "--quiet")
    assert ran.code == 0, ran.err
    assert any(operation in call for call in throttled(world))
    assert len(asked(world, "CopyImage", WEST)) == 30
