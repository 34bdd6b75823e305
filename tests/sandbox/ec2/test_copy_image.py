"""CopyImage: what it refuses, and what its copies are like."""

from datetime import timedelta
from typing import Any

import pytest

from amicopy.sandbox.records import DEFAULT_ACCOUNT
from amicopy.sandbox.samples import SHARED, SHARED_WITHOUT_STORAGE, populate
from tests.sandbox.simulated_ec2 import AWAY, FRIEND, HOME, Ec2, three_volumes


def test_copy_becomes_available_after_its_last_snapshot(ec2: Ec2) -> None:
    image_id = ec2.copy(three_volumes(ec2))
    ec2.clock.advance(1)
    assert ec2.described(image_id)["State"] == "pending"
    ec2.clock.advance(5)  # 3 s and 0.1 s for each of 30 GiB: the last snapshot is just done
    assert {row["State"] for row in ec2("DescribeSnapshots", OwnerIds=["self"])["Snapshots"]} == {"completed"}
    assert ec2.described(image_id)["State"] == "pending"
    ec2.clock.advance(1)
    assert ec2.described(image_id)["State"] == "available"


def test_copy_carries_devices_and_attributes_and_nothing_else(ec2: Ec2) -> None:
    source = three_volumes(
        ec2,
        description="original",
        tags={"Name": "web"},
        launch_permissions={FRIEND},
        deprecate_at=ec2.clock.now() + timedelta(days=9),
        protection="enabled-without-cooldown",
        boot_mode="uefi",
        tpm="v2.0",
        imds="v2.0",
        platform="windows",
    )
    copy = ec2.finished_copy(source)
    old = ec2("DescribeImages", HOME, ImageIds=[source.image_id])["Images"][0]
    for member in ("Architecture", "BootMode", "TpmSupport", "ImdsSupport", "Platform", "RootDeviceName"):
        assert copy[member] == old[member]
    assert [row["DeviceName"] for row in copy["BlockDeviceMappings"]] == [
        "/dev/sda1",
        "/dev/sdf",
        "/dev/sdg",
        "/dev/sdb",
    ]
    ids = [{row["Ebs"]["SnapshotId"] for row in image["BlockDeviceMappings"] if "Ebs" in row} for image in (copy, old)]
    assert len(ids[0]) == 3 and not ids[0] & ids[1]
    assert not {"Description", "Tags", "DeprecationTime"} & set(copy)
    assert copy["DeregistrationProtection"] == "disabled"
    assert (copy["SourceImageId"], copy["SourceImageRegion"]) == (source.image_id, HOME)
    assert (
        ec2("DescribeImageAttribute", Attribute="launchPermission", ImageId=copy["ImageId"])["LaunchPermissions"] == []
    )


def test_copied_snapshots_describe_their_source_and_have_a_dummy_volume(ec2: Ec2) -> None:
    source = ec2.world.register(HOME, name="web")
    image_id = ec2.copy(source)
    ec2.clock.advance(1)
    (row,) = ec2("DescribeSnapshots", OwnerIds=["self"])["Snapshots"]
    assert row["VolumeId"] == "vol-ffffffff"
    assert row["Description"].startswith(
        f"Copied for DestinationAmi {image_id} from SourceAmi {source.image_id} for SourceSnapshot "
        f"{source.snapshot_ids[0]}. Task created on 1,"
    )


def test_copy_gets_the_requested_tags_and_the_source_tags_without_reserved_ones(ec2: Ec2) -> None:
    source = ec2.world.register(HOME, name="web", tags={"Name": "web", "aws:stack": "s", "Team": "a"})
    both = [
        {"ResourceType": "image", "Tags": [{"Key": "Team", "Value": "b"}]},
        {"ResourceType": "snapshot", "Tags": [{"Key": "Of", "Value": "web"}]},
    ]
    copy = ec2.finished_copy(source, CopyImageTags=True, TagSpecifications=both)
    assert {tag["Key"]: tag["Value"] for tag in copy["Tags"]} == {"Name": "web", "Team": "b"}
    assert [snapshot.tags for snapshot in ec2.world.snapshots(AWAY)] == [{"Of": "web"}]


def test_copy_keeps_the_deprecation_date_if_the_switch_is_on() -> None:
    ec2 = Ec2(copy_keeps_deprecation=True)
    source = ec2.world.register(HOME, name="web", deprecate_at=ec2.clock.now() + timedelta(days=1))
    assert ec2.finished_copy(source)["DeprecationTime"] == "2026-11-24T09:00:00.000Z"


def test_repeated_client_token_returns_the_same_image_or_refuses_other_parameters(ec2: Ec2) -> None:
    source = ec2.world.register(HOME, name="web")
    first = ec2.copy(source, ClientToken="t")
    assert ec2.copy(source, ClientToken="t") == first
    assert ec2.refused_copy(source, ClientToken="t", Description="x").code == "IdempotentParameterMismatch"
    assert ec2.copy(source, "eu-west-2", ClientToken="t") != first
    assert len(ec2.world.images(AWAY)) == 1


@pytest.mark.parametrize("switch", ["same-id", "error"])
def test_client_token_of_a_deregistered_copy_follows_the_switch(switch: str) -> None:
    ec2 = Ec2(dead_token=switch)
    source = ec2.world.register(HOME, name="web")
    image_id = ec2.finished_copy(source, ClientToken="t")["ImageId"]
    ec2("DeregisterImage", ImageId=image_id)
    if switch == "same-id":
        assert ec2.copy(source, ClientToken="t") == image_id
    else:
        assert ec2.refused_copy(source, ClientToken="t").code == "InvalidAMIID.Unavailable"


def test_copies_can_share_a_name_but_registered_images_cannot(ec2: Ec2) -> None:
    source = ec2.world.register(HOME, name="web")
    assert ec2.copy(source) != ec2.copy(source)
    mapping = [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 8}}]
    refusal = ec2.refusal("RegisterImage", HOME, Name="web", BlockDeviceMappings=mapping)
    assert refusal.code == "InvalidAMIName.Duplicate"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"Name": "ab"}, "InvalidAMIName.Malformed"),
        ({"Name": "x" * 129}, "InvalidAMIName.Malformed"),
        ({"Name": "a#b"}, "InvalidAMIName.Malformed"),
        ({"Name": None}, "MissingParameter"),
        ({"SourceRegion": "us-nowhere-9"}, "InvalidRegion"),
        ({"SourceRegion": "cn-north-1"}, "InvalidRegion"),
        ({"SourceImageId": "ami-00000000"}, "InvalidAMIID.NotFound"),
        ({"SourceImageId": "ami-zz"}, "InvalidAMIID.NotFound"),
        ({"SourceImageId": "ami-0123456789abcdefg"}, "InvalidAMIID.Malformed"),
        ({"KmsKeyId": "alias/x"}, "InvalidParameterDependency"),
        ({"SnapshotCopyCompletionDurationMinutes": 20}, "InvalidParameterValue"),
        ({"SnapshotCopyCompletionDurationMinutes": 2895}, "InvalidParameterValue"),
        ({"DestinationOutpostArn": "arn", "DestinationAvailabilityZone": "z"}, "InvalidParameterCombination"),
        (
            {"DestinationOutpostArn": "arn", "SnapshotCopyCompletionDurationMinutes": 15},
            "InvalidParameterCombination",
        ),
        ({"TagSpecifications": [{"ResourceType": "instance", "Tags": []}]}, "InvalidParameterValue"),
        ({"DryRun": True}, "DryRunOperation"),
    ],
)
def test_invalid_request_is_refused_at_the_call(ec2: Ec2, params: dict[str, Any], code: str) -> None:
    source = ec2.world.register(HOME, name="web")
    assert ec2.refused_copy(source, **params).code == code
    assert ec2.world.images(AWAY) == []


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"Description": "d" * 256}, "InvalidParameterValue"),
        ({"ClientToken": "t" * 65}, "InvalidParameterValue"),
        ({"DestinationAvailabilityZone": "eu-west-1a"}, "InvalidParameterCombination"),
        ({"TagSpecifications": [{"ResourceType": "image", "Tags": []}]}, "InvalidParameterValue"),
        ({"TagSpecifications": [{"ResourceType": "image", "Tags": [{"Key": "k"}]}] * 2}, "InvalidParameterValue"),
    ],
)
def test_invalid_text_tags_and_destination_are_refused_at_the_call(ec2: Ec2, params: dict[str, Any], code: str) -> None:
    assert ec2.refused_copy(ec2.world.register(HOME, name="web"), **params).code == code


def test_copy_from_a_region_that_is_not_enabled_is_refused(ec2: Ec2) -> None:
    assert ec2.refused_copy(ec2.world.register("af-south-1", name="web")).code == "InvalidRegion"


def test_pending_source_is_refused(ec2: Ec2) -> None:
    source = ec2.world.register(HOME, name="web", state="pending")
    refusal = ec2.refused_copy(source)
    assert refusal.message == "The storage for the ami is not available in the source region."


def test_deregistered_source_is_refused_and_a_disabled_one_follows_the_switch() -> None:
    for switch, works in (("accepted", True), ("refused", False)):
        ec2 = Ec2(copy_of_disabled=switch)
        source = ec2.world.register(HOME, name="web")
        ec2("DisableImage", HOME, ImageId=source.image_id)
        if works:
            assert ec2.copy(source)
        else:
            assert ec2.refused_copy(source).code == "InvalidAMIID.Unavailable"
        ec2("DeregisterImage", HOME, ImageId=source.image_id)
        assert ec2.refused_copy(source).code == "InvalidAMIID.Unavailable"


def test_shared_image_can_be_copied_only_if_its_snapshots_are_shared(ec2: Ec2) -> None:
    populate(ec2.world)
    theirs = ec2.world.image(HOME, SHARED.image_id)
    assert ec2.finished_copy(theirs, CopyImageTags=True)["OwnerId"] == DEFAULT_ACCOUNT
    assert ec2.world.images(AWAY)[0].tags == {}
    refusal = ec2.refused_copy(ec2.world.image(HOME, SHARED_WITHOUT_STORAGE.image_id))
    assert refusal.message == "You do not have permission to access the storage of this ami"


def test_paravirtual_copy_uses_the_destinations_kernel_or_is_refused(ec2: Ec2) -> None:
    source = ec2.world.register(HOME, name="old", virtualization_type="paravirtual", kernel_id="aki-919dcaf8")
    assert ec2.finished_copy(source, AWAY)["KernelId"] == "aki-52a34525"
    assert ec2.refused_copy(source, "eu-north-1").message == "Failed to find matching AKI"
    assert ec2.finished_copy(source, HOME)["KernelId"] == "aki-919dcaf8"


def test_missing_kernel_fails_the_copy_if_the_switch_says_so() -> None:
    ec2 = Ec2(missing_kernel="failed")
    source = ec2.world.register(HOME, name="old", virtualization_type="paravirtual", kernel_id="aki-919dcaf8")
    failed = ec2.finished_copy(source, "eu-north-1")
    assert (failed["State"], failed["StateReason"]["Message"]) == ("failed", "Failed to find matching AKI")


def test_instance_store_copy_has_no_snapshots_and_cannot_be_encrypted(ec2: Ec2) -> None:
    source = ec2.world.register(HOME, name="old", root_device_type="instance-store")
    assert ec2.refused_copy(source, Encrypted=True).code == "InvalidRequest"
    assert ec2.finished_copy(source)["State"] == "available"
    assert ec2.world.snapshots(AWAY) == []


def test_copy_to_an_outpost_is_always_encrypted_and_stays_in_its_region(ec2: Ec2) -> None:
    outpost = {"DestinationOutpostArn": "arn:aws:outposts:us-east-1:123456789012:outpost/op-1"}
    source = ec2.world.register(HOME, name="web")
    assert ec2.refused_copy(source, AWAY, **outpost).code == "InvalidParameterCombination"
    ec2.copy(source, HOME, **outpost)
    assert [(row.encrypted, row.outpost_arn) for row in ec2.world.snapshots(HOME)][1:] == [
        (True, outpost["DestinationOutpostArn"])
    ]


def test_limit_counts_only_copies_in_progress(ec2: Ec2) -> None:
    ec2.world.settings(AWAY).image_copies_limit = 2
    source = ec2.world.register(HOME, name="web")
    first = ec2.copy(source)
    ec2.copy(source)
    assert ec2.refused_copy(source).code == "ResourceLimitExceeded"
    ec2.clock.advance(1)
    ec2("DeregisterImage", ImageId=first)
    ec2.copy(source)
    ec2.clock.advance(60)
    ec2.copy(source)
