"""``kill -9`` at requests of ``retire`` and of its undoing: the same command finishes, and undo restores everything.

The process is a real one; the world and its time live on. In ``make test`` it dies after
some of the writing requests; with AMICOPY_TORTURE set, around every request.
"""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from amicopy.sandbox.behavior import Timing
from amicopy.sandbox.records import Image
from tests.support.accounts import OWN, B
from tests.support.clock import START
from tests.support.torture import HOME, Nursery, SharedClock, Strike, TortureSandbox, TortureWorld, a_rich_source

LONG = int(os.environ.get("AMICOPY_TORTURE", "0"))
WEST, PATH = "us-west-2", "/images/web"
INSTANT = Timing(copy_seconds=1, seconds_per_gib=0.0, visible_after=0, snapshots_listed_after=0)


@dataclass(slots=True)
class Stage:
    """A release with a copy in each of two accounts, published there where an earlier one was before."""

    sandbox: TortureSandbox
    nursery: Nursery
    clock: SharedClock
    ssm: dict[str, Any]  # by account

    def set(self, *, retired: bool = False) -> tuple[TortureWorld, Image]:
        """Return the world and the source."""
        self.clock.begin_anew()
        self.sandbox.reset(clock=self.clock, timing=INSTANT)
        world = self.sandbox.torture
        source = a_rich_source(world)
        argv = ["copy", source.image_id, "--to", WEST, "--account", B, "--quiet"]
        assert self.nursery.run(world, argv).status == 0
        for account, ssm in self.ssm.items():
            [copy] = world.images(WEST, account)
            earlier = world.register(WEST, account=account, name="earlier")
            for image in (earlier, copy):
                ssm.put_parameter(
                    Name=PATH, Value=image.image_id, Type="String", DataType="aws:ec2:image", Overwrite=True
                )
        if retired:
            assert self.run(world, source).status == 0
        return world, source

    def run(self, world: TortureWorld, source: Image, *options: Any) -> Any:
        """Run retire; a `Strike` among the options kills it."""
        strikes = [one for one in options if isinstance(one, Strike)]
        words = [one for one in options if isinstance(one, str)]
        where = ("--in", f"{HOME},{WEST}", "--account", B)
        argv = ["retire", source.image_id, *where, "--yes", "--quiet", *words]
        return self.nursery.run(world, argv, *strikes)

    def all_there_is(self, world: TortureWorld, source: Image) -> Any:
        """Return everything that retire changes, of the source, of the copies, and of the parameters."""
        images = [
            world.image(HOME, source.image_id),
            *(one for account in self.ssm for one in world.images(WEST, account)),
        ]
        parameters = [ssm.get_parameter(Name=PATH)["Parameter"]["Value"] for ssm in self.ssm.values()]
        return [*parameters, *(_state(world, one) for one in images)]


def _state(world: TortureWorld, image: Image) -> Any:
    snapshots = [world.snapshot(image.region, one) for one in image.snapshot_ids]
    return (  # sorted: they are compared as text
        *(image.state, sorted(image.launch_permissions), image.deprecate_at, sorted(image.tags.items())),
        [(sorted(one.shared_with), sorted(one.tags.items())) for one in snapshots],
    )


def is_usable_by_others(world: TortureWorld, source: Image) -> bool:
    """Return whether anything of the release can still be launched or copied."""
    release = [world.image(HOME, source.image_id), *(one for one in world.images(WEST) if one.source_image_id)]
    shared = [world.snapshot(one.region, each).shared_with for one in release for each in one.snapshot_ids]
    soon = START + timedelta(days=1)
    is_current = any(one.deprecate_at is None or one.deprecate_at > soon for one in release)
    return is_current or any(shared) or any(one.state != "disabled" or one.launch_permissions for one in release)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Serve, and have processes ready to be born."""
    import boto3

    folder = tmp_path_factory.mktemp("retire")
    clock_file: Path = folder / "clock"
    clock = SharedClock(clock_file)
    with TortureSandbox.start(clock=clock, samples=False) as sandbox:
        nursery = Nursery(clock_file, {**sandbox.environment, "AWS_MAX_ATTEMPTS": "1", "HOME": str(folder)})
        ssm = {
            account: boto3.client("ssm", WEST, endpoint_url=sandbox.endpoint_url, **sandbox.credentials(account))
            for account in (OWN, B)
        }
        try:
            yield Stage(sandbox, nursery, clock, ssm)
        finally:
            for client in ssm.values():
                client.close()
            nursery.close()


def strikes(made: list[str]) -> list[Strike]:
    """Return where to kill: after every fourth write, or around every request."""
    if LONG:
        return [Strike(request=number, after=after) for number in range(1, len(made) + 1) for after in (False, True)]
    return [Strike(request=number, after=True) for number, operation in enumerate(made, 1) if operation][::4]


@pytest.mark.parametrize("undo", [False, True], ids=["retire", "undo"])
def test_a_run_that_is_killed_anywhere_is_finished_or_undone_without_a_loss(stage: Stage, undo: bool) -> None:
    world, source = stage.set()
    before = stage.all_there_is(world, source)
    options = ("--undo",) if undo else ()
    world, source = stage.set(retired=undo)
    made = stage.run(world, source, *options).made
    broken = {}
    points = strikes(made)
    assert len(points) >= 3
    for number, strike in enumerate(points):
        world, source = stage.set(retired=undo)
        struck = stage.run(world, source, *options, strike)
        if not struck.happened:
            continue
        assert struck.status == -signal.SIGKILL
        found = []
        if (number % 2 or LONG) and not undo:  # finished first, or undone at once
            status = stage.run(world, source).status
            if status or is_usable_by_others(world, source):
                found.append(f"the next run ended with {status} and left something usable")
        status = stage.run(world, source, "--undo").status
        if status or _without_ids(stage.all_there_is(world, source)) != _without_ids(before):
            found.append(f"undo ended with {status} and left {stage.all_there_is(world, source)} instead of {before}")
        if found:
            broken[str(strike)] = found
    assert broken == {}


def _without_ids(found: Any) -> Any:
    """Return the same without ids: every world has its own."""
    text = str(found)
    for prefix in ("ami-", "snap-"):
        pieces = text.split(prefix)
        text = pieces[0] + "".join(prefix + piece[17:] for piece in pieces[1:])
    return text
