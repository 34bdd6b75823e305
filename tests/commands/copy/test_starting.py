"""Whole commands: how a run starts and what it finds. One copy per region, whoever made it, however often asked for."""

import threading
from datetime import timedelta
from typing import Literal

import pytest

from amicopy.cli.environment import Environment
from amicopy.cli.main import main
from amicopy.sandbox.behavior import Timing, Unconfirmed
from amicopy.sandbox.records import Image, Volume
from amicopy.sandbox.world import World
from tests.conftest import Ran, Run
from tests.support.clock import START, FakeClock, one_after_another
from tests.support.scenes import (
    EAST,
    HOME,
    ORGANIZATION,
    OTHERS,
    SOMEBODY,
    TAG,
    WEST,
    a_pending_source,
    a_source,
    asked,
    copied_by_hand,
    driven,
    finished_by_hand,
    first,
    line,
    order,
    orphans,
    row,
    slow,
    snapshots_of,
    the_copy,
    writes,
)


def a_rich_source(world: World) -> Image:
    """Register a source with everything that a copy does not carry by itself."""
    return a_source(
        world,
        tags={"Team": "web", "Empty": ""},
        volumes=[
            Volume(device="/dev/sda1", gib=8, tags={"Disk": "root"}, shared_with=frozenset({SOMEBODY})),
            Volume(device="/dev/sdb", gib=20, tags={"Disk": "data"}),
        ],
        launch_permissions={SOMEBODY, ORGANIZATION},
        deprecate_at=START + timedelta(days=90),
    )


# An id that EC2 does not know yet


def test_an_id_that_no_list_shows_at_first_is_waited_for(amicopy: Run, world: World) -> None:
    """An empty list, three times."""
    source = a_source(world)
    order(world, "copy@us-west-2=unseen:3")
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, ran.out) == (0, line(the_copy(world, WEST), source))
    assert len(asked(world, "CopyImage")) == 1
    assert "FAILED" not in ran.err


def test_an_id_that_ec2_says_does_not_exist_is_waited_for(amicopy: Run, world: World) -> None:
    """InvalidAMIID.NotFound, three times, after the two look-ups of the survey."""
    source = a_source(world)
    order(world, "DescribeImages@us-west-2=error:InvalidAMIID.NotFound: The image id does not exist*3 after 2")
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, ran.out) == (0, line(the_copy(world, WEST), source)), ran.err
    assert len(asked(world, "CopyImage")) == 1


def test_what_is_asked_of_ec2_for_a_copy(amicopy: Run, world: World) -> None:
    """The request itself: tags for image and snapshots in it, a client token, nothing about encryption."""
    source = a_source(world, tags={"Team": "web"}, volumes=[Volume(tags={"Disk": "root"})])
    amicopy("copy", source.image_id, "--to", WEST)
    [request] = asked(world, "CopyImage")
    params = dict(request.params)
    token = params.pop("ClientToken")
    assert token.isascii()
    assert 1 <= len(token) <= 64
    ours = {"Key": TAG, "Value": f"{HOME}/{source.image_id}"}
    assert params == {
        "SourceRegion": HOME,
        "SourceImageId": source.image_id,
        "Name": "web",
        "Description": f"[Copied {source.image_id} from {HOME}] web",
        "TagSpecifications": [
            {"ResourceType": "image", "Tags": [{"Key": "Team", "Value": "web"}, ours]},
            {"ResourceType": "snapshot", "Tags": [{"Key": "Disk", "Value": "root"}, ours]},
        ],
    }
    assert request.region == WEST


def test_a_fresh_private_copy_needs_no_other_write(amicopy: Run, world: World) -> None:
    """All that a private source bears is in the one request."""
    source = a_source(world, tags={"Team": "web"}, volumes=[Volume(tags={"Disk": "root"})])
    amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}")
    assert writes(world) == ["CopyImage", "CopyImage"]


# An id that is not there


def test_a_mistyped_id_fails_at_once_and_names_id_and_region(amicopy: Run, world: World, clock: FakeClock) -> None:
    a_source(world)
    ran = amicopy("copy", "ami-0123456789abcdef0", "--to", WEST)
    assert (ran.code, ran.out) == (1, "")
    assert f"ami-0123456789abcdef0 is not in {HOME}." in ran.err
    assert "--from" in ran.err
    assert writes(world) == []
    assert clock.now() == START


def test_the_region_that_has_the_id_is_named(amicopy: Run, world: World) -> None:
    source = a_source(world, "ap-southeast-2")
    ran = amicopy("copy", source.image_id, "--to", WEST, "--output", "json")
    assert ran.code == 1
    error = ran.json["error"]
    assert (error["slug"], ran.json["copies"], ran.json["schema"]) == ("image-not-found", [], "amicopy/1")
    assert error["why"] == f"{source.image_id} is in ap-southeast-2."
    assert "--from ap-southeast-2" in error["next"]
    assert error["next"] in ran.err
    assert writes(world) == []


def test_many_unknown_ids_are_looked_for_elsewhere_with_one_call_in_each_region(amicopy: Run, world: World) -> None:
    unknown = [f"ami-{number:017x}" for number in range(1, 31)]
    there = a_source(world, "ap-southeast-2")
    ran = amicopy("copy", *unknown, there.image_id, "--to", WEST)
    assert f"{there.image_id} is in ap-southeast-2" in ran.err
    asked_there = [one for one in world.requests if one.region == "eu-north-1"]
    assert [one.operation for one in asked_there] == ["DescribeImages"]


def test_ones_own_snapshots_that_ec2_does_not_show_are_not_called_anothers(amicopy: Run, world: World) -> None:
    source = a_source(world)
    for snapshot_id in source.snapshot_ids:
        del world.state.snapshots[HOME][snapshot_id]
    ran = amicopy("copy", source.image_id, "--to", WEST, "--output", "json")
    assert (ran.code, ran.json["error"]["slug"]) == (1, "image-unavailable")
    assert source.snapshot_ids[0] in ran.err


def test_every_missing_id_of_several_is_named_in_one_go(amicopy: Run, world: World) -> None:
    """Nobody wants to correct one id per run."""
    source = a_source(world)
    ran = amicopy("copy", "ami-0123456789abcdef0", source.image_id, "ami-0123456789abcdef1", "--to", WEST)
    assert ran.code == 1
    assert "ami-0123456789abcdef0, ami-0123456789abcdef1 are not in us-east-1" in ran.err
    assert source.image_id not in ran.err
    assert writes(world) == []


# A second run


def test_a_second_run_over_a_rich_source_writes_nothing(amicopy: Run, world: World) -> None:
    source = a_rich_source(world)
    first_run = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}")
    world.requests.clear()
    second = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}")
    assert (first_run.code, second.code) == (0, 0), first_run.err
    copies = the_copy(world, WEST), the_copy(world, EAST)
    assert first_run.out == "".join(line(copy, source) for copy in copies)
    assert second.out == "".join(line(copy, source, "unchanged") for copy in copies)
    assert "nothing to do: 2 copies are up to date" in second.err
    assert writes(world) == []


def test_a_second_run_says_in_json_that_all_was_as_asked(amicopy: Run, world: World) -> None:
    source = a_rich_source(world)
    amicopy("copy", source.image_id, "--to", WEST)
    second = amicopy("copy", source.image_id, "--to", WEST, "--output", "json")
    assert (second.json["schema"], second.json["status"], second.json["exit_code"]) == ("amicopy/1", "ok", 0)
    found = row(second, WEST)
    assert (found["action"], found["state"], found["error"]) == ("unchanged", "unchanged", None)
    assert found["image_id"] == the_copy(world, WEST).image_id
    assert "CopyImage" not in second.json["calls"]


def test_a_second_run_finds_the_copy_in_two_look_ups(amicopy: Run, world: World) -> None:
    """And reads the source and the regions once."""
    source = a_source(world)
    amicopy("copy", source.image_id, "--to", WEST)
    world.requests.clear()
    amicopy("copy", source.image_id, "--to", WEST)
    assert len(asked(world, "DescribeImages", WEST)) == 2
    assert len(asked(world, "DescribeImages", HOME)) == 1
    assert len(asked(world, "DescribeRegions")) == 1
    assert [one for one in world.requests if one.params.get("DryRun")] == []


def test_what_a_copy_has_lost_is_put_back_and_no_more(amicopy: Run, world: World) -> None:
    """Drift is repaired in the copy that is there."""
    source = a_rich_source(world)
    amicopy("copy", source.image_id, "--to", WEST)
    copy = the_copy(world, WEST)
    copy.launch_permissions.discard(ORGANIZATION)
    del copy.tags["Team"]
    world.requests.clear()
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, ran.out) == (0, line(copy, source)), ran.err
    assert writes(world) == ["CreateTags", "ModifyImageAttribute"]
    [sharing] = asked(world, "ModifyImageAttribute")
    assert sharing.params["LaunchPermission"] == {"Add": [{"OrganizationArn": ORGANIZATION}]}
    assert copy.launch_permissions == source.launch_permissions
    assert copy.tags["Team"] == "web"


# A second run while copies are pending


def test_a_second_run_joins_copies_that_are_pending(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = a_source(world)
    slow(world, 600)
    left = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "--no-wait")
    assert left.code == 0
    ids = (the_copy(world, WEST), the_copy(world, EAST))
    assert left.out == line(ids[0], source, "copying") + line(ids[1], source, "copying")
    clock.advance(30)
    joined = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}")
    assert (joined.code, joined.out) == (0, left.out.replace("copying", "done"))
    assert "is already being copied" in joined.err
    assert len(asked(world, "CopyImage")) == 2
    assert [image.state for image in ids] == ["available", "available"]


def test_a_name_with_a_date_is_as_asked_on_every_later_day(amicopy: Run, world: World, clock: FakeClock) -> None:
    """The same command is the resume tomorrow too."""
    source = a_source(world)
    dated = ("--name", "{name}-{date}", "--description", "of {date}")
    command = ("copy", source.image_id, "--to", WEST, *dated, "--output", "json")
    assert amicopy(*command).code == 0
    name = f"{source.name}-{START:%Y-%m-%d}"
    clock.advance(86_400)
    world.requests.clear()
    ran = amicopy(*command)
    assert (ran.code, writes(world)) == (0, [])
    assert [(one["state"], one["name"]) for one in ran.json["copies"]] == [("unchanged", name)]
    assert the_copy(world, WEST).name == name


def test_what_people_changed_on_a_copy_that_its_token_hands_back_is_seen(amicopy: Run, world: World) -> None:
    source = a_rich_source(world)
    assert amicopy("copy", source.image_id, "--to", WEST).code == 0
    copy = the_copy(world, WEST)
    copy.launch_permissions.add("777788889999")
    snapshots = [world.snapshot(WEST, snapshot_id) for snapshot_id in copy.snapshot_ids]
    for tags in (copy.tags, *(snapshot.tags for snapshot in snapshots)):
        del tags[TAG]  # so that it is not found as ours
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, the_copy(world, WEST).image_id) == (0, copy.image_id), ran.err
    assert all(TAG in tags for tags in (copy.tags, *(snapshot.tags for snapshot in snapshots)))
    assert f"{copy.image_id} is shared with 777788889999, more than requested; if that is not intended" in ran.err


def test_a_second_run_that_cannot_see_the_copy_yet_is_handed_it_again(amicopy: Run, world: World) -> None:
    """At the very same moment the look-ups find nothing, and the client token does."""
    source = a_source(world)
    left = amicopy("copy", source.image_id, "--to", WEST, "--no-wait")
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert left.out == line(the_copy(world, WEST), source, "copying")
    assert ran.out == line(the_copy(world, WEST), source)


def test_a_joined_copy_is_made_faithful_too(amicopy: Run, world: World, clock: FakeClock) -> None:
    """The run that started it may never have come back."""
    source = a_rich_source(world)
    slow(world, 600)
    amicopy("copy", source.image_id, "--to", WEST, "--no-wait")
    clock.advance(30)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--output", "json")
    assert ran.code == 0
    assert (row(ran, WEST)["action"], row(ran, WEST)["state"]) == ("join", "done")
    copy = the_copy(world, WEST)
    assert copy.launch_permissions == source.launch_permissions
    assert copy.deprecate_at == source.deprecate_at
    assert [one.tags["Disk"] for one in snapshots_of(world, copy).values()] == ["root", "data"]


def test_leaving_without_waiting_says_how_to_go_on(amicopy: Run, world: World) -> None:
    source = a_source(world)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--no-wait")
    assert ran.code == 0
    assert f"amicopy copy {source.image_id} --to {WEST} --no-wait" in ran.err.splitlines()[-1]


def test_leaving_without_waiting_can_tell_by_exit_code_that_work_is_left(amicopy: Run, world: World) -> None:
    source = a_source(world)
    codes = [amicopy("copy", source.image_id, "--to", WEST, "--no-wait", "--exit-code").code]
    amicopy("copy", source.image_id, "--to", WEST)
    codes.append(amicopy("copy", source.image_id, "--to", WEST, "--no-wait", "--exit-code").code)
    assert codes == [5, 0]


# Two runs at the same moment


def interleaved(
    capsys: pytest.CaptureFixture[str], clock: FakeClock, outer: tuple[str, ...], inner: tuple[str, ...]
) -> tuple[Ran, int]:
    """Run one command between the survey and the first write of another; return the outer run and the inner's code."""
    codes: list[int] = []
    environment = Environment(clock=clock, drive=one_after_another)
    ran = driven(capsys, clock, first(lambda: codes.append(main(inner, environment))), *outer)
    return ran, codes[0]


def test_two_runs_with_the_same_plan_make_one_copy_per_region(
    world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both have found nothing when the first CopyImage comes."""
    source = a_rich_source(world)
    command = ("copy", source.image_id, "--to", f"{WEST},{EAST}")
    outer, inner_code = interleaved(capsys, clock, command, command)
    assert (outer.code, inner_code) == (0, 0), outer.err
    for region in (WEST, EAST):
        assert the_copy(world, region).launch_permissions == source.launch_permissions
        assert orphans(world, region) == []


def test_two_runs_whose_copies_overlap_in_time_make_one_copy_per_region(
    world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """The other run's copy is still pending when this one's CopyImage comes."""
    source = a_source(world)
    slow(world, 300)
    command = ("copy", source.image_id, "--to", f"{WEST},{EAST}")
    outer, inner_code = interleaved(capsys, clock, command, (*command, "--no-wait"))
    assert (outer.code, inner_code) == (0, 0), outer.err
    assert outer.out.endswith(line(the_copy(world, WEST), source) + line(the_copy(world, EAST), source))


def test_two_runs_in_threads_make_one_copy_per_region(
    world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """However the two interleave."""
    source = a_source(world)
    command = ("copy", source.image_id, "--to", f"{WEST},{EAST}")
    codes: list[int] = []
    together = threading.Barrier(2)

    def run() -> None:
        environment = Environment(clock=clock, drive=first(lambda: together.wait(timeout=10)))
        codes.append(main(command, environment))

    runs = [threading.Thread(target=run) for _ in range(2)]
    for one in runs:
        one.start()
    for one in runs:
        one.join(timeout=20)
    assert codes == [0, 0], capsys.readouterr().err
    assert [the_copy(world, region).state for region in (WEST, EAST)] == ["available", "available"]


def test_a_run_with_other_tags_joins_what_its_twin_started(
    world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """The client token is the same and the parameters are not."""
    source = a_source(world)
    command = ("copy", source.image_id, "--to", WEST)
    outer, inner_code = interleaved(capsys, clock, (*command, "--tag", "By=outer"), command)
    assert (outer.code, inner_code) == (0, 0), outer.err
    copy = the_copy(world, WEST)
    assert copy.tags["By"] == "outer"
    assert [one.tags["By"] for one in snapshots_of(world, copy).values()] == ["outer"]
    assert [one.error for one in asked(world, "CopyImage")] == ["", "IdempotentParameterMismatch"]


def test_a_run_with_another_name_refuses_rather_than_doubles(
    world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """EC2 cannot rename an AMI."""
    source = a_source(world)
    command = ("copy", source.image_id, "--to", WEST)
    outer, inner_code = interleaved(capsys, clock, (*command, "--name", "mine"), (*command, "--name", "theirs"))
    assert (outer.code, inner_code) == (1, 0)
    assert the_copy(world, WEST).name == "theirs"
    assert "'theirs'" in outer.err
    assert "'mine'" in outer.err
    assert f"amicopy verify {source.image_id} --from {HOME} --in {WEST}" in outer.err


def test_a_name_that_is_asked_for_too_late_is_refused_before_anything_starts(amicopy: Run, world: World) -> None:
    """And one after the other it is the plan that says so, for all regions."""
    source = a_source(world)
    amicopy("copy", source.image_id, "--to", WEST)
    world.requests.clear()
    ran = amicopy("copy", source.image_id, "--to", f"{EAST},{WEST}", "--name", "other")
    assert (ran.code, ran.out, writes(world)) == (1, "", [])
    assert the_copy(world, WEST).image_id in ran.err


# Copies made by others


def test_a_copy_made_by_another_tool_is_adopted_on_request(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = a_rich_source(world)
    theirs = finished_by_hand(world, clock, source, WEST)
    world.requests.clear()
    ran = amicopy("copy", source.image_id, "--to", WEST, "--adopt")
    copy = the_copy(world, WEST)
    assert (ran.code, ran.out) == (0, line(copy, source)), ran.err
    assert copy.image_id == theirs
    assert asked(world, "CopyImage") == []
    assert copy.tags == {**source.tags, TAG: f"{HOME}/{source.image_id}"}
    assert copy.launch_permissions == source.launch_permissions
    world.requests.clear()
    second = amicopy("copy", source.image_id, "--to", WEST)
    assert (second.code, second.out, writes(world)) == (0, line(copy, source, "unchanged"), [])


@pytest.mark.parametrize(
    ("command", "code"), [("copy {} --to us-west-2 --adopt", 0), ("verify {} --in us-west-2 --repair --adopt", 4)]
)
def test_an_image_that_was_registered_with_our_tag_is_not_adopted(
    amicopy: Run, world: World, command: str, code: int
) -> None:
    source = a_rich_source(world)
    registered = a_source(world, WEST, name="something else", tags={TAG: f"{HOME}/{source.image_id}"})
    ran = amicopy(*command.format(source.image_id).split())
    assert ran.code == code, ran.err
    assert "--adopt" not in " ".join(line for line in ran.err.splitlines() if registered.image_id in line)
    assert registered.launch_permissions == set()
    assert registered.tags == {TAG: f"{HOME}/{source.image_id}"}


def test_a_colleagues_private_copy_is_not_shared_completed_or_in_the_way(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    source = a_rich_source(world)
    theirs = world.image(WEST, finished_by_hand(world, clock, source, WEST, Name="private-test"))
    before = (dict(theirs.tags), set(theirs.launch_permissions))
    ran = amicopy("copy", source.image_id, "--to", WEST, "--output", "json")
    made = row(ran, WEST)["image_id"]
    assert (ran.code, made != theirs.image_id) == (0, True), ran.err
    assert (dict(theirs.tags), set(theirs.launch_permissions)) == before
    assert f"{theirs.image_id} was not made by amicopy and is left alone" in " ".join(row(ran, WEST)["notes"])
    world.requests.clear()
    again = amicopy("copy", source.image_id, "--to", WEST)
    assert (again.code, made in again.out, writes(world)) == (0, True, [])
    for extra in ("--repair", "--repair --prune --yes"):
        assert amicopy("verify", source.image_id, "--in", WEST, *extra.split()).code == 0
    assert writes(world) == []


def test_a_pending_copy_made_by_another_tool_is_joined_on_request(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = a_source(world, tags={"Team": "web"})
    slow(world, 300)
    theirs = copied_by_hand(world, source, WEST, Name="by hand")
    clock.advance(30)
    world.requests.clear()
    ran = amicopy("copy", source.image_id, "--to", WEST, "--adopt")
    copy = the_copy(world, WEST)
    assert (ran.code, copy.image_id, copy.tags["Team"]) == (0, theirs, "web")
    assert asked(world, "CopyImage") == []
    assert "'by hand'" in ran.err


def test_a_namesake_made_from_another_source_is_not_adopted(amicopy: Run, world: World, clock: FakeClock) -> None:
    source, stranger = a_source(world), a_source(world)
    namesake = finished_by_hand(world, clock, stranger, WEST)
    unrelated = a_source(world, WEST)
    before = dict(world.image(WEST, namesake).tags)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--output", "json")
    made = row(ran, WEST)["image_id"]
    assert ran.code == 0
    assert made not in {namesake, unrelated.image_id}
    assert world.image(WEST, made).source_image_id == source.image_id
    assert world.image(WEST, namesake).tags == before
    assert len(world.images(WEST)) == 3


def test_a_tag_that_travelled_to_an_image_of_another_origin_does_not_make_it_a_copy(amicopy: Run, world: World) -> None:
    """Where EC2 names another source than the tag does, EC2 is believed."""
    source, stranger = a_source(world), a_source(world)
    a_source(
        world,
        WEST,
        tags={TAG: f"{HOME}/{source.image_id}"},
        source_image_id=stranger.image_id,
        source_image_region=HOME,
    )
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert ran.code == 0
    assert len(asked(world, "CopyImage")) == 1


def test_an_image_of_an_instance_that_inherited_the_tag_is_not_adopted(amicopy: Run, world: World) -> None:
    """CreateImage can carry tags along."""
    source = a_source(world)
    a_source(world, WEST, tags={TAG: f"{HOME}/{source.image_id}"}, source_instance_id="i-0123456789abcdef0")
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert ran.code == 0
    assert len(world.images(WEST)) == 2


def test_a_copy_without_lineage_is_found_by_its_tag(amicopy: Run, world: World) -> None:
    """EC2 has recorded lineage since November 2024 only."""
    source = a_source(world)
    amicopy("copy", source.image_id, "--to", WEST)
    copy = the_copy(world, WEST)
    copy.source_image_id = copy.source_image_region = ""
    world.requests.clear()
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, ran.out, writes(world)) == (0, line(copy, source, "unchanged"), [])


# Several copies


def test_of_two_copies_the_newest_available_is_taken_and_both_are_named(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    source = a_source(world, tags={"Team": "web"})
    older = finished_by_hand(world, clock, source, WEST)
    newer = finished_by_hand(world, clock, source, WEST)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--adopt")
    assert (ran.code, ran.out) == (0, f"{WEST} {newer} {source.image_id} done\n")
    assert older in ran.err
    assert newer in ran.err
    assert len(world.images(WEST)) == 2
    assert world.image(WEST, older).tags == {}
    assert world.image(WEST, newer).tags["Team"] == "web"


def test_an_available_copy_is_preferred_to_a_newer_pending_one(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = a_source(world)
    there = finished_by_hand(world, clock, source, WEST)
    slow(world, 600)
    going_on = copied_by_hand(world, source, WEST)
    clock.advance(1)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--output", "json")
    assert (ran.code, row(ran, WEST)["image_id"]) == (0, there)
    assert going_on in " ".join(row(ran, WEST)["notes"])
    assert world.image(WEST, going_on).state == "pending"
    assert len(world.images(WEST)) == 2


# The only copy there has failed


def a_failed_copy(amicopy: Run, world: World, source: Image, *options: str) -> Image:
    """Let a first run's copy fail in us-west-2."""
    order(world, "copy@us-west-2=fail:Client.InternalError: Copy image failed | The key is disabled")
    assert amicopy("copy", source.image_id, "--to", WEST, *options).code == 1
    return the_copy(world, WEST)


def test_a_failed_copy_is_reported_with_all_that_ec2_says_of_it(amicopy: Run, world: World) -> None:
    source = a_source(world)
    order(world, "copy@us-west-2=fail:Client.InternalError: Copy image failed | The key is disabled")
    ran = amicopy("copy", source.image_id, "--to", WEST, "--output", "json")
    failed = the_copy(world, WEST)
    found = row(ran, WEST)
    assert (ran.code, ran.json["status"], found["state"], found["image_id"]) == (
        1,
        "failed",
        "failed",
        failed.image_id,
    )
    assert (found["error"]["slug"], found["error"]["what"]) == (
        "copy-failed",
        f"The copy {failed.image_id} in {WEST} has failed.",
    )
    for fact in ("Client.InternalError: Copy image failed", failed.snapshot_ids[0], "The key is disabled"):
        assert fact in found["error"]["why"]
        assert fact in ran.err


def test_a_failed_copy_is_replaced_and_then_removed_with_its_snapshots(amicopy: Run, world: World) -> None:
    source = a_source(world)
    failed = a_failed_copy(amicopy, world, source)
    world.requests.clear()
    ran = amicopy("copy", source.image_id, "--to", WEST)
    copy = the_copy(world, WEST)
    assert (ran.code, ran.out) == (0, line(copy, source)), ran.err
    assert copy.image_id != failed.image_id
    assert orphans(world, WEST) == []
    assert "Client.InternalError: Copy image failed" in ran.err
    assert f"{failed.image_id} deregistered; {failed.snapshot_ids[0]} deleted" in ran.err
    [removal] = asked(world, "DeregisterImage")
    assert removal.params == {"ImageId": failed.image_id, "DeleteAssociatedSnapshots": True}
    assert writes(world).index("CopyImage") < writes(world).index("DeregisterImage")


def test_a_replacement_that_fails_as_well_leaves_the_first_attempt_there(amicopy: Run, world: World) -> None:
    """It is the only memory that an attempt was made."""
    source = a_source(world)
    failed = a_failed_copy(amicopy, world, source)
    order(world, "copy@us-west-2=fail")
    assert amicopy("copy", source.image_id, "--to", WEST).code == 1
    assert failed.image_id in {image.image_id for image in world.images(WEST)}
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, ran.out) == (0, line(the_copy(world, WEST), source))
    assert orphans(world, WEST) == []


def test_a_run_that_is_gone_before_it_removed_the_failed_copy_is_completed_by_the_next(
    amicopy: Run, world: World
) -> None:
    """It left while the replacement was pending."""
    source = a_source(world)
    failed = a_failed_copy(amicopy, world, source)
    slow(world, 600)
    left = amicopy("copy", source.image_id, "--to", WEST, "--no-wait")
    assert (left.code, len(world.images(WEST))) == (0, 2)
    assert asked(world, "DeregisterImage") == []
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, ran.out) == (0, left.out.replace("copying", "done"))
    assert the_copy(world, WEST).image_id != failed.image_id
    assert orphans(world, WEST) == []


def test_a_failed_attempt_beside_a_good_copy_is_removed_by_the_next_run(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    """A run that was killed between the replacement and the removal."""
    source = a_source(world)
    failed = a_failed_copy(amicopy, world, source)
    finished_by_hand(world, clock, source, WEST)
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, the_copy(world, WEST).image_id != failed.image_id) == (0, True)
    assert orphans(world, WEST) == []


def test_a_failed_copy_of_another_tool_is_left_alone_and_named(amicopy: Run, world: World, clock: FakeClock) -> None:
    """We remove only what is ours by its tag."""
    source = a_source(world)
    order(world, "copy@us-west-2=fail")
    theirs = copied_by_hand(world, source, WEST)
    clock.advance(60)
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert ran.code == 0
    assert world.image(WEST, theirs).state == "failed"
    assert asked(world, "DeregisterImage") == []
    assert f"{theirs} failed and was not made by amicopy; it is left alone" in ran.err


DEAD_TOKENS: tuple[Literal["same-id", "error"], ...] = ("same-id", "error")


@pytest.mark.parametrize("answer", DEAD_TOKENS)
def test_a_copy_that_was_deregistered_is_made_anew(
    amicopy: Run, world: World, clock: FakeClock, answer: Literal["same-id", "error"]
) -> None:
    """The old client token hands back a dead image, or an error."""
    world.state.unconfirmed = Unconfirmed(dead_token=answer)
    source = a_source(world)
    amicopy("copy", source.image_id, "--to", WEST)
    dead = the_copy(world, WEST).image_id
    world.call("DeregisterImage", {"ImageId": dead, "DeleteAssociatedSnapshots": True}, region=WEST)
    began = clock.now()
    ran = amicopy("copy", source.image_id, "--to", WEST)
    copy = the_copy(world, WEST)
    assert (ran.code, ran.out) == (0, line(copy, source)), ran.err
    assert copy.image_id != dead
    assert clock.now() - began < timedelta(minutes=2)


def test_a_copy_that_was_deregistered_is_made_anew_without_waiting_too(amicopy: Run, world: World) -> None:
    """With --no-wait from cron, a dead image must not be handed out for ever."""
    source = a_source(world)
    amicopy("copy", source.image_id, "--to", WEST)
    dead = the_copy(world, WEST).image_id
    world.call("DeregisterImage", {"ImageId": dead, "DeleteAssociatedSnapshots": True}, region=WEST)
    runs = [amicopy("copy", source.image_id, "--to", WEST, "--no-wait") for _ in range(3)]
    assert dead not in runs[-1].out
    assert runs[-1].out == line(the_copy(world, WEST), source, "copying")


def test_a_failed_copy_that_a_person_removed_is_made_anew(amicopy: Run, world: World) -> None:
    """The memory of the attempt is gone, the token is not."""
    source = a_source(world)
    failed = a_failed_copy(amicopy, world, source)
    world.call("DeregisterImage", {"ImageId": failed.image_id, "DeleteAssociatedSnapshots": True}, region=WEST)
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, ran.out) == (0, line(the_copy(world, WEST), source)), ran.err


def test_a_copy_that_is_deregistered_again_and_again_is_made_anew_each_time(amicopy: Run, world: World) -> None:
    """Each dead image costs one token."""
    source = a_source(world)
    made = set()
    for _ in range(4):
        assert amicopy("copy", source.image_id, "--to", WEST).code == 0
        image_id = the_copy(world, WEST).image_id
        world.call("DeregisterImage", {"ImageId": image_id, "DeleteAssociatedSnapshots": True}, region=WEST)
        made.add(image_id)
    assert len(made) == 4
    assert orphans(world, WEST) == []


def test_a_deregistered_copy_does_not_stand_in_the_way_of_one_with_another_name(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    """The token is known with another name, and its image is dead."""
    source = a_source(world)
    amicopy("copy", source.image_id, "--to", WEST, "--name", "first")
    dead = the_copy(world, WEST).image_id
    world.call("DeregisterImage", {"ImageId": dead, "DeleteAssociatedSnapshots": True}, region=WEST)
    began = clock.now()
    ran = amicopy("copy", source.image_id, "--to", WEST, "--name", "second")
    assert (ran.code, the_copy(world, WEST).name) == (0, "second"), ran.err
    assert clock.now() - began < timedelta(minutes=6)


def test_two_runs_that_replace_the_same_failed_copy_make_one(
    amicopy: Run, world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    source = a_source(world)
    failed = a_failed_copy(amicopy, world, source)
    command = ("copy", source.image_id, "--to", WEST)
    outer, inner_code = interleaved(capsys, clock, command, command)
    copy = the_copy(world, WEST)
    assert (outer.code, inner_code, copy.state) == (0, 0, "available"), outer.err
    assert copy.image_id != failed.image_id
    assert orphans(world, WEST) == []


@pytest.mark.parametrize(
    "refusal",
    [
        "error:403 UnauthorizedOperation: You are not authorized to perform this operation.*always",
        "error:OperationNotPermitted: The image has deregistration protection*always",
    ],
)
def test_a_good_copy_is_not_lost_to_a_failed_one_that_cannot_be_removed(
    amicopy: Run, world: World, refusal: str
) -> None:
    """Its id is on stdout, and what is left behind is said."""
    source = a_source(world)
    failed = a_failed_copy(amicopy, world, source)
    order(world, f"DeregisterImage={refusal}")
    ran = amicopy("copy", source.image_id, "--to", WEST, "--no-preflight")
    [good] = [image for image in world.images(WEST) if image.image_id != failed.image_id]
    assert (good.state, failed.image_id in ran.err) == ("available", True)
    assert ran.out == line(good, source), ran.err


# Lost replies


@pytest.mark.parametrize("fault", ["lost", "truncated", "500*2", "503", "html", "dead*2"])
def test_a_reply_that_gets_lost_does_not_double_the_copy(amicopy: Run, world: World, fault: str) -> None:
    source = a_source(world)
    order(world, f"CopyImage@us-west-2={fault}")
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, ran.out) == (0, line(the_copy(world, WEST), source)), ran.err
    tokens = {request.params["ClientToken"] for request in asked(world, "CopyImage")}
    assert (len(tokens), len(asked(world, "CopyImage")) > 1) == (1, True)
    assert orphans(world, WEST) == []


def test_a_run_that_never_heard_of_its_copy_finds_it(amicopy: Run, world: World) -> None:
    """All replies are lost, and the first call took effect."""
    source = a_source(world)
    order(world, "CopyImage@us-west-2=lost", "CopyImage@us-west-2=dead")
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, ran.out) == (0, line(the_copy(world, WEST), source)), ran.err
    assert orphans(world, WEST) == []


def test_a_run_that_cannot_ask_for_its_copy_tells_so(amicopy: Run, world: World) -> None:
    source = a_source(world)
    order(world, "CopyImage@us-west-2=dead")
    ran = amicopy("copy", source.image_id, "--to", WEST, "--output", "json")
    assert (ran.code, row(ran, WEST)["error"]["slug"], world.images(WEST)) == (1, "unreachable", [])


# The source is not available


def test_a_pending_source_is_waited_for(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = a_pending_source(world, 300)
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, ran.out) == (0, line(the_copy(world, WEST), source)), ran.err
    assert f"waiting for {source.image_id}, which is still pending in {HOME}" in ran.err
    assert clock.now() - START < timedelta(seconds=345)


def test_waiting_for_a_pending_source_counts_towards_the_timeout(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = a_pending_source(world, 3600)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--timeout", "10m", "--output", "json")
    assert (ran.code, ran.json["status"], ran.json["error"]["slug"]) == (5, "time-out", "time-out")
    assert source.image_id in ran.json["error"]["what"]
    assert f"amicopy copy {source.image_id} --to {WEST} --timeout 10m" in ran.err
    assert writes(world)[1:] == []
    assert timedelta(minutes=10) <= clock.now() - START <= timedelta(minutes=10, seconds=15)


def test_a_pending_source_that_fails_in_the_end_is_refused_with_its_reason(amicopy: Run, world: World) -> None:
    order(world, "copy@us-east-1=fail:Client.InternalError: It broke")
    source = a_pending_source(world, 300)
    world.requests.clear()
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, ran.out, writes(world)) == (1, "", [])
    assert "It broke" in ran.err


@pytest.mark.parametrize("option", ["--no-wait", "--dry-run"])
def test_a_pending_source_is_refused_where_nothing_is_waited_for(amicopy: Run, world: World, option: str) -> None:
    source = a_pending_source(world, 3600)
    world.requests.clear()
    ran = amicopy("copy", source.image_id, "--to", WEST, option)
    assert (ran.code, writes(world)) == (1, [])
    assert f"The source {source.image_id} in {HOME} is still pending." in ran.err


def refusable(state: str, way_out: str) -> tuple[str, str]:
    """Return one case: a state that no copy can start from, and what the error has to mention."""
    return state, way_out


@pytest.mark.parametrize(
    ("state", "way_out"),
    [
        refusable("disabled", "aws ec2 enable-image"),
        refusable("failed", "Client.InternalError: it broke"),
        refusable("invalid", "Name another source."),
        refusable("error", "Name another source."),
        refusable("deregistered", "Name another source."),
    ],
)
def test_a_source_that_never_becomes_available_is_refused(
    amicopy: Run, world: World, clock: FakeClock, state: str, way_out: str
) -> None:
    source = a_source(world, state=state, state_reason=("Client.InternalError", "it broke"))
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}")
    assert (ran.code, ran.out, writes(world), clock.now()) == (1, "", [], START)
    assert f"The source {source.image_id} in {HOME} is {state}" in ran.err
    assert way_out in ran.err


def test_a_deregistered_source_is_not_found(amicopy: Run, world: World) -> None:
    source = a_source(world)
    world.call("DeregisterImage", {"ImageId": source.image_id}, region=HOME)
    world.requests.clear()
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, writes(world)) == (1, [])
    assert "was deregistered" in ran.err


def test_one_source_that_cannot_be_copied_holds_back_the_others(amicopy: Run, world: World) -> None:
    """What can be refused early is refused before anything starts."""
    good, bad = a_source(world), a_source(world, state="disabled")
    ran = amicopy("copy", good.image_id, bad.image_id, "--to", WEST)
    assert (ran.code, ran.out, writes(world)) == (1, "", [])
    assert "nothing was started" in ran.err


# The source belongs to another account


def shared_with_us(world: World, *, storage: bool) -> Image:
    """Register another account's image that we may launch, its snapshots readable or not."""
    readers = frozenset({"123456789012"}) if storage else frozenset()
    return a_source(
        world,
        account=OTHERS,
        tags={"Team": "theirs"},
        volumes=[Volume(tags={"Disk": "root"}, shared_with=readers)],
        launch_permissions={"123456789012", SOMEBODY},
    )


def test_a_source_of_another_account_is_copied_if_its_storage_is_shared(amicopy: Run, world: World) -> None:
    source = shared_with_us(world, storage=True)
    ran = amicopy("copy", source.image_id, "--to", WEST)
    copy = the_copy(world, WEST)
    assert (ran.code, ran.out) == (0, line(copy, source)), ran.err
    assert (copy.owner, copy.launch_permissions) == ("123456789012", set())
    assert copy.tags == {TAG: f"{HOME}/{source.image_id}"}
    assert f"note: launch permissions of {source.image_id} cannot be read, so its copies get none" in ran.err


@pytest.mark.parametrize(
    "answer",
    [
        "InvalidSnapshot.NotFound: The snapshot does not exist.",
        "403 UnauthorizedOperation: You are not authorized to perform this operation.",
        "403 AuthFailure: Not authorized for snapshot.",
    ],
)
def test_whatever_ec2_answers_about_permissions_of_anothers_snapshot_the_source_is_copied(
    amicopy: Run, world: World, answer: str
) -> None:
    source = shared_with_us(world, storage=True)
    order(world, f"DescribeSnapshotAttribute@{HOME}=error:{answer}*always")
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, ran.out) == (0, line(the_copy(world, WEST), source)), ran.err


def test_that_tags_of_another_accounts_source_stay_behind_is_said(amicopy: Run, world: World) -> None:
    """EC2 shows tags to the owner only."""
    source = shared_with_us(world, storage=True)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--output", "json")
    notes = [note for note in row(ran, WEST)["notes"] if "tag" in note]
    assert notes != []
    assert notes[0] in ran.err


def test_a_second_run_over_another_accounts_source_writes_nothing(amicopy: Run, world: World) -> None:
    source = shared_with_us(world, storage=True)
    amicopy("copy", source.image_id, "--to", WEST)
    world.requests.clear()
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, writes(world)) == (0, [])


def test_a_source_whose_storage_is_not_shared_is_refused(amicopy: Run, world: World) -> None:
    source = shared_with_us(world, storage=False)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--output", "json")
    assert (ran.code, ran.json["error"]["slug"], writes(world)) == (1, "storage-not-shared", [])
    assert source.snapshot_ids[0] in ran.err
    assert OTHERS in ran.err
    assert "aws ec2 modify-snapshot-attribute" in ran.err


# Destinations that make no sense


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--to", HOME], "--to includes us-east-1, the source region"),
        (["--to", f"{WEST},{HOME}"], "--to includes us-east-1, the source region"),
        (["--to", WEST, "--from", WEST], "--to includes us-west-2, the source region"),
        (["--to", "all", "--exclude", "all"], "No destination is left"),
        (["--to", "all", "--exclude", "*"], "No destination is left"),
        (["--to", f"{WEST},{EAST}", "--exclude", "us-*", "--exclude", EAST], "No destination is left"),
        (["--to", ","], "it is empty"),
        (["--to", "us-gov-west-1"], "--to us-gov-west-1 is in another partition than us-east-1"),
        (["--to", "eu-wset-1"], "unknown region 'eu-wset-1'"),
        (["--to", "xx-*"], "no region matches 'xx-*'"),
        (["--to", WEST, "--exclude", "eu-wset-1"], "unknown region 'eu-wset-1'"),
        (["--to", WEST, "--from", "us-esat-1"], "unknown region 'us-esat-1'"),
    ],
)
def test_destinations_that_make_no_sense_are_refused_without_asking_aws(
    amicopy: Run, world: World, arguments: list[str], what: str
) -> None:
    ran = amicopy("copy", a_source(world).image_id, *arguments, "--output", "json")
    assert (ran.code, ran.json["status"], ran.json["copies"]) == (2, "usage", [])
    assert what in ran.json["error"]["what"]
    assert what in ran.err
    assert world.requests == []


def test_patterns_that_leave_nothing_are_refused(amicopy: Run, world: World) -> None:
    """--to all, where all that is enabled is excluded."""
    source = a_source(world)
    ran = amicopy("copy", source.image_id, "--to", "me-*")
    assert (ran.code, writes(world)) == (2, [])
    assert "No destination is left" in ran.err


def test_destinations_are_folded_and_keep_their_order(amicopy: Run, world: World) -> None:
    source = a_source(world)
    ran = amicopy("copy", source.image_id, source.image_id, "--to", f"{WEST},{EAST},{WEST}", "--to", f"{EAST},us-*")
    assert ran.code == 0
    assert [text.split()[0] for text in ran.out.splitlines()] == [WEST, EAST, "us-east-2", "us-west-1"]
    assert len(asked(world, "CopyImage")) == 4


# Regions that cannot be used


def test_a_region_that_does_not_exist_is_answered_with_the_nearest_names(amicopy: Run, world: World) -> None:
    ran = amicopy("copy", a_source(world).image_id, "--to", f"{WEST},eu-wset-1")
    assert (ran.code, ran.out, world.requests) == (2, "", [])
    assert "Did you mean eu-west-1" in ran.err


def test_a_region_that_is_not_enabled_is_said_so_before_anything_starts(amicopy: Run, world: World) -> None:
    source = a_source(world)
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},me-south-1", "--output", "json")
    assert (ran.code, ran.json["status"], writes(world)) == (6, "access", [])
    assert row(ran, "me-south-1")["error"]["slug"] == "region-not-enabled"
    assert "The region me-south-1 is not enabled for this account." in ran.err
    assert "aws account enable-region --region-name me-south-1" in ran.err
    assert row(ran, WEST)["image_id"] is None


def test_a_region_that_is_not_enabled_is_recognised_where_regions_may_not_be_listed(amicopy: Run, world: World) -> None:
    """EC2 answers AuthFailure there."""
    source = a_source(world)
    order(world, "DescribeRegions=error:403 UnauthorizedOperation: You are not authorized to perform this operation.")
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},me-south-1")
    assert (ran.code, ran.out, writes(world)) == (6, "", [])
    assert "The region me-south-1 is not enabled for this account." in ran.err
    assert "note: ec2:DescribeRegions is not allowed" in ran.err


def test_a_region_that_is_not_enabled_does_not_stop_others_at_best_effort(amicopy: Run, world: World) -> None:
    source = a_source(world)
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},me-south-1", "--best-effort", "me-south-1")
    assert (ran.code, ran.out) == (0, line(the_copy(world, WEST), source))
    assert "The region me-south-1 is not enabled" in ran.err


def test_every_region_means_every_enabled_one(amicopy: Run, world: World) -> None:
    """'all' names nothing that the account has not enabled."""
    source = a_source(world)
    ran = amicopy("copy", source.image_id, "--to", "all", "--dry-run", "--output", "json")
    regions = [copy["region"] for copy in ran.json["copies"]]
    assert (ran.code, len(regions), "me-south-1" in regions, HOME in regions) == (0, 16, False, False)
    assert writes(world) == []


# Two runs at once


KEY = f"arn:aws:kms:{WEST}:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.mark.parametrize("second", [["--kms-key", KEY, "--no-preflight"], ["--encrypt"], ["--tag", "Team=web"]])
def test_a_run_that_asks_in_other_words_a_moment_later_makes_no_second_copy(
    amicopy: Run, world: World, clock: FakeClock, second: list[str]
) -> None:
    source = a_source(world)
    world.state.timing = Timing(visible_after=20, copy_seconds=60)
    first = amicopy("copy", source.image_id, "--to", WEST, "--encrypt", "--no-wait")
    assert first.code == 0, first.err
    clock.advance(1)
    amicopy("copy", source.image_id, "--to", WEST, *second)
    assert len(world.images(WEST)) == 1


def test_not_even_where_an_earlier_attempt_has_failed(amicopy: Run, world: World, clock: FakeClock) -> None:
    """The failed one was made with a token that is none of those that these runs meet at."""
    source = a_source(world)
    order(world, "copy=fail")
    tags = [{"ResourceType": "image", "Tags": [{"Key": TAG, "Value": f"{HOME}/{source.image_id}"}]}]
    copied_by_hand(world, source, WEST, TagSpecifications=tags)
    clock.advance(60)
    world.state.timing = Timing(visible_after=20, copy_seconds=600)
    assert amicopy("copy", source.image_id, "--to", WEST, "--no-wait").code == 0
    clock.advance(1)
    amicopy("copy", source.image_id, "--to", WEST, "--tag", "Team=web")
    assert [image.state for image in world.images(WEST)].count("available") == 1


def test_after_a_failure_a_run_with_another_key_makes_a_new_copy(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = a_source(world)
    order(world, "copy=fail:Client.InternalError: no luck")
    assert amicopy("copy", source.image_id, "--to", WEST).code == 1
    began = clock.now()
    ran = amicopy("copy", source.image_id, "--to", WEST, "--encrypt", "--no-wait")
    assert ran.code == 0, ran.err
    assert clock.now() - began < timedelta(minutes=1)
    clock.advance(60)
    [copy] = [image for image in world.images(WEST) if image.state == "available"]
    assert f"{WEST} {copy.image_id}" in ran.out


def test_an_earlier_request_that_fails_before_ec2_shows_it_is_replaced_and_removed(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    source = a_source(world)
    world.state.timing = Timing(visible_after=20, copy_seconds=10)
    order(world, "copy=fail:Client.InternalError: no luck")
    assert amicopy("copy", source.image_id, "--to", WEST, "--no-wait").code == 0
    clock.advance(1)
    began = clock.now()
    ran = amicopy("copy", source.image_id, "--to", WEST, "--tag", "Team=web")
    assert ran.code == 0, ran.err
    assert clock.now() - began < timedelta(minutes=3)
    assert "deregistered; requesting" not in ran.err
    assert [image.state for image in world.images(WEST)] == ["available"]


def many_tags(count: int) -> dict[str, str]:
    """Return so many tags, which leave no room for ours."""
    return {f"tag-{number}": "x" for number in range(count)}


def test_of_a_source_with_50_tags_a_failed_copy_is_known_by_its_snapshots(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    """The run that made its replacement was killed before it could remove the failed one."""
    source = a_source(world, tags=many_tags(50))
    order(world, "copy=fail:Client.InternalError: no luck")
    assert amicopy("copy", source.image_id, "--to", WEST).code == 1
    assert amicopy("copy", source.image_id, "--to", WEST, "--no-wait").code == 0
    clock.advance(60)
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert ran.code == 0, ran.err
    assert [image.state for image in world.images(WEST)] == ["available"]


def test_of_a_source_with_50_tags_a_pending_copy_is_joined(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = a_source(world, tags=many_tags(50))
    slow(world, 600)
    assert amicopy("copy", source.image_id, "--to", WEST, "--no-wait").code == 0
    clock.advance(30)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--description", "other words")
    assert "is already being copied" in ran.err
    assert len(world.images(WEST)) == 1


def test_the_source_s_description_can_be_kept(amicopy: Run, world: World) -> None:
    source = a_source(world, description="the web server")
    ran = amicopy("copy", source.image_id, "--to", WEST, "--description", "{description}")
    assert (ran.code, the_copy(world, WEST).description) == (0, "the web server"), ran.err
    world.requests.clear()
    again = amicopy("copy", source.image_id, "--to", WEST, "--description", "{description}")
    assert (again.code, writes(world)) == (0, [])
    refused = amicopy("copy", source.image_id, "--to", WEST, "--name", "{description}")
    assert refused.code == 2
    assert "{description} in '{description}' is an unknown field" in refused.err
