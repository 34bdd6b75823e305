"""Whole commands: waiting. As long as EC2 takes and no longer; one region's trouble is no other's."""

import json
import re
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from amicopy.cli.environment import Environment
from amicopy.cli.main import main
from amicopy.core.events import CopyProgressed, CopyQueued, CopyStarted, Event
from amicopy.core.parallel import Stop
from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.records import Image, Volume
from amicopy.sandbox.settings import OPT_IN
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.clock import START, FakeClock
from tests.support.scenes import (
    EAST,
    HOME,
    SOMEBODY,
    WEST,
    a_source,
    asked,
    copied_by_hand,
    driven,
    line,
    order,
    row,
    slow,
    the_copy,
    upon,
    writes,
)

EXPIRED = "error:RequestExpired: Request has expired.*always"
EXPIRED_TOKEN = "error:ExpiredToken: The security token included in the request is expired*always"


def shared(world: World) -> Image:
    """Register a source whose copies have something to complete."""
    return a_source(world, launch_permissions={SOMEBODY})


# A long copy


def test_a_copy_that_takes_forty_minutes_is_waited_for(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = a_source(world)
    slow(world, 2400)
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, ran.out) == (0, line(the_copy(world, WEST), source)), ran.err
    assert timedelta(minutes=40) <= clock.now() - START <= timedelta(minutes=40, seconds=10)


def test_a_long_wait_shows_a_sign_of_life_every_minute(amicopy: Run, world: World) -> None:
    """Pipelines end jobs that are silent for ten minutes."""
    source = a_source(world)
    slow(world, 1200)
    ran = amicopy("copy", source.image_id, "--to", WEST)
    minutes = {text[:5] for text in ran.err.splitlines() if text[2:3] == ":"}
    assert minutes == {f"09:{minute:02}" for minute in range(21)}


def test_the_timeout_leaves_the_copies_running_and_says_how_to_go_on(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    source = a_source(world)
    slow(world, 2400)
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "--timeout", "10m")
    copies = [the_copy(world, WEST), the_copy(world, EAST)]
    assert ran.code == 5
    assert ran.out == "".join(line(copy, source, "copying") for copy in copies)
    assert [copy.state for copy in copies] == ["pending", "pending"]
    assert writes(world) == ["CopyImage", "CopyImage"]
    assert clock.now() - START == timedelta(minutes=10)
    for copy in copies:
        assert f"{copy.region}  {copy.image_id}" in ran.err
    assert ran.err.splitlines()[-1].endswith(f"amicopy copy {source.image_id} --to {WEST},{EAST} --timeout 10m")


def test_the_command_after_a_timeout_goes_on_with_the_same_copies(amicopy: Run, world: World) -> None:
    source = shared(world)
    slow(world, 2400)
    timed_out = amicopy("copy", source.image_id, "--to", WEST, "--timeout", "10m")
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert timed_out.out == line(the_copy(world, WEST), source, "copying")
    assert (ran.code, ran.out) == (0, line(the_copy(world, WEST), source))
    assert len(asked(world, "CopyImage")) == 1
    assert the_copy(world, WEST).launch_permissions == {SOMEBODY}


def test_a_timeout_is_told_in_json(amicopy: Run, world: World) -> None:
    source = a_source(world)
    slow(world, 2400)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--timeout", "10m", "--output", "json")
    found = row(ran, WEST)
    assert (ran.code, ran.json["status"], ran.json["exit_code"], ran.json["schema"]) == (5, "time-out", 5, "amicopy/1")
    assert (found["state"], found["left"], found["image_id"]) == ("copying", "time-out", the_copy(world, WEST).image_id)


def test_a_region_that_is_done_before_the_timeout_is_done(amicopy: Run, world: World) -> None:
    """What stands is never lost to another's delay."""
    source = shared(world)
    order(world, "copy@eu-west-1=stuck")
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "--timeout", "10m", "--output", "json")
    assert (ran.code, row(ran, WEST)["state"], row(ran, EAST)["state"]) == (5, "done", "copying")
    assert the_copy(world, WEST).launch_permissions == {SOMEBODY}


# Copies that end badly


def test_a_failed_copy_ends_its_region_at_once_and_no_other(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = a_source(world)
    slow(world, 600)
    order(world, "copy@us-west-2=fail:Client.InternalError: No luck")
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}")
    failed = the_copy(world, WEST)
    assert (ran.code, ran.out) == (3, line(the_copy(world, EAST), source))
    assert f"error: The copy {failed.image_id} in {WEST} has failed. [copy-failed]" in ran.err
    assert "Client.InternalError: No luck" in ran.err
    assert re.search("09:05:(0.|1[0-5])Z us-west-2  FAILED", ran.err)  # its end was foretold for 09:10
    assert clock.now() - START < timedelta(seconds=610)


@pytest.mark.parametrize("state", ["invalid", "error", "deregistered", "disabled", "failed"])
def test_a_state_that_is_no_way_to_available_ends_the_wait_at_once(
    world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str], state: str
) -> None:
    source = a_source(world)
    slow(world, 600)

    def spoil(event: Event) -> None:
        if event.region == WEST:
            image = world.image(WEST, event.image_id)
            image.state, image.state_reason = state, ("Server.Odd", "it went wrong")

    command = ("copy", source.image_id, "--to", f"{WEST},{EAST}", "--output", "json")
    ran = driven(capsys, clock, upon(CopyStarted, spoil), *command)
    found = row(ran, WEST)
    assert (ran.code, ran.json["status"], found["state"], row(ran, EAST)["state"]) == (3, "partial", "failed", "done")
    assert state in found["error"]["what"]
    assert "Server.Odd: it went wrong" in found["error"]["why"]
    assert found["ended_at"] == "2026-11-23T09:00:02.000Z"
    assert found["error"]["why"] in ran.err


def test_one_region_that_fails_alone_is_no_partial_success(amicopy: Run, world: World) -> None:
    """Exit 1 where nothing succeeded."""
    source = a_source(world)
    order(world, "copy=fail*2")
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}")
    assert (ran.code, ran.out) == (1, "")


def test_a_failure_at_best_effort_is_reported_and_does_not_count(amicopy: Run, world: World) -> None:
    source = a_source(world)
    order(world, "copy@eu-west-1=fail:Client.InternalError: No luck")
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "--best-effort", EAST)
    assert (ran.code, ran.out) == (0, line(the_copy(world, WEST), source))
    assert "error (best effort): The copy" in ran.err
    assert "No luck" in ran.err


# Throttling


def test_throttling_of_starting_and_of_looking_is_waited_out(amicopy: Run, world: World) -> None:
    source = a_source(world)
    slow(world, 300)
    order(world, "CopyImage@us-west-2=throttle*5", "DescribeImages@us-west-2=throttle*20 after 2")
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, ran.out) == (0, line(the_copy(world, WEST), source)), ran.err
    assert [one.error for one in asked(world, "CopyImage")] == ["RequestLimitExceeded"] * 5 + [""]
    assert sum(one.error != "" for one in asked(world, "DescribeImages", WEST)) == 20


def test_throttling_of_the_settling_is_waited_out(amicopy: Run, world: World) -> None:
    source = a_source(world, volumes=[Volume(shared_with=frozenset({SOMEBODY}))], launch_permissions={SOMEBODY})
    order(world, *(f"{operation}=throttle*3" for operation in ("ModifyImageAttribute", "ModifySnapshotAttribute")))
    ran = amicopy("copy", source.image_id, "--to", WEST, "--no-preflight")
    assert (ran.code, the_copy(world, WEST).launch_permissions) == (0, {SOMEBODY}), ran.err


def test_throttling_of_the_survey_is_waited_out(amicopy: Run, world: World) -> None:
    """34 regions asked at once is when it comes."""
    source = a_source(world)
    order(world, "DescribeImages@us-west-2=throttle*5")
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, ran.out) == (0, line(the_copy(world, WEST), source)), ran.err


# No room


def test_copies_queue_while_ec2_has_no_room(amicopy: Run, world: World) -> None:
    sources = [a_source(world, name=name) for name in ("one", "two", "three")]
    world.settings(WEST).image_copies_limit = 1
    slow(world, 120)
    ran = amicopy("copy", *(source.image_id for source in sources), "--to", WEST)
    assert ran.code == 0, ran.err
    assert sorted(image.name or "" for image in world.images(WEST)) == ["one", "three", "two"]
    assert "queued: Too many image copies in progress." in ran.err
    assert {one.error for one in asked(world, "CopyImage")} == {"", "ResourceLimitExceeded"}


@pytest.mark.parametrize("seconds", [300, 7200], ids=["finished", "still pending"])
def test_a_copy_that_waited_its_turn_is_looked_for_again(
    world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str], seconds: float
) -> None:
    """A colleague's run, with another request and so with another token, has made it meanwhile."""
    one, two = a_source(world, name="one"), a_source(world, name="two")
    slow(world, 1200)
    tags = [{"ResourceType": "image", "Tags": [{"Key": "amicopy:source", "Value": f"{HOME}/{two.image_id}"}]}]
    made: list[str] = []

    def meanwhile(_event: Event) -> None:
        if not made:
            slow(world, seconds)
            made.append(copied_by_hand(world, two, WEST, TagSpecifications=tags))

    argv = ("copy", one.image_id, two.image_id, "--to", WEST, "--max-in-flight", "1")
    ran = driven(capsys, clock, upon(CopyStarted, meanwhile), *argv)
    assert ran.code == 0, ran.err
    assert f"{WEST} {made[0]} {two.image_id}" in ran.out
    assert len(world.images(WEST)) == 2


def test_a_queue_behind_other_peoples_copies_ends_with_the_timeout(amicopy: Run, world: World) -> None:
    source = a_source(world)
    world.settings(WEST).image_copies_limit = 1
    slow(world, 7200)
    copied_by_hand(world, a_source(world, name="theirs"), WEST)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--timeout", "30m")
    assert (ran.code, ran.out, len(world.images(WEST))) == (5, "", 1), ran.err
    assert WEST in ran.err.splitlines()[-2]


def test_a_copy_that_found_no_room_is_said_to_be_queued_and_nothing_is_rolled_back(
    world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """EC2 has answered: there is no copy, so an interrupted run does not ask for one to remove it."""
    source = a_source(world)
    world.settings(WEST).image_copies_limit = 1
    slow(world, 7200)
    copied_by_hand(world, a_source(world, name="theirs"), WEST)
    stop = Stop()
    before: list[int] = []

    def interrupt(_event: Event) -> None:
        before.append(len(asked(world, "CopyImage")))
        stop.signal_number = 2
        stop.set()

    capsys.readouterr()
    environment = Environment(clock=clock, drive=upon(CopyQueued, interrupt), stop=stop)
    code = main(["copy", source.image_id, "--to", WEST, "--on-interrupt", "cancel", "--output", "json"], environment)
    said = capsys.readouterr()
    [copy] = json.loads(said.out)["copies"]
    assert (code, copy["state"], copy["image_id"]) == (130, "queued", None)
    assert "not started, queued" in said.err
    assert [len(asked(world, "CopyImage"))] == before
    assert len(world.images(WEST)) == 1


def test_waiting_for_room_is_said_once_while_nothing_changes(amicopy: Run, world: World) -> None:
    """A line per change of state, and a sign of life a minute; a log of 40 minutes is to be read by people."""
    source = a_source(world)
    world.settings(WEST).image_copies_limit = 1
    slow(world, 2400)
    copied_by_hand(world, a_source(world, name="theirs"), WEST)
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert ran.code == 0
    assert ran.err.count("queued: Too many image copies in progress.") == 1


def test_a_quota_of_images_is_not_waited_for(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = a_source(world)
    order(
        world, "CopyImage=error:400 ResourceLimitExceeded: You have reached your quota of 50000 for the number of AMIs"
    )
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert ran.code == 1
    assert "You have reached your quota of 50000 for the number of AMIs" in ran.err
    assert clock.now() - START < timedelta(minutes=1)


# A region that does not answer


def test_a_region_that_falls_silent_while_waiting_is_given_up_after_minutes(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    source = a_source(world)
    slow(world, 120)
    order(world, "*@eu-west-1=dead after 4")
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}")
    assert (ran.code, ran.out) == (3, line(the_copy(world, WEST), source)), ran.err
    assert "error: EC2 in eu-west-1 does not answer. [unreachable]" in ran.err
    copy = the_copy(world, EAST)
    assert f"The copy is {copy.image_id} in {EAST}, of {HOME}/{source.image_id}; EC2 keeps copying it." in ran.err
    assert clock.now() - START < timedelta(minutes=15)


def test_a_region_that_is_silent_for_a_moment_is_no_failure(amicopy: Run, world: World) -> None:
    source = a_source(world)
    slow(world, 300)
    order(world, "*@eu-west-1=dead*15 after 4", "DescribeImages@us-west-2=500*5 after 3")
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}")
    assert ran.code == 0, ran.err


@pytest.mark.parametrize("operation", ["CopyImage", "ModifyImageAttribute"])
def test_a_region_that_fails_one_call_for_ever_is_given_up_after_minutes(
    amicopy: Run, world: World, clock: FakeClock, operation: str
) -> None:
    source = shared(world)
    order(world, f"{operation}@eu-west-1=500*always")
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "--no-preflight")
    assert (ran.code, ran.out) == (3, line(the_copy(world, WEST), source)), ran.err
    assert f"EC2 in eu-west-1 failed to answer {operation}" in ran.err
    assert clock.now() - START < timedelta(minutes=10)


def test_a_network_that_is_gone_while_waiting_is_borne_for_minutes(
    clock: FakeClock, capsys: pytest.CaptureFixture[str], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections refused, names not resolved: a laptop's lid, a VPN, a NAT gateway's bad minute."""
    with Sandbox.start(clock=clock, samples=False) as own:
        monkeypatch.setenv("AWS_ENDPOINT_URL", own.endpoint_url)
        source = a_source(own.world)
        slow(own.world, 120)
        drive = upon(CopyProgressed, lambda _: own.stop())
        ran = driven(capsys, clock, drive, "copy", source.image_id, "--to", WEST, "--output", "json")
    found = row(ran, WEST)
    assert (ran.code, found["state"], found["error"]["slug"]) == (1, "failed", "unreachable"), ran.err
    assert clock.now() - START >= timedelta(minutes=4)
    assert the_copy(own.world, WEST).image_id in ran.err


def test_a_region_that_never_answers_does_not_stop_the_others(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = a_source(world)
    order(world, "*@eu-west-1=dead")
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}")
    assert (ran.code, ran.out) == (3, line(the_copy(world, WEST), source)), ran.err
    assert "error: EC2 in eu-west-1 does not answer. [unreachable]" in ran.err
    assert "2 copies: 1 done, 1 failed" in ran.err
    assert clock.now() - START < timedelta(minutes=15)
    again = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "--output", "json")
    assert (again.code, row(again, WEST)["state"], row(again, EAST)["state"]) == (3, "unchanged", "failed")


def test_a_dry_run_names_a_region_that_never_answers(amicopy: Run, world: World) -> None:
    source = a_source(world)
    order(world, "*@eu-west-1=dead")
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "--dry-run")
    assert (ran.code, writes(world)) == (3, [])
    assert "error: EC2 in eu-west-1 does not answer. [unreachable]" in ran.err
    assert "nothing was started" not in ran.err


def test_nothing_is_shared_while_a_region_does_not_answer_if_all_are_to_be_shared_together(
    amicopy: Run, world: World
) -> None:
    source = shared(world)
    order(world, "*@eu-west-1=dead")
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "--share-when", "all")
    assert ran.code == 3, ran.err
    assert the_copy(world, WEST).launch_permissions == frozenset()


def test_a_run_to_nothing_but_regions_that_never_answer_has_started_nothing(amicopy: Run, world: World) -> None:
    source = a_source(world)
    order(world, "*@eu-west-1=dead", "*@us-west-2=dead")
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}")
    assert (ran.code, ran.out, writes(world)) == (1, "", [])
    assert "EC2 in eu-west-1 does not answer." in ran.err
    assert "so nothing was started." in ran.err


def test_a_region_that_never_answers_does_not_start_what_somebody_has_to_decide(amicopy: Run, world: World) -> None:
    source = a_source(world)
    order(world, "*@eu-west-1=dead")
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "--kms-key", "alias/none")
    assert (ran.code, ran.out, writes(world)) == (1, "", [])


def test_a_region_that_never_answers_does_not_stop_others_at_best_effort(amicopy: Run, world: World) -> None:
    source = a_source(world)
    order(world, "*@eu-west-1=dead")
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "--best-effort", EAST, "--output", "json")
    assert (ran.code, row(ran, WEST)["state"], row(ran, EAST)["state"]) == (0, "done", "failed")
    assert row(ran, EAST)["error"]["slug"] == "unreachable"
    assert "EC2 in eu-west-1 does not answer." in ran.err


# Credentials that expire


@pytest.mark.parametrize("expired", [EXPIRED, EXPIRED_TOKEN])
def test_credentials_that_expire_while_waiting_end_like_a_timeout(amicopy: Run, world: World, expired: str) -> None:
    source = a_source(world)
    slow(world, 3600)
    order(world, f"DescribeImages@us-west-2={expired} after 6", f"DescribeImages@eu-west-1={expired} after 6")
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}")
    copies = [the_copy(world, WEST), the_copy(world, EAST)]
    assert (ran.code, ran.out) == (5, "".join(line(copy, source, "copying") for copy in copies)), ran.err
    assert "The credentials expired with 2 copies unfinished" in ran.err
    assert all(copy.image_id in ran.err for copy in copies)
    assert f"amicopy copy {source.image_id} --to {WEST},{EAST}" in ran.err.splitlines()[-1]
    assert [copy.state for copy in copies] == ["pending", "pending"]


def test_credentials_that_expire_are_told_in_json(amicopy: Run, world: World) -> None:
    source = a_source(world)
    slow(world, 3600)
    order(world, f"DescribeImages@us-west-2={EXPIRED} after 6")
    ran = amicopy("copy", source.image_id, "--to", WEST, "--output", "json")
    found = row(ran, WEST)
    assert (ran.code, ran.json["status"], found["state"], found["left"]) == (
        5,
        "time-out",
        "copying",
        "credentials-expired",
    )


def test_credentials_that_expire_before_the_settling_leave_it_to_the_next_run(amicopy: Run, world: World) -> None:
    source = shared(world)
    order(world, f"ModifyImageAttribute={EXPIRED}")
    left = amicopy("copy", source.image_id, "--to", WEST, "--no-preflight")
    assert (left.code, len(asked(world, "ModifyImageAttribute"))) == (5, 1)
    world.clear_faults()
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, the_copy(world, WEST).launch_permissions) == (0, {SOMEBODY})


def test_credentials_that_have_expired_before_the_start_are_a_matter_of_access(amicopy: Run, world: World) -> None:
    source = a_source(world)
    order(world, f"*={EXPIRED}")
    ran = amicopy("copy", source.image_id, "--to", WEST, "--output", "json")
    assert (ran.code, ran.json["error"]["slug"], writes(world)) == (6, "credentials-expired", [])
    assert "aws sso login" in ran.err


# One of many vanishes


def test_of_many_copies_in_a_region_one_that_vanishes_disturbs_no_other(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    sources = [a_source(world, name=name) for name in ("one", "two", "three")]
    slow(world, 300)
    order(world, "copy@us-west-2=vanish")
    ran = amicopy("copy", *(source.image_id for source in sources), "--to", WEST, "--output", "json")
    states = {copy["name"]: copy["state"] for copy in ran.json["copies"]}
    assert (ran.code, sorted(states.values())) == (3, ["done", "done", "failed"]), ran.err
    [lost] = [copy for copy in ran.json["copies"] if copy["state"] == "failed"]
    assert lost["error"]["slug"] == "copy-vanished"
    assert lost["image_id"] in lost["error"]["what"]
    assert clock.now() - START < timedelta(seconds=320)


def test_a_copy_that_vanished_is_made_anew_by_the_next_run(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = a_source(world)
    slow(world, 60)
    order(world, "copy@us-west-2=vanish")
    assert amicopy("copy", source.image_id, "--to", WEST).code == 1
    began = clock.now()
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, ran.out) == (0, line(the_copy(world, WEST), source)), ran.err
    assert clock.now() - began < timedelta(minutes=13)


def test_a_copy_that_a_person_deregisters_while_pending_is_given_up_within_minutes(
    world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    source = a_source(world)
    slow(world, 3600)

    def deregister(event: Event) -> None:
        world.call("DeregisterImage", {"ImageId": event.image_id}, region=event.region)

    ran = driven(capsys, clock, upon(CopyProgressed, deregister), "copy", source.image_id, "--to", WEST)
    assert (ran.code, ran.out, len(asked(world, "CopyImage"))) == (1, "", 1)
    assert "is no longer there. [copy-vanished]" in ran.err
    assert clock.now() - START < timedelta(minutes=5)


# Every region


def test_every_region_costs_one_copy_two_look_ups_and_one_look_per_tick(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    """Available at the third poll, 12 s after the start."""
    source = a_source(world)
    world.opt_in()
    slow(world, 9)
    ran = amicopy("copy", source.image_id, "--to", "all")
    regions = {request.region for request in asked(world, "CopyImage")}
    assert (ran.code, len(regions), len(ran.out.splitlines())) == (0, 33, 33), ran.err
    assert regions >= set(OPT_IN)
    assert Counter(one.region for one in asked(world, "CopyImage")) == dict.fromkeys(regions, 1)
    looks = Counter(one.region for one in asked(world, "DescribeImages"))
    assert looks == {HOME: 1} | dict.fromkeys(regions, 2 + 3)
    assert max(Counter(one.region for one in asked(world, "DescribeSnapshots")).values()) == 1
    assert writes(world) == ["CopyImage"] * 33
    assert clock.now() - START == timedelta(seconds=12)


def test_a_second_run_over_every_region_costs_two_look_ups_each(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = a_source(world)
    amicopy("copy", source.image_id, "--to", "all")
    world.requests.clear()
    began = clock.now()
    ran = amicopy("copy", source.image_id, "--to", "all")
    assert (ran.code, writes(world), clock.now()) == (0, [], began)
    looks = Counter(one.region for one in asked(world, "DescribeImages") if one.region != HOME)
    assert set(looks.values()) == {2}
    assert len(looks) == 16


# A state that flaps


def test_a_state_that_flaps_after_available_is_completed_anyway(amicopy: Run, world: World) -> None:
    source = shared(world)
    order(world, "copy@us-west-2=flap:4")
    ran = amicopy("copy", source.image_id, "--to", WEST)
    copy = the_copy(world, WEST)
    assert (ran.code, ran.out, copy.launch_permissions) == (0, line(copy, source), {SOMEBODY}), ran.err


def test_a_write_that_ec2_is_not_ready_for_is_repeated(amicopy: Run, world: World) -> None:
    source = shared(world)
    order(world, "ModifyImageAttribute=error:InvalidAMIID.Unavailable: The AMI ID is currently pending*2")
    ran = amicopy("copy", source.image_id, "--to", WEST, "--no-preflight")
    assert (ran.code, the_copy(world, WEST).launch_permissions) == (0, {SOMEBODY}), ran.err
    assert len(asked(world, "ModifyImageAttribute")) == 3


def test_a_write_that_ec2_keeps_refusing_fails_its_region_with_ec2s_reason(amicopy: Run, world: World) -> None:
    """The copy is there, and the next run completes it."""
    source = shared(world)
    order(world, "ModifyImageAttribute@us-west-2=error:OperationNotPermitted: Block public access is on")
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "--no-preflight", "--output", "json")
    found = row(ran, WEST)
    assert (ran.code, found["state"], row(ran, EAST)["state"]) == (3, "failed", "done")
    assert "Block public access is on" in found["error"]["why"]
    assert found["image_id"] == the_copy(world, WEST).image_id
    assert found["image_id"] in ran.err
    again = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}")
    assert (again.code, the_copy(world, WEST).launch_permissions) == (0, {SOMEBODY})


def test_a_new_copy_that_ec2_does_not_show_for_minutes_is_waited_for(amicopy: Run, world: World) -> None:
    """EC2's own advice for what is new is five minutes."""
    source = a_source(world)
    order(world, "copy@us-west-2=unseen:50")  # looks, 5 s apart
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, ran.out) == (0, line(the_copy(world, WEST), source))
    assert len(asked(world, "CopyImage")) == 1


def test_a_new_copy_that_ec2_shows_after_seven_minutes_is_not_doubled(amicopy: Run, world: World) -> None:
    source = a_source(world)
    order(world, "copy@us-west-2=unseen:84")  # looks, 5 s apart
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, len(asked(world, "CopyImage"))) == (0, 1), ran.err
    assert "does not show the image yet" in ran.err


def test_ids_that_ec2_never_shows_are_not_followed_by_a_third_copy(amicopy: Run, world: World) -> None:
    source = a_source(world)
    order(world, "copy@us-west-2=unseen:5000*3")
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, len(asked(world, "CopyImage"))) == (1, 2), ran.err
    for image in world.images(WEST):
        assert image.image_id in ran.err


def test_a_new_copy_that_ec2_never_shows_is_asked_for_anew_after_ten_minutes(amicopy: Run, world: World) -> None:
    """A token may stand for a copy that was deregistered long ago."""
    source = a_source(world)
    order(world, "copy@us-west-2=unseen:5000")
    ran = amicopy("copy", source.image_id, "--to", WEST)
    [first, second] = asked(world, "CopyImage")
    assert (ran.code, first.at) == (0, START), ran.err
    assert first.params["ClientToken"] != second.params["ClientToken"]
    assert timedelta(minutes=10) <= second.at - first.at <= timedelta(minutes=10, seconds=20)


def test_a_copy_that_ec2_stops_showing_is_not_deregistered_on_failure(
    world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may be alive: nothing has failed but the look."""
    source = a_source(world)
    slow(world, 3600)

    def hide(event: Event) -> None:
        world.state.images[event.region][event.image_id].visible_at = clock.now() + timedelta(hours=2)

    ran = driven(
        capsys, clock, upon(CopyProgressed, hide), "copy", source.image_id, "--to", WEST, "--on-failure", "cancel"
    )
    assert ran.code == 1
    assert "is no longer there. [copy-vanished]" in ran.err
    assert asked(world, "DeregisterImage") == []


# Silence


def test_a_region_is_silent_from_the_first_look_that_fails_not_since_the_run_began(
    amicopy: Run, world: World, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = a_source(world)
    serve = world.serve

    def slowly(operation: str, *arguments: Any, **rest: Any) -> Any:
        if operation == "CopyImage":
            clock.advance(400)
            order(world, "DescribeImages@us-west-2=dead*2")
        return serve(operation, *arguments, **rest)

    monkeypatch.setattr(world, "serve", slowly)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--no-preflight")
    assert (ran.code, ran.out) == (0, line(the_copy(world, WEST), source)), ran.err


def test_an_answer_to_copyimage_without_an_id_is_asked_for_again(
    amicopy: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = a_source(world)
    serve = world.serve
    answers = []

    def garbled(operation: str, *arguments: Any, **rest: Any) -> Any:
        answer = serve(operation, *arguments, **rest)
        if operation == "CopyImage":
            answers.append(answer)
            return {} if len(answers) == 1 else answer
        return answer

    monkeypatch.setattr(world, "serve", garbled)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--no-preflight")
    assert (ran.code, len(answers)) == (0, 2), ran.err
    the_copy(world, WEST)
