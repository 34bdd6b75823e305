"""``kill -9`` at the requests of a copy whose check fails: whatever runs next, nobody shares the copy unchecked.

The process is a real one; the world and its time live on. In ``make test`` it dies before and after each writing
request; with AMICOPY_TORTURE set, around every request.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from amicopy.sandbox.behavior import Timing
from tests.support.torture import ALICE, HOME, Nursery, SharedClock, Strike, TortureSandbox, TortureWorld

LONG = int(os.environ.get("AMICOPY_TORTURE", "0"))
WEST = "us-west-2"
INSTANT = Timing(copy_seconds=1, seconds_per_gib=0.0, visible_after=0, snapshots_listed_after=0)


@dataclass(slots=True)
class Stage:
    """A shared image that is to be copied with a check."""

    sandbox: TortureSandbox
    nursery: Nursery
    clock: SharedClock

    def set(self, *, copied: bool) -> tuple[TortureWorld, list[str]]:
        """Return the world, and the command line without its check; ``copied``: there is a private copy from before."""
        self.clock.begin_anew()
        self.sandbox.reset(clock=self.clock, timing=INSTANT)
        world = self.sandbox.torture
        source = world.register(HOME, name="web", launch_permissions={ALICE})
        argv = ["copy", source.image_id, "--to", WEST, "--quiet"]
        if copied:
            assert self.nursery.run(world, [*argv, "--no-permissions"]).status == 0
        return world, argv


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Serve, and have processes ready to be born."""
    folder: Path = tmp_path_factory.mktemp("checks")
    clock = SharedClock(folder / "clock")
    with TortureSandbox.start(clock=clock, samples=False) as sandbox:
        nursery = Nursery(folder / "clock", {**sandbox.environment, "AWS_MAX_ATTEMPTS": "1", "HOME": str(folder)})
        try:
            yield Stage(sandbox, nursery, clock)
        finally:
            nursery.close()


def strikes(made: list[str]) -> list[Strike]:
    """Return where to kill: around every write, or around every request."""
    places = [number for number, operation in enumerate(made, 1) if operation or LONG]
    return [Strike(request=number, after=after) for number in places for after in (False, True)]


@pytest.mark.parametrize("copied", [False, True], ids=["new", "from-before"])
def test_nobody_shares_a_copy_whose_check_was_killed(stage: Stage, copied: bool) -> None:
    world, argv = stage.set(copied=copied)
    made = stage.nursery.run(world, [*argv, "--check", "false"]).made
    assert "CreateTags" in made
    broken = {}
    for strike in strikes(made):
        world, argv = stage.set(copied=copied)
        if not stage.nursery.run(world, [*argv, "--check", "false"], strike).happened:
            continue
        repair = ["verify", argv[1], "--from", HOME, "--in", WEST, "--repair", "--yes", "--quiet"]
        check = [*argv, "--check", "false"]
        # Before the first mark, a copy from before is one that nobody wants checked: not even this run has said so.
        if all("amicopy:checked" in image.tags for image in world.images(WEST)):
            stage.nursery.run(world, repair)
        statuses = [stage.nursery.run(world, again).status for again in (check, argv, repair)]
        [copy] = world.images(WEST)
        shared, value = bool(copy.launch_permissions), copy.tags.get("amicopy:checked", "")
        passed = stage.nursery.run(world, [*argv, "--check", "true"]).status
        if (shared, value.split(" ")[0], statuses) != (False, "failed", [1, 1, 4]) or passed:
            broken[str(strike)] = (shared, value, statuses, passed)
        assert copy.launch_permissions == {ALICE}
    assert broken == {}
