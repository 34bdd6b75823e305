"""Permissions for the time of copying: recorded before they are given, taken away as recorded, never carried."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from amicopy.core.grants import GRANT_TAG, KEPT_TAG, OpenGrant, record_value
from amicopy.sandbox.records import Image, Volume
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.accounts import OWN, B, C, copy_in, guests, of, records, standing
from tests.support.clock import FakeClock
from tests.support.scenes import EAST, HOME, OTHERS, SOMEBODY, WEST, a_source, asked, order, slow, snapshots_of, writes

CAPE = "af-south-1"
GIVING = ("CreateTags", "ModifySnapshotAttribute", "ModifyImageAttribute")


def recorded(world: World, image: Image, account: str, *, since: str = "2026-11-23T08:59:00Z 0a0b0c") -> None:
    """Leave a permission and its records on an image, as a run that was killed does."""
    image.tags[f"{GRANT_TAG}{account}"] = since
    image.launch_permissions.add(account)
    for snapshot in snapshots_of(world, image).values():
        snapshot.tags[f"{GRANT_TAG}{account}"] = since
        snapshot.shared_with.add(account)


def test_the_record_comes_first_and_goes_last(amicopy: Run, world: World) -> None:
    source = a_source(world)
    amicopy("copy", source.image_id, "--to", HOME, "--account", B, "--no-permissions")
    own = [one.operation for one in world.requests if one.account == OWN and one.operation in {*GIVING, "DeleteTags"}]
    back = ["ModifyImageAttribute", "ModifySnapshotAttribute", "DeleteTags"]
    dry = [one.operation for one in world.requests if one.params.get("DryRun") and one.account == OWN]
    assert own[len(dry) :] == [*GIVING, *back]


def test_permissions_and_tags_of_the_source_are_as_before(amicopy: Run, world: World) -> None:
    source = a_source(
        world, tags={"Name": "web"}, launch_permissions={SOMEBODY}, volumes=[Volume(shared_with=frozenset({OTHERS}))]
    )
    before = standing(world)
    ran = amicopy("copy", source.image_id, "--to", HOME, "--account", f"{B},{C}")
    assert ran.code == 0, ran.err
    assert standing(world) == before


def test_a_permission_that_was_there_before_stays(amicopy: Run, world: World) -> None:
    source = a_source(world, launch_permissions={B})
    before = standing(world)
    assert amicopy("copy", source.image_id, "--to", HOME, "--account", B).code == 0
    assert standing(world) == before
    tagged = [one.params["Resources"] for one in asked(world, "CreateTags")]
    assert tagged == [list(source.snapshot_ids)]  # only what was given is recorded


def test_kept_permissions_stay_and_are_known_as_such_for_good(amicopy: Run, world: World) -> None:
    source = a_source(world)
    ran = amicopy("copy", source.image_id, "--to", HOME, "--account", B, "--grants", "keep")
    assert ran.code == 0, ran.err
    assert f"{HOME}/{source.image_id} is shared with {B}, and stays so (--grants keep)" in ran.err
    assert "until it has its copy" not in ran.err
    assert [one.shared_with for one in of(world, source)] == [{B}, {B}]
    assert [key for one in of(world, source) for key, _ in one.tags] == [f"{KEPT_TAG}{B}"] * 2


def test_kept_permissions_are_never_carried_to_any_copy(amicopy: Run, world: World) -> None:
    """B7 (5) for `keep`: production's copy is not for test, only because both may copy the source."""
    source = a_source(world, launch_permissions={SOMEBODY})
    to = ("copy", source.image_id, "--to", f"{WEST},{HOME}", "--account", f"{B},{C}", "--grants", "keep")
    assert amicopy(*to).code == 0
    own = copy_in(world, OWN, WEST)
    assert (source.launch_permissions, own.launch_permissions) == ({SOMEBODY, B, C}, {SOMEBODY, B, C})
    world.requests.clear()
    ran = amicopy(*to)
    assert (ran.code, [one for one in writes(world) if one != "AssumeRole"]) == (0, []), ran.err
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}")
    assert (ran.code, copy_in(world, OWN, EAST).launch_permissions) == (0, {SOMEBODY}), ran.err
    theirs = [copy_in(world, account, region) for account in (B, C) for region in (WEST, HOME)] + [
        copy_in(world, OWN, EAST)
    ]
    assert [one.launch_permissions for one in theirs] == [{SOMEBODY}] * 5
    assert not any(one.shared_with for image in theirs for one in snapshots_of(world, image).values())
    looked = amicopy("status", source.image_id, "--in", f"{WEST},{HOME}", "--account", f"{B},{C}")
    assert (looked.code, "is not shared with" in looked.out) == (0, False), looked.out
    verified = amicopy("verify", source.image_id, "--in", f"{WEST},{HOME}", "--account", f"{B},{C}")
    assert (verified.code, verified.out.count("faithful"), "more than requested" in verified.out) == (0, 5, False)


def test_kept_permissions_need_room_for_their_records(amicopy: Run, world: World) -> None:
    source = a_source(world, tags={f"k{number}": "v" for number in range(47)})
    to = ("copy", source.image_id, "--to", HOME, "--grants", "keep", "--account")
    ran = amicopy(*to, f"{B},{C}")
    assert (ran.code, guests(world)) == (1, set())
    assert f"There is no room for 2 tags on {source.image_id}" in ran.err
    assert amicopy(*to, B).code == 0
    assert amicopy(*to, B).code == 0


def test_a_copy_that_fails_ends_the_permission_too(amicopy: Run, world: World) -> None:
    source = a_source(world)
    order(world, f"copy@{HOME}=fail")
    ran = amicopy("copy", source.image_id, "--to", HOME, "--account", B)
    assert ran.code == 1
    assert (guests(world), records(world)) == (set(), [])


def test_what_a_killed_run_has_given_is_taken_away_by_the_next(amicopy: Run, world: World) -> None:
    source = a_source(world, tags={"Name": "web"})
    assert amicopy("copy", source.image_id, "--to", HOME, "--account", B).code == 0
    before = standing(world)
    recorded(world, source, B)
    ran = amicopy("copy", source.image_id, "--to", HOME, "--account", B)
    assert ran.code == 0, ran.err
    assert f"{HOME}/{source.image_id} is no longer shared with {B}" in ran.err
    assert standing(world) == before


def test_a_permission_of_another_account_stays_while_a_run_may_need_it(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    source = a_source(world)
    recorded(world, source, C)
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert f"account {C} may copy {source.image_id} in {HOME}, since 2026-11-23 08:59 UTC" in ran.err
    assert {C} == guests(world)
    clock.advance(25 * 3600)
    assert amicopy("copy", source.image_id, "--to", WEST).code == 0
    assert (guests(world), records(world)) == (set(), [])


def test_temporary_permissions_are_never_carried(amicopy: Run, world: World) -> None:
    source = a_source(world, launch_permissions={SOMEBODY})
    recorded(world, source, B)
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert ran.code == 0, ran.err
    copy = copy_in(world, OWN, WEST)
    assert copy.launch_permissions == {SOMEBODY}
    assert not any(key.startswith(GRANT_TAG) for key in copy.tags)
    assert not any(one.shared_with for one in snapshots_of(world, copy).values())


def test_a_record_that_appears_between_two_reads_counts_for_both(amicopy: Run, world: World) -> None:
    source = a_source(world)
    source.launch_permissions.add(B)  # seen, but the image's tags were read before its record was there
    for snapshot in snapshots_of(world, source).values():
        snapshot.tags[f"{GRANT_TAG}{B}"] = "2026-11-23T09:00:00Z 0a0b0c"
    assert amicopy("copy", source.image_id, "--to", WEST).code == 0
    assert copy_in(world, OWN, WEST).launch_permissions == set()


def test_what_a_young_record_does_not_name_is_the_users_own(amicopy: Run, world: World) -> None:
    """A run was killed a moment ago that had to share the snapshot alone: the image had been shared before."""
    source = a_source(world, launch_permissions={SOMEBODY})
    for snapshot in snapshots_of(world, source).values():
        snapshot.tags[f"{GRANT_TAG}{SOMEBODY}"] = f"2026-11-23T09:00:00Z 0a0b0c {snapshot.snapshot_id[-6:]}"
        snapshot.shared_with.add(SOMEBODY)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--account", SOMEBODY)
    assert ran.code == 0, ran.err
    assert copy_in(world, OWN, WEST).launch_permissions == {SOMEBODY}
    assert source.launch_permissions == {SOMEBODY}
    assert (records(world), [one.shared_with for one in snapshots_of(world, source).values()]) == ([], [set()])


def test_verify_does_not_take_them_for_extras(amicopy: Run, world: World) -> None:
    source = a_source(world)
    amicopy("copy", source.image_id, "--to", WEST)
    recorded(world, copy_in(world, OWN, WEST), B)
    ran = amicopy("verify", source.image_id, "--in", WEST)
    assert ran.code == 0, ran.err


def test_accounts_wait_where_there_is_no_room_for_their_records(amicopy: Run, world: World) -> None:
    source = a_source(world, tags={f"k{number}": "v" for number in range(45)})
    accounts = [f"{number:012}" for number in range(1, 61)]
    ran = amicopy("copy", source.image_id, "--to", HOME, "--account", ",".join(accounts))
    assert ran.code == 0, ran.err
    together = [len(one.params["Tags"]) for one in asked(world, "CreateTags", HOME) if one.account == OWN]
    assert together == [3] * 20
    assert {image.owner for image in world.images(HOME)} == {OWN, *accounts}
    assert (guests(world), records(world)) == (set(), [])


def test_without_room_for_any_record_the_plan_is_refused(amicopy: Run, world: World) -> None:
    source = a_source(world, tags={f"k{number}": "v" for number in range(48)})
    ran = amicopy("copy", source.image_id, "--to", HOME, "--account", B)
    assert ran.code == 1
    assert f"There is no room for a tag on {source.image_id}" in ran.err
    assert "--grants none" in ran.err
    assert [one for one in writes(world) if one != "AssumeRole"] == []
    assert amicopy("copy", source.image_id, "--to", HOME, "--account", B, "--grants", "keep").code == 1


def test_the_fewer_regions_the_more_accounts_are_let_in_at_a_time(amicopy: Run, world: World) -> None:
    """Each takes a tag, and half of the room for them is left to other runs. tests/unit/plan/test_account_rows.py."""
    source = a_source(world, tags={f"k{number}": "v" for number in range(20)})
    accounts = ",".join(f"{number:012}" for number in range(1, 31))
    assert amicopy("copy", source.image_id, "--to", HOME, "--account", accounts).code == 0
    together = [len(one.params["Tags"]) for one in asked(world, "CreateTags", HOME) if one.account == OWN]
    assert together == [14, 14, 2]
    assert {image.owner for image in world.images(HOME)} == {OWN, *accounts.split(",")}
    assert (guests(world), records(world)) == (set(), [])


def test_a_permission_that_cannot_be_taken_away_is_a_failure_and_stays_recorded(amicopy: Run, world: World) -> None:
    source = a_source(world)
    order(world, f"DeleteTags@{HOME}=error:403 UnauthorizedOperation: You are not authorized*always")
    ran = amicopy("copy", source.image_id, "--to", HOME, "--account", B, "--no-preflight")
    assert ran.code == 1
    assert f"The temporary permission of account {B} on {source.image_id} in {HOME} could not be removed." in ran.err
    assert records(world)
    world.clear_faults()
    assert amicopy("copy", source.image_id, "--to", HOME, "--account", B).code == 0
    assert (guests(world), records(world)) == (set(), [])


def test_a_copy_that_is_joined_keeps_its_permission_until_it_is_there(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    """Another copy of the same account ends first, and cannot tell which of the two images it was made of."""
    world.state.unconfirmed = replace(world.state.unconfirmed, unshared_source="failed")
    source = a_source(world)
    assert amicopy("copy", source.image_id, "--to", WEST).code == 0
    slow(world, 600)
    for regions in (WEST, f"{HOME},{WEST}"):
        assert amicopy("copy", source.image_id, "--to", regions, "--account", B, "--no-wait").code == 0
        clock.advance(300)
    ran = amicopy("copy", source.image_id, "--to", f"{HOME},{WEST}", "--account", B)
    assert ran.code == 0, ran.err
    assert [copy_in(world, B, region).state for region in (HOME, WEST)] == ["available", "available"]
    assert (guests(world), records(world)) == (set(), [])


def test_status_says_which_accounts_have_no_copy(amicopy: Run, world: World) -> None:
    source = a_source(world)
    assert amicopy("copy", source.image_id, "--to", WEST, "--account", B).code == 0
    ran = amicopy("status", source.image_id, "--in", f"{HOME},{WEST}", "--account", f"{B},{C}")
    assert ran.code == 0, ran.err
    assert f"note: account {C} has no copy in {HOME}, {WEST}" in ran.err
    assert f"account {B} has no copy" not in ran.err
    ran = amicopy("status", source.image_id, "--account", C, "--output", "json")
    assert ran.code == 0, ran.err
    [note] = [note for note in ran.json["notes"] if C in note]
    assert note.startswith(f"account {C} has no copy in any of ")


@pytest.mark.parametrize("command", ["status", "verify"])
@pytest.mark.parametrize("regions", [(), ("--in", "us-*,af-*")])
def test_a_pattern_stands_for_the_regions_that_each_account_has_enabled(
    amicopy: Run, world: World, command: str, regions: tuple[str, ...]
) -> None:
    """Without --in, that is every region: one that is not enabled is no failure, and is not asked."""
    source = a_source(world)
    world.opt_in("me-south-1", CAPE)
    world.opt_in(CAPE, account=B)
    assert amicopy("copy", source.image_id, "--to", f"{WEST},{CAPE}", "--account", f"{B}").code == 0
    world.requests.clear()
    ran = amicopy(command, source.image_id, "--account", f"{B},{C}", *regions)
    assert (ran.code, "error" in ran.err) == (0, False), ran.err
    assert [place in ran.out for place in (f"{B}/{CAPE}", f"{B}/{WEST}")] == [True, True]
    assert not [one for one in world.requests if one.region == CAPE and one.account == C]
    if "--in" in regions:
        return
    ran = amicopy(command, source.image_id, "--account", C, "--in", CAPE)
    assert (ran.code, f"{CAPE} is not enabled for account {C}" in ran.err) == (3, True), ran.err


@pytest.mark.parametrize("command", ["status", "verify"])
def test_a_pattern_that_matches_nothing_in_one_account_is_said(amicopy: Run, world: World, command: str) -> None:
    source = a_source(world)
    world.opt_in(CAPE)
    assert amicopy("copy", source.image_id, "--to", CAPE).code == 0
    ran = amicopy(command, source.image_id, "--account", B, "--in", "af-*")
    assert ran.code == 0, ran.err
    assert f"note: account {B}: none of the destination regions is enabled there" in ran.err


@pytest.mark.parametrize("leaving", [("--timeout", "1m"), ("--no-wait",)])
def test_a_run_that_leaves_copies_says_what_it_leaves_shared(
    amicopy: Run, world: World, leaving: tuple[str, ...]
) -> None:
    source = a_source(world)
    slow(world, 3600)
    to = ("copy", source.image_id, "--to", HOME, "--account", f"{B},{C}")
    said = "Still shared for copying, until the same command or amicopy cancel --account ends that:\n"
    ran = amicopy(*to, *leaving)
    assert f"{said}  {HOME}/{source.image_id}  with {B}, {C}\n" in ran.err
    ran = amicopy(*to, *leaving)  # which joins the copies and gives nothing anew
    assert f"{said}  {HOME}/{source.image_id}  with {B}, {C}\n" in ran.err
    slow(world, 3)
    ran = amicopy(*to)
    assert (ran.code, "Still shared" in ran.err, guests(world)) == (0, False, set()), ran.err


def test_what_is_kept_is_not_said_to_be_left_open(amicopy: Run, world: World) -> None:
    source = a_source(world)
    slow(world, 3600)
    ran = amicopy("copy", source.image_id, "--to", HOME, "--account", B, "--grants", "keep", "--no-wait")
    assert "Still shared" not in ran.err


def test_status_shows_open_permissions_and_cancel_ends_them(amicopy: Run, world: World) -> None:
    source = a_source(world)
    before = standing(world)
    recorded(world, source, B)
    ran = amicopy("status", source.image_id, "--in", HOME, "--output", "json")
    [grant] = ran.json["grants"]
    assert (grant["image_id"], grant["account"], grant["since"]) == (source.image_id, B, "2026-11-23T08:59:00.000Z")
    assert f"account {B} may copy {source.image_id} in {HOME}, since 2026-11-23 08:59 UTC" in ran.err
    assert f"so does amicopy cancel with --account {B}, which also removes unfinished copies there" in ran.err
    ran = amicopy("cancel", source.image_id, "--in", HOME, "--account", B, "--yes")
    assert ran.code == 0, ran.err
    assert "ending 1 temporary permission" in ran.err
    assert standing(world) == before


def test_cancel_ends_no_permission_of_an_account_that_may_be_copying(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    """EC2 may fail a copy in progress whose source is no longer shared: so it is looked for before."""
    world.state.unconfirmed = replace(world.state.unconfirmed, unshared_source="failed")
    source = a_source(world)
    slow(world, 3600)
    amicopy("copy", source.image_id, "--to", HOME, "--account", B, "--no-wait")
    clock.advance(60)
    ran = amicopy("cancel", source.image_id, "--in", HOME, "--yes")
    assert (ran.code, guests(world), len(records(world))) == (0, {B}, 2), ran.err
    assert f"note: account {B} may still copy {source.image_id} in {HOME}" in ran.err
    assert f"the same command with --account {B}" in ran.err
    clock.advance(4000)
    assert copy_in(world, B, HOME).state == "available"
    clock.advance(25 * 3600)  # no run is working with it anymore
    ran = amicopy("cancel", source.image_id, "--in", HOME, "--yes")
    assert (ran.code, guests(world), records(world)) == (0, set(), []), ran.err


def test_what_iam_does_not_allow_to_end_is_not_begun(amicopy: Run, world: World) -> None:
    source = a_source(world)
    order(world, f"DeleteTags@{HOME}=error:403 UnauthorizedOperation: You are not authorized*always")
    ran = amicopy("copy", source.image_id, "--to", HOME, "--account", B)
    assert ran.code == 6
    assert f"These credentials may not call ec2:DeleteTags in {HOME}." in ran.err
    assert [one for one in writes(world) if one != "AssumeRole"] == []


def test_cancel_with_accounts_stops_copies_there_and_ends_their_permissions(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    source = a_source(world)
    slow(world, 3600)
    amicopy("copy", source.image_id, "--to", HOME, "--account", f"{B},{C}", "--no-wait")
    assert guests(world) == {B, C}
    clock.advance(2)
    ran = amicopy("cancel", source.image_id, "--in", HOME, "--account", B, "--yes")
    assert ran.code == 0, ran.err
    assert (world.images(HOME, B), guests(world)) == ([], {C})
    assert world.images(HOME, C) != []


def test_a_record_names_what_was_given_while_there_is_room_for_it() -> None:
    ids = [f"snap-{number:017x}" for number in range(40)]
    now = datetime(2026, 11, 23, 9, tzinfo=UTC)
    assert record_value(now, "0a0b0c", ids[:2]) == "2026-11-23T09:00:00Z 0a0b0c 000000,000001"
    assert record_value(now, "0a0b0c", ids) == "2026-11-23T09:00:00Z 0a0b0c"


def test_the_time_of_a_record_is_utc() -> None:
    value = record_value(datetime(2026, 11, 23, 9, tzinfo=UTC), "0a0b0c", ["ami-0123456789"])
    assert value == "2026-11-23T09:00:00Z 0a0b0c 456789"
    assert OpenGrant(HOME, "ami-1", B, value).at == datetime(2026, 11, 23, 9, tzinfo=UTC)
    assert OpenGrant(HOME, "ami-1", B, "yes").is_stale(datetime(2026, 11, 23, 9, tzinfo=UTC))
