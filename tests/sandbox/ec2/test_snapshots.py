"""Describing, sharing and deleting snapshots."""

from typing import Any

import pytest

from amicopy.sandbox.ec2.errors import Ec2Error
from amicopy.sandbox.records import DEFAULT_ACCOUNT, Volume
from tests.sandbox.simulated_ec2 import AWAY, FRIEND, HOME, STRANGER, Ec2


def test_describe_snapshots_shows_own_public_and_shared_ones(ec2: Ec2) -> None:
    for name, principals in (("private", ()), ("public", ("all",)), ("shared", (DEFAULT_ACCOUNT,))):
        volume = Volume(shared_with=frozenset(principals))
        ec2.world.register(AWAY, name=name, account=STRANGER, volumes=[volume])
    ec2.world.register(AWAY, name="own")
    assert len(ec2("DescribeSnapshots")["Snapshots"]) == 3
    assert len(ec2("DescribeSnapshots", OwnerIds=["self"])["Snapshots"]) == 1
    assert len(ec2("DescribeSnapshots", RestorableByUserIds=["all"])["Snapshots"]) == 1
    assert len(ec2("DescribeSnapshots", OwnerIds=[STRANGER], RestorableByUserIds=["self"])["Snapshots"]) == 1


def test_snapshot_permissions_are_added_or_removed_but_not_both_at_once(ec2: Ec2) -> None:
    (snapshot_id,) = ec2.world.register(AWAY, name="web").snapshot_ids

    def modify(**params: Any) -> Any:
        return ec2("ModifySnapshotAttribute", SnapshotId=snapshot_id, **params)

    modify(CreateVolumePermission={"Add": [{"UserId": FRIEND}]})
    modify(Attribute="createVolumePermission", OperationType="add", GroupNames=["all"])
    response = ec2("DescribeSnapshotAttribute", SnapshotId=snapshot_id, Attribute="createVolumePermission")
    assert response["CreateVolumePermissions"] == [{"Group": "all"}, {"UserId": FRIEND}]
    both = {"Add": [{"UserId": STRANGER}], "Remove": [{"UserId": FRIEND}]}
    for wrong in (both, {"Add": [{"Group": "some"}]}, {"Add": [{"UserId": "1"}]}, {}):
        with pytest.raises(Ec2Error):
            modify(CreateVolumePermission=wrong)
    ec2("ResetSnapshotAttribute", SnapshotId=snapshot_id, Attribute="createVolumePermission")
    assert ec2.world.snapshot(AWAY, snapshot_id).shared_with == set()


def test_block_public_access_for_snapshots_prevents_public_sharing(ec2: Ec2) -> None:
    (snapshot_id,) = ec2.world.register(AWAY, name="web").snapshot_ids
    public: dict[str, Any] = {"SnapshotId": snapshot_id, "CreateVolumePermission": {"Add": [{"Group": "all"}]}}
    ec2("EnableSnapshotBlockPublicAccess", State="block-all-sharing")
    assert ec2.refusal("ModifySnapshotAttribute", **public).code == "OperationNotPermitted"
    ec2("DisableSnapshotBlockPublicAccess")
    assert ec2("GetSnapshotBlockPublicAccessState")["State"] == "unblocked"
    ec2("ModifySnapshotAttribute", **public)


def test_snapshot_in_use_cannot_be_deleted(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="web")
    (snapshot_id,) = image.snapshot_ids
    refusal = ec2.refusal("DeleteSnapshot", SnapshotId=snapshot_id)
    assert refusal.message == f"The snapshot {snapshot_id} is currently in use by {image.image_id}"
    ec2("DeregisterImage", ImageId=image.image_id)
    ec2("DeleteSnapshot", SnapshotId=snapshot_id)
    assert ec2.refusal("DeleteSnapshot", SnapshotId=snapshot_id).message == (
        f"The snapshot '{snapshot_id}' does not exist."
    )


def test_snapshot_deleted_while_pending_lingers_if_the_switch_is_on() -> None:
    ec2 = Ec2(deleted_pending_snapshot_lingers=True)
    image_id = ec2.copy(ec2.world.register(HOME, name="web"))
    ec2.clock.advance(1)
    ec2("DeregisterImage", ImageId=image_id, DeleteAssociatedSnapshots=True)
    assert len(ec2.world.snapshots(AWAY)) == 1
    ec2.clock.advance(60)
    assert ec2.world.snapshots(AWAY) == []
