"""``kill -9`` at every request of a run, then the same command: one faithful copy per region, no orphan.

The process is a real one and dies by SIGKILL; the world and its time live on in the test. In ``make test`` it dies
after some of the writing requests; with AMICOPY_TORTURE set, around every request, and at random several times in a
row.
"""

import os
import random
import signal
from dataclasses import dataclass, field, replace

import pytest

from amicopy.sandbox.behavior import Timing, Unconfirmed
from amicopy.sandbox.faults import parse_fault
from amicopy.sandbox.records import Image
from tests.support.stage import Stage
from tests.support.torture import (
    REGIONS,
    Strike,
    Tally,
    TortureWorld,
    a_rich_source,
    copies_of,
    final_complaints,
    orphans,
)

LONG = int(os.environ.get("AMICOPY_TORTURE", "0"))
SEED = int(os.environ.get("AMICOPY_TORTURE_SEED", "1"))
BRISK = Timing(copy_seconds=30, seconds_per_gib=0.1, visible_after=0, snapshots_listed_after=0)
SLOW_TO_SHOW = Timing(copy_seconds=90, visible_after=60, snapshots_listed_after=20)
STRIDE = 12  # of a scene's writes, in short form


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """How the world is when the command is run that gets killed."""

    name: str
    timing: Timing = BRISK
    unconfirmed: Unconfirmed = field(default_factory=Unconfirmed)
    prepared: tuple[tuple[str, ...], ...] = ()  # commands that ran before, uninterrupted
    failures: int = 0  # the copies of so many of those fail
    options: tuple[str, ...] = ()
    hours_later: float = 0.0
    faults: tuple[str, ...] = ()  # of the run that is killed
    again: tuple[str, ...] = ()  # options of the runs after the kill: another route makes no second copy

    def __str__(self) -> str:
        return self.name


NO_WAIT = ("--no-wait",)
BY_HUB = ("--route", f"via:{REGIONS[0]}")
BY_ANOTHER = ("--route", f"via:{REGIONS[1]}")
FAILING = tuple(f"copy@{region}=fail:Client.InternalError: no" for region in REGIONS)
DIRECT_AFTER_HUB = Scene(name="by way of a hub, then directly", options=BY_HUB)
SCENES = [
    Scene(name="nothing is there"),
    Scene(name="copies are pending", prepared=(NO_WAIT,)),
    Scene(name="copies are available", prepared=(NO_WAIT,), hours_later=1),
    Scene(name="an attempt has failed", prepared=((),), failures=1),
    Scene(name="two attempts have failed", prepared=((), ()), failures=2),
    Scene(name="an attempt has failed and a copy is available", failures=1, prepared=((), NO_WAIT), hours_later=1),
    Scene(name="EC2 is slow to show and an attempt has failed", timing=SLOW_TO_SHOW, prepared=((),), failures=1),
    Scene(name="EC2 is slow to show", timing=SLOW_TO_SHOW, unconfirmed=Unconfirmed(unseen_id="empty")),
    Scene(name="nobody waits", options=NO_WAIT),
    Scene(name="they are shared when all are there", options=("--share-when", "all")),
    DIRECT_AFTER_HUB,
    Scene(name="the hub is pending", prepared=((*BY_HUB, *NO_WAIT),), options=BY_HUB, again=BY_HUB),
    Scene(
        name="the hub stands and nobody waits", prepared=((*BY_HUB, *NO_WAIT),), hours_later=1, options=BY_HUB + NO_WAIT
    ),
    Scene(name="by way of a hub, then of another", options=BY_HUB, again=BY_ANOTHER),
    Scene(name="the hub and all others have failed", prepared=(BY_HUB,), failures=1, options=BY_HUB, again=BY_HUB),
    Scene(
        name="the hub fails", options=BY_HUB, again=BY_HUB, faults=(f"copy@{REGIONS[0]}=fail:Client.InternalError: no",)
    ),
]


def set_scene(stage: Stage, scene: Scene) -> tuple[TortureWorld, Image]:
    """Return the world as the scene has it, and its source."""
    world = stage.begin_anew(scene.timing, scene.unconfirmed)
    source = a_rich_source(world)
    for number, options in enumerate(scene.prepared):
        for fault in FAILING if number < scene.failures else ():
            world.inject(parse_fault(fault))
        stage.nursery.run(world, command(source, *options))
    world.clear_faults()
    for fault in scene.faults:
        world.inject(parse_fault(fault))
    stage.clock.advance(scene.hours_later * 3600)
    return world, source


def command(source: Image, *options: str) -> list[str]:
    """Return the command line that is run again and again."""
    return ["copy", source.image_id, "--to", ",".join(REGIONS), "--quiet", *options]


def complaints(stage: Stage, world: TortureWorld, source: Image, *options: str) -> list[str]:
    """Run the command to its end, when EC2 is well again, and return what is then not as promised."""
    world.clear_faults()
    finished = stage.nursery.run(world, command(source, *options))
    found = [f"the next run ended with {finished.status}"] if finished.status else []
    stage.clock.advance(3600)
    found += final_complaints(world, source, REGIONS)
    written = len(world.seen)
    again = stage.nursery.run(world, command(source, *options))
    if again.status or len(world.seen) > written:
        found.append(f"a further run ended with {again.status}, and wrote {world.seen[written:]}")
    return found


def requests_of(stage: Stage, scene: Scene) -> list[str]:
    """Return the operations of a run that nobody kills."""
    world, source = set_scene(stage, scene)
    ran = stage.nursery.run(world, command(source, *scene.options))
    assert ran.status == (3 if scene.faults else 0)
    return ran.made


def kill_points(scene: Scene, made: list[str]) -> list[Strike]:
    """Return where to strike: in long form everywhere, else after some of the writes, other ones in each scene.

    Reads change nothing, and before one write the world is as it was after the write before.
    """
    if LONG:
        return [Strike(request=number, after=after) for number in range(1, len(made) + 1) for after in (False, True)]
    writing = [Strike(request=number, after=True) for number, operation in enumerate(made, 1) if operation]
    return writing[SCENES.index(scene) % STRIDE :: STRIDE]


@pytest.mark.parametrize("scene", SCENES if LONG else SCENES[::2], ids=str)
def test_a_run_that_is_killed_anywhere_is_completed_by_the_same_command(
    stage: Stage, tally: Tally, scene: Scene
) -> None:
    broken = {}
    for strike in kill_points(scene, requests_of(stage, scene)):
        world, source = set_scene(stage, scene)
        struck = stage.nursery.run(world, command(source, *scene.options), strike)
        if not struck.happened:  # the surveys' threads make a request more or less
            continue
        tally.counts["kill points"] += 1
        assert struck.status == -signal.SIGKILL
        if found := complaints(stage, world, source, *scene.again):
            broken[str(strike)] = found
    assert broken == {}


def test_runs_in_threads_that_are_killed_again_and_again_are_completed_by_the_same_command(
    stage: Stage, tally: Tally
) -> None:
    """As people run it, its lanes side by side; up to three runs in a row die, each anywhere."""
    chance = random.Random(SEED)
    broken = {}
    for _ in range(LONG // 10 or 2):
        scene = chance.choice(SCENES)
        world, source = set_scene(stage, scene)
        said = [str(scene)]
        for _ in range(chance.randint(1, 3)):
            strike = Strike(request=chance.randint(1, 90), after=chance.random() < 0.5)
            struck = stage.nursery.run(world, command(source, *scene.options), strike, threads=True)
            tally.counts["kill points in threads"] += struck.happened
            said.append(str(strike))
            stage.clock.advance(chance.choice((0, 5, 60)))
        if found := complaints(stage, world, source, *scene.again):
            broken[", ".join(said)] = found
    assert broken == {}


CANCELLING = ("--on-interrupt", "cancel")


@pytest.mark.parametrize("fresh", [SCENES[0], DIRECT_AFTER_HUB], ids=str)
def test_a_run_that_is_interrupted_anywhere_takes_back_what_it_has_started(
    stage: Stage, tally: Tally, fresh: Scene
) -> None:
    """With ``--on-interrupt cancel`` no image and no snapshot of that run is left."""
    broken = {}
    for kill in kill_points(fresh, requests_of(stage, fresh)):
        strike = replace(kill, signal=signal.SIGINT, fatal=False)
        world, source = set_scene(stage, fresh)
        struck = stage.nursery.run(world, command(source, *CANCELLING, *fresh.options), strike)
        tally.counts["interruptions"] += struck.happened
        stage.clock.advance(3600)
        left = [image.image_id for region in REGIONS for image in copies_of(world, source, region)]
        left += [one.snapshot_id for region in REGIONS for one in orphans(world, region)]
        if struck.happened and (struck.status != 130 or left):
            broken[str(strike)] = f"ended with {struck.status}, left {left}"
        elif found := complaints(stage, world, source):
            broken[str(strike)] = str(found)
    assert broken == {}


def test_a_run_that_is_interrupted_twice_anywhere_is_completed_by_the_same_command(stage: Stage, tally: Tally) -> None:
    """The second Ctrl-C, or a kill, ends the run in the middle of taking back."""
    fresh = SCENES[0]
    broken = {}
    chance = random.Random(SEED)
    made = len(requests_of(stage, fresh))
    for _ in range(LONG // 10 or 2):
        first = Strike(request=chance.randint(made // 3, made), after=True, signal=signal.SIGINT, fatal=False)
        second = Strike(
            request=first.request + chance.randint(1, 15),
            after=chance.random() < 0.5,
            signal=chance.choice((signal.SIGINT, signal.SIGTERM, signal.SIGKILL)),
        )
        world, source = set_scene(stage, fresh)
        struck = stage.nursery.run(world, command(source, *CANCELLING), first, second)
        tally.counts["double interruptions"] += struck.happened == 2
        if found := complaints(stage, world, source):
            broken[f"{first}, {second}"] = found
    assert broken == {}
