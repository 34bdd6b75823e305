"""Scenes for tests of whole commands: sources to copy, a slow EC2, and what the world was asked and holds afterwards.

Refuses to run a command: the ``amicopy`` fixture does, or `driven` where a test has to interfere in the middle.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

import pytest

from amicopy.cli.environment import Environment
from amicopy.cli.main import main
from amicopy.core.clock import Clock
from amicopy.core.events import Event
from amicopy.core.parallel import Stop
from amicopy.execute.lane import Lane
from amicopy.sandbox.faults import parse_fault
from amicopy.sandbox.records import DEFAULT_ACCOUNT, Image, Snapshot, Volume
from amicopy.sandbox.world import Request, World
from tests.conftest import Ran
from tests.support.clock import one_after_another

HOME, WEST, EAST = "us-east-1", "us-west-2", "eu-west-1"
TAG = "amicopy:source"
SOMEBODY, OTHERS = "111122223333", "444455556666"
ORGANIZATION = "arn:aws:organizations::111122223333:organization/o-exampleorg1"
UNIT = "arn:aws:organizations::111122223333:ou/o-exampleorg1/ou-abcd-12345678"

READS = ("Describe", "Get", "List")
Driver = Callable[[Sequence[Lane], Clock, Stop], Iterator[Event | None]]


def a_source(world: World, region: str = HOME, **members: Any) -> Image:
    """Register a private image of one volume, or whatever else its members are to be."""
    return world.register(region, **{"name": "web", "volumes": [Volume(device="/dev/sda1", gib=8)], **members})


def made_earlier(world: World, *regions: str) -> None:
    """Register a copy in each region that amicopy made some time ago, with our tag on it and on its snapshot."""
    tags = {TAG: f"{HOME}/ami-0abcdef1234567890"}
    for region in regions:
        world.register(region, name="earlier", tags=tags, volumes=[Volume(tags=tags)])


def slow(world: World, seconds: float) -> None:
    """Let every copy that starts from now on take so long, to the second."""
    world.state.timing = replace(world.state.timing, copy_seconds=seconds, seconds_per_gib=0.0, variation=0.0)


def order(world: World, *faults: str) -> None:
    """Order faults, written as users of the sandbox write them."""
    for fault in faults:
        world.inject(parse_fault(fault))


def copied_by_hand(world: World, source: Image, region: str, **parameters: Any) -> str:
    """Copy an image as any other tool would: no tag, no client token; return the new id."""
    given = {"Name": source.name, "SourceRegion": source.region, "SourceImageId": source.image_id, **parameters}
    image_id: str = world.call("CopyImage", given, region=region)["ImageId"]
    return image_id


class Advancing(Protocol):
    """A clock that a test moves."""

    def advance(self, seconds: float) -> None:
        """Move it forward."""


def finished_by_hand(world: World, clock: Advancing, source: Image, region: str, **parameters: Any) -> str:
    """Copy an image as any other tool would, and let the copy become available."""
    image_id = copied_by_hand(world, source, region, **parameters)
    clock.advance(60)
    assert world.image(region, image_id).state == "available"
    return image_id


def asked(world: World, operation: str, region: str | None = None) -> list[Request]:
    """Return the requests for one operation in the order in which they came, rehearsals (DryRun) left out."""
    return [
        one
        for one in world.requests
        if one.operation == operation and region in {None, one.region} and not one.params.get("DryRun")
    ]


def writes(world: World) -> list[str]:
    """Return the operations of every request that could change something, failed ones included."""
    return [
        one.operation for one in world.requests if not one.operation.startswith(READS) and not one.params.get("DryRun")
    ]


def the_copy(world: World, region: str) -> Image:
    """Return the only image in a region."""
    [image] = world.images(region)
    return image


def snapshots_of(world: World, image: Image) -> dict[str, Snapshot]:
    """Return an image's snapshots by device."""
    return {
        device.name: world.snapshot(image.region, device.snapshot_id) for device in image.devices if device.snapshot_id
    }


def orphans(world: World, region: str) -> list[str]:
    """Return the snapshots in a region that no image there uses."""
    used = {snapshot_id for image in world.images(region) for snapshot_id in image.snapshot_ids}
    return [one.snapshot_id for one in world.snapshots(region, DEFAULT_ACCOUNT) if one.snapshot_id not in used]


def line(image: Image, source: Image, state: str = "done") -> str:
    """Return the line that text output has for a copy."""
    return f"{image.region} {image.image_id} {source.image_id} {state}\n"


def row(ran: Ran, region: str) -> Any:
    """Return the only copy that a JSON result has for a region."""
    [found] = [copy for copy in ran.json["copies"] if copy["region"] == region]
    return found


def driven(capsys: pytest.CaptureFixture[str], clock: Clock, drive: Driver, *argv: str) -> Ran:
    """Run a command whose lanes ``drive`` runs."""
    capsys.readouterr()
    code = main(argv, Environment(clock=clock, drive=drive))
    said = capsys.readouterr()
    return Ran(code, said.out, said.err)


def first(do: Callable[[], object]) -> Driver:
    """Return a driver that lets something happen between the plan and its execution."""

    def drive(lanes: Sequence[Lane], clock: Clock, stop: Stop) -> Iterator[Event | None]:
        do()
        yield from one_after_another(lanes, clock, stop)

    return drive


def a_pending_source(world: World, seconds: float, **members: Any) -> Image:
    """Let a source come into being, itself a copy that takes so long."""
    slow(world, seconds)
    image_id = copied_by_hand(world, a_source(world, "us-east-2", **members), HOME)
    world.state.images[HOME][image_id].visible_at = world.state.clock.now()
    slow(world, 3)
    return world.image(HOME, image_id)


def upon(kind: type[Event], do: Callable[[Event], object]) -> Driver:
    """Return a driver that lets something happen right after each event of a kind."""

    def drive(lanes: Sequence[Lane], clock: Clock, stop: Stop) -> Iterator[Event | None]:
        for event in one_after_another(lanes, clock, stop):
            yield event
            if isinstance(event, kind):
                do(event)

    return drive
