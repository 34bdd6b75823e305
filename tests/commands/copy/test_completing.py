"""Whole commands: a copy bears what its source bears, and nobody gets more than the source gives."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from amicopy.core.events import CopyAvailable, Event
from amicopy.sandbox.records import Image, Volume
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.clock import START, FakeClock
from tests.support.scenes import (
    EAST,
    HOME,
    ORGANIZATION,
    OTHERS,
    SOMEBODY,
    TAG,
    UNIT,
    WEST,
    a_source,
    asked,
    driven,
    finished_by_hand,
    line,
    order,
    row,
    slow,
    snapshots_of,
    the_copy,
    upon,
    writes,
)

FIFTY = {f"key{number:02}": f"value {number}" for number in range(50)}


def three_volumes(world: World, **members: Any) -> Image:
    """Register a source with three tagged volumes, an instance store volume and a suppressed device."""
    return a_source(
        world,
        description=None,
        volumes=[
            Volume(device="/dev/sda1", gib=8, tags={"Disk": "root", "aws:backup:source": "plan"}),
            Volume(device="/dev/sdb", gib=20, tags={"Disk": "data", "Mount": "/srv"}, volume_type="io1", iops=500),
            Volume(device="/dev/sdc", gib=30, delete_on_termination=False),
        ],
        ephemeral=["/dev/sdd"],
        no_device=["/dev/sde"],
        **members,
    )


# Tags and devices


def test_every_snapshot_gets_its_own_tags(amicopy: Run, world: World) -> None:
    """One request tags all snapshots alike, so each is brought to its own afterwards."""
    source = three_volumes(world, tags={"aws:cloudformation:stack-name": "web", "Team": "web"})
    ran = amicopy("copy", source.image_id, "--to", WEST)
    copy = the_copy(world, WEST)
    ours = {TAG: f"{HOME}/{source.image_id}"}
    assert (ran.code, ran.out) == (0, line(copy, source)), ran.err
    assert copy.tags == {"Team": "web", **ours}
    assert {device: one.tags for device, one in snapshots_of(world, copy).items()} == {
        "/dev/sda1": {"Disk": "root", **ours},
        "/dev/sdb": {"Disk": "data", "Mount": "/srv", **ours},
        "/dev/sdc": ours,
    }


def test_no_snapshot_is_ever_given_a_tag_that_its_source_lacks(amicopy: Run, world: World) -> None:
    """Not even for a moment, since nothing would take it off again."""
    source = three_volumes(world)
    amicopy("copy", source.image_id, "--to", WEST)
    [request] = asked(world, "CopyImage")
    [tags] = [one["Tags"] for one in request.params["TagSpecifications"] if one["ResourceType"] == "snapshot"]
    assert [tag["Key"] for tag in tags] == [TAG]
    assert asked(world, "DeleteTags") == []


def test_devices_without_a_snapshot_and_missing_descriptions_are_no_trouble(amicopy: Run, world: World) -> None:
    """And the copy's devices are the source's."""
    source = three_volumes(world)
    amicopy("copy", source.image_id, "--to", WEST)
    world.requests.clear()
    second = amicopy("copy", source.image_id, "--to", WEST)
    copy = the_copy(world, WEST)
    assert (second.code, writes(world)) == (0, []), second.err
    assert [(one.name, one.gib, one.virtual_name, one.no_device) for one in copy.devices] == [
        (one.name, one.gib, one.virtual_name, one.no_device) for one in source.devices
    ]
    assert copy.description == f"[Copied {source.image_id} from {HOME}] web"


def test_tags_of_aws_stay_behind_and_that_is_said(amicopy: Run, world: World) -> None:
    """EC2 lets nobody set them."""
    source = three_volumes(world, tags={"aws:cloudformation:stack-name": "web"})
    ran = amicopy("copy", source.image_id, "--to", WEST, "--output", "json")
    notes = row(ran, WEST)["notes"]
    for resource in (f"image {source.image_id}", f"snapshot {source.snapshot_ids[0]}"):
        note = f"tags of {resource} that begin with aws: are reserved by AWS and are not copied"
        assert note in notes
        assert f"note: {note}" in ran.err
    assert all("aws:" not in str(one.params) for one in asked(world, "CopyImage") + asked(world, "CreateTags"))


def test_fifty_tags_leave_no_room_for_ours_and_the_copy_is_found_all_the_same(amicopy: Run, world: World) -> None:
    source = a_source(world, tags={**FIFTY, "aws:x": "1"}, volumes=[Volume(tags=FIFTY), Volume(device="/dev/sdb")])
    ran = amicopy("copy", source.image_id, "--to", WEST)
    copy = the_copy(world, WEST)
    assert (ran.code, copy.tags) == (0, FIFTY), ran.err
    assert snapshots_of(world, copy)["/dev/sda1"].tags == FIFTY
    assert snapshots_of(world, copy)["/dev/sdb"].tags == {TAG: f"{HOME}/{source.image_id}"}
    assert f"the copy of image {source.image_id} has 50 tags already, so it cannot be tagged {TAG}" in ran.err
    world.requests.clear()
    second = amicopy("copy", source.image_id, "--to", WEST)
    assert (second.code, second.out, writes(world)) == (0, line(copy, source, "unchanged"), [])


def test_fifty_tags_and_one_more_asked_for_are_refused_before_anything_starts(amicopy: Run, world: World) -> None:
    source = a_source(world, tags=FIFTY)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--tag", "one=more")
    assert (ran.code, writes(world)) == (1, [])
    assert "a resource can have at most 50 tags, and these are 51" in ran.err
    assert "--no-tags" in ran.err


def test_asked_tags_win_over_the_sources_on_image_and_snapshots(amicopy: Run, world: World) -> None:
    source = a_source(world, tags={"Team": "web"}, volumes=[Volume(tags={"Team": "web", "Disk": "root"})])
    amicopy("copy", source.image_id, "--to", WEST, "--tag", "Team=ops", "--tag", "Empty=")
    copy = the_copy(world, WEST)
    ours = {TAG: f"{HOME}/{source.image_id}", "Team": "ops", "Empty": ""}
    assert copy.tags == ours
    assert snapshots_of(world, copy)["/dev/sda1"].tags == {"Disk": "root", **ours}


def test_a_copy_of_a_copy_names_its_own_source(amicopy: Run, world: World) -> None:
    """The tag of the first copying does not travel on."""
    source = a_source(world)
    amicopy("copy", source.image_id, "--to", WEST)
    middle = the_copy(world, WEST)
    ran = amicopy("copy", middle.image_id, "--from", WEST, "--to", EAST)
    last = the_copy(world, EAST)
    assert (ran.code, last.tags) == (0, {TAG: f"{WEST}/{middle.image_id}"})


# Permissions


def shared_widely(world: World) -> Image:
    """Register a source shared with two accounts, everybody, an organization and a unit."""
    return a_source(
        world,
        volumes=[
            Volume(device="/dev/sda1", shared_with=frozenset({SOMEBODY})),
            Volume(device="/dev/sdb", shared_with=frozenset({SOMEBODY})),
            Volume(device="/dev/sdc"),
        ],
        launch_permissions={SOMEBODY, OTHERS, "all", ORGANIZATION, UNIT},
    )


def test_all_launch_permissions_are_given_in_one_request(amicopy: Run, world: World) -> None:
    source = shared_widely(world)
    ran = amicopy("copy", source.image_id, "--to", WEST)
    copy = the_copy(world, WEST)
    assert (ran.code, copy.launch_permissions) == (0, source.launch_permissions), ran.err
    [request] = asked(world, "ModifyImageAttribute")
    assert request.params["ImageId"] == copy.image_id
    assert sorted(map(str, request.params["LaunchPermission"]["Add"])) == sorted(
        map(
            str,
            [
                {"UserId": SOMEBODY},
                {"UserId": OTHERS},
                {"Group": "all"},
                {"OrganizationArn": ORGANIZATION},
                {"OrganizationalUnitArn": UNIT},
            ],
        )
    )
    assert set(request.params["LaunchPermission"]) == {"Add"}


def test_snapshots_are_shared_before_the_image_is(amicopy: Run, world: World) -> None:
    """Whoever may launch it can use it from the first moment on."""
    source = shared_widely(world)
    amicopy("copy", source.image_id, "--to", WEST)
    copy = the_copy(world, WEST)
    assert writes(world) == ["CopyImage", "ModifySnapshotAttribute", "ModifySnapshotAttribute", "ModifyImageAttribute"]
    assert [one.params["SnapshotId"] for one in asked(world, "ModifySnapshotAttribute")] == copy.snapshot_ids[:2]
    added = [one.params["CreateVolumePermission"] for one in asked(world, "ModifySnapshotAttribute")]
    assert added == [{"Add": [{"UserId": SOMEBODY}]}] * 2
    assert [one.shared_with for one in snapshots_of(world, copy).values()] == [{SOMEBODY}, {SOMEBODY}, set()]


def test_a_closed_account_does_not_keep_the_others_from_being_shared_with(amicopy: Run, world: World) -> None:
    closed = "777788889999"
    world.state.unconfirmed = replace(world.state.unconfirmed, closed_accounts=frozenset({closed}))
    source = a_source(world, launch_permissions={SOMEBODY, OTHERS, closed})
    for snapshot in snapshots_of(world, source).values():
        snapshot.shared_with = {SOMEBODY, closed}
    ran = amicopy("copy", source.image_id, "--to", WEST)
    copy = the_copy(world, WEST)
    assert (ran.code, copy.launch_permissions) == (1, {SOMEBODY, OTHERS}), ran.err
    assert [one.shared_with for one in snapshots_of(world, copy).values()] == [{SOMEBODY}] * len(copy.snapshot_ids)
    assert f'Invalid attribute item value "{closed}"' in ran.err
    assert f"The copy is {copy.image_id} in {WEST}, of {HOME}/{source.image_id}." in ran.err
    source.launch_permissions -= {closed}
    for snapshot in snapshots_of(world, source).values():
        snapshot.shared_with -= {closed}
    again = amicopy("copy", source.image_id, "--to", WEST)
    assert (again.code, again.out) == (0, line(copy, source, "unchanged")), again.err


def test_a_tag_without_room_does_not_keep_the_rest_from_being_written(amicopy: Run, world: World) -> None:
    keys = sorted(FIFTY)
    source = a_source(world, tags=dict.fromkeys(keys[:49], ""))
    amicopy("copy", source.image_id, "--to", WEST)
    del source.tags[keys[0]], source.tags[keys[1]]
    source.tags |= {keys[49]: "new", "another": "new", keys[2]: "changed"}
    source.launch_permissions = {SOMEBODY}
    ran = amicopy("copy", source.image_id, "--to", WEST)
    copy = the_copy(world, WEST)
    assert (ran.code, copy.launch_permissions, copy.tags[keys[2]]) == (1, {SOMEBODY}, "changed"), ran.err
    assert "The maximum number of Tags for a resource has been reached." in ran.err
    assert "`verify --repair --prune` removes them" in ran.err
    assert copy.image_id in ran.err


def test_permissions_are_not_written_again(amicopy: Run, world: World) -> None:
    source = shared_widely(world)
    amicopy("copy", source.image_id, "--to", WEST)
    world.requests.clear()
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, writes(world)) == (0, [])


def test_what_was_shared_is_said_in_json(amicopy: Run, world: World) -> None:
    source = a_source(world, launch_permissions={SOMEBODY, "all"})
    ran = amicopy("copy", source.image_id, "--to", WEST, "--output", "json")
    copy = the_copy(world, WEST)
    assert row(ran, WEST)["changes"] == [f"shared {copy.image_id} with {SOMEBODY}, public"]


# Dates, and what is never sent


def test_a_deprecation_date_is_carried(amicopy: Run, world: World) -> None:
    source = a_source(world, deprecate_at=datetime(2027, 3, 1, 12, 30, tzinfo=UTC))
    ran = amicopy("copy", source.image_id, "--to", WEST)
    copy = the_copy(world, WEST)
    assert (ran.code, copy.deprecate_at) == (0, source.deprecate_at)
    [request] = asked(world, "EnableImageDeprecation")
    assert request.params["ImageId"] == copy.image_id
    assert "2027-03-01" in str(request.params["DeprecateAt"]) or request.params["DeprecateAt"] == source.deprecate_at


def test_a_deprecation_date_in_the_past_is_no_error(amicopy: Run, world: World) -> None:
    """EC2 would refuse it, so it is not sent, and that is said."""
    source = a_source(world, deprecate_at=START - timedelta(days=30))
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, asked(world, "EnableImageDeprecation"), the_copy(world, WEST).deprecate_at) == (0, [], None)
    assert f"note: {source.image_id} has been deprecated since 2026-10-24" in ran.err


def test_a_deprecation_date_that_passes_while_copying_is_no_error(amicopy: Run, world: World) -> None:
    """It was in the future when the run began."""
    source = a_source(world, deprecate_at=START + timedelta(minutes=10))
    slow(world, 1800)
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, ran.out) == (0, line(the_copy(world, WEST), source)), ran.err


@pytest.mark.parametrize("encrypted", [True, False])
def test_nothing_about_encryption_is_sent_unasked(amicopy: Run, world: World, encrypted: bool) -> None:
    """Encrypted=False would be refused for an encrypted source, or would undo a region's default."""
    source = a_source(world, volumes=[Volume(encrypted=encrypted)])
    world.settings(WEST).encryption_by_default = not encrypted
    ran = amicopy("copy", source.image_id, "--to", WEST)
    [request] = asked(world, "CopyImage")
    assert ran.code == 0, ran.err
    assert set(request.params) == {
        "SourceRegion",
        "SourceImageId",
        "Name",
        "Description",
        "ClientToken",
        "TagSpecifications",
    }
    assert [one.encrypted for one in snapshots_of(world, the_copy(world, WEST)).values()] == [True]


# Nobody gets more


def test_a_private_source_gives_private_copies(amicopy: Run, world: World) -> None:
    source = a_source(world)
    amicopy("copy", source.image_id, "--to", WEST)
    copy = the_copy(world, WEST)
    assert (copy.launch_permissions, snapshots_of(world, copy)["/dev/sda1"].shared_with) == (set(), set())
    assert writes(world) == ["CopyImage"]


def test_sharing_shares_with_exactly_those_asked(amicopy: Run, world: World) -> None:
    source = a_source(
        world,
        volumes=[Volume(shared_with=frozenset({SOMEBODY, OTHERS}))],
        launch_permissions={SOMEBODY, "all", ORGANIZATION},
    )
    ran = amicopy("copy", source.image_id, "--to", WEST, "--share", OTHERS, "--share", UNIT)
    copy = the_copy(world, WEST)
    assert (ran.code, copy.launch_permissions) == (0, {OTHERS, UNIT}), ran.err
    assert snapshots_of(world, copy)["/dev/sda1"].shared_with == {OTHERS}
    [request] = asked(world, "ModifyImageAttribute")
    assert request.params["LaunchPermission"]["Add"] == [{"UserId": OTHERS}, {"OrganizationalUnitArn": UNIT}]


def test_sharing_never_opens_a_snapshot_that_the_source_keeps_closed(amicopy: Run, world: World) -> None:
    """To launch is less than to read the disk."""
    source = a_source(world)
    amicopy("copy", source.image_id, "--to", WEST, "--share", OTHERS)
    assert snapshots_of(world, the_copy(world, WEST))["/dev/sda1"].shared_with == set()
    assert asked(world, "ModifySnapshotAttribute") == []


def test_no_permissions_leaves_the_copy_private(amicopy: Run, world: World) -> None:
    source = shared_widely(world)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--no-permissions")
    copy = the_copy(world, WEST)
    assert (ran.code, copy.launch_permissions, writes(world)) == (0, set(), ["CopyImage"])
    assert [one.shared_with for one in snapshots_of(world, copy).values()] == [set(), set(), set()]


@pytest.mark.parametrize("gone", [False, True], ids=["made private", "deregistered"])
def test_a_source_that_loses_its_permissions_while_ec2_copies_is_not_shared(
    world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str], gone: bool
) -> None:
    source = a_source(world, launch_permissions={SOMEBODY, OTHERS})
    for snapshot in snapshots_of(world, source).values():
        snapshot.shared_with = {SOMEBODY}

    def lose(_event: Event) -> None:
        source.launch_permissions -= {SOMEBODY}
        for snapshot in snapshots_of(world, source).values():
            snapshot.shared_with.clear()
        if gone:
            world.remove(HOME, source.image_id)

    ran = driven(capsys, clock, upon(CopyAvailable, lose), "copy", source.image_id, "--to", WEST)
    copy = the_copy(world, WEST)
    assert ran.code == 0, ran.err
    assert copy.launch_permissions == (set() if gone else {OTHERS})
    assert [one.shared_with for one in snapshots_of(world, copy).values()] == [set()] * len(copy.snapshot_ids)
    assert f"the source is no longer shared with {SOMEBODY}" in ran.err


def test_making_copies_public_on_request_needs_a_yes(amicopy: Run, world: World) -> None:
    source = a_source(world)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--share", "public")
    assert (ran.code, world.images(WEST)) == (2, [])
    assert "Make the copies public?" in ran.err
    agreed = amicopy("copy", source.image_id, "--to", WEST, "--share", "public", "--yes")
    assert (agreed.code, the_copy(world, WEST).public) == (0, True), agreed.err


def test_copies_of_a_public_source_are_public_without_a_question(amicopy: Run, world: World) -> None:
    source = a_source(world, launch_permissions={"all"})
    assert amicopy("copy", source.image_id, "--to", WEST).code == 0
    assert the_copy(world, WEST).public


def test_what_others_added_to_a_copy_is_left_alone(amicopy: Run, world: World, clock: FakeClock) -> None:
    """It is not a difference, and taking it away is not ours."""
    source = a_source(world, tags={"Team": "web"}, launch_permissions={SOMEBODY})
    finished_by_hand(world, clock, source, WEST)
    copy = the_copy(world, WEST)
    copy.launch_permissions.add(OTHERS)
    copy.tags["Added"] = "there"
    words = f"warning: {WEST}: {copy.image_id} is shared with {OTHERS}, more than requested"
    for options, code in (((), 0), (("--exit-code",), 4)):
        rehearsed = amicopy("copy", source.image_id, "--to", WEST, "--adopt", "--dry-run", *options)
        assert (rehearsed.code, words in rehearsed.err) == (code, True), rehearsed.err
    ran = amicopy("copy", source.image_id, "--to", WEST, "--adopt", "--quiet")
    assert (ran.code, copy.launch_permissions) == (4, {SOMEBODY, OTHERS}), ran.err
    rerun = amicopy("copy", source.image_id, "--to", WEST, "--dry-run", "--exit-code")
    assert (rerun.code, words in rerun.err) == (4, True), rerun.err
    assert f"{copy.image_id} is shared with {OTHERS}, more than requested" in ran.err
    assert (copy.tags["Added"], copy.tags["Team"]) == ("there", "web")
    [request] = asked(world, "ModifyImageAttribute")
    assert request.params["LaunchPermission"] == {"Add": [{"UserId": SOMEBODY}]}


@pytest.mark.parametrize("operation", ["DescribeImageAttribute", "DescribeSnapshotAttribute"])
def test_permissions_that_may_not_be_read_are_not_guessed(amicopy: Run, world: World, operation: str) -> None:
    """A copy that is silently private is not faithful; one that is asked to be is."""
    source = shared_widely(world)
    order(world, f"{operation}=error:403 UnauthorizedOperation: You are not authorized.*always")
    refused = amicopy("copy", source.image_id, "--to", WEST)
    assert (refused.code, writes(world)) == (6, [])
    assert f"Allow ec2:{operation}" in refused.err
    assert "--no-permissions" in refused.err
    private = amicopy("copy", source.image_id, "--to", WEST, "--no-permissions")
    assert (private.code, the_copy(world, WEST).launch_permissions) == (0, set()), private.err
