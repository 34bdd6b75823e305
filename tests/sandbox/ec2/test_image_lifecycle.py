"""Registering, protecting, deprecating and deregistering images."""

from datetime import timedelta

from amicopy.sandbox.behavior import Timing
from amicopy.sandbox.records import Volume
from tests.sandbox.simulated_ec2 import AWAY, HOME, Ec2


def test_registered_image_uses_the_given_snapshots(ec2: Ec2) -> None:
    (snapshot_id,) = ec2.world.register(AWAY, name="first").snapshot_ids
    mappings = [
        {"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": snapshot_id, "VolumeType": "gp3"}},
        {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
        {"DeviceName": "/dev/sdc", "NoDevice": ""},
        {"DeviceName": "/dev/sdd", "Ebs": {"VolumeSize": 5}},
    ]
    image_id = ec2("RegisterImage", Name="second", BlockDeviceMappings=mappings)["ImageId"]
    shown = ec2.described(image_id)["BlockDeviceMappings"]
    assert [sorted(row) for row in shown] == [
        ["DeviceName", "Ebs"],
        ["DeviceName", "VirtualName"],
        ["DeviceName", "NoDevice"],
        ["DeviceName", "Ebs"],
    ]
    assert "SnapshotId" not in shown[3]["Ebs"]
    assert len(ec2.finished_copy(ec2.world.image(AWAY, image_id), HOME)["BlockDeviceMappings"]) == 4


def test_protected_image_cannot_be_deregistered_until_the_cooldown_ends(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="web")
    ec2("EnableImageDeregistrationProtection", ImageId=image.image_id, WithCooldown=True)
    assert ec2.described(image.image_id)["DeregistrationProtection"] == "enabled-with-cooldown"
    assert ec2.refusal("DeregisterImage", ImageId=image.image_id).code == "OperationNotPermitted"
    ec2("DisableImageDeregistrationProtection", ImageId=image.image_id)
    assert ec2.described(image.image_id)["DeregistrationProtection"].startswith("disabled after ")
    assert ec2.refusal("DeregisterImage", ImageId=image.image_id).code == "OperationNotPermitted"
    ec2.clock.advance(24 * 3600)
    ec2("DeregisterImage", ImageId=image.image_id)


def test_deprecation_date_loses_its_seconds_and_cannot_be_in_the_past(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="web")
    ec2(
        "EnableImageDeprecation",
        ImageId=image.image_id,
        DeprecateAt=ec2.clock.now() + timedelta(days=1, seconds=30),
    )
    assert ec2.described(image.image_id)["DeprecationTime"] == "2026-11-24T09:00:00.000Z"
    past = ec2.clock.now() - timedelta(days=1)
    assert (
        ec2.refusal("EnableImageDeprecation", ImageId=image.image_id, DeprecateAt=past).code == "InvalidParameterValue"
    )
    ec2("DisableImageDeprecation", ImageId=image.image_id)
    assert image.deprecate_at is None


def test_deregistering_with_snapshots_reports_each_snapshot(ec2: Ec2) -> None:
    first = ec2.world.register(AWAY, name="a", volumes=[Volume(), Volume(device="/dev/sdf")])
    shared = first.snapshot_ids[1]
    mapping = [{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": shared}}]
    ec2("RegisterImage", Name="second", BlockDeviceMappings=mapping)
    response = ec2("DeregisterImage", ImageId=first.image_id, DeleteAssociatedSnapshots=True)
    assert response["DeleteSnapshotResults"] == [
        {"SnapshotId": first.snapshot_ids[0], "ReturnCode": "success"},
        {"SnapshotId": shared, "ReturnCode": "skipped"},
    ]
    assert [snapshot.snapshot_id for snapshot in ec2.world.snapshots(AWAY)] == [shared]


def test_snapshots_of_a_copy_cancelled_too_early_appear_later_with_their_tags() -> None:
    ec2 = Ec2(timing=Timing(visible_after=0, snapshots_listed_after=2))
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "of", "Value": "us"}]}]
    image_id = ec2.copy(ec2.world.register(HOME, name="web"), TagSpecifications=tags)
    response = ec2("DeregisterImage", ImageId=image_id, DeleteAssociatedSnapshots=True)
    assert response["DeleteSnapshotResults"] == []
    ec2.clock.advance(60)
    (orphan,) = ec2("DescribeSnapshots", Filters=[{"Name": "tag:of", "Values": ["us"]}])["Snapshots"]
    assert orphan["State"] == "completed"
    ec2("DeleteSnapshot", SnapshotId=orphan["SnapshotId"])
    assert ec2.world.snapshots(AWAY) == []
