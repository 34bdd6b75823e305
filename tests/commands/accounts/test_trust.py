"""What is copied into other accounts has to be a copy by EC2's own word: a tag can be set by whoever may tag."""

import pytest

from amicopy.core.events import CopyJoined, Event
from amicopy.core.models import SOURCE_TAG, VIA_TAG
from amicopy.sandbox.records import Image
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.accounts import B, copied_from, copy_in, guests, records, standing
from tests.support.clock import FakeClock
from tests.support.scenes import (
    EAST,
    HOME,
    WEST,
    a_source,
    copied_by_hand,
    driven,
    finished_by_hand,
    slow,
    the_copy,
    upon,
)


def reference(image: Image) -> str:
    """Return an image's region and id, as our tags have them."""
    return f"{image.region}/{image.image_id}"


def forged(world: World, source: Image, region: str) -> Image:
    """Register an unrelated image that looks like a copy in every way that is free to choose."""
    tags = {**source.tags, SOURCE_TAG: reference(source)}
    return a_source(world, region, name=source.name, tags=tags)


def test_an_image_that_only_its_tag_calls_a_copy_is_copied_into_no_account(amicopy: Run, world: World) -> None:
    """A8 (6) for accounts: whoever may tag must not be able to spread an image of theirs to every account."""
    source = a_source(world, tags={"Name": "web"})
    planted = forged(world, source, WEST)
    before = standing(world)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--account", B)
    assert ran.code == 0, ran.err
    made = copy_in(world, B, WEST)
    assert (made.source_image_region, made.source_image_id) == (HOME, source.image_id)
    assert VIA_TAG not in made.tags
    why = f"EC2 does not record {planted.image_id} as a copy of {source.image_id}"
    assert f"it is copied from {HOME}, not from a copy in {WEST}: {why}" in ran.err
    assert standing(world) == before
    verified = amicopy("verify", source.image_id, "--in", WEST)
    assert "EC2 records no source for it: only its tag says what it is a copy of" in verified.out


def test_tags_of_a_copy_of_a_copy_prove_nothing_once_the_one_in_between_is_gone(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    source, other = a_source(world), a_source(world, EAST, name="other")
    poisoned = world.image(WEST, finished_by_hand(world, clock, other, WEST))
    poisoned.tags = {SOURCE_TAG: reference(source), VIA_TAG: reference(other)}
    world.call("DeregisterImage", {"ImageId": other.image_id}, region=EAST)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--account", B)
    assert ran.code == 0, ran.err
    assert copy_in(world, B, WEST).source_image_id == source.image_id


def test_a_copy_by_way_of_a_hub_serves_as_long_as_the_hub_is_there(amicopy: Run, world: World) -> None:
    source = a_source(world, "sa-east-1")
    route = ("copy", source.image_id, "--from", "sa-east-1", "--route", "cheapest", "--to", f"{HOME},{WEST}")
    assert amicopy(*route).code == 0
    assert the_copy(world, WEST).source_image_region == HOME
    world.requests.clear()
    into = ("copy", source.image_id, "--from", "sa-east-1", "--to", WEST, "--account", B)
    ran = amicopy(*into)
    assert ran.code == 0, ran.err
    assert copied_from(world, WEST) == [WEST]


def test_a_pending_copy_that_another_run_has_begun_by_way_of_a_hub_serves(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    source = a_source(world, "sa-east-1")
    to = ("copy", source.image_id, "--from", "sa-east-1", "--to", f"{HOME},{WEST}", "--route", "cheapest")
    assert amicopy(*to, "--no-wait").code == 0
    clock.advance(60)
    slow(world, 300)
    assert amicopy(*to, "--no-wait").code == 0
    clock.advance(60)  # EC2 shows it by then
    ran = amicopy(*to, "--account", B)
    assert ran.code == 0, ran.err
    assert copied_from(world, WEST) == [HOME, WEST]


def test_a_pending_copy_that_only_its_tag_calls_one_is_not_copied_on(
    capsys: pytest.CaptureFixture[str], amicopy: Run, world: World, clock: FakeClock
) -> None:
    """EC2 may record only of an available image what it is a copy of."""
    source, other = a_source(world), a_source(world, EAST, name="web")
    slow(world, 120)
    pending = world.image(WEST, copied_by_hand(world, other, WEST))
    pending.tags = {SOURCE_TAG: reference(source)}
    pending.source_image_region = pending.source_image_id = ""
    clock.advance(60)  # EC2 shows it by then

    def record(_: Event) -> None:
        pending.source_image_region, pending.source_image_id = EAST, other.image_id

    joined = upon(CopyJoined, record)
    ran = driven(capsys, clock, joined, "copy", source.image_id, "--to", WEST, "--account", B)
    assert ran.code == 3, ran.err
    assert f"EC2 does not record {pending.image_id} in {WEST}, which another run has begun" in ran.err
    assert f"Find out who has made {pending.image_id}, then run the same command again" in ran.err
    assert (world.images(WEST, B), guests(world), records(world)) == ([], set(), [])
    ran = amicopy("copy", source.image_id, "--to", WEST, "--account", B)
    assert ran.code == 0, ran.err
    assert copy_in(world, B, WEST).source_image_id not in {other.image_id, pending.image_id}


def test_a_pending_copy_that_is_one_is_copied_on(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = a_source(world)
    slow(world, 120)
    assert amicopy("copy", source.image_id, "--to", WEST, "--no-wait").code == 0
    clock.advance(60)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--account", B)
    assert ran.code == 0, ran.err
    assert copied_from(world, WEST) == [HOME, WEST]
