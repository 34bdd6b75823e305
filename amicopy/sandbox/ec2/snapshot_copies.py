"""Copies of snapshots, which CopyImage and CopySnapshot both start: duration, and throughput of time-based copies."""

from collections.abc import Mapping
from datetime import timedelta

from amicopy.sandbox.ec2 import encryption, errors
from amicopy.sandbox.pending_copies import PendingCopy, Transfer
from amicopy.sandbox.records import Snapshot
from amicopy.sandbox.state import Call


def check_minutes(minutes: int, parameter: str) -> None:
    """Refuse a completion duration other than a multiple of 15 minutes up to 48 hours."""
    if not 15 <= minutes <= 2880 or minutes % 15:
        raise errors.invalid_value(minutes, parameter, "Expecting a multiple of 15 between 15 and 2880 minutes.")


def reserve_throughput(call: Call, copy: PendingCopy, snapshots: list[Snapshot], minutes: int | None) -> None:
    """Reserve the throughput that a time-based copy needs; refuse the copy if it exceeds the account's quota."""
    if not minutes:
        return
    needed = [snapshot.gib * 1024 / (minutes * 60) for snapshot in snapshots]
    per_snapshot = call.settings.time_based_snapshot_mib_per_second
    total = call.settings.time_based_mib_per_second
    copies = call.state.pending_copies[call.region]
    reserved = sum(other.mib_per_second for other in copies if other.account == call.account)
    if max(needed, default=0) > per_snapshot or reserved + sum(needed) > total:
        raise errors.Ec2Error(
            "ResourceLimitExceeded",
            "The completion duration needs more snapshot copy throughput than the quota allows: "
            f"{per_snapshot} MiB/s for a snapshot, {total} MiB/s together.",
        )
    copy.mib_per_second = sum(needed)


def start(
    call: Call,
    copy: PendingCopy,
    source: Snapshot,
    encrypted: encryption.SnapshotEncryption,
    *,
    tags: Mapping[str, str],
    minutes: int | None,
) -> Snapshot:
    """Add a pending snapshot to the region and its transfer to the copy; return the snapshot."""
    timing = call.state.timing
    listed_at = call.now + timedelta(seconds=timing.snapshots_listed_after)
    snapshot_id = call.state.new_id("snap")
    seconds = call.state.vary(timing.copy_seconds + source.gib * timing.seconds_per_gib)
    ends_at = call.now + timedelta(seconds=max(seconds, timing.snapshots_listed_after))
    created = Snapshot(
        snapshot_id=snapshot_id,
        region=call.region,
        owner=call.account,
        gib=source.gib,
        started_at=listed_at,
        listed_at=listed_at,
        state="pending",
        progress="",
        encrypted=encrypted.encrypted,
        kms_key_id=encrypted.key_arn,
        aws_managed_key=encrypted.aws_managed_key,
        tags=dict(tags),
        transfer_type="time-based" if minutes else "standard",
        completion_minutes=minutes,
        outpost_arn=call.params.get("DestinationOutpostArn") or "",
        availability_zone=call.params.get("DestinationAvailabilityZone") or "",
        content=source.data,
    )
    call.state.snapshots[call.region][snapshot_id] = created
    copy.sources.add(source.snapshot_id)
    copy.transfers.append(Transfer(snapshot_id=snapshot_id, starts_at=listed_at, ends_at=ends_at))
    finished_at = ends_at + timedelta(seconds=timing.finishing_seconds if copy.image_id else 0)
    copy.available_at = max(copy.available_at, finished_at)
    return created
