"""``kill -9`` at the requests of a sync that switches EC2 Fast Launch on, and of its removal: the next run finishes.

The process is a real one; the world and its time live on. In ``make test`` it dies after some of the writing requests;
with AMICOPY_TORTURE set, around every request.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from amicopy.sandbox.behavior import Timing
from tests.support.torture import HOME, Nursery, SharedClock, Strike, TortureSandbox, TortureWorld

LONG = int(os.environ.get("AMICOPY_TORTURE", "0"))
WEST, TAG = "us-west-2", "amicopy:fast-launch"
INSTANT = Timing(copy_seconds=1, seconds_per_gib=0.0, visible_after=0, snapshots_listed_after=0)
MANIFEST = f"images: [{{source: {{name: win}}, from: {HOME}, to: {WEST}, fast_launch: {WEST}}}]\n"


@dataclass(slots=True)
class Stage:
    """A Windows image, and a manifest that asks for EC2 Fast Launch of its copy."""

    sandbox: TortureSandbox
    nursery: Nursery
    clock: SharedClock
    manifest: Path

    def set(self, *, synced: bool) -> tuple[TortureWorld, list[list[str]]]:
        """Return the world, and the command lines that may be killed: sync, and cancel."""
        self.clock.begin_anew()
        self.sandbox.reset(clock=self.clock, timing=INSTANT)
        world = self.sandbox.torture
        source = world.register(HOME, name="win", platform="windows")
        sync = ["sync", str(self.manifest), "--quiet"]
        cancel = ["cancel", source.image_id, "--from", HOME, "--in", WEST, "--available", "--yes", "--quiet"]
        if synced:
            assert self.nursery.run(world, sync).status == 0
        return world, [sync, cancel]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Serve, and have processes ready to be born."""
    folder = tmp_path_factory.mktemp("fast-launch")
    manifest = folder / "amis.yaml"
    manifest.write_text(MANIFEST)
    clock = SharedClock(folder / "clock")
    with TortureSandbox.start(clock=clock, samples=False) as sandbox:
        nursery = Nursery(folder / "clock", {**sandbox.environment, "AWS_MAX_ATTEMPTS": "1", "HOME": str(folder)})
        try:
            yield Stage(sandbox, nursery, clock, manifest)
        finally:
            nursery.close()


def strikes(made: list[str]) -> list[Strike]:
    """Return where to kill: around the last writes, which are those of EC2 Fast Launch, or around every request."""
    if LONG:
        return [Strike(request=number, after=after) for number in range(1, len(made) + 1) for after in (False, True)]
    writes = [number for number, operation in enumerate(made, 1) if operation][-2:]
    return [Strike(request=number, after=after) for number in writes for after in (False, True)]


@pytest.mark.parametrize("which", [0, 1], ids=["sync", "cancel"])
def test_a_run_that_is_killed_anywhere_is_finished_by_the_next(stage: Stage, which: int) -> None:
    world, lines = stage.set(synced=which == 1)
    made = stage.nursery.run(world, lines[which]).made
    assert {"EnableFastLaunch", "DisableFastLaunch"} & {*made}
    broken = {}
    for strike in strikes(made):
        world, lines = stage.set(synced=which == 1)
        if not stage.nursery.run(world, lines[which], strike).happened:
            continue
        running = [image for image in world.images(WEST) if image.fast_launch and image.fast_launch.is_on]
        unrecorded = [image for image in running if not image.tags.get(TAG)]
        status = stage.nursery.run(world, lines[which]).status
        copies = [image for image in world.images(WEST) if image.source_image_id]
        is_on = [bool(image.fast_launch and image.fast_launch.is_on) for image in copies]
        if status or unrecorded or is_on != ([True] if which == 0 else []):
            broken[str(strike)] = (status, unrecorded, is_on)
    assert broken == {}
