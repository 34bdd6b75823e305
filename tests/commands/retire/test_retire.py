"""``amicopy retire``: a release is taken back everywhere, and restored exactly as it was."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from amicopy.cli.environment import Environment
from amicopy.cli.main import main
from amicopy.core.parallel import Stop
from amicopy.sandbox.records import DEFAULT_ACCOUNT, Image, Volume
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.clock import FakeClock
from tests.support.manifests import a_manifest, parameter, put_parameter, released
from tests.support.scenes import (
    EAST,
    HOME,
    ORGANIZATION,
    OTHERS,
    SOMEBODY,
    WEST,
    a_source,
    asked,
    finished_by_hand,
    order,
    slow,
    writes,
)

TAG = "amicopy:retired"
VOLUMES = [
    Volume(device="/dev/sda1", gib=8, shared_with=frozenset({SOMEBODY, OTHERS})),
    Volume(device="/dev/sdf", gib=8),
]


@pytest.fixture
def source(amicopy: Run, world: World, clock: FakeClock) -> Image:
    """A shared image with a date, and a copy of it in two regions."""
    image = a_source(
        world,
        volumes=VOLUMES,
        launch_permissions={SOMEBODY, ORGANIZATION},
        deprecate_at=clock.now().replace(year=2028, second=0, microsecond=0),
    )
    ran = amicopy("copy", image.image_id, "--to", f"{WEST},{EAST}")
    assert ran.code == 0, ran.err
    world.requests.clear()
    return image


def release(world: World, source: Image) -> list[Image]:
    """Return the source and its copies."""
    return [world.image(HOME, source.image_id), *world.images(WEST), *world.images(EAST)]


def as_it_is(world: World, image: Image) -> Any:
    """Return everything about an image that retire changes."""
    snapshots = {one: set(world.snapshot(image.region, one).shared_with) for one in image.snapshot_ids}
    tags = [dict(image.tags), *(dict(world.snapshot(image.region, one).tags) for one in image.snapshot_ids)]
    return image.state, set(image.launch_permissions), snapshots, image.deprecate_at, tags


def is_retired(world: World, image: Image) -> bool:
    """Return whether nobody else can use an image, and nothing can be launched from it."""
    shared = image.launch_permissions or any(
        world.snapshot(image.region, one).shared_with for one in image.snapshot_ids
    )
    soon = world.state.clock.now() + timedelta(minutes=3)
    return image.state == "disabled" and not shared and image.deprecate_at is not None and image.deprecate_at < soon


def test_the_source_and_every_copy_are_unshared_deprecated_and_disabled(
    amicopy: Run, world: World, source: Image
) -> None:
    ran = amicopy("retire", source.image_id, "--yes")
    assert ran.code == 0, ran.err
    assert all(is_retired(world, image) for image in release(world, source))
    assert {line.split()[2] for line in ran.out.splitlines()} == {"retired"}
    assert len(ran.out.splitlines()) == 3
    assert f"retiring 3 images in account {DEFAULT_ACCOUNT}" in ran.err


def test_undo_restores_exactly_what_was_there(amicopy: Run, world: World, source: Image, clock: FakeClock) -> None:
    before = [as_it_is(world, image) for image in release(world, source)]
    assert amicopy("retire", source.image_id, "--yes").code == 0
    clock.advance(86400)
    ran = amicopy("retire", source.image_id, "--undo", "--yes")
    assert ran.code == 0, ran.err
    assert [as_it_is(world, image) for image in release(world, source)] == before
    again = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}")
    assert (again.code, again.out.count("unchanged")) == (0, 2)


def test_a_second_run_changes_nothing(amicopy: Run, world: World, source: Image) -> None:
    amicopy("retire", source.image_id, "--yes")
    world.requests.clear()
    ran = amicopy("retire", source.image_id, "--yes")
    assert (ran.code, writes(world)) == (0, [])
    assert ran.out.count("unchanged") == 3
    amicopy("retire", source.image_id, "--undo", "--yes")
    world.requests.clear()
    again = amicopy("retire", source.image_id, "--undo", "--yes")
    assert (again.code, writes(world), again.out.count("unchanged")) == (0, [], 3)


def test_the_dry_run_says_what_it_would_do_and_does_nothing(amicopy: Run, world: World, source: Image) -> None:
    ran = amicopy("retire", source.image_id, "--dry-run")
    assert (ran.code, writes(world)) == (0, [])
    [line] = [line for line in ran.err.splitlines() if " source " in line]
    assert f"unshare from {SOMEBODY}, {OTHERS}, {ORGANIZATION}, deprecate now, disable" in line
    assert ran.err.count(" copy ") == 2


def test_without_a_terminal_it_needs_a_yes(amicopy: Run, world: World, source: Image) -> None:
    ran = amicopy("retire", source.image_id)
    assert (ran.code, writes(world)) == (2, [])
    assert f"Retire 3 images in account {DEFAULT_ACCOUNT}?" in ran.err


def test_only_the_named_regions_are_touched(amicopy: Run, world: World, source: Image) -> None:
    ran = amicopy("retire", source.image_id, "--in", WEST, "--yes")
    assert ran.code == 0, ran.err
    home, west, east = release(world, source)
    assert (home.state, west.state, east.state) == ("available", "disabled", "available")
    assert f"{source.image_id} itself stays as it is: its region {HOME} is not among --in" in ran.err


def test_copies_of_others_are_never_touched(amicopy: Run, world: World, clock: FakeClock, source: Image) -> None:
    by_hand = finished_by_hand(world, clock, source, "ap-south-1")
    backup = finished_by_hand(world, clock, source, "eu-west-2")
    world.image("eu-west-2", backup).tags = {
        "aws:backup:source-resource": "i-1",
        "amicopy:source": f"{HOME}/{source.image_id}",
    }
    world.requests.clear()
    ran = amicopy("retire", source.image_id, "--yes")
    assert ran.code == 0, ran.err
    assert "amicopy did not make it" in ran.err
    assert "an AWS service manages it" in ran.err
    assert {world.image("ap-south-1", by_hand).state, world.image("eu-west-2", backup).state} == {"available"}
    assert {one.region for one in world.requests if one.operation in writes(world)} == {HOME, WEST, EAST}


def test_a_source_of_another_account_is_left_and_said_so(amicopy: Run, world: World) -> None:
    foreign = a_source(
        world,
        account="999988887777",
        launch_permissions={DEFAULT_ACCOUNT},
        volumes=[Volume(shared_with=frozenset({DEFAULT_ACCOUNT}))],
    )
    assert amicopy("copy", foreign.image_id, "--to", WEST).code == 0
    ran = amicopy("retire", foreign.image_id, "--yes")
    assert ran.code == 0, ran.err
    assert f"{foreign.image_id} is not this account's AMI in {HOME}: only copies are changed" in ran.err
    assert foreign.state == "available"
    assert world.images(WEST)[0].state == "disabled"


def test_an_unknown_id_is_an_error(amicopy: Run, world: World) -> None:
    ran = amicopy("retire", "ami-0abcdef1234567890", "--yes")
    assert (ran.code, writes(world)) == (1, [])
    assert "ami-0abcdef1234567890 is not an AMI of this account" in ran.err


def test_a_copy_that_is_named_as_a_source_is_said_to_be_one(amicopy: Run, world: World, source: Image) -> None:
    [copy] = world.images(WEST)
    ran = amicopy("retire", copy.image_id, "--from", WEST, "--dry-run")
    assert f"{copy.image_id} is a copy of {HOME}/{source.image_id}, which is not changed" in ran.err


def test_an_image_that_was_made_of_an_instance_is_not_a_copy_of_the_instances_image(
    amicopy: Run, world: World, source: Image, clock: FakeClock
) -> None:
    """EC2 records a source image for CreateImage, too; to retire that one would hit whatever else was built on it."""
    client: Any = boto3.client("ec2", HOME)
    [instance] = client.run_instances(ImageId=source.image_id, MinCount=1, MaxCount=1)["Instances"]
    clock.advance(60)
    built = client.create_image(InstanceId=instance["InstanceId"], Name="built")["ImageId"]
    client.close()
    clock.advance(600)
    assert world.image(HOME, built).source_image_id == source.image_id
    ran = amicopy("retire", built, "--dry-run")
    assert ran.code == 0, ran.err
    assert ("deprecate now, disable" in ran.err, "is a copy of" in ran.err) == (True, False)


def test_a_pending_copy_is_named_and_the_next_run_retires_it(
    amicopy: Run, world: World, clock: FakeClock, source: Image
) -> None:
    slow(world, 600)
    amicopy("copy", source.image_id, "--to", "ap-south-1", "--no-wait")
    clock.advance(5)
    [pending] = world.images("ap-south-1")
    ran = amicopy("retire", source.image_id, "--yes")
    assert ran.code == 3
    assert f"amicopy cancel --copy {pending.image_id} --in ap-south-1" in ran.err
    clock.advance(900)
    assert amicopy("retire", source.image_id, "--yes").code == 0
    assert is_retired(world, world.image("ap-south-1", pending.image_id))


def test_what_was_disabled_before_stays_disabled_after_undo(amicopy: Run, world: World, source: Image) -> None:
    [west] = world.images(WEST)
    world.call("DisableImage", {"ImageId": west.image_id}, region=WEST)
    before = as_it_is(world, west)
    amicopy("retire", source.image_id, "--yes")
    assert is_retired(world, west)
    amicopy("retire", source.image_id, "--undo", "--yes")
    assert as_it_is(world, west) == before


def test_an_image_without_a_date_has_none_after_undo(amicopy: Run, world: World) -> None:
    image = a_source(world)
    amicopy("retire", image.image_id, "--yes")
    assert image.deprecate_at is not None
    assert amicopy("retire", image.image_id, "--undo", "--yes").code == 0
    assert image.deprecate_at is None


def test_a_date_that_has_passed_meanwhile_is_said_to_stay(amicopy: Run, world: World, clock: FakeClock) -> None:
    image = a_source(world, deprecate_at=clock.now() + timedelta(days=1))
    amicopy("retire", image.image_id, "--yes")
    clock.advance(3 * 86400)
    ran = amicopy("retire", image.image_id, "--undo", "--yes")
    assert (ran.code, image.state) == (0, "available")
    assert "which has passed: it stays deprecated" in ran.err


def test_hundreds_of_accounts_come_back(amicopy: Run, world: World) -> None:
    who = {f"{number * 982451653 % 10**12:012}" for number in range(1, 901)}
    image = a_source(world, tags={"Name": "web"}, launch_permissions=set(who))
    assert amicopy("retire", image.image_id, "--yes").code == 0
    assert (image.launch_permissions, len(image.tags) <= 50) == (set(), True)
    assert amicopy("retire", image.image_id, "--undo", "--yes").code == 0
    assert (image.launch_permissions, image.tags) == (who, {"Name": "web"})


def test_without_room_for_the_record_nothing_is_taken(amicopy: Run, world: World) -> None:
    full = a_source(world, tags={f"key{number}": "x" for number in range(50)}, launch_permissions={SOMEBODY})
    ran = amicopy("retire", full.image_id, "--yes")
    assert (ran.code, writes(world), full.state) == (1, [], "available")
    assert "[no-record]" in ran.err
    assert "Delete 1 of its tags" in ran.err


def test_without_the_record_nothing_is_guessed(amicopy: Run, world: World, source: Image) -> None:
    amicopy("retire", source.image_id, "--yes")
    source.tags[TAG] = "2026-11-29T16:30:00Z 3"
    ran = amicopy("retire", source.image_id, "--undo", "--yes")
    assert ran.code == 3
    assert (source.state, "[no-record]" in ran.err) == ("disabled", True)
    assert world.images(WEST)[0].state == "available"


def test_a_principal_that_ec2_no_longer_knows_does_not_keep_the_others_away(
    amicopy: Run, world: World, source: Image
) -> None:
    amicopy("retire", source.image_id, "--yes")
    order(world, f"ModifyImageAttribute@{HOME}=error:InvalidAMIAttributeItemValue: no such unit*2")
    ran = amicopy("retire", source.image_id, "--undo", "--yes")
    assert ran.code == 3
    assert source.launch_permissions == {ORGANIZATION}  # the first call was for both, the second for SOMEBODY
    assert TAG in source.tags  # so that the next run restores the rest
    assert amicopy("retire", source.image_id, "--undo", "--yes").code == 0
    assert (source.launch_permissions, TAG in source.tags) == ({SOMEBODY, ORGANIZATION}, False)


def test_a_region_that_does_not_answer_does_not_keep_the_others_from_being_retired(
    amicopy: Run, world: World, source: Image
) -> None:
    order(world, f"*@{WEST}=dead")
    ran = amicopy("retire", source.image_id, "--yes")
    assert (ran.code, source.state, world.images(EAST)[0].state) == (3, "disabled", "disabled")
    world.clear_faults()
    assert amicopy("retire", source.image_id, "--yes").code == 0
    assert world.images(WEST)[0].state == "disabled"


def test_what_the_image_is_shared_with_must_be_readable(amicopy: Run, world: World, source: Image) -> None:
    order(world, f"DescribeImageAttribute@{HOME}=error:UnauthorizedOperation: no*always")
    ran = amicopy("retire", source.image_id, "--in", HOME, "--yes")
    assert (ran.code, writes(world)) == (6, [])
    assert "Without reading them, amicopy could not restore them." in ran.err


def test_an_interrupted_run_reports_what_it_did(world: World, source: Image, clock: FakeClock) -> None:
    stop = Stop()
    stop.set()
    assert main(["retire", source.image_id, "--yes"], Environment(clock=clock, stop=stop)) == 130
    assert writes(world) == []


MANIFEST = f"""\
    name: base
    images:
      - source: {{name: 'web-*'}}
        from: {HOME}
        to: {WEST}
        publish: {{ssm: /images/web, include_source: true}}
        keep: {{newest: 1, min_age: 1s}}
    """


@pytest.fixture
def published(amicopy: Run, world: World, clock: FakeClock, tmp_path: Path) -> Iterator[tuple[str, list[Image]]]:
    """A manifest, and two releases of it that were published one after the other."""
    manifest = a_manifest(tmp_path, MANIFEST.replace("newest: 1", "newest: 3"))
    yield manifest, released(world, clock, amicopy, manifest, "web-1", "web-2")


def by_source(world: World, source: Image, region: str = WEST) -> Image:
    """Return the copy of a source."""
    [copy] = [image for image in world.images(region) if image.source_image_id == source.image_id]
    return copy


def test_parameters_get_the_last_good_image_back(
    amicopy: Run, world: World, published: tuple[str, list[Image]]
) -> None:
    _, [first, second] = published
    assert parameter(WEST, "/images/web") == by_source(world, second).image_id
    ran = amicopy("retire", second.image_id, "--yes")
    assert ran.code == 0, ran.err
    assert parameter(HOME, "/images/web") == first.image_id
    assert parameter(WEST, "/images/web") == by_source(world, first).image_id
    assert f"{by_source(world, second).image_id} -> {by_source(world, first).image_id}" in ran.err
    undone = amicopy("retire", second.image_id, "--undo", "--yes")
    assert undone.code == 0, undone.err
    assert parameter(WEST, "/images/web") == by_source(world, second).image_id
    assert parameter(HOME, "/images/web") == second.image_id


def test_a_parameter_that_was_moved_by_hand_meanwhile_stays(
    amicopy: Run, world: World, published: tuple[str, list[Image]]
) -> None:
    _, [_, second] = published
    amicopy("retire", second.image_id, "--yes")
    put_parameter(WEST, "/images/web", "ami-0123456789abcdef0")
    ran = amicopy("retire", second.image_id, "--undo", "--yes")
    assert ran.code == 0, ran.err
    assert parameter(WEST, "/images/web") == "ami-0123456789abcdef0"
    assert f"/images/web in {WEST} has another value now, and is not changed: ami-0123456789abcdef0" in ran.err


def test_a_retired_image_is_not_what_a_parameter_goes_back_to(
    amicopy: Run, world: World, published: tuple[str, list[Image]]
) -> None:
    _, [first, second] = published
    amicopy("retire", first.image_id, "--yes")
    world.requests.clear()
    ran = amicopy("retire", second.image_id, "--yes")
    assert (ran.code, writes(world)) == (1, [])
    assert "2 parameters have an image that is to be retired, and no other image to go back to. [no-replacement]" in (
        ran.err
    )
    assert f"/images/web in {WEST} has {by_source(world, second).image_id}" in ran.err
    assert " keeps " not in ran.err  # the error says that it does not
    assert "--leave-parameter /images/web" in ran.err
    assert (ran.out, "nothing was changed" in ran.err) == ("", True)
    rehearsed = amicopy("retire", second.image_id, "--dry-run", "--output", "json")
    assert (rehearsed.code, [one["slug"] for one in rehearsed.json["refused"]]) == (1, ["no-replacement"])


def test_an_image_whose_check_failed_later_is_not_what_a_parameter_goes_back_to(
    amicopy: Run, world: World, published: tuple[str, list[Image]]
) -> None:
    _, [first, second] = published
    bad = by_source(world, first)
    boto3.client("ec2", WEST).create_tags(
        Resources=[bad.image_id], Tags=[{"Key": "amicopy:checked", "Value": "failed 2026-11-30T03:14:00Z boot"}]
    )
    world.requests.clear()
    ran = amicopy("retire", second.image_id, "--in", WEST, "--yes")
    assert (ran.code, writes(world)) == (1, []), ran.err
    assert f"/images/web in {WEST} has {by_source(world, second).image_id}, which is to be retired" in ran.err
    chosen = amicopy("retire", second.image_id, "--in", WEST, "--parameter", f"/images/web={bad.image_id}", "--yes")
    assert (chosen.code, writes(world)) == (1, []), chosen.err
    assert "or it has not passed its check" in " ".join(chosen.err.split())


def test_a_parameter_keeps_a_retired_image_only_if_the_operator_says_so(
    amicopy: Run, world: World, published: tuple[str, list[Image]]
) -> None:
    _, [first, second] = published
    amicopy("retire", first.image_id, "--yes")
    ran = amicopy("retire", second.image_id, "--leave-parameter", "/images/*", "--yes")
    assert ran.code == 0, ran.err
    west = by_source(world, second).image_id
    assert parameter(WEST, "/images/web") == west
    assert f"/images/web in {WEST} keeps {west}, from which nothing can be launched anymore" in ran.err
    again = amicopy("retire", second.image_id, "--yes")  # nothing is left to do, and nothing to refuse
    assert again.code == 0, again.err
    assert f"/images/web in {WEST} keeps {west}, from which nothing can be launched anymore" in again.err


def test_the_operator_chooses_what_a_parameter_gets(
    amicopy: Run, world: World, published: tuple[str, list[Image]]
) -> None:
    _, [first, second] = published
    other, good = a_source(world, WEST, name="other"), a_source(world, name="good")
    choices = ("--parameter", f"/images/web={other.image_id}", "--parameter", f"/images/web={good.image_id}")
    ran = amicopy("retire", second.image_id, *choices, "--yes")
    assert ran.code == 0, ran.err
    assert (parameter(WEST, "/images/web"), parameter(HOME, "/images/web")) == (other.image_id, good.image_id)
    assert amicopy("retire", second.image_id, *choices, "--yes").code == 0  # a rerun of the same line
    assert amicopy("retire", second.image_id, "--undo", "--yes").code == 0
    assert parameter(WEST, "/images/web") == by_source(world, second).image_id
    assert first.state == "available"


def test_a_retired_release_is_restored_before_the_bad_one_is_retired(
    amicopy: Run, world: World, published: tuple[str, list[Image]]
) -> None:
    _, [first, second] = published
    assert amicopy("retire", first.image_id, "--yes").code == 0
    world.requests.clear()
    dry = amicopy("retire", second.image_id, "--restore", first.image_id, "--dry-run")
    assert (dry.code, writes(world)) == (0, [])
    ran = amicopy("retire", second.image_id, "--restore", first.image_id, "--yes")
    assert ran.code == 0, ran.err
    assert "restoring 2 images, then retiring 2 images in account" in ran.err
    assert (first.state, second.state) == ("available", "disabled")
    assert parameter(WEST, "/images/web") == by_source(world, first).image_id
    again = amicopy("retire", second.image_id, "--restore", first.image_id, "--yes")
    assert (again.code, again.out.count("unchanged")) == (0, 4)


def test_nothing_is_retired_if_the_release_before_cannot_be_restored(
    amicopy: Run, world: World, published: tuple[str, list[Image]]
) -> None:
    _, [first, second] = published
    assert amicopy("retire", first.image_id, "--yes").code == 0
    order(world, f"EnableImage@{WEST}=error:UnauthorizedOperation: no*always")
    ran = amicopy("retire", second.image_id, "--restore", first.image_id, "--yes")
    assert (ran.code, second.state, by_source(world, second).state) == (3, "available", "available")
    assert "nothing was retired, because not everything could be restored" in ran.err
    assert parameter(WEST, "/images/web") == by_source(world, second).image_id


def test_the_earlier_releases_of_a_manifest_are_retired_but_for_the_newest(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    text = MANIFEST.replace("ssm: /images/web,", "ssm: [/images/web, {path: '/web/{name}', overwrite: false}],")
    manifest = a_manifest(tmp_path, text.replace("newest: 1", "newest: 9"))
    sources = released(world, clock, amicopy, manifest, "web-1", "web-2", "web-3")  # two days apart
    other = a_source(world, name="db-1")
    clock.advance(86400)
    line = ("retire", "--manifest", manifest, "--older-than", "4d")
    world.requests.clear()
    assert (amicopy(*line, "--dry-run").code, writes(world)) == (0, [])
    order(world, f"DisableImage@{WEST}=error:UnauthorizedOperation: no*always")
    assert amicopy(*line, "--yes").code == 3
    world.clear_faults()
    ran = amicopy(*line, "--yes")  # also what the interrupted run has left: sources that are disabled by now
    assert ran.code == 0, ran.err
    assert [one.state for one in sources] == ["disabled", "disabled", "available"]
    assert [by_source(world, one).state for one in sources] == ["disabled", "disabled", "available"]
    assert other.state == "available"
    assert parameter(WEST, "/web/web-1") == by_source(world, sources[0]).image_id
    clock.advance(400 * 86400)
    assert amicopy(*line, "--yes").code == 0
    assert sources[2].state == "available"  # the newest, however old
    nothing = amicopy("retire", "--manifest", manifest, "--older-than", "9999d", "--yes")
    assert (nothing.code, "no earlier release is older than" in nothing.err) == (0, True)


@pytest.mark.parametrize("age", ["1m", "23h", "90m"])
def test_an_age_of_less_than_a_day_is_refused(amicopy: Run, world: World, tmp_path: Path, age: str) -> None:
    ran = amicopy("retire", "--manifest", a_manifest(tmp_path, MANIFEST), "--older-than", age, "--yes")
    assert (ran.code, world.requests) == (2, [])
    assert f"'{age}' is less than a day (m stands for minutes; a month is 30d)." in ran.err


def test_a_manifest_whose_source_has_no_earlier_ones_is_refused(amicopy: Run, world: World, tmp_path: Path) -> None:
    source = a_source(world)
    text = f"images: [{{source: {source.image_id}, from: {HOME}, to: {WEST}}}]"
    ran = amicopy("retire", "--manifest", a_manifest(tmp_path, text), "--older-than", "1d", "--yes")
    assert (ran.code, writes(world)) == (2, [])
    assert "its source is not found by name" in ran.err


def test_what_is_said_about_parameters_has_to_fit(
    amicopy: Run, world: World, published: tuple[str, list[Image]]
) -> None:
    _, [_, second] = published
    world.requests.clear()
    for options, words in (
        (("--parameter", "/images/wbe"), "There is no parameter /images/wbe of type String in any of 17 regions."),
        (("--parameter", "/images/wbe"), "Did you mean /images/web?"),
        (("--parameter", "/other"), "of type String in any of 17 regions. [parameter-not-found]\n  next   Check"),
        (("--parameter", "/other", "--in", f"{HOME},{WEST}"), f"/other of type String in {HOME}, {WEST}."),
        (("--parameter", "/images/web=ami-0abcdef1234567890"), "No parameter can get ami-0abcdef1234567890."),
        (("--parameter", f"/images/web={second.image_id}"), f"No parameter can get {second.image_id}."),
    ):
        ran = amicopy("retire", second.image_id, *options, "--yes")
        assert (ran.code, writes(world), words in ran.err) == (1, [], True), ran.err
    for options in (("--parameter", "=ami-0abcdef1234567890"), ("--parameter", "/images/web=latest")):
        assert amicopy("retire", second.image_id, *options, "--yes").code == 2


def test_parameters_stay_if_asked(amicopy: Run, world: World, published: tuple[str, list[Image]]) -> None:
    _, [_, second] = published
    ran = amicopy("retire", second.image_id, "--no-parameters", "--yes")
    assert ran.code == 0, ran.err
    assert parameter(WEST, "/images/web") == by_source(world, second).image_id
    assert not [one for one in world.requests if one.operation == "GetParameterHistory"]


def test_a_parameter_that_ec2_does_not_name_can_be_named(amicopy: Run, world: World, source: Image) -> None:
    [west] = world.images(WEST)
    other = a_source(world, WEST, name="older")
    put_parameter(WEST, "/plain", other.image_id)  # of data type text
    put_parameter(WEST, "/plain", west.image_id)
    ran = amicopy("retire", source.image_id, "--parameter", "/plain", "--yes")
    assert (ran.code, parameter(WEST, "/plain")) == (0, other.image_id), ran.err
    amicopy("retire", source.image_id, "--undo", "--yes")
    assert parameter(WEST, "/plain") == west.image_id


def test_what_uses_an_image_is_named_before_anything_is_changed(amicopy: Run, world: World, source: Image) -> None:
    prefix = f"arn:aws:ec2:{HOME}:{DEFAULT_ACCOUNT}"
    arns = [f"{prefix}:instance/i-1", f"{prefix}:instance/i-2", f"{prefix}:launch-template/lt-1"]
    world.state.references[source.image_id] = [("ec2:Instance", arn) for arn in arns]
    ran = amicopy("retire", source.image_id, "--dry-run", "--output", "json")
    users = "2 instances (such as i-1) and launch template lt-1 use"
    assert f"note: {users} {source.image_id}, from which nothing can be launched anymore" in ran.err
    assert ran.json["images"][0]["used_by"] == arns


def test_without_references_a_note_says_what_is_not_known(amicopy: Run, world: World, source: Image) -> None:
    order(world, f"DescribeImageReferences@{HOME}=error:UnauthorizedOperation: no*always")
    ran = amicopy("retire", source.image_id, "--yes")
    assert ran.code == 0
    assert f"{HOME}: it is not known which parameters, launch templates and instances use them" in ran.err


@pytest.mark.parametrize("half", [True, False], ids=["half-retired", "retired"])
def test_nothing_shares_or_copies_a_retired_release_again(
    amicopy: Run, world: World, source: Image, half: bool
) -> None:
    if half:
        order(world, "DisableImage=error:UnauthorizedOperation: no*always")
    assert amicopy("retire", source.image_id, "--yes").code == (6 if half else 0)
    world.requests.clear()
    undo = f"amicopy retire {source.image_id} --from {HOME} --undo"
    for target in (WEST, "ap-south-1"):
        ran = amicopy("copy", source.image_id, "--to", target, "--share", OTHERS)
        assert (ran.code, "[retired]" in ran.err, undo in ran.err) == (1, True, True)
    verified = amicopy("verify", source.image_id, "--repair", "--prune", "--yes")
    assert (verified.code, verified.out.count(" retired")) == (4, 2)
    assert undo in verified.err
    cancelled = amicopy("cancel", source.image_id, "--in", "all", "--available", "--yes")
    assert (cancelled.code, undo in cancelled.err) == (1, True)
    by_id = amicopy("cancel", "--copy", world.images(WEST)[0].image_id, "--in", WEST, "--available", "--yes")
    assert by_id.code == 1
    assert writes(world) == []
    assert "retired on 2026" in amicopy("status", source.image_id, "--output", "table").out


def test_a_retired_copy_of_a_source_that_is_not_is_not_completed_either(
    amicopy: Run, world: World, source: Image
) -> None:
    amicopy("retire", source.image_id, "--in", WEST, "--yes")
    world.requests.clear()
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "--best-effort", WEST)
    assert "[retired]" in ran.err
    assert writes(world) == []


def test_keep_neither_counts_nor_removes_what_is_retired(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    manifest = a_manifest(tmp_path, MANIFEST.replace("newest: 1", "newest: 2").replace("publish", "# publish"))
    sources = released(world, clock, amicopy, manifest, "web-1", "web-2")
    amicopy("retire", sources[1].image_id, "--yes")
    a_source(world, name="web-3")
    assert amicopy("sync", manifest).code == 0
    states = {image.name: image.state for image in world.images(WEST)}
    assert states == {"web-1": "available", "web-2": "disabled", "web-3": "available"}


def test_after_a_release_is_taken_back_sync_keeps_the_one_before(
    amicopy: Run, world: World, published: tuple[str, list[Image]]
) -> None:
    manifest, [first, second] = published
    amicopy("retire", second.image_id, "--yes")
    ran = amicopy("sync", manifest)
    assert ran.code == 0, ran.err
    assert parameter(WEST, "/images/web") == by_source(world, first).image_id


def test_two_runs_at_once_lose_nothing(amicopy: Run, world: World, source: Image) -> None:
    """The second one begins when the first has taken the permissions of the source, and not yet disabled it."""
    before = [as_it_is(world, image) for image in release(world, source)]
    order(world, f"DisableImage@{HOME}=error:InternalError: no*always")
    assert amicopy("retire", source.image_id, "--yes").code == 3
    source.launch_permissions = {OTHERS}  # somebody shares it again meanwhile
    world.clear_faults()
    assert amicopy("retire", source.image_id, "--yes").code == 0
    assert amicopy("retire", source.image_id, "--undo", "--yes").code == 0
    source.launch_permissions -= {OTHERS}
    assert [as_it_is(world, image) for image in release(world, source)] == before


def test_a_lost_answer_changes_nothing(amicopy: Run, world: World, source: Image) -> None:
    before = [as_it_is(world, image) for image in release(world, source)]
    for operation in ("CreateTags", "ModifySnapshotAttribute", "ModifyImageAttribute", "DisableImage"):
        order(world, f"{operation}=lost", f"{operation}=throttle after 1")
    assert amicopy("retire", source.image_id, "--yes").code == 0
    assert all(is_retired(world, image) for image in release(world, source))
    for operation in ("EnableImage", "ModifySnapshotAttribute", "ModifyImageAttribute", "DeleteTags"):
        order(world, f"{operation}=lost", f"{operation}=throttle after 1")
    assert amicopy("retire", source.image_id, "--undo", "--yes").code == 0
    assert [as_it_is(world, image) for image in release(world, source)] == before


def test_the_json_is_the_record(amicopy: Run, world: World, source: Image) -> None:
    ran = amicopy("retire", source.image_id, "--yes", "--output", "json")
    first = ran.json["images"][0]
    assert (first["is_source"], first["state"], first["account"]) == (True, "retired", DEFAULT_ACCOUNT)
    assert first["taken"]["launch_permissions"] == [SOMEBODY, ORGANIZATION]
    assert list(first["taken"]["snapshot_permissions"].values()) == [[SOMEBODY, OTHERS]]


def test_what_contradicts_itself_is_refused(amicopy: Run, world: World) -> None:
    for options in (
        ("--yes", "--dry-run"),
        ("--undo", "--no-parameters"),
        ("--parameter", "/a", "--no-parameters"),
        ("--leave-parameter", "/a", "--no-parameters"),
        ("--leave-parameter", "/a", "--undo"),
        ("--restore", "ami-0123456789abcdef0", "--undo"),
        ("--restore", "ami-0abcdef1234567890"),
        ("--manifest", "amis.yaml", "--older-than", "1d"),
        ("--older-than", "1d"),
    ):
        assert amicopy("retire", "ami-0abcdef1234567890", *options).code == 2
    assert amicopy("retire").code == 2
    assert world.requests == []


def test_no_image_is_read_twice_for_its_name(amicopy: Run, world: World, source: Image) -> None:
    """What a run costs: with two copies, and nothing but their permissions to take."""
    amicopy("retire", source.image_id, "--in", f"{HOME},{WEST},{EAST}", "--yes")
    assert len(asked(world, "DisableImage")) == 3
    assert len(asked(world, "CreateTags")) == 6
    assert len(world.requests) <= 70
