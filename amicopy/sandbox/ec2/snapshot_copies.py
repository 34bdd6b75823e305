"""Snapshots being copied: how long each takes, and the throughput that a time-based copy sets aside.

Refuses to know images: CopyImage and CopySnapshot both start their transfers here.
"""

from collections.abc import Mapping
from datetime import timedelta

from amicopy.sandbox.ec2 import encryption, errors
from amicopy.sandbox.pending_copies import CopyJob, Transfer
from amicopy.sandbox.records import Snapshot
from amicopy.sandbox.state import Call


def check_minutes(minutes: int, parameter: str) -> None:
    """Refuse a completion duration that is no quarter of an hour within 48 hours."""
    if not 15 <= minutes <= 2880 or minutes % 15:
        raise errors.invalid_value(minutes, parameter, "Expecting a multiple of 15 between 15 and 2880 minutes.")


def reserve(call: Call, job: CopyJob, snapshots: list[Snapshot], minutes: int | None) -> None:
    """Set aside the throughput of a time-based copy, or refuse it: the account's share is limited."""
    if not minutes:
        return
    needed = [snapshot.gib * 1024 / (minutes * 60) for snapshot in snapshots]
    each, together = (
        call.settings.time_based_snapshot_mib_per_second,
        call.settings.time_based_mib_per_second,
    )
    taken = sum(other.mib_per_second for other in call.state.jobs[call.region] if other.account == call.account)
    if any(one > each for one in needed) or taken + sum(needed) > together:
        raise errors.Ec2Error(
            "ResourceLimitExceeded",
            "The completion duration needs more snapshot copy throughput than the quota allows: "
            f"{each} MiB/s for a snapshot, {together} MiB/s together.",
        )
    job.mib_per_second = sum(needed)


def new_snapshot(
    call: Call,
    job: CopyJob,
    source: Snapshot,
    outcome: encryption.Outcome,
    *,
    tags: Mapping[str, str],
    minutes: int | None,
) -> Snapshot:
    """Add a pending snapshot to the region, and its transfer to the job."""
    timing = call.state.timing
    listed_at = call.now + timedelta(seconds=timing.snapshots_listed_after)
    snapshot_id = call.state.new_id("snap")
    seconds = call.state.vary(timing.copy_seconds + source.gib * timing.seconds_per_gib)
    ends_at = call.now + timedelta(seconds=max(seconds, timing.snapshots_listed_after))
    made = Snapshot(
        snapshot_id=snapshot_id,
        region=call.region,
        owner=call.account,
        gib=source.gib,
        started_at=listed_at,
        listed_at=listed_at,
        state="pending",
        progress="",
        encrypted=outcome.encrypted,
        kms_key_id=outcome.key_arn,
        aws_managed_key=outcome.aws_managed,
        tags=dict(tags),
        transfer_type="time-based" if minutes else "standard",
        completion_minutes=minutes,
        outpost_arn=call.params.get("DestinationOutpostArn") or "",
        availability_zone=call.params.get("DestinationAvailabilityZone") or "",
    )
    call.state.snapshots[call.region][snapshot_id] = made
    job.transfers.append(Transfer(snapshot_id=snapshot_id, starts_at=listed_at, ends_at=ends_at))
    finished = ends_at + timedelta(seconds=timing.finishing_seconds if job.image_id else 0)
    job.available_at = max(job.available_at, finished)
    return made
