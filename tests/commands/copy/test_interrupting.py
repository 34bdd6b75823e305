"""Ctrl-C, SIGTERM and SIGHUP while waiting: the report is written, and EC2 goes on unless it is told otherwise."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest

from amicopy.cli.environment import Environment
from amicopy.cli.main import main
from amicopy.core.clock import Clock
from amicopy.core.events import AttributeWritten, CopyStarted, Event
from amicopy.core.parallel import Stop
from amicopy.execute.lane import Lane
from amicopy.sandbox.records import Volume
from amicopy.sandbox.world import World
from tests.conftest import Ran, Run
from tests.support.clock import FakeClock, SkewedClock, one_after_another
from tests.support.scenes import (
    EAST,
    SOMEBODY,
    WEST,
    a_source,
    asked,
    copied_by_hand,
    driven,
    order,
    orphans,
    slow,
    the_copy,
    upon,
)

TWO_VOLUMES = [Volume(device="/dev/sda1", gib=8), Volume(device="/dev/sdf", gib=20)]
Interrupted = Callable[..., Ran]


@pytest.fixture
def interrupted(clock: FakeClock, capsys: pytest.CaptureFixture[str]) -> Interrupted:
    """Run a command that is interrupted two simulated minutes after its last copy was started."""

    def run(number: int, *argv: str, copies: int = 2) -> Ran:
        stop = Stop()

        def drive(lanes: Sequence[Lane], clock: Clock, stop: Stop) -> Iterator[Event | None]:
            started, since = 0, clock.now()
            for event in one_after_another(lanes, clock, stop):
                yield event
                if isinstance(event, CopyStarted):
                    started, since = started + 1, clock.now()
                if started == copies and (clock.now() - since).total_seconds() >= 120:
                    stop.signal_number = number
                    stop.set()

        capsys.readouterr()
        code = main(argv, Environment(clock=clock, drive=drive, stop=stop))
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return run


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)])
def test_an_interrupted_run_names_its_copies_and_the_next_command(
    interrupted: Interrupted, world: World, number: int, code: int
) -> None:
    slow(world, 3600)
    source = a_source(world)
    ran = interrupted(number, "copy", source.image_id, "--to", f"{WEST},{EAST}")
    assert ran.code == code
    assert ran.out.splitlines() == [
        f"{region} {the_copy(world, region).image_id} {source.image_id} copying" for region in (WEST, EAST)
    ]
    assert "The run was interrupted with 2 copies unfinished" in ran.err
    assert ran.err.splitlines()[-1] == f"  next   amicopy copy {source.image_id} --to {WEST},{EAST}"
    assert asked(world, "DeregisterImage") == []


@pytest.mark.parametrize("output", ["json", "jsonl"])
def test_an_interrupted_run_writes_its_document(interrupted: Interrupted, world: World, output: str) -> None:
    slow(world, 3600)
    source = a_source(world)
    ran = interrupted(signal.SIGINT, "copy", source.image_id, "--to", f"{WEST},{EAST}", "--output", output)
    document = json.loads(ran.out if output == "json" else ran.out.splitlines()[-1])
    assert (document["status"], document["exit_code"]) == ("interrupted", 130)
    assert [(one["state"], one["left"]) for one in document["copies"]] == [("copying", "interrupted")] * 2
    assert [one["image_id"] for one in document["copies"]] == [the_copy(world, one).image_id for one in (WEST, EAST)]


def test_the_same_command_after_an_interruption_joins(interrupted: Interrupted, amicopy: Run, world: World) -> None:
    slow(world, 600)
    source = a_source(world)
    interrupted(signal.SIGINT, "copy", source.image_id, "--to", f"{WEST},{EAST}")
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}")
    assert ran.code == 0, ran.err
    assert len(world.images(WEST)) == len(world.images(EAST)) == 1


def test_told_so_an_interrupted_run_takes_back_all_that_it_has_started(
    interrupted: Interrupted, world: World, clock: FakeClock
) -> None:
    slow(world, 3600)
    source = a_source(world, volumes=TWO_VOLUMES)
    ran = interrupted(signal.SIGTERM, "copy", source.image_id, "--to", f"{WEST},{EAST}", "--on-interrupt", "cancel")
    clock.advance(7200)
    assert ran.code == 143
    for region in (WEST, EAST):
        assert world.images(region) == []
        assert orphans(world, region) == []
    assert ran.out == ""
    assert "2 rolled back" in ran.err


def test_what_it_found_there_or_joined_is_never_taken_back(
    interrupted: Interrupted, amicopy: Run, world: World, clock: FakeClock
) -> None:
    source = a_source(world)
    done = amicopy("copy", source.image_id, "--to", WEST)
    slow(world, 3600)
    pending = amicopy("copy", source.image_id, "--to", EAST, "--no-wait")
    clock.advance(30)
    ran = interrupted(
        signal.SIGINT,
        "copy",
        source.image_id,
        "--to",
        f"{WEST},{EAST},eu-west-2",
        "--on-interrupt",
        "cancel",
        copies=1,
    )
    assert ran.code == 130
    assert the_copy(world, WEST).image_id in done.out
    assert the_copy(world, EAST).image_id in pending.out
    assert world.images("eu-west-2") == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_real_process_ends_with_its_report_when_it_is_signalled(world: World, number: int, code: int) -> None:
    slow(world, 3600)
    source = a_source(world)
    command = [sys.executable, "-m", "amicopy", "copy", source.image_id, "--to", WEST, "--output", "json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "started ami-" in line:
                process.send_signal(number)
                break
        out, err = process.communicate()
    assert process.returncode == code, err
    document = json.loads(out)
    assert document["exit_code"] == code
    assert [one["image_id"] for one in document["copies"]] == [the_copy(world, WEST).image_id]
    assert "Traceback" not in err


@pytest.mark.parametrize("seconds", [2, 30])
def test_what_another_run_asked_for_is_left_alone_before_ec2_shows_it(
    amicopy: Run, world: World, clock: FakeClock, seconds: float
) -> None:
    """Both runs have sent the same token; only the creation date, once it is shown, tells who was first."""
    slow(world, 3600)
    source = a_source(world)
    world.state.timing = replace(world.state.timing, visible_after=6)
    assert amicopy("copy", source.image_id, "--to", WEST, "--no-wait").code == 0
    clock.advance(seconds)
    stop = Stop()

    def drive(lanes: Sequence[Lane], clock: Clock, stop: Stop) -> Iterator[Event | None]:
        for event in one_after_another(lanes, clock, stop):
            yield event
            if isinstance(event, CopyStarted):
                stop.signal_number = signal.SIGINT
                stop.set()

    argv = ("copy", source.image_id, "--to", WEST, "--on-interrupt", "cancel")
    assert main(argv, Environment(clock=clock, drive=drive, stop=stop)) in {0, 130}
    assert (len(world.images(WEST)), asked(world, "DeregisterImage")) == (1, [])


def test_on_failure_cancel_removes_what_this_run_has_started(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = a_source(world, volumes=TWO_VOLUMES)
    order(world, f"copy@{WEST}=fail:Client.InternalError: no luck")
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "--on-failure", "cancel")
    clock.advance(600)
    assert ran.code == 3
    assert world.images(WEST) == []
    assert orphans(world, WEST) == []
    assert "remove what is left of this one" in ran.err
    assert len(world.images(EAST)) == 1


@pytest.mark.parametrize("skew", [0, 3, 300, -3, -300])
def test_a_wrong_clock_does_not_change_whose_copy_it_is(
    world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str], skew: int
) -> None:
    source = a_source(world)
    order(world, f"copy@{WEST}=fail:Client.InternalError: no luck")
    argv = ("copy", source.image_id, "--to", WEST, "--on-failure", "cancel")
    ran = driven(capsys, SkewedClock(clock, skew), one_after_another, *argv)
    assert (ran.code, world.images(WEST)) == (1, []), ran.err


def test_on_failure_cancel_leaves_what_this_run_has_only_joined(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = a_source(world)
    order(world, f"copy@{WEST}=fail:Client.InternalError: no luck")
    theirs = copied_by_hand(world, source, WEST)
    clock.advance(1)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--adopt", "--on-failure", "cancel")
    assert ran.code == 1
    assert the_copy(world, WEST).image_id == theirs


def test_what_was_written_is_read_back(world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str]) -> None:
    """EC2 says yes to every write, and somebody takes it back at once: that is not a faithful copy."""
    source = a_source(world, launch_permissions={SOMEBODY})
    undone = upon(AttributeWritten, lambda _: the_copy(world, WEST).launch_permissions.clear())
    ran = driven(capsys, clock, undone, "copy", source.image_id, "--to", WEST)
    assert ran.code == 1
    assert "differs from its source" in ran.err
    assert f"is not shared with {SOMEBODY}" in ran.err
