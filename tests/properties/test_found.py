"""What the search for a broken promise has found, each as small as it gets."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import pytest

from amicopy.cli.environment import Environment
from amicopy.cli.main import main
from amicopy.core.clock import Clock
from amicopy.core.events import CopyStarted, Event
from amicopy.core.parallel import Stop
from amicopy.execute.lane import Lane
from amicopy.sandbox.behavior import Timing, Unconfirmed
from amicopy.sandbox.records import Volume
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.clock import FakeClock, one_after_another
from tests.support.scenes import (
    SOMEBODY,
    WEST,
    a_source,
    asked,
    copied_by_hand,
    driven,
    first,
    order,
    orphans,
    the_copy,
    upon,
)

NO = "copy=fail:Client.InternalError: no"


def test_a_failed_copy_that_somebody_else_made_does_not_lead_to_a_second_one(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    world.state.timing = Timing(copy_seconds=300, visible_after=200)
    source = a_source(world)
    order(world, NO)
    copied_by_hand(world, source, WEST)
    clock.advance(140)
    amicopy("copy", source.image_id, "--to", WEST, "--no-wait")
    clock.advance(70)
    amicopy("copy", source.image_id, "--to", WEST, "--no-wait")
    assert [image.state for image in world.images(WEST)] == ["failed", "pending"]


def test_a_failed_attempt_that_its_token_hands_back_is_not_waited_for_again(amicopy: Run, world: World) -> None:
    source = a_source(world)
    for _ in range(2):
        order(world, NO)
        assert amicopy("copy", source.image_id, "--to", WEST).code == 1
    [older, _] = world.images(WEST)
    world.call("DeregisterImage", {"ImageId": older.image_id, "DeleteAssociatedSnapshots": True}, region=WEST)
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert ran.code == 0, ran.err
    assert the_copy(world, WEST).state == "available"


def test_leaving_without_waiting_never_takes_an_earlier_request_for_dead(amicopy: Run, world: World) -> None:
    world.state.timing = Timing(copy_seconds=300, visible_after=200)
    source = a_source(world)
    amicopy("copy", source.image_id, "--to", WEST, "--no-wait")
    ran = amicopy("copy", source.image_id, "--to", WEST, "--no-wait", "--tag", "Extra=1")
    assert ran.code == 0, ran.err
    assert len(world.images(WEST)) == 1


def test_a_failed_copy_that_is_cancelled_leaves_no_snapshot_that_ec2_lists_late(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    world.state.timing = Timing(copy_seconds=30, snapshots_listed_after=25)
    source = a_source(world, volumes=[Volume(device="/dev/sda1"), Volume(device="/dev/sdf")])
    order(world, NO)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--on-failure", "cancel")
    assert ran.code == 1
    clock.advance(600)
    assert world.images(WEST) == []
    assert orphans(world, WEST) == []


def test_a_run_that_fails_never_cancels_what_another_run_has_finished(
    world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    source = a_source(world, launch_permissions={SOMEBODY})
    command = ("copy", source.image_id, "--to", WEST, "--on-failure", "cancel")
    codes: list[int] = []

    def another_run_then_trouble() -> None:
        codes.append(main(command, Environment(clock=clock, drive=one_after_another)))
        the_copy(world, WEST).launch_permissions.clear()  # so that there is something to write, and to fail
        order(world, "ModifyImageAttribute=error:OperationNotPermitted: no")

    ran = driven(capsys, clock, first(another_run_then_trouble), *command)
    assert codes == [0]
    assert ran.code == 1
    assert the_copy(world, WEST).state == "available"


def test_a_run_that_is_interrupted_never_cancels_what_another_run_has_finished(
    world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    source = a_source(world)
    command = ("copy", source.image_id, "--to", WEST, "--on-interrupt", "cancel")
    stop = Stop()
    codes: list[int] = []

    def interrupt(_event: Event) -> None:
        stop.signal_number = 2
        stop.set()

    def drive(lanes: Sequence[Lane], clock: Clock, stop: Stop) -> Iterator[Event | None]:
        codes.append(main(command, Environment(clock=clock, drive=one_after_another)))
        yield from upon(CopyStarted, interrupt)(lanes, clock, stop)

    capsys.readouterr()
    codes.append(main(command, Environment(clock=clock, drive=drive, stop=stop)))
    assert codes == [0, 130]
    assert the_copy(world, WEST).state == "available"


class Suspending(FakeClock):
    """A clock that leaps, once, between a look and what is concluded from it: the machine was asleep."""

    def __init__(self, world: World, clock: FakeClock, leap: float) -> None:
        super().__init__(clock.now())
        self._world, self._beneath, self._leap = world, clock, leap

    def now(self) -> datetime:
        """Return the time, having leapt right after the third look at the new copy."""
        if self._leap and len(asked(self._world, "DescribeImages", WEST)) == 5:
            self._beneath.advance(self._leap)
            self._leap = 0
        return self._beneath.now()

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._beneath.advance(seconds)


def test_a_run_that_was_suspended_does_not_take_its_new_copy_for_dead(
    world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    world.state.timing = Timing(visible_after=60)
    source = a_source(world)
    ran = driven(capsys, Suspending(world, clock, 900), one_after_another, "copy", source.image_id, "--to", WEST)
    assert len(world.images(WEST)) == 1
    assert ran.code == 0, ran.err


def test_runs_that_do_not_wait_leave_a_request_whose_copy_is_dead_to_one_that_does(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    source = a_source(world)
    command = ("copy", source.image_id, "--to", WEST, "--no-wait")
    amicopy(*command)
    clock.advance(600)
    world.call("DeregisterImage", {"ImageId": the_copy(world, WEST).image_id}, region=WEST)
    source.tags["Changed"] = "since"
    for _ in range(3):
        before = clock.now()
        ran = amicopy(*command)
        assert "if it was cancelled, only a run without --no-wait creates it again" in ran.err
        assert (world.images(WEST), clock.now() - before < timedelta(minutes=1)) == ([], True)
        clock.advance(600)
    assert amicopy(*command[:-1]).code == 0
    assert the_copy(world, WEST).tags["Changed"] == "since"


def test_a_snapshot_that_ec2_does_not_know_yet_is_not_called_deleted(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    world.state.timing = Timing(copy_seconds=60, snapshots_listed_after=15)
    world.state.unconfirmed = Unconfirmed(pending_mappings_omit_snapshots=False)
    source = a_source(world)
    amicopy("copy", source.image_id, "--to", WEST, "--no-wait")
    clock.advance(5)
    amicopy("cancel", source.image_id, "--in", WEST, "--yes")
    clock.advance(600)
    assert world.images(WEST) == []
    assert orphans(world, WEST) == []
