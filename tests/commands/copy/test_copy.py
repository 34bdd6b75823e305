"""``amicopy copy`` as a whole command against the sandbox: starting, finding, waiting."""

from amicopy.sandbox.faults import parse_fault
from amicopy.sandbox.records import Volume
from amicopy.sandbox.world import World
from tests.conftest import Run

WRITES = {
    "CopyImage",
    "CreateTags",
    "DeleteTags",
    "ModifyImageAttribute",
    "ModifySnapshotAttribute",
    "EnableImageDeprecation",
    "DeregisterImage",
    "DeleteSnapshot",
}


def calls(world: World, operation: str, region: str | None = None) -> int:
    """Return how often the world was asked."""
    return sum(one.operation == operation and region in {None, one.region} for one in world.requests)


def writes(world: World) -> list[str]:
    """Return every writing call that the world was asked."""
    return [one.operation for one in world.requests if one.operation in WRITES]


def a_source(world: World) -> str:
    """Register a private single-volume image."""
    image = world.register("us-east-1", name="web", volumes=[Volume(device="/dev/sda1", gib=8)])
    return image.image_id


def test_second_run_writes_nothing(amicopy: Run, world: World) -> None:
    source = a_source(world)
    first = amicopy("copy", source, "--to", "us-west-2,eu-west-1")
    world.requests.clear()
    second = amicopy("copy", source, "--to", "us-west-2,eu-west-1")
    assert (first.code, second.code) == (0, 0)
    assert second.out == first.out.replace(" done\n", " unchanged\n") != first.out
    assert "nothing to do" in second.err
    assert writes(world) == []


def test_an_id_that_is_not_known_at_first_is_waited_for(amicopy: Run, world: World) -> None:
    source = a_source(world)
    world.inject(parse_fault("copy@us-west-2=unseen:3"))
    ran = amicopy("copy", source, "--to", "us-west-2")
    assert ran.code == 0, ran.err
    assert calls(world, "CopyImage") == 1


def test_throttling_is_waited_out(amicopy: Run, world: World) -> None:
    source = a_source(world)
    world.inject(parse_fault("CopyImage@us-west-2=throttle*5"))
    world.inject(parse_fault("DescribeImages@us-west-2=throttle*20 after 2"))
    ran = amicopy("copy", source, "--to", "us-west-2")
    assert ran.code == 0, ran.err
    assert len(world.images("us-west-2")) == 1
