"""What only EC2 can refuse, and how that is told: tag policies, old paravirtual images, instance-store images."""

import pytest

from amicopy.sandbox.records import Volume
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.scenes import HOME, WEST, a_source, the_copy


def test_a_tag_policy_is_met_since_the_tags_are_in_the_request(amicopy: Run, world: World) -> None:
    world.settings(WEST).required_tag_keys = frozenset({"CostCenter"})
    source = a_source(world, tags={"CostCenter": "42"}, volumes=[Volume(gib=8, tags={"CostCenter": "42"})])
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert ran.code == 0, ran.err
    assert the_copy(world, WEST).tags["CostCenter"] == "42"


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
