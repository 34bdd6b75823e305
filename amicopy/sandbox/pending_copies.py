"""Copies in progress: what the passing of time does to pending images and snapshots.

Nothing here runs by itself: there is no thread and no timer. Reading a region advances it first.
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime

from amicopy.sandbox.content import damaged
from amicopy.sandbox.records import Image, Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyFailure:
    """When and how a copy is going to fail."""

    at: datetime
    code: str
    message: str
    snapshot_message: str = ""
    vanishes: bool = False  # the image disappears instead of becoming `failed`


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """The transfer of one snapshot's data."""

    snapshot_id: str
    starts_at: datetime
    ends_at: datetime


@dataclass(slots=True, kw_only=True)
class PendingCopy:
    """One CopyImage, CopySnapshot or CreateImage in progress inside EC2."""

    account: str
    image_id: str = ""  # "" for CopySnapshot
    from_instance: bool = False  # CreateImage: doesn't count as a copy
    started_at: datetime
    available_at: datetime
    transfers: list[Transfer] = field(default_factory=list)
    sources: set[str] = field(default_factory=set)  # the ids of the snapshots that are copied
    mib_per_second: float = 0.0  # reserved by a time-based copy
    failure: CopyFailure | None = None
    stuck: bool = False
    blocks_changed: int = 0  # how many blocks of each snapshot will differ from the source's
    blocks_lost: int = 0  # how many will be missing


def advance(
    copies: list[PendingCopy],
    *,
    images: MutableMapping[str, Image],
    snapshots: MutableMapping[str, Snapshot],
    now: datetime,
) -> list[PendingCopy]:
    """Bring a region's images and snapshots up to ``now``; return the copies that are still in progress."""
    return [copy for copy in copies if _in_progress(copy, images, snapshots, now)]


def _in_progress(
    copy: PendingCopy, images: MutableMapping[str, Image], snapshots: MutableMapping[str, Snapshot], now: datetime
) -> bool:
    failure = copy.failure
    if failure is not None and now >= failure.at:
        for transfer in copy.transfers:
            _transfer(copy, transfer, snapshots, failure.at)
        _fail(copy, failure, images, snapshots)
        return False
    for transfer in copy.transfers:
        _transfer(copy, transfer, snapshots, now)
    image = images.get(copy.image_id)
    if copy.stuck:
        return image is not None
    if now < copy.available_at:
        return True
    # Only a pending image becomes available: a test may have put it into another state meanwhile.
    if image is not None and image.state == "pending":
        image.state, image.available_at = "available", copy.available_at
    return False


def _transfer(copy: PendingCopy, transfer: Transfer, snapshots: MutableMapping[str, Snapshot], now: datetime) -> None:
    snapshot = snapshots.get(transfer.snapshot_id)
    if snapshot is None or snapshot.state != "pending":
        return
    total = (transfer.ends_at - transfer.starts_at).total_seconds()
    done = (now - transfer.starts_at).total_seconds() / total if total > 0 else 1.0
    if copy.stuck:
        done = min(done, 0.5)
    if done >= 1:
        if snapshot.deleted:
            del snapshots[transfer.snapshot_id]
        snapshot.state, snapshot.progress, snapshot.completed_at = "completed", "100%", transfer.ends_at
        if copy.blocks_changed or copy.blocks_lost:
            snapshot.content = damaged(snapshot.data, changed=copy.blocks_changed, lost=copy.blocks_lost)
    elif done > 0:
        snapshot.progress = f"{min(99, int(done * 100))}%"


def _fail(
    copy: PendingCopy, failure: CopyFailure, images: MutableMapping[str, Image], snapshots: Mapping[str, Snapshot]
) -> None:
    if failure.vanishes:
        images.pop(copy.image_id, None)
    image = images.get(copy.image_id)
    if image is not None and image.state == "pending":
        image.state, image.state_reason = "failed", (failure.code, failure.message)
    for transfer in copy.transfers:
        snapshot = snapshots.get(transfer.snapshot_id)
        if snapshot is not None and snapshot.state == "pending":
            snapshot.state, snapshot.state_message = "error", failure.snapshot_message
