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


def test_several_copies_of_one_name_in_a_region_are_noted(amicopy: Run, world: World) -> None:
    sources = [a_source(world), a_source(world)]
    ran = amicopy("copy", *sources, "--to", "us-west-2,eu-west-1", "--name", "same", "--dry-run")
    assert "note: 2 copies in us-west-2 will be named 'same'; {name} or {source_id} tells them apart\n" in ran.out
    told_apart = amicopy("copy", *sources, "--to", "us-west-2", "--name", "{source_id}", "--dry-run")
    assert "will be named" not in told_apart.out


def test_all_that_is_missing_is_named_at_once(amicopy: Run) -> None:
    ran = amicopy("copy")
    assert (ran.code, ran.err.splitlines()[0]) == (2, "error: Missing argument 'AMI...' and option '--to'. [usage]")
    assert "See: amicopy copy --help" in amicopy("copy", "ami-0abcdef1234567890", "--kms-key").err


def test_help_is_a_command_too(amicopy: Run) -> None:
    assert amicopy("help", "verify").out == amicopy("verify", "--help").out
    assert amicopy("help").out == amicopy("--help").out


def test_a_region_in_capitals_is_recognized_and_only_this_partition_is_listed(amicopy: Run, world: World) -> None:
    source = a_source(world)
    assert "Did you mean eu-west-1" in amicopy("copy", source, "--to", "EU-WEST-1").err
    listed = amicopy("copy", source, "--to", "mars").err
    assert "us-west-2" in listed
    assert "cn-north-1" not in listed
