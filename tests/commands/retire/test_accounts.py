"""``retire`` in other accounts: the copies there are taken back and restored as those in the own account are."""

from pathlib import Path
from typing import Any

import pytest

from amicopy.sandbox.records import Image, Volume
from amicopy.sandbox.world import World
from tests.commands.retire.test_retire import as_it_is, is_retired
from tests.conftest import Run
from tests.support.accounts import OWN, B, C, There, copy_in
from tests.support.clock import FakeClock
from tests.support.manifests import DAY, a_manifest, parameter
from tests.support.scenes import HOME, OTHERS, SOMEBODY, WEST, a_source, asked, order, slow, writes

ACCOUNTS = ("--account", f"{B},{C}")
VOLUMES = [Volume(device="/dev/sda1", gib=8, shared_with=frozenset({SOMEBODY, OTHERS}))]
MANIFEST = f"""\
    images:
      - source: {{name: 'web-*'}}
        from: {HOME}
        to: {WEST}
        accounts: [{{id: '{B}'}}]
        publish: {{ssm: /amis/web}}
"""


@pytest.fixture
def source(amicopy: Run, world: World, clock: FakeClock) -> Image:
    """A shared image with a date, and its copies in three accounts."""
    date = clock.now().replace(year=2028, second=0, microsecond=0)
    image = a_source(world, volumes=VOLUMES, launch_permissions={SOMEBODY}, deprecate_at=date)
    ran = amicopy("copy", image.image_id, "--to", f"{HOME},{WEST}", *ACCOUNTS)
    assert ran.code == 0, ran.err
    world.requests.clear()
    return image


def release(world: World) -> list[Image]:
    """Return the source and its copies in every account."""
    return [*world.images(HOME), *world.images(WEST)]


def unasked(world: World) -> list[str]:
    """Return what was written; a session is not."""
    return [one for one in writes(world) if one != "AssumeRole"]


def test_copies_in_every_account_are_retired_and_restored_exactly(
    amicopy: Run, world: World, clock: FakeClock, source: Image
) -> None:
    before = [as_it_is(world, image) for image in release(world)]
    assert len(before) == 6
    planned = amicopy("retire", source.image_id, *ACCOUNTS, "--dry-run")
    assert f"retire {B}/{WEST} copy {copy_in(world, B, WEST).image_id}" in " ".join(planned.err.split())
    assert unasked(world) == []
    ran = amicopy("retire", source.image_id, *ACCOUNTS, "--yes")
    assert ran.code == 0, ran.err
    assert f"retiring 6 images in account {OWN}, {B}, {C}" in ran.err
    assert all(is_retired(world, image) for image in release(world))
    assert f"{B}/{WEST} {copy_in(world, B, WEST).image_id} retired" in ran.out
    world.requests.clear()
    again = amicopy("retire", source.image_id, *ACCOUNTS, "--yes")
    assert (again.code, unasked(world), again.out.count("unchanged")) == (0, [], 6)
    clock.advance(DAY)
    back = amicopy("retire", source.image_id, *ACCOUNTS, "--undo", "--yes", "--output", "json")
    assert back.code == 0, back.err
    assert [as_it_is(world, image) for image in release(world)] == before
    assert {one["account"] for one in back.json["images"]} == {OWN, B, C}


def test_without_the_accounts_their_copies_stay_as_they_are(amicopy: Run, world: World, source: Image) -> None:
    assert amicopy("retire", source.image_id, "--yes").code == 0
    assert {image.owner for image in release(world) if image.state == "available"} == {B, C}
    assert asked(world, "AssumeRole") == []
    assert amicopy("retire", source.image_id, *ACCOUNTS, "--yes").code == 0
    assert all(is_retired(world, image) for image in release(world))


def test_parameters_there_get_what_they_had_before_and_undo_gives_them_back(
    amicopy: Run, world: World, clock: FakeClock, there: There, tmp_path: Path
) -> None:
    manifest = a_manifest(tmp_path, MANIFEST)
    ids: list[Any] = []
    for name in ("web-1", "web-2"):
        newest = a_source(world, name=name)
        assert amicopy("sync", manifest).code == 0
        ids.append((parameter(WEST, "/amis/web"), there.parameter(B, WEST)))
        clock.advance(DAY)
    for account, image_id in ((OWN, ids[1][0]), (B, ids[1][1])):
        arn = f"arn:aws:ssm:{WEST}:{account}:parameter/amis/web"
        world.state.references[image_id] = [("ssm:Parameter", arn)]
    ran = amicopy("retire", newest.image_id, "--account", B, "--yes")
    assert ran.code == 0, ran.err
    assert (parameter(WEST, "/amis/web"), there.parameter(B, WEST)) == ids[0]
    assert f"retire {B}/{WEST} parameter /amis/web {ids[1][1]} -> {ids[0][1]}" in " ".join(ran.err.split())
    assert amicopy("retire", newest.image_id, "--account", B, "--undo", "--yes").code == 0
    assert (parameter(WEST, "/amis/web"), there.parameter(B, WEST)) == ids[1]


def test_a_parameter_there_that_has_no_other_image_stops_everything_until_it_is_said_what_it_gets(
    amicopy: Run, world: World, there: There, source: Image
) -> None:
    copy = copy_in(world, B, WEST)
    there.put_parameter(B, WEST, "/amis/web", copy.image_id)
    world.requests.clear()
    ran = amicopy("retire", source.image_id, *ACCOUNTS, "--parameter", "/amis/web", "--yes")
    assert (ran.code, unasked(world)) == (1, [])
    assert f"/amis/web in {B}/{WEST} has {copy.image_id}" in ran.err
    ours = a_source(world, WEST, name="ours", launch_permissions={B})
    theirs = world.register(WEST, account=B, name="theirs")
    chosen = ("--parameter", f"/amis/web={ours.image_id}")
    ran = amicopy("retire", source.image_id, *ACCOUNTS, *chosen, "--yes")
    assert (ran.code, unasked(world)) == (1, [])  # which B does not own
    ran = amicopy("retire", source.image_id, *ACCOUNTS, "--parameter", f"/amis/web={theirs.image_id}", "--yes")
    assert ran.code == 0, ran.err
    assert there.parameter(B, WEST) == theirs.image_id


def test_a_release_before_is_restored_in_every_account_first(
    amicopy: Run, world: World, clock: FakeClock, there: There, tmp_path: Path
) -> None:
    manifest = a_manifest(tmp_path, MANIFEST)
    first = a_source(world, name="web-1")
    assert amicopy("sync", manifest).code == 0
    old = there.parameter(B, WEST)
    clock.advance(DAY)
    second = a_source(world, name="web-2")
    assert amicopy("sync", manifest).code == 0
    assert amicopy("retire", first.image_id, "--account", B, "--yes").code == 0
    names = ("--parameter", "/amis/web")
    ran = amicopy("retire", second.image_id, "--restore", first.image_id, "--account", B, *names, "--yes")
    assert ran.code == 0, ran.err
    assert there.parameter(B, WEST) == old
    states = {image.tags["amicopy:source"].partition("/")[2]: image.state for image in world.images(WEST, B)}
    assert states == {first.image_id: "available", second.image_id: "disabled"}


def test_a_manifest_s_old_releases_are_retired_in_its_accounts(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    manifest = a_manifest(tmp_path, MANIFEST)
    first = a_source(world, name="web-1")
    assert amicopy("sync", manifest).code == 0
    clock.advance(3 * DAY)
    a_source(world, name="web-2")
    assert amicopy("sync", manifest).code == 0
    ran = amicopy("retire", "--manifest", manifest, "--older-than", "2d", "--yes")
    assert ran.code == 0, ran.err
    states = {image.tags["amicopy:source"].partition("/")[2]: image.state for image in world.images(WEST, B)}
    assert (states.pop(first.image_id), list(states.values())) == ("disabled", ["available"])


def test_a_pending_copy_there_is_left_and_an_account_that_does_not_let_us_in_changes_nothing(
    amicopy: Run, world: World, clock: FakeClock, source: Image
) -> None:
    slow(world, 3600)
    amicopy("copy", source.image_id, "--to", HOME, "--account", "444444444444", "--no-wait")
    clock.advance(60)
    pending = copy_in(world, "444444444444", HOME).image_id
    ran = amicopy("retire", source.image_id, "--account", "444444444444", "--in", HOME, "--yes")
    assert ran.code == 3
    assert f"amicopy cancel --copy {pending} --in {HOME} --account 444444444444" in ran.err
    assert source.launch_permissions == set()  # what it may have used for copying included
    amicopy("cancel", source.image_id, "--in", HOME, "--account", "444444444444", "--yes")
    assert amicopy("retire", source.image_id, "--in", HOME, "--undo", "--yes").code == 0
    assert source.launch_permissions == {SOMEBODY}  # and that stays taken
    world.requests.clear()
    order(world, "AssumeRole=error:403 AccessDenied: not you*always")
    ran = amicopy("retire", source.image_id, *ACCOUNTS, "--yes")
    assert (ran.code, unasked(world)) == (6, [])
