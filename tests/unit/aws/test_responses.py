"""EC2's real answers lack a lot, and spell some of it oddly."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amicopy.aws.responses import (
    image_from,
    principals_from,
    region_from,
    snapshot_from,
    tags_from,
)
from amicopy.core.models import BlockDevice, Image, ImageState, Principal, PrincipalKind, Region, Snapshot
from amicopy.core.write import principal_list, tag_list

REGION = "us-east-1"


def test_a_whole_image_is_read_member_by_member() -> None:
    image = image_from(
        {
            "ImageId": "ami-0abcdef1234567890",
            "ImageLocation": "123456789012/web",
            "State": "available",
            "Name": "web",
            "Description": "[Copied ami-1 from eu-west-1] web",
            "OwnerId": "123456789012",
            "ImageOwnerAlias": "self",
            "CreationDate": "2026-11-23T09:00:00.000Z",
            "DeprecationTime": "2028-11-23T09:00:00.000Z",
            "DeregistrationProtection": "enabled-with-cooldown",
            "SourceImageId": "ami-7c4aa86a",
            "SourceImageRegion": "eu-west-1",
            "SourceInstanceId": "i-1",
            "Architecture": "x86_64",
            "EnaSupport": True,
            "BootMode": "uefi-preferred",
            "KernelId": "aki-08ed0761",
            "Public": False,
            "Tags": [{"Key": "Name", "Value": "web"}, {"Key": "Empty", "Value": ""}],
            "BlockDeviceMappings": [
                {
                    "DeviceName": "/dev/xvda",
                    "Ebs": {
                        "DeleteOnTermination": True,
                        "SnapshotId": "snap-1",
                        "VolumeSize": 8,
                        "VolumeType": "gp3",
                        "Iops": 3000,
                        "Throughput": 125,
                        "Encrypted": False,
                    },
                }
            ],
        },
        REGION,
    )
    assert image == Image(
        image_id="ami-0abcdef1234567890",
        region=REGION,
        state=ImageState.AVAILABLE,
        name="web",
        description="[Copied ami-1 from eu-west-1] web",
        owner_id="123456789012",
        owner_alias="self",
        created_at="2026-11-23T09:00:00.000Z",
        tags={"Name": "web", "Empty": ""},
        devices=(
            BlockDevice(
                device="/dev/xvda",
                snapshot_id="snap-1",
                volume_gib=8,
                volume_type="gp3",
                delete_on_termination=True,
                encrypted=False,
                iops=3000,
                throughput=125,
            ),
        ),
        attributes={"Architecture": "x86_64", "EnaSupport": "true", "BootMode": "uefi-preferred"},
        deprecate_at=datetime(2028, 11, 23, 9, tzinfo=UTC),
        protection="enabled-with-cooldown",
        source_region="eu-west-1",
        source_image_id="ami-7c4aa86a",
        source_instance_id="i-1",
    )


def test_an_image_with_nothing_but_an_id_is_read() -> None:
    image = image_from({"ImageId": "ami-7c4aa86a"}, REGION)
    assert image == Image(image_id="ami-7c4aa86a", region=REGION, state=ImageState.UNKNOWN)
    assert image.launch_permissions is None


@pytest.mark.parametrize("spelling", ["Windows", "windows"])
def test_platform_is_one_word_however_it_is_spelt(spelling: str) -> None:
    assert image_from({"ImageId": "ami-1", "Platform": spelling}, REGION).attributes == {"Platform": "windows"}


@pytest.mark.parametrize("absent", [{}, {"EnaSupport": False}, {"SriovNetSupport": ""}, {"RootDeviceName": None}])
def test_an_attribute_that_is_off_is_the_same_as_an_absent_one(absent: dict[str, object]) -> None:
    assert image_from({"ImageId": "ami-1", **absent}, REGION).attributes == {}


def test_kernels_are_regional_and_not_compared() -> None:
    assert image_from({"ImageId": "ami-1", "KernelId": "aki-1", "RamdiskId": "ari-1"}, REGION).attributes == {}


def test_a_state_that_is_not_known_yet_is_waited_for() -> None:
    image = image_from({"ImageId": "ami-1", "State": "hibernating"}, REGION)
    assert image.state is ImageState.UNKNOWN
    assert image.state.in_progress


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (
            {"Code": "Client.InternalError", "Message": "Copy image failed with an internal error"},
            "Client.InternalError: Copy image failed with an internal error",
        ),
        ({"Message": "Copy image failed"}, "Copy image failed"),
        ({"Code": "Server.InternalError", "Message": ""}, "Server.InternalError"),
        ({}, ""),
    ],
)
def test_the_state_reason_is_one_sentence_of_what_there_is(reason: dict[str, str], words: str) -> None:
    assert image_from({"ImageId": "ami-1", "State": "failed", "StateReason": reason}, REGION).state_reason == words


@pytest.mark.parametrize("text", ["2028-11-23T09:00:00.000Z", "2028-11-23T09:00:00Z", "2028-11-23T09:00:00"])
def test_times_are_aware_and_in_utc(text: str) -> None:
    image = image_from({"ImageId": "ami-1", "DeprecationTime": text}, REGION)
    assert image.deprecate_at == datetime(2028, 11, 23, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("mapping", "device"),
    [
        # ami-a7185ec2 in a recording: a blank data volume has no snapshot.
        (
            {"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 100, "VolumeType": "standard", "Encrypted": False}},
            BlockDevice(device="/dev/sdb", volume_gib=100, volume_type="standard", encrypted=False),
        ),
        # A copy that is pending lists its devices before their snapshots.
        ({"DeviceName": "/dev/xvda", "Ebs": {}}, BlockDevice(device="/dev/xvda")),
        (
            {"DeviceName": "/dev/sdc", "VirtualName": "ephemeral0"},
            BlockDevice(device="/dev/sdc", ebs=False, virtual_name="ephemeral0"),
        ),
        ({"DeviceName": "/dev/sdd", "NoDevice": ""}, BlockDevice(device="/dev/sdd", ebs=False, no_device=True)),
        ({"VirtualName": "ephemeral1"}, BlockDevice(device="", ebs=False, virtual_name="ephemeral1")),
    ],
)
def test_devices_without_snapshot_or_volume_are_read(mapping: dict[str, object], device: BlockDevice) -> None:
    assert image_from({"ImageId": "ami-1", "BlockDeviceMappings": [mapping]}, REGION).devices == (device,)


def test_a_whole_snapshot_is_read_member_by_member() -> None:
    assert snapshot_from(
        {
            "SnapshotId": "snap-1",
            "State": "error",
            "StateMessage": "Given key ID is not accessible.",
            "Progress": "42%",
            "VolumeSize": 8,
            "VolumeId": "vol-ffffffff",
            "FullSnapshotSizeInBytes": 1024,
            "Encrypted": True,
            "KmsKeyId": "arn:aws:kms:us-east-1:123456789012:key/1",
            "Description": "Copied for DestinationAmi ami-2",
            "Tags": [{"Key": "Name", "Value": "root"}],
        },
        REGION,
    ) == Snapshot(
        snapshot_id="snap-1",
        region=REGION,
        state="error",
        state_message="Given key ID is not accessible.",
        progress_percent=42,
        volume_gib=8,
        full_bytes=1024,
        encrypted=True,
        kms_key_id="arn:aws:kms:us-east-1:123456789012:key/1",
        description="Copied for DestinationAmi ami-2",
        tags={"Name": "root"},
    )


def test_a_snapshot_with_nothing_but_an_id_is_read() -> None:
    assert snapshot_from({"SnapshotId": "snap-1"}, REGION) == Snapshot(snapshot_id="snap-1", region=REGION, state="")


@pytest.mark.parametrize(
    ("text", "percent"), [("0%", 0), ("100%", 100), ("7", 7), ("", None), ("%", None), ("?", None)]
)
def test_progress_is_a_number_or_not_known(text: str, percent: int | None) -> None:
    assert snapshot_from({"SnapshotId": "snap-1", "Progress": text}, REGION).progress_percent == percent


@pytest.mark.parametrize(
    ("status", "enabled"),
    [("opt-in-not-required", True), ("opted-in", True), ("not-opted-in", False), (None, True)],
)
def test_only_a_region_that_is_not_opted_in_is_not_enabled(status: str | None, enabled: bool) -> None:
    answer = {"RegionName": "af-south-1", "OptInStatus": status} if status else {"RegionName": "af-south-1"}
    assert region_from(answer) == Region(name="af-south-1", enabled=enabled)


def test_empty_and_missing_tag_values_are_empty_values() -> None:
    assert tags_from({"Tags": [{"Key": "a", "Value": ""}, {"Key": "b"}]}) == {"a": "", "b": ""}
    assert tags_from({}) == {}


def test_tags_are_sent_in_a_fixed_order() -> None:
    expected = [{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}]
    assert tag_list({"b": "", "a": "2"}) == tag_list({"a": "2", "b": ""}) == expected


@given(st.dictionaries(st.text(), st.text()))
def test_tags_come_back_as_they_were_sent(tags: dict[str, str]) -> None:
    assert tags_from({"Tags": tag_list(tags)}) == tags


def test_each_kind_of_principal_is_read_from_its_own_member() -> None:
    items = [
        {"UserId": "111122223333"},
        {"Group": "all"},
        {"OrganizationArn": "arn:o"},
        {"OrganizationalUnitArn": "arn:ou"},
        {},
    ]
    principals = {
        Principal(PrincipalKind.ACCOUNT, "111122223333"),
        Principal(PrincipalKind.GROUP, "all"),
        Principal(PrincipalKind.ORGANIZATION, "arn:o"),
        Principal(PrincipalKind.ORGANIZATIONAL_UNIT, "arn:ou"),
    }
    assert principals_from(items) == principals
    assert principal_list(sorted(principals)) == items[:-1]


def test_the_order_of_permissions_does_not_matter() -> None:
    items = [{"UserId": "111122223333"}, {"Group": "all"}]
    assert principals_from(items) == principals_from(items[::-1])
