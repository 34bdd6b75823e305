"""Copies on their way: what the passing of time does to pending images and snapshots.

Refuses to run by itself: no thread, no timer; whoever looks at a region settles it first.
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime

from amicopy.sandbox.records import Image, Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a copy ends when it does not end well."""

    at: datetime
    code: str
    message: str
    snapshot_message: str = ""
    vanishes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One snapshot being filled."""

    snapshot_id: str
    starts_at: datetime
    ends_at: datetime


@dataclass(slots=True, kw_only=True)
class CopyJob:
    """One CopyImage or CopySnapshot that goes on inside EC2."""

    account: str
    image_id: str = ""  # "": a copy of a snapshot alone
    begun_at: datetime
    available_at: datetime
    transfers: list[Transfer] = field(default_factory=list)
    mib_per_second: float = 0.0  # reserved by a time-based copy
    ending: Ending | None = None
    hangs: bool = False
    decided: bool = False  # an ordered fault has had its say


def settle(
    jobs: list[CopyJob],
    *,
    images: MutableMapping[str, Image],
    snapshots: MutableMapping[str, Snapshot],
    now: datetime,
) -> list[CopyJob]:
    """Bring a region's images and snapshots up to ``now``; return the jobs that are still going on."""
    return [job for job in jobs if _goes_on(job, images, snapshots, now)]


def _goes_on(
    job: CopyJob, images: MutableMapping[str, Image], snapshots: MutableMapping[str, Snapshot], now: datetime
) -> bool:
    ending = job.ending
    if ending is not None and now >= ending.at:
        for transfer in job.transfers:
            _fill(transfer, snapshots, ending.at, hangs=job.hangs)
        _end(job, ending, images, snapshots)
        return False
    for transfer in job.transfers:
        _fill(transfer, snapshots, now, hangs=job.hangs)
    image = images.get(job.image_id)
    if job.hangs:
        return image is not None
    if now < job.available_at:
        return True
    # Only a pending image becomes available: somebody may have put it into another state meanwhile.
    if image is not None and image.state == "pending":
        image.state, image.available_at = "available", job.available_at
    return False


def _fill(transfer: Transfer, snapshots: MutableMapping[str, Snapshot], now: datetime, *, hangs: bool) -> None:
    snapshot = snapshots.get(transfer.snapshot_id)
    if snapshot is None or snapshot.state != "pending":
        return
    total = (transfer.ends_at - transfer.starts_at).total_seconds()
    done = (now - transfer.starts_at).total_seconds() / total if total > 0 else 1.0
    if hangs:
        done = min(done, 0.5)
    if done >= 1:
        if snapshot.deleted:
            del snapshots[transfer.snapshot_id]
        snapshot.state, snapshot.progress, snapshot.completed_at = "completed", "100%", transfer.ends_at
    elif done > 0:
        snapshot.progress = f"{min(99, int(done * 100))}%"


def _end(job: CopyJob, ending: Ending, images: MutableMapping[str, Image], snapshots: Mapping[str, Snapshot]) -> None:
    if ending.vanishes:
        images.pop(job.image_id, None)
    image = images.get(job.image_id)
    if image is not None and image.state == "pending":
        image.state, image.state_reason = "failed", (ending.code, ending.message)
    for transfer in job.transfers:
        snapshot = snapshots.get(transfer.snapshot_id)
        if snapshot is not None and snapshot.state == "pending":
            snapshot.state, snapshot.state_message = "error", ending.snapshot_message
