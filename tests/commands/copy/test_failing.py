"""What only EC2 can refuse, and how that is told: tag policies, old paravirtual images, instance-store images."""

import pytest

from amicopy.sandbox.records import Image, Volume
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.clock import FakeClock
from tests.support.scenes import HOME, TAG, WEST, a_source, slow, snapshots_of, the_copy


def test_a_tag_policy_is_met_since_the_tags_are_in_the_request(amicopy: Run, world: World) -> None:
    world.settings(WEST).required_tag_keys = frozenset({"CostCenter"})
    source = a_source(world, tags={"CostCenter": "42"}, volumes=[Volume(gib=8, tags={"CostCenter": "42"})])
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert ran.code == 0, ran.err
    assert the_copy(world, WEST).tags["CostCenter"] == "42"


def three_disks(world: World) -> Image:
    """Register a source whose snapshots differ in the value of one tag."""
    return a_source(
        world,
        volumes=[
            Volume(device=f"/dev/sd{letter}", gib=8, tags={"Team": "web", "Role": role})
            for letter, role in (("a", "root"), ("f", "data"), ("g", "logs"))
        ],
    )


def test_no_snapshot_has_anothers_tags_while_ec2_copies(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = three_disks(world)
    slow(world, 3600)
    assert amicopy("copy", source.image_id, "--to", WEST, "--no-wait").code == 0
    clock.advance(60)
    tags = [one.tags for one in world.snapshots(WEST)]
    assert tags == [{"Team": "web", TAG: f"{HOME}/{source.image_id}"}] * 3
    clock.advance(3600)
    assert amicopy("copy", source.image_id, "--to", WEST).code == 0
    roles = {one.tags["Role"] for one in snapshots_of(world, the_copy(world, WEST)).values()}
    assert roles == {"root", "data", "logs"}


def test_a_tag_policy_about_a_tag_in_which_snapshots_differ_is_met(amicopy: Run, world: World) -> None:
    world.settings(WEST).required_tag_keys = frozenset({"Role"})
    source = three_disks(world)
    source.tags["Role"] = "web"
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert ran.code == 0, ran.err
    roles = {name: one.tags["Role"] for name, one in snapshots_of(world, the_copy(world, WEST)).items()}
    assert roles == {"/dev/sda": "root", "/dev/sdf": "data", "/dev/sdg": "logs"}


def test_a_tag_policy_that_the_source_does_not_meet_is_explained(amicopy: Run, world: World) -> None:
    world.settings(WEST).required_tag_keys = frozenset({"CostCenter"})
    source = a_source(world)
    refused = amicopy("copy", source.image_id, "--to", WEST)
    assert refused.code == 1
    assert "CostCenter" in refused.err
    assert "--tag KEY=VALUE" in refused.err
    assert world.images(WEST) == []
    assert amicopy("copy", source.image_id, "--to", WEST, "--tag", "CostCenter=42").code == 0


def test_a_paravirtual_image_without_a_kernel_in_the_destination_is_explained(amicopy: Run, world: World) -> None:
    source = a_source(world, virtualization_type="paravirtual", kernel_id="aki-12345678")
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert ran.code == 1
    assert "Failed to find matching AKI" in ran.err
    assert "PV-GRUB" in ran.err


@pytest.mark.parametrize("volumes", [[], [Volume(device="/dev/sdf", gib=8)]])
def test_an_instance_store_image_is_copied(amicopy: Run, world: World, volumes: list[Volume]) -> None:
    source = world.register(
        HOME, name="legacy", root_device_type="instance-store", volumes=volumes, tags={"Name": "old"}
    )
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert ran.code == 0, ran.err
    copy = the_copy(world, WEST)
    assert (copy.root_device_type, copy.tags["Name"]) == ("instance-store", "old")
