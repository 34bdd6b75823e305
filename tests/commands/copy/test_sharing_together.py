"""Whole commands: a release appears everywhere or nowhere, in the time ordered, protected and dated as asked."""

import signal
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import takewhile

import pytest

from amicopy.core.clock import Clock
from amicopy.core.events import Event, SharingDeferred
from amicopy.core.parallel import Stop
from amicopy.execute.lane import Lane
from amicopy.sandbox.records import Image, Volume
from amicopy.sandbox.world import World
from tests.conftest import Ran, Run
from tests.support.clock import START, FakeClock, one_after_another
from tests.support.scenes import (
    EAST,
    HOME,
    OTHERS,
    SOMEBODY,
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

BOTH = f"{WEST},{EAST}"
SHARING = ("ModifyImageAttribute", "ModifySnapshotAttribute")


def a_release(world: World) -> Image:
    """Register a source that somebody may launch and somebody may copy."""
    volumes = [Volume(shared_with=frozenset({OTHERS}))]
    return a_source(world, launch_permissions={SOMEBODY}, volumes=volumes, tags={"Release": "1"})


def release(amicopy: Run, source: Image, *options: str, to: str = BOTH) -> Ran:
    """Copy a source, sharing it when all copies are there."""
    return amicopy("copy", source.image_id, "--to", to, "--share-when", "all", *options)


def crowded(world: World, region: str) -> None:
    """Let a region have no room for a copy for several minutes."""
    order(world, f"CopyImage@{region}=error:400 ResourceLimitExceeded: Too many image copies in progress.*12")


def accepted_at(world: World, region: str) -> datetime:
    """Return when a region had room for its copy at last."""
    [request] = [one for one in asked(world, "CopyImage", region) if not one.error]
    return request.at


def is_shared(world: World, region: str) -> bool:
    """Tell whether anybody got anything in a region."""
    images = world.images(region)
    return any(
        one.launch_permissions or any(s.shared_with for s in snapshots_of(world, one).values()) for one in images
    )


def is_released(world: World, region: str) -> bool:
    """Tell whether everybody got everything in a region."""
    copy = the_copy(world, region)
    [snapshot] = snapshots_of(world, copy).values()
    return copy.launch_permissions == {SOMEBODY} and snapshot.shared_with == {OTHERS}


def sharings(world: World, region: str | None = None) -> list[str]:
    """Return the sharing calls."""
    return [one.region for operation in SHARING for one in asked(world, operation, region)]


# --share-when all


def test_nothing_is_shared_before_every_region_has_its_copy(amicopy: Run, world: World) -> None:
    """The last look at the slowest copy comes before the first sharing anywhere."""
    source = a_release(world)
    crowded(world, EAST)
    ran = release(amicopy, source)
    assert ran.code == 0, ran.err
    assert [is_released(world, region) for region in (WEST, EAST)] == [True, True]
    shared_at = [one.at for one in world.requests if one.operation in SHARING and not one.params.get("DryRun")]
    assert len(shared_at) == 4
    before = [one for one in takewhile(lambda one: one.at < min(shared_at), world.requests) if one.region == EAST]
    assert before[-1].operation.startswith("Describe")
    assert min(shared_at) > accepted_at(world, EAST)
    operations = writes(world)
    last_copy = max(place for place, name in enumerate(operations) if name == "CopyImage")
    assert min(operations.index(name) for name in SHARING) > last_copy


@pytest.mark.parametrize("options", [["--share-when", "each"], []], ids=["each", "unasked"])
def test_otherwise_each_is_shared_as_soon_as_it_is_there(amicopy: Run, world: World, options: list[str]) -> None:
    source = a_release(world)
    crowded(world, EAST)
    amicopy("copy", source.image_id, "--to", BOTH, *options)
    [west], [east] = (asked(world, "ModifyImageAttribute", region) for region in (WEST, EAST))
    assert west.at < accepted_at(world, EAST) < east.at


def test_everything_but_sharing_is_done_at_once(amicopy: Run, world: World) -> None:
    source = a_release(world)
    source.deprecate_at = START + timedelta(days=90)
    order(world, f"copy@{EAST}=fail:Client.InternalError: no")
    release(amicopy, source, "--protect")
    copy = the_copy(world, WEST)
    assert (copy.tags["Release"], copy.deprecate_at, copy.protection) == (
        "1",
        source.deprecate_at,
        "enabled-without-cooldown",
    )
    assert not is_shared(world, WEST)


def test_where_one_region_fails_nobody_gets_anything(amicopy: Run, world: World) -> None:
    source = a_release(world)
    order(world, f"copy@{EAST}=fail:Client.InternalError: no luck")
    ran = release(amicopy, source, "--output", "json")
    assert (ran.code, ran.json["status"], sharings(world)) == (3, "partial", [])
    assert (row(ran, WEST)["state"], row(ran, WEST)["left"]) == ("sharing-deferred", "others-not-available")
    assert row(ran, EAST)["state"] == "failed"
    assert "no luck" in ran.err
    assert "Nothing was shared, because not all copies are ready." in ran.err
    assert f"  {WEST}  {the_copy(world, WEST).image_id}  of {HOME}/{source.image_id}" in ran.err
    assert ran.err.rstrip().splitlines()[-1].startswith("  next   amicopy copy")


def test_the_same_command_again_finishes_the_release(amicopy: Run, world: World) -> None:
    source = a_release(world)
    order(world, f"copy@{EAST}=fail")
    release(amicopy, source)
    kept = the_copy(world, WEST).image_id
    world.requests.clear()
    ran = release(amicopy, source)
    assert ran.code == 0, ran.err
    assert {one.region for one in asked(world, "CopyImage")} == {EAST}
    assert the_copy(world, EAST).state == "available"
    assert the_copy(world, WEST).image_id == kept
    assert [is_released(world, region) for region in (WEST, EAST)] == [True, True]
    first_sharing = min(place for place, name in enumerate(writes(world)) if name in SHARING)
    assert writes(world).index("CopyImage") < first_sharing
    world.requests.clear()
    third = release(amicopy, source)
    assert (third.code, writes(world)) == (0, [])


def test_a_region_that_has_its_release_already_is_left_alone(amicopy: Run, world: World) -> None:
    """And a new one is not held up by it."""
    source = a_release(world)
    release(amicopy, source, to=WEST)
    world.requests.clear()
    ran = release(amicopy, source)
    assert (ran.code, is_released(world, EAST)) == (0, True)
    assert set(sharings(world)) == {EAST}


def test_a_copy_that_is_there_and_private_waits_for_the_others(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = a_release(world)
    finished_by_hand(world, clock, source, WEST)
    order(world, f"copy@{EAST}=fail")
    ran = release(amicopy, source, "--adopt")
    assert (ran.code, is_shared(world, WEST)) == (3, False), ran.err
    assert release(amicopy, source, "--adopt").code == 0
    assert is_released(world, WEST)


def test_a_region_of_best_effort_does_not_hold_up_the_release(amicopy: Run, world: World) -> None:
    source = a_release(world)
    order(world, f"copy@{EAST}=fail")
    ran = release(amicopy, source, "--best-effort", EAST)
    assert (ran.code, is_released(world, WEST)) == (0, True), ran.err
    assert "error (best effort)" in ran.err


def test_a_region_of_best_effort_is_shared_with_the_others_where_it_works(amicopy: Run, world: World) -> None:
    source = a_release(world)
    ran = release(amicopy, source, "--best-effort", EAST)
    assert ran.code == 0, ran.err
    assert [is_released(world, region) for region in (WEST, EAST)] == [True, True]


def test_all_sources_of_a_run_are_one_release(amicopy: Run, world: World) -> None:
    """One AMI that fails in one region holds all of them."""
    sources = [a_release(world), a_release(world)]
    order(world, f"copy@{EAST}=fail")
    ran = amicopy("copy", *(one.image_id for one in sources), "--to", BOTH, "--share-when", "all")
    assert (ran.code, sharings(world)) == (3, []), ran.err


def test_a_time_out_in_one_region_shares_nothing(amicopy: Run, world: World) -> None:
    source = a_release(world)
    order(world, f"copy@{EAST}=stuck")
    ran = release(amicopy, source, "--timeout", "10m")
    assert (ran.code, sharings(world)) == (5, [])
    assert "Nothing was shared" in ran.err


def test_a_refused_region_shares_nothing(amicopy: Run, world: World) -> None:
    source = a_release(world)
    world.settings(EAST).encryption_by_default = True
    ran = release(amicopy, source)
    assert (ran.code, writes(world)) == (1, [])


def test_an_interruption_between_the_phases_shares_nothing(
    world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    source = a_release(world)
    held: list[str] = []

    def drive(lanes: Sequence[Lane], clock: Clock, stop: Stop) -> Iterator[Event | None]:
        for event in one_after_another(lanes, clock, stop):
            yield event
            if isinstance(event, SharingDeferred):
                held.append(event.region)
                if len(held) == 2:
                    stop.signal_number = signal.SIGINT
                    stop.set()

    ran = driven(capsys, clock, drive, "copy", source.image_id, "--to", BOTH, "--share-when", "all")
    assert (ran.code, sorted(held), sharings(world)) == (130, [EAST, WEST], []), ran.err
    assert "--share-when all" in ran.err


def test_a_release_whose_sharing_was_cut_off_is_finished_by_the_next_run(amicopy: Run, world: World) -> None:
    source = a_release(world)
    order(world, f"ModifyImageAttribute@{EAST}=error:400 OperationNotPermitted: not now*2")
    ran = release(amicopy, source, "--no-preflight")
    assert (ran.code, is_released(world, WEST)) == (3, True), ran.err
    world.clear_faults()
    world.requests.clear()
    second = release(amicopy, source)
    assert (second.code, is_released(world, EAST)) == (0, True), second.err
    assert sharings(world, WEST) == []


def test_a_copy_that_vanishes_before_it_is_shared_is_said_and_the_others_stay_private(
    world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was there when the others were looked at."""
    source = a_release(world)
    ready: list[Event] = []

    def vanish(event: Event) -> None:
        ready.append(event)
        if len(ready) == 2:
            world.remove(event.region, event.image_id)

    ran = driven(
        capsys, clock, upon(SharingDeferred, vanish), "copy", source.image_id, "--to", BOTH, "--share-when", "all"
    )
    gone = ready[-1]
    [other] = {WEST, EAST} - {gone.region}
    assert ran.code == 3, ran.err
    assert gone.image_id in ran.err
    assert not is_shared(world, other)


def test_a_copy_that_ec2_does_not_show_for_a_moment_fails_no_release(
    world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    source = a_release(world)

    def hide(event: Event) -> None:
        world.state.images[event.region][event.image_id].visible_at = clock.now() + timedelta(seconds=20)

    ran = driven(
        capsys, clock, upon(SharingDeferred, hide), "copy", source.image_id, "--to", BOTH, "--share-when", "all"
    )
    assert ran.code == 0, ran.err
    assert is_released(world, WEST)
    assert is_released(world, EAST)


def test_passes_without_waiting_come_to_the_same_release(amicopy: Run, world: World, clock: FakeClock) -> None:
    """``--no-wait`` in a pipeline, again and again until nothing is left."""
    source = a_release(world)
    slow(world, 300)
    assert release(amicopy, source, "--no-wait", to=WEST).code == 0
    slow(world, 1800)
    codes = []
    for _ in range(12):
        ran = release(amicopy, source, "--no-wait", "--exit-code")
        codes.append(ran.code)
        available = all(one.state == "available" for region in (WEST, EAST) for one in world.images(region))
        assert available or not (is_shared(world, WEST) or is_shared(world, EAST))
        if ran.code == 0:
            break
        clock.advance(240)
    assert codes[:-1] == [5] * (len(codes) - 1)
    assert codes[-1] == 0
    assert [is_released(world, region) for region in (WEST, EAST)] == [True, True]


def test_a_release_to_one_region_is_shared_at_once(amicopy: Run, world: World) -> None:
    source = a_release(world)
    ran = release(amicopy, source, to=WEST)
    assert (ran.code, ran.out, is_released(world, WEST)) == (0, line(the_copy(world, WEST), source), True)


def test_a_private_release_has_nothing_to_wait_for(amicopy: Run, world: World) -> None:
    source = a_source(world)
    order(world, f"copy@{EAST}=fail")
    ran = release(amicopy, source)
    assert (ran.code, "Nothing was shared" in ran.err) == (3, False)
    assert ran.out == line(the_copy(world, WEST), source)


# --complete-within


def test_a_time_based_copy_is_ordered_and_its_price_is_said(amicopy: Run, world: World) -> None:
    source = a_source(world, volumes=[Volume(gib=100)])
    ran = amicopy("copy", source.image_id, "--to", BOTH, "--complete-within", "1h30m")
    assert ran.code == 0, ran.err
    assert [one.params["SnapshotCopyCompletionDurationMinutes"] for one in asked(world, "CopyImage")] == [90, 90]
    assert "note: at most 100 GiB to each of 2 regions will be copied" in ran.err
    assert "time-based copying at most 3.20 USD" in ran.err


def test_without_it_nothing_about_time_is_sent_or_said(amicopy: Run, world: World) -> None:
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST)
    [request] = asked(world, "CopyImage")
    assert "SnapshotCopyCompletionDurationMinutes" not in request.params
    assert "time-based" not in ran.err


@pytest.mark.parametrize(("time", "minutes"), [("15m", 15), ("48h", 2880), ("2d", 2880), ("45m", 45)])
def test_every_time_that_ec2_offers_is_taken(amicopy: Run, world: World, time: str, minutes: int) -> None:
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--complete-within", time)
    [request] = asked(world, "CopyImage")
    assert (ran.code, request.params["SnapshotCopyCompletionDurationMinutes"]) == (0, minutes)


def test_a_time_for_what_is_there_already_is_of_no_consequence(amicopy: Run, world: World) -> None:
    source = a_source(world)
    amicopy("copy", source.image_id, "--to", WEST)
    world.requests.clear()
    ran = amicopy("copy", source.image_id, "--to", WEST, "--complete-within", "15m")
    assert (ran.code, writes(world), "time-based" in ran.err) == (0, [], False)


# --protect


@pytest.mark.parametrize(
    ("option", "protection", "cooldown"),
    [
        ("--protect", "enabled-without-cooldown", False),
        ("--protect=on", "enabled-without-cooldown", False),
        ("--protect=cooldown", "enabled-with-cooldown", True),
    ],
)
def test_copies_are_protected_as_asked(
    amicopy: Run, world: World, option: str, protection: str, cooldown: bool
) -> None:
    source = a_source(world)
    ran = amicopy("copy", source.image_id, "--to", WEST, option)
    [request] = asked(world, "EnableImageDeregistrationProtection")
    assert (ran.code, the_copy(world, WEST).protection) == (0, protection), ran.err
    assert request.params["WithCooldown"] is cooldown
    world.requests.clear()
    second = amicopy("copy", source.image_id, "--to", WEST, option)
    assert (second.code, writes(world)) == (0, [])


@pytest.mark.parametrize(
    ("source_has", "copy_gets"),
    [
        ("enabled-without-cooldown", "enabled-without-cooldown"),
        ("enabled-with-cooldown", "enabled-with-cooldown"),
        ("disabled", "disabled"),
        ("disabled after 2026-11-24T09:00:00.000Z", "disabled"),
    ],
)
def test_copies_are_protected_as_the_source_is(amicopy: Run, world: World, source_has: str, copy_gets: str) -> None:
    source = a_source(world, protection=source_has)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--protect=source")
    assert (ran.code, the_copy(world, WEST).protection) == (0, copy_gets), ran.err
    world.requests.clear()
    assert amicopy("copy", source.image_id, "--to", WEST, "--protect=source").code == 0
    assert writes(world) == []


def test_protection_is_not_carried_unasked(amicopy: Run, world: World) -> None:
    source = a_source(world, protection="enabled-with-cooldown")
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, the_copy(world, WEST).protection) == (0, "disabled")


def test_protection_is_never_weakened(amicopy: Run, world: World) -> None:
    """Somebody gave the copy a cooldown; ``--protect`` asks for no less."""
    source = a_source(world)
    amicopy("copy", source.image_id, "--to", WEST, "--protect=cooldown")
    world.requests.clear()
    ran = amicopy("copy", source.image_id, "--to", WEST, "--protect")
    assert (ran.code, the_copy(world, WEST).protection, writes(world)) == (0, "enabled-with-cooldown", []), ran.err


# --deprecate-after, --no-deprecation


def test_a_deprecation_counts_from_the_copys_own_creation(amicopy: Run, world: World, clock: FakeClock) -> None:
    """So that a second run finds what the first one wrote."""
    source = a_source(world, deprecate_at=START + timedelta(days=7))
    slow(world, 1800)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--deprecate-after", "90d")
    copy = the_copy(world, WEST)
    assert ran.code == 0, ran.err
    assert copy.created_at is not None
    assert copy.deprecate_at is not None
    assert abs(copy.deprecate_at - copy.created_at - timedelta(days=90)) <= timedelta(minutes=1)
    clock.advance(30 * 86400)
    world.requests.clear()
    second = amicopy("copy", source.image_id, "--to", WEST, "--deprecate-after", "90d")
    assert (second.code, writes(world)) == (0, []), second.err


def test_another_deprecation_asked_later_is_written(amicopy: Run, world: World) -> None:
    source = a_source(world)
    amicopy("copy", source.image_id, "--to", WEST, "--deprecate-after", "90d")
    amicopy("copy", source.image_id, "--to", WEST, "--deprecate-after", "30d")
    date = the_copy(world, WEST).deprecate_at
    assert date is not None
    assert START + timedelta(days=29) < date < START + timedelta(days=31)


def test_a_copy_older_than_its_deprecation_gets_none_and_that_is_said_once_and_for_all(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    """EC2 takes no past date: that is not work, however often it is requested."""
    source = a_source(world)
    amicopy("copy", source.image_id, "--to", WEST)
    clock.advance(100 * 86400)
    world.requests.clear()
    ran = amicopy("copy", source.image_id, "--to", WEST, "--deprecate-after", "90d")
    assert (ran.code, writes(world), the_copy(world, WEST).deprecate_at) == (0, [], None), ran.err
    assert "passed" in ran.err
    rehearsed = amicopy("copy", source.image_id, "--to", WEST, "--deprecate-after", "90d", "--dry-run", "--exit-code")
    assert rehearsed.code == 0, rehearsed.out


def test_a_deprecation_date_can_be_left_behind(amicopy: Run, world: World) -> None:
    source = a_source(world, deprecate_at=datetime(2027, 3, 1, tzinfo=UTC))
    ran = amicopy("copy", source.image_id, "--to", WEST, "--no-deprecation")
    assert (ran.code, the_copy(world, WEST).deprecate_at, writes(world)) == (0, None, ["CopyImage"])


# How much is copied


def test_the_plan_says_how_much_goes_where(amicopy: Run, world: World) -> None:
    source = a_source(
        world,
        volumes=[
            Volume(device="/dev/sda1", gib=8),
            Volume(device="/dev/sdb", gib=20),
            Volume(device="/dev/sdc", gib=500, blank=True),
        ],
        ephemeral=["/dev/sdd"],
    )
    ran = amicopy("copy", source.image_id, "--to", BOTH, "--dry-run", "--output", "json")
    assert ran.json["notes"] == ["at most 28 GiB to each of 2 regions will be copied (the snapshots' full size)"]
    assert row(ran, WEST)["volume_gib"] == 28


def test_what_is_there_already_is_not_counted(amicopy: Run, world: World) -> None:
    source = a_source(world, volumes=[Volume(gib=8)])
    other = a_source(world, name="other", volumes=[Volume(gib=30)])
    amicopy("copy", source.image_id, "--to", WEST)
    ran = amicopy("copy", source.image_id, other.image_id, "--to", BOTH, "--dry-run")
    assert f"note: at most 38 GiB to {EAST}, 30 GiB to {WEST} will be copied" in ran.out


def test_of_an_image_in_s3_no_size_is_known(amicopy: Run, world: World) -> None:
    """It has no snapshots, and it is not empty for that."""
    source = a_source(world, root_device_type="instance-store", volumes=[])
    ran = amicopy("copy", source.image_id, "--to", WEST, "--dry-run")
    assert (ran.code, "0 GiB" in ran.out) == (0, False)
