"""``kill -9`` at every request of a pass of the Lambda function, and two passes at once: the next ones heal it.

In the end each destination has one complete copy, its id is published, nothing is left over, and one more pass writes
nothing. In ``make test`` some passes die; with AMICOPY_TORTURE, a pass dies around every request.
"""

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from moto.ssm.models import ssm_backends

from amicopy.sandbox.behavior import Timing
from amicopy.sandbox.faults import parse_fault
from amicopy.sandbox.records import DEFAULT_ACCOUNT, Image
from tests.support.scenes import asked
from tests.support.stage import Stage
from tests.support.torture import HOME, Strike, Tally, Target, TortureWorld, a_rich_source, final_complaints
from tests.support.workers import Invocation, Workers, workers

LONG = int(os.environ.get("AMICOPY_TORTURE", "0"))
SEED = int(os.environ.get("AMICOPY_TORTURE_SEED", "1"))
REGIONS = ("us-west-2", "eu-west-1")
TIMING = Timing(copy_seconds=30, seconds_per_gib=0.1, visible_after=0)
PASSES = 12  # of which the last ones have nothing to do


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What was there before the pass that is killed."""

    name: str
    passes: int = 0
    seconds_later: float = 0.0
    fault: str = ""

    def __str__(self) -> str:
        return self.name


SCENES = (
    Scene(name="nothing is there"),
    Scene(name="copies are pending", passes=1),
    Scene(name="copies are available", passes=1, seconds_later=3600),
    Scene(name="a copy has failed", passes=1, seconds_later=3600, fault=f"copy@{REGIONS[0]}=fail"),
)


@dataclass(slots=True)
class Act:
    """One world, and the function in it."""

    stage: Stage
    processes: Workers
    world: TortureWorld
    source: Image
    environment: dict[str, str]

    def begin(self) -> Invocation:
        """Start a pass."""
        return self.processes.call("handler", {}, self.environment)

    def struck(self, *strikes: Strike) -> int:
        """Make a pass that dies; return how many requests it has made."""
        target = Target(strikes)
        self.world.before, self.world.after = target.before, target.after
        invocation = self.begin()
        target.pid = invocation.pid
        target.named.set()
        invocation.ended()
        target.ended.set()
        self.world.before = self.world.after = _nothing
        return target.requests

    def heal(self) -> list[str]:
        """Make passes until nothing is left to do; return what is then not as promised."""
        for _ in range(PASSES):
            answer = self.begin().ended()
            if answer.get("result", {}).get("complete"):
                break
            self.stage.clock.advance(600)
        else:
            return [f"it never ends: {answer}"]
        found = list(final_complaints(self.world, self.source, REGIONS))
        copies = {region: [one.image_id for one in self.world.images(region)] for region in REGIONS}
        found += [f"{region} has {ids}" for region, ids in copies.items() if len(ids) != 1]
        found += [
            f"{region} publishes {published}"
            for region, ids in copies.items()
            if [published := parameter(region)] != ids
        ]
        written = len(self.world.seen)
        self.begin().ended()
        return found + [f"one more pass wrote {one.operation}" for one in self.world.seen[written:]]


def parameter(region: str) -> str | None:
    """Return the id that is published in a region."""
    found = ssm_backends[DEFAULT_ACCOUNT][region].get_parameter("/images/web")
    return found.value if found else None


def _nothing(_operation: str, _writes: bool) -> None:
    """Let a request pass."""


@pytest.fixture(scope="module")
def processes() -> Iterator[Workers]:
    """The processes of all passes."""
    with workers({"AWS_MAX_ATTEMPTS": "1"}) as running:
        yield running


def begun(stage: Stage, processes: Workers, folder: Path, scene: Scene) -> Act:
    """Return the world as the scene has it."""
    world = stage.begin_anew(TIMING)
    source = a_rich_source(world)
    to = ", ".join(REGIONS)
    entry = f"{{source: {source.image_id}, from: {HOME}, to: '{to}', publish: {{ssm: /images/web}}}}"
    (folder / "amis.yaml").write_text(f"images:\n  - {entry}\n")
    act = Act(stage, processes, world, source, {**stage.sandbox.environment, "LAMBDA_TASK_ROOT": str(folder)})
    if scene.fault:
        world.inject(parse_fault(scene.fault))
    for _ in range(scene.passes):
        act.begin().ended()
        stage.clock.advance(scene.seconds_later)
    world.clear_faults()
    return act


@pytest.mark.parametrize("scene", SCENES if LONG else SCENES[::3], ids=str)
def test_a_pass_that_is_killed_anywhere_is_healed_by_the_next_ones(
    stage: Stage, processes: Workers, tally: Tally, tmp_path: Path, scene: Scene
) -> None:
    chance = random.Random(f"{SEED}/{scene}")
    requests = begun(stage, processes, tmp_path, scene).struck()
    points = [Strike(request=one, after=after) for one in range(1, requests + 1) for after in (False, True)]
    broken = {}
    for strike in points if LONG else chance.sample(points, 1):
        act = begun(stage, processes, tmp_path, scene)
        act.struck(strike)
        tally.counts["kill points of the function"] += 1
        if found := act.heal():
            broken[str(strike)] = found
    assert broken == {}


@pytest.mark.parametrize("scene", SCENES if LONG else SCENES[:1], ids=str)
def test_two_passes_at_once_make_one_copy_in_each_region(
    stage: Stage, processes: Workers, tmp_path: Path, scene: Scene
) -> None:
    act = begun(stage, processes, tmp_path, scene)
    for invocation in [act.begin(), act.begin()]:
        invocation.ended()
    assert act.heal() == []
    assert asked(act.world, "DeregisterImage", REGIONS[1]) == []
