"""What does not depend on another answer is asked at once: levels of dependent calls, each a round trip to far regions.

EC2 answers no call of a level before all calls of that level have come. A call that waits for an answer without need
keeps its level waiting, and the test fails.
"""

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pytest

from amicopy.core.clock import Wakes
from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.records import Image, Volume
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.properties.test_calls import called
from tests.support.clock import FakeClock
from tests.support.scenes import EAST, HOME, SOMEBODY, WEST, a_source, asked

LONGEST_WAIT_SECONDS = 10.0  # of a test that fails

Level = dict[str, int]  # how often what is called where


class Gate:
    """A sandbox's clock that lets answers leave level by level; once all levels have left, at once."""

    def __init__(self, clock: FakeClock, levels: Sequence[Level]) -> None:
        self.world: World | None = None
        self.levels: list[Level] = []  # as they came
        self._clock = clock
        self._sizes = [sum(level.values()) for level in levels]
        self._taken = 0
        self._waiting = 0
        self._changed = threading.Condition()

    def now(self) -> datetime:
        """Return the test's time."""
        return self._clock.now()

    def sleep(self, _seconds: float, until: Wakes | None = None) -> None:
        """Keep one answer until the last call of its level has come."""
        assert until is None
        with self._changed:
            if len(self.levels) == len(self._sizes):
                return
            level = len(self.levels)
            self._waiting += 1
            if self._waiting == self._sizes[level]:
                self._leave()
            elif not self._changed.wait_for(lambda: len(self.levels) > level, LONGEST_WAIT_SECONDS):
                self._sizes = self._sizes[: level + 1]  # show what has come of this level, and let everything pass
                self._leave()

    def _leave(self) -> None:
        assert self.world is not None
        came = self.world.requests[self._taken :]
        self.levels.append(dict(Counter(f"{one.region} {called(one)}" for one in came)))
        self._taken, self._waiting = len(self.world.requests), 0
        self._changed.notify_all()


def run_at_gate(amicopy: Run, sandbox: Sandbox, gate: Gate, *arguments: str) -> None:
    """Run a copy that goes well, its calls held at the gate."""
    gate.world = sandbox.world
    gate.world.requests.clear()
    gate.world.clock = gate.world.state.clock = gate
    gate.world.state.timing = replace(gate.world.state.timing, answer_seconds=1.0)
    ran = amicopy("copy", *arguments, "--quiet")
    assert ran.code == 0, ran.err


def look_ups(*regions: str) -> Level:
    """Return the calls that find copies."""
    by = ("tag:amicopy:source", "source-image-id")
    return {f"{region} DescribeImages {name}": 1 for region in regions for name in by}


def three_volumes(world: World, shared_with: frozenset[str] = frozenset()) -> Image:
    """Register an image with three volumes, each with a tag of its own."""
    volumes = [Volume(device=f"/dev/sd{one}", gib=8, tags={"disk": one}, shared_with=shared_with) for one in "abc"]
    return a_source(world, volumes=volumes, launch_permissions={SOMEBODY})


FIRST: Level = {f"{HOME} DescribeImages": 1, f"{HOME} DescribeRegions": 1, f"{HOME} DescribeImageAttribute": 1}
DETAILS: Level = {f"{HOME} DescribeSnapshots": 1, f"{HOME} DescribeSnapshotAttribute": 3}
REHEARSED = ("CreateTags", "ModifyImageAttribute", "ModifySnapshotAttribute")


def test_a_shared_image_is_copied_after_three_round_trips(
    amicopy: Run, sandbox: Sandbox, world: World, clock: FakeClock
) -> None:
    source = three_volumes(world, frozenset({SOMEBODY}))
    levels = [
        {**FIRST, **look_ups(WEST, EAST)},
        {**DETAILS, **{f"{region} GetEbsEncryptionByDefault": 1 for region in (WEST, EAST)}},
        {f"{WEST} {operation} rehearsed": 1 for operation in REHEARSED},
        {f"{WEST} CopyImage": 1},
    ]
    gate = Gate(clock, levels)
    run_at_gate(amicopy, sandbox, gate, source.image_id, "--to", f"{WEST},{EAST}")
    assert gate.levels == levels


def test_a_private_image_is_copied_after_two_round_trips(
    amicopy: Run, sandbox: Sandbox, world: World, clock: FakeClock
) -> None:
    source = a_source(world)
    levels = [
        {**FIRST, **look_ups(WEST)},
        {**DETAILS, f"{HOME} DescribeSnapshotAttribute": 1},
        {f"{WEST} CopyImage": 1},
    ]
    gate = Gate(clock, levels)
    run_at_gate(amicopy, sandbox, gate, source.image_id, "--to", WEST)
    assert gate.levels == levels


def test_a_region_that_is_missing_is_copied_to_as_soon_as_the_others_are_read(
    amicopy: Run, sandbox: Sandbox, world: World, clock: FakeClock
) -> None:
    source = three_volumes(world)
    assert amicopy("copy", source.image_id, "--to", EAST).code == 0
    own = {f"{EAST} DescribeSnapshots": 1, f"{EAST} DescribeSnapshotAttribute": 3, f"{EAST} DescribeImageAttribute": 1}
    levels = [
        {**FIRST, **look_ups(WEST, EAST)},
        {**DETAILS, **own, f"{WEST} GetEbsEncryptionByDefault": 1},
        {f"{WEST} CreateTags rehearsed": 1, f"{WEST} ModifyImageAttribute rehearsed": 1},
        {f"{WEST} CopyImage": 1},
    ]
    gate = Gate(clock, levels)
    run_at_gate(amicopy, sandbox, gate, source.image_id, "--to", f"{WEST},{EAST}")
    assert gate.levels == levels
    assert len(asked(world, "CopyImage", EAST)) == 0


@pytest.mark.parametrize("count", [3, 20])
def test_many_images_take_no_more_round_trips_before_their_details(
    amicopy: Run, sandbox: Sandbox, world: World, clock: FakeClock, count: int
) -> None:
    sources = [a_source(world, name=f"web-{number}").image_id for number in range(count)]
    first = {**FIRST, f"{HOME} DescribeImageAttribute": count} if count < 8 else dict(FIRST)
    if count >= 8:  # EC2's rate, not the distance, is what they wait for
        del first[f"{HOME} DescribeImageAttribute"]
    gate = Gate(clock, [{**first, **look_ups(WEST)}])
    run_at_gate(amicopy, sandbox, gate, *sources, "--to", WEST)
    assert gate.levels == [{**first, **look_ups(WEST)}]
