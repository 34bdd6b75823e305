"""Every command that amicopy advises, run as printed: nothing healthy is removed, unshared or untagged.

With a yes, too, no more than the one copy that the advice names changes.
"""

import re
import shlex
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from amicopy.sandbox.faults import parse_fault
from amicopy.sandbox.records import DEFAULT_ACCOUNT, Image, Volume
from amicopy.sandbox.world import World
from tests.conftest import Ran, Run
from tests.support.clock import FakeClock
from tests.support.scenes import EAST, HOME, OTHERS, SOMEBODY, TAG, WEST, a_source, copied_by_hand, slow

COMMAND = re.compile(
    r"amicopy (?:copy|verify|cancel|status|sync) [^\n;()]*?(?=[.,;)]?(?:\s*$|[);]|\. |, then))", re.MULTILINE
)
REGIONS = (HOME, WEST, EAST)


def advised(ran: Ran) -> list[str]:
    """Return the commands that a run has printed for people to run."""
    return list(dict.fromkeys(COMMAND.findall(ran.err + "\n" + ran.out)))


def state(world: World) -> dict[str, Any]:
    """Return what people can lose: images with their tags and permissions, and snapshots."""
    images = {
        image.image_id: (image.state, dict(image.tags), frozenset(image.launch_permissions), image.deprecate_at)
        for region in REGIONS
        for image in world.images(region)
    }
    snapshots = {
        one.snapshot_id: (dict(one.tags), frozenset(one.shared_with))
        for region in REGIONS
        for one in world.snapshots(region, DEFAULT_ACCOUNT)
    }
    return {**images, **snapshots}


def parts_of(world: World, command: str, ran: Ran) -> set[str]:
    """Return the ids that may change: the copy that the run is about, and its snapshots."""
    named = set(re.findall(r"ami-[0-9a-f]+", command if "--copy" in command else ran.err + ran.out))
    images = [image for region in (WEST, EAST) for image in world.images(region) if image.image_id in named]
    return {one for image in images for one in (image.image_id, *image.snapshot_ids)}


def _source(world: World, **members: Any) -> Image:
    return a_source(
        world,
        **{
            "tags": {"Team": "web"},
            "launch_permissions": {SOMEBODY},
            "volumes": [Volume(gib=8, tags={"Disk": "root"}, shared_with=frozenset({SOMEBODY}))],
            **members,
        },
    )


Scene = Callable[[Run, World, FakeClock], Ran]


def another_name(amicopy: Run, world: World, clock: FakeClock) -> Ran:
    source = _source(world)
    amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}")
    return amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "--name", "other")


def another_encryption(amicopy: Run, world: World, clock: FakeClock) -> Ran:
    source = _source(world, launch_permissions=set(), volumes=[Volume(gib=8)])
    amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}")
    return amicopy("copy", source.image_id, "--to", WEST, "--encrypt")


def wider(amicopy: Run, world: World, clock: FakeClock) -> Ran:
    source = _source(world)
    amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}")
    world.images(WEST)[0].launch_permissions.add(OTHERS)
    return amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}")


def shared_with_others_by_request(amicopy: Run, world: World, clock: FakeClock) -> Ran:
    """The hint has to repeat the request: without it, it would unshare what was asked for."""
    source = _source(world)
    request = ["--share", OTHERS, "--tag", "Owner=me"]
    amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", *request)
    world.images(WEST)[0].launch_permissions.add("999988887777")
    return amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", *request)


def private_again(amicopy: Run, world: World, clock: FakeClock) -> Ran:
    source = _source(world)
    amicopy("copy", source.image_id, "--to", WEST)
    return amicopy("copy", source.image_id, "--to", WEST, "--no-permissions")


def the_aws_managed_key(amicopy: Run, world: World, clock: FakeClock) -> Ran:
    source = _source(world)
    tags = [{"ResourceType": "image", "Tags": [{"Key": TAG, "Value": f"{HOME}/{source.image_id}"}]}]
    copied_by_hand(world, source, WEST, Encrypted=True, TagSpecifications=tags)
    clock.advance(60)
    return amicopy("copy", source.image_id, "--to", WEST)


def a_source_that_is_a_copy(amicopy: Run, world: World, clock: FakeClock) -> Ran:
    golden = _source(world)
    amicopy("copy", golden.image_id, "--to", WEST)
    [source] = world.images(WEST)
    amicopy("copy", source.image_id, "--from", WEST, "--to", EAST)
    return amicopy("cancel", source.image_id, "--from", WEST, "--in", "all", "--available", "--dry-run")


def another_makers_copy(amicopy: Run, world: World, clock: FakeClock) -> Ran:
    source = _source(world)
    copied_by_hand(world, source, WEST, Name="private-test")
    clock.advance(60)
    amicopy("copy", source.image_id, "--to", WEST)
    return amicopy("copy", source.image_id, "--to", WEST, "--name", "other")


def not_written(amicopy: Run, world: World, clock: FakeClock) -> Ran:
    source = _source(world)
    world.inject(parse_fault("ModifyImageAttribute=lost*always"))
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "--no-preflight")
    world.clear_faults()
    return ran


def no_more_tags(amicopy: Run, world: World, clock: FakeClock) -> Ran:
    source = _source(world)
    amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}")
    copy = world.images(WEST)[0]
    copy.tags |= {f"extra-{number}": "x" for number in range(50 - len(copy.tags))}
    source.tags["New"] = "1"
    return amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}")


def stuck(amicopy: Run, world: World, clock: FakeClock) -> Ran:
    source = _source(world)
    amicopy("copy", source.image_id, "--to", EAST)
    slow(world, 7200)
    return amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "--timeout", "10m")


def failed(amicopy: Run, world: World, clock: FakeClock) -> Ran:
    source = _source(world)
    world.inject(parse_fault("copy@us-west-2=fail:Client.InternalError: no luck"))
    return amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}")


SCENES: tuple[Scene, ...] = (
    another_name,
    another_encryption,
    wider,
    shared_with_others_by_request,
    private_again,
    the_aws_managed_key,
    a_source_that_is_a_copy,
    another_makers_copy,
    not_written,
    no_more_tags,
    stuck,
    failed,
)


WITHOUT_COMMANDS = (not_written, failed, no_more_tags)
KEEPING: dict[Scene, set[str]] = {shared_with_others_by_request: {OTHERS}, wider: {SOMEBODY}}


def arguments_of(command: str, *more: str) -> Iterator[str]:
    yield from shlex.split(command)[1:]
    yield from more


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_advice_run_as_printed_changes_nothing_healthy(
    amicopy: Run, world: World, clock: FakeClock, scene: Scene
) -> None:
    ran = scene(amicopy, world, clock)
    assert ran.err
    commands = advised(ran)
    assert commands or scene in WITHOUT_COMMANDS, ran.err
    for command in commands:
        if command.startswith("amicopy copy"):
            continue  # the same command again: other tests hold what it does
        before = state(world)
        again = amicopy(*arguments_of(command))
        assert again.code in {0, 2, 3, 4}, (command, again.err)
        after = state(world)
        assert {key: after.get(key) for key in before} == before, command


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_advice_confirmed_changes_the_copy_that_it_names_alone(
    amicopy: Run, world: World, clock: FakeClock, scene: Scene
) -> None:
    ran = scene(amicopy, world, clock)
    for command in advised(ran):
        if not ("cancel" in command or "--prune" in command):
            continue
        before, may_change = state(world), parts_of(world, command, ran)
        again = amicopy(*arguments_of(command, "--yes"))
        assert again.code in {0, 3, 4}, (command, again.err)
        after = state(world)
        for key, value in before.items():
            if key not in may_change:
                assert after.get(key) == value, (command, key)
        if "--prune" in command:  # nobody whom the request names loses access, nothing is removed
            for image in (*world.images(WEST), *world.images(EAST)):
                assert KEEPING.get(scene, set()) <= image.launch_permissions, command
            assert before.keys() == after.keys()
