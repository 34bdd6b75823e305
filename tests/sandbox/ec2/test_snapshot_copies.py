"""Copies of snapshots: progress, quotas, CopySnapshot."""

from amicopy.sandbox.records import Volume
from tests.sandbox.simulated_ec2 import AWAY, HOME, Ec2, three_volumes


def test_snapshots_of_a_copy_appear_late_and_complete_one_by_one(ec2: Ec2) -> None:
    ec2.copy(three_volumes(ec2))
    assert ec2("DescribeSnapshots", OwnerIds=["self"])["Snapshots"] == []
    seen = []
    for _ in range(12):
        ec2.clock.advance(0.5)
        seen.append([row["Progress"] for row in ec2("DescribeSnapshots", OwnerIds=["self"])["Snapshots"]])
    assert any(row[:1] == ["100%"] and row[2] != "100%" for row in seen)
    assert seen[-1] == ["100%", "100%", "100%"]


def test_time_based_copies_share_the_throughput_quota(ec2: Ec2) -> None:
    large = ec2.world.register(HOME, name="large", volumes=[Volume(gib=400)])
    for _ in range(4):
        ec2.copy(large, SnapshotCopyCompletionDurationMinutes=15)
    assert ec2.refused_copy(large, SnapshotCopyCompletionDurationMinutes=15).code == "ResourceLimitExceeded"
    huge = ec2.world.register(HOME, name="huge", volumes=[Volume(gib=500)])
    assert ec2.refused_copy(huge, "eu-west-2", SnapshotCopyCompletionDurationMinutes=15).code == "ResourceLimitExceeded"


def test_copied_snapshot_is_pending_then_completed(ec2: Ec2) -> None:
    (source,) = ec2.world.register(HOME, name="web").snapshot_ids
    made = ec2("CopySnapshot", SourceRegion=HOME, SourceSnapshotId=source, Description="d")["SnapshotId"]
    assert ec2("DescribeSnapshots", SnapshotIds=[made])["Snapshots"][0]["State"] == "pending"
    ec2.clock.advance(10)
    assert ec2("DescribeSnapshots", SnapshotIds=[made])["Snapshots"][0]["State"] == "completed"


def test_snapshot_copies_have_their_own_limit(ec2: Ec2) -> None:
    (snapshot_id,) = ec2.world.register(HOME, name="web").snapshot_ids
    ec2.world.settings(AWAY).snapshot_copies_limit = 1
    ec2("CopySnapshot", SourceRegion=HOME, SourceSnapshotId=snapshot_id)
    refusal = ec2.refusal("CopySnapshot", SourceRegion=HOME, SourceSnapshotId=snapshot_id)
    assert refusal.message == "Too many snapshot copies in progress. The limit is 1 for this destination region."
