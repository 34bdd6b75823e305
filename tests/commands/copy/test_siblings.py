"""Encrypted builds of Packer: the AMIs in all regions are copies of a temporary one that is gone."""

from dataclasses import dataclass

import pytest

from amicopy.sandbox.records import Image
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.clock import FakeClock
from tests.support.scenes import EAST, HOME, WEST, a_source, copied_by_hand, writes


@dataclass(frozen=True, slots=True)
class Build:
    """What Packer has left: an AMI in the build region, and one elsewhere."""

    temporary: Image
    source: str
    elsewhere: str


@pytest.fixture
def build(world: World, clock: FakeClock) -> Build:
    """Build as Packer does with encrypt_boot and region_kms_key_ids."""
    temporary = a_source(world, name="temporary")
    ids = [copied_by_hand(world, temporary, region, Name="web", Encrypted=True) for region in (HOME, WEST)]
    clock.advance(60)
    world.call("DeregisterImage", {"ImageId": temporary.image_id}, region=HOME)
    return Build(temporary, *ids)


def test_the_ami_in_another_region_counts_and_none_is_made_beside_it(amicopy: Run, world: World, build: Build) -> None:
    world.requests.clear()
    ran = amicopy("copy", build.source, "--to", WEST, "--description", "")
    assert (ran.code, writes(world)) == (0, []), ran.err
    assert build.elsewhere in ran.out


def test_it_is_shown_and_verified(amicopy: Run, world: World, build: Build) -> None:
    shown = amicopy("status", build.source, "--in", WEST, "--output", "text")
    assert shown.out == f"{WEST} {build.elsewhere} {build.source} available\n"
    assert amicopy("verify", build.source, "--in", WEST).code == 0


def test_it_is_taken_over_with_adopt_and_ours_from_then_on(
    amicopy: Run, world: World, clock: FakeClock, build: Build
) -> None:
    taken = amicopy("copy", build.source, "--to", WEST, "--adopt", "--tag", "Team=web")
    assert (taken.code, [image.tags["Team"] for image in world.images(WEST)]) == (0, ["web"]), taken.err
    world.requests.clear()
    again = amicopy("copy", build.source, "--to", WEST, "--tag", "Team=web")
    assert (again.code, writes(world)) == (0, []), again.err


def test_while_the_common_source_is_there_its_copies_are_its_own(amicopy: Run, world: World, clock: FakeClock) -> None:
    golden = a_source(world, name="golden")
    first, second = (copied_by_hand(world, golden, region) for region in (EAST, WEST))
    clock.advance(60)
    shown = amicopy("status", first, "--from", EAST, "--in", WEST, "--output", "text")
    assert (shown.code, second in shown.out) == (0, False), shown.err


def test_a_copy_that_amicopy_made_of_another_source_is_that_ones(amicopy: Run, world: World, clock: FakeClock) -> None:
    golden = a_source(world, name="golden")
    assert amicopy("copy", golden.image_id, "--to", f"{EAST},{WEST}", "-q").code == 0
    world.call("DeregisterImage", {"ImageId": golden.image_id}, region=HOME)
    [first], [second] = world.images(EAST), world.images(WEST)
    shown = amicopy("status", first.image_id, "--from", EAST, "--in", WEST, "--output", "text")
    assert second.image_id not in shown.out
