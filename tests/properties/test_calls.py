"""How many calls a run makes, by operation: the account's rate is everybody's, so that none may creep in."""

from collections import Counter
from typing import Any

import pytest

from amicopy.aws.session import Session
from amicopy.sandbox.records import Image, Volume
from amicopy.sandbox.world import Request, World
from tests.conftest import Run
from tests.support.clock import FakeClock
from tests.support.scenes import (
    EAST,
    HOME,
    OTHERS,
    SOMEBODY,
    WEST,
    a_source,
    copied_by_hand,
    order,
    slow,
    snapshots_of,
)

SOUTH = "ap-south-1"
LOOK_UPS = {"DescribeImages tag:amicopy:source": 1, "DescribeImages source-image-id": 1}
PLAIN = {**LOOK_UPS, "CopyImage": 1}
WHO = {"DescribeImageAttribute": 1, "DescribeSnapshotAttribute": 1}  # whether more people can use it than the source
READ_BACK = {"DescribeImages read back": 1}


def is_poll(request: Request) -> bool:
    """Tell a look at copies from other calls."""
    return any(one["Name"] == "image-id" for one in request.params.get("Filters", ()))


def called(request: Request) -> str:
    """Return the operation of a call, and what is looked up by it."""
    filters = [one["Name"] for one in request.params.get("Filters", ())]
    return " ".join([request.operation, *filters[:1], *(["rehearsed"] if request.params.get("DryRun") else [])])


def calls(world: World, region: str = WEST) -> dict[str, int]:
    """Return the calls in one region by operation; of the polls only what came after the last write."""
    requests = [one for one in world.requests if one.region == region]
    writing = ("Modify", "Enable", "CreateTags")
    written = [number for number, one in enumerate(requests) if one.operation.startswith(writing)]
    found = Counter(called(one) for one in requests if not is_poll(one))
    if written and (again := sum(map(is_poll, requests[written[-1] :]))):
        found["DescribeImages read back"] = again
    return dict(found)


def polls(world: World, region: str = WEST) -> list[int]:
    """Return how many copies each look in a region was for."""
    return [len(one.params["Filters"][0]["Values"]) for one in world.requests if one.region == region and is_poll(one)]


def copied(amicopy: Run, world: World, *arguments: str) -> None:
    """Run a copy that goes well, and remember its calls only."""
    world.requests.clear()
    ran = amicopy("copy", *arguments, "--quiet")
    assert ran.code == 0, ran.err


def two_volumes(world: World, **members: dict[str, str]) -> Image:
    """Register an image of two volumes, whose snapshots have tags of their own where they are named."""
    volumes = [Volume(device=f"/dev/sd{letter}", gib=8, tags=members.get(letter, {})) for letter in "ab"]
    return a_source(world, volumes=volumes)


# A copy, by what it needs


def test_a_private_image_of_one_volume_takes_three_calls(amicopy: Run, world: World) -> None:
    copied(amicopy, world, a_source(world).image_id, "--to", WEST)
    assert calls(world) == PLAIN
    assert sum(PLAIN.values()) == 3


def test_several_destinations_take_three_calls_each(amicopy: Run, world: World) -> None:
    regions = (WEST, EAST, SOUTH)
    copied(amicopy, world, a_source(world).image_id, "--to", ",".join(regions))
    assert [calls(world, region) for region in regions] == [PLAIN] * 3


def test_several_amis_are_looked_up_together(amicopy: Run, world: World) -> None:
    sources = [a_source(world).image_id for _ in range(10)]
    copied(amicopy, world, *sources, "--to", f"{WEST},{EAST}")
    assert [calls(world, region) for region in (WEST, EAST)] == [{**LOOK_UPS, "CopyImage": 10}] * 2


@pytest.mark.parametrize("others", ["", EAST])
def test_a_run_that_starts_nothing_rehearses_the_copies_of_each_region_once(
    amicopy: Run, world: World, others: str
) -> None:
    sources = [a_source(world).image_id for _ in range(10)]
    regions = [WEST, *filter(None, [others])]
    assert amicopy("copy", *sources, "--to", ",".join(regions), "--dry-run").code == 0
    assert [calls(world, region) for region in regions] == [{**LOOK_UPS, "CopyImage rehearsed": 1}] * len(regions)


SHARED = {
    **PLAIN,
    "GetEbsEncryptionByDefault": 1,
    "ModifyImageAttribute": 1,
    "DescribeImageAttribute": 1,
}


def test_a_shared_image_takes_one_write_more_and_is_read_back(amicopy: Run, world: World) -> None:
    source = a_source(world, launch_permissions={SOMEBODY, OTHERS})
    copied(amicopy, world, source.image_id, "--to", WEST)
    assert calls(world) == {**SHARED, "ModifyImageAttribute rehearsed": 1}


def test_the_rehearsal_of_sharing_is_one_call_for_all_destinations(amicopy: Run, world: World) -> None:
    source = a_source(world, launch_permissions={SOMEBODY})
    copied(amicopy, world, source.image_id, "--to", f"{WEST},{EAST}")
    assert calls(world, WEST) == {**SHARED, "ModifyImageAttribute rehearsed": 1}
    assert calls(world, EAST) == SHARED


def test_only_services_that_are_called_have_clients(
    amicopy: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client of KMS takes as long to make as one of EC2; a shared image needs none where no key comes into it."""
    made: list[tuple[str, str]] = []
    make = Session._create_client

    def noted(session: Session, service: str, region: str) -> Any:
        made.append((service, region))
        return make(session, service, region)

    monkeypatch.setattr(Session, "_create_client", noted)
    copied(amicopy, world, a_source(world, launch_permissions={SOMEBODY}).image_id, "--to", f"{WEST},{EAST}")
    assert sorted(made) == sorted(("ec2", region) for region in (HOME, WEST, EAST))


def test_volume_permissions_are_one_write_per_snapshot(amicopy: Run, world: World) -> None:
    source = two_volumes(world)
    for snapshot in snapshots_of(world, source).values():
        snapshot.shared_with = {SOMEBODY}
    copied(amicopy, world, source.image_id, "--to", WEST, "--no-preflight")
    assert calls(world) == {
        **PLAIN,
        "ModifySnapshotAttribute": 2,
        "DescribeSnapshots": 1,
        "DescribeSnapshotAttribute": 2,
    }


def test_snapshots_whose_tags_are_all_alike_are_tagged_in_the_request(amicopy: Run, world: World) -> None:
    copied(amicopy, world, two_volumes(world, a={"team": "x"}, b={"team": "x"}).image_id, "--to", WEST)
    assert calls(world) == PLAIN


def test_tags_that_differ_between_snapshots_are_one_write_for_each(amicopy: Run, world: World) -> None:
    source = two_volumes(world, a={"disk": "system"}, b={"disk": "data"})
    copied(amicopy, world, source.image_id, "--to", WEST, "--no-preflight")
    assert calls(world) == {**PLAIN, "CreateTags": 2, "DescribeSnapshots": 1}


@pytest.mark.parametrize(
    ("arguments", "operation"),
    [
        (("--deprecate-after", "30d"), "EnableImageDeprecation"),
        (("--protect",), "EnableImageDeregistrationProtection"),
    ],
)
def test_a_date_or_a_protection_is_one_write_read_back_by_one_call(
    amicopy: Run, world: World, arguments: tuple[str, ...], operation: str
) -> None:
    copied(amicopy, world, a_source(world).image_id, "--to", WEST, *arguments)
    assert calls(world) == {**PLAIN, operation: 1, f"{operation} rehearsed": 1, **READ_BACK}


def test_not_waiting_takes_one_call_that_tells_a_dead_copy(amicopy: Run, world: World) -> None:
    copied(amicopy, world, a_source(world).image_id, "--to", WEST, "--no-wait")
    assert (calls(world), polls(world)) == ({**PLAIN, "DescribeImageAttribute": 1}, [])


def test_joining_takes_no_copy_image_and_writes_what_is_missing(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = a_source(world)
    slow(world, 60)
    copied_by_hand(world, source, WEST)
    clock.advance(5)
    copied(amicopy, world, source.image_id, "--to", WEST, "--no-preflight", "--adopt")
    # The snapshots are looked at for our tag; then their tags are read before and after it is put on both.
    expected = {"DescribeSnapshots": 2, "DescribeSnapshots description": 1, "CreateTags": 2}
    assert calls(world) == {**LOOK_UPS, **expected, **READ_BACK, **WHO}


def test_replacing_takes_the_token_of_the_dead_copy_and_one_more(amicopy: Run, world: World) -> None:
    source = a_source(world)
    order(world, "copy@us-west-2=fail:Client.InternalError: No luck")
    assert amicopy("copy", source.image_id, "--to", WEST).code == 1
    copied(amicopy, world, source.image_id, "--to", WEST, "--no-preflight")
    assert calls(world) == {**LOOK_UPS, "CopyImage": 2, "DeregisterImage": 1, "DescribeSnapshots description": 1}


# Nothing to do: look-ups only


def test_where_nothing_is_to_be_done_an_image_takes_five_reads(amicopy: Run, world: World) -> None:
    source = a_source(world)
    copied(amicopy, world, source.image_id, "--to", WEST)
    copied(amicopy, world, source.image_id, "--to", WEST)
    assert (calls(world), polls(world)) == ({**LOOK_UPS, "DescribeSnapshots": 1, **WHO}, [])


def test_where_nothing_is_to_be_done_each_permission_that_matters_is_one_more(amicopy: Run, world: World) -> None:
    source = a_source(world, launch_permissions={SOMEBODY})
    for snapshot in snapshots_of(world, source).values():
        snapshot.shared_with = {SOMEBODY}
    copied(amicopy, world, source.image_id, "--to", WEST)
    copied(amicopy, world, source.image_id, "--to", WEST)
    permissions = {"DescribeImageAttribute": 1, "DescribeSnapshotAttribute": 1}
    assert calls(world) == {**LOOK_UPS, "DescribeSnapshots": 1, **permissions}


def test_where_nothing_is_to_be_done_ten_amis_take_as_many_calls_as_one_but_for_permissions(
    amicopy: Run, world: World
) -> None:
    sources = [a_source(world, name=f"web-{number}").image_id for number in range(10)]
    copied(amicopy, world, *sources, "--to", WEST)
    copied(amicopy, world, *sources, "--to", WEST)
    assert calls(world) == {**LOOK_UPS, "DescribeSnapshots": 1, **dict.fromkeys(WHO, 10)}


def test_of_the_source_and_its_region_everything_is_read_once(amicopy: Run, world: World) -> None:
    source = a_source(world)
    copied(amicopy, world, source.image_id, "--to", f"{WEST},{EAST}")
    assert calls(world, HOME) == {
        "DescribeRegions": 1,
        "DescribeImages": 1,
        "DescribeImageAttribute": 1,
        "DescribeSnapshots": 1,
        "DescribeSnapshotAttribute": 1,
    }


def test_permissions_that_are_left_behind_are_not_read(amicopy: Run, world: World) -> None:
    source = a_source(world, launch_permissions={SOMEBODY})
    copied(amicopy, world, source.image_id, "--to", WEST, "--no-permissions")
    assert calls(world, HOME) == {"DescribeRegions": 1, "DescribeImages": 1, "DescribeSnapshots": 1}


# Polls: one DescribeImages per region and tick


@pytest.mark.parametrize("amis", [1, 10])
def test_a_tick_is_one_call_per_region_whatever_the_number_of_amis(amicopy: Run, world: World, amis: int) -> None:
    slow(world, 60)
    sources = [a_source(world, name=f"web-{number}").image_id for number in range(amis)]
    copied(amicopy, world, *sources, "--to", f"{WEST},{EAST}")
    # After 2 s, then every 5 s until the copies, which take 60.8 s, are available.
    assert [polls(world, region) for region in (WEST, EAST)] == [[amis] * 13] * 2


def test_two_hundred_and_one_amis_are_two_calls_a_tick(amicopy: Run, world: World) -> None:
    slow(world, 300)
    sources = [a_source(world, name=f"web-{number}").image_id for number in range(201)]
    copied(amicopy, world, *sources, "--to", WEST)
    seen = Counter(polls(world))
    assert (seen[200] == seen[1] > 0, max(seen)) == (True, 200)


def test_progress_is_read_once_a_minute_in_a_log_and_never_quietly(amicopy: Run, world: World) -> None:
    source = a_source(world)
    slow(world, 600)
    assert amicopy("copy", source.image_id, "--to", WEST).code == 0
    assert calls(world)["DescribeSnapshots tag:amicopy:source"] == 10  # after 30 s, 60 s, and each minute from there
    copied(amicopy, world, source.image_id, "--to", EAST)
    assert "DescribeSnapshots tag:amicopy:source" not in calls(world, EAST)


def test_progress_that_is_read_anyway_saves_polls(amicopy: Run, world: World) -> None:
    source = a_source(world)
    slow(world, 2400)
    assert amicopy("copy", source.image_id, "--to", WEST).code == 0
    assert len(polls(world)) < 200
    copied(amicopy, world, source.image_id, "--to", EAST)  # quietly
    assert len(polls(world, EAST)) == 481
