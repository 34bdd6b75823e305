"""Comparing the content of copies: which volumes, which of their blocks, and what that costs. Pure."""

import random
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from amicopy.core.content import BLOCKS_OF_SAMPLE, ContentLevel, VolumeContent
from amicopy.core.errors import AmicopyError, SnapshotUnreadable
from amicopy.core.models import Image, ImageState
from amicopy.core.prices import Charge, Prices
from amicopy.plan.copy_status import CopyStatus

_BLOCK_BYTES = 512 * 1024
ASK_ABOVE_USD = 1.0
DIGEST_BYTES = 32  # of a SHA-256


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingCost:
    """What reading blocks costs at most."""

    blocks: int
    lists: int = 0

    @property
    def bytes(self) -> int:
        """The data that is transferred."""
        return self.blocks * _BLOCK_BYTES

    @property
    def api_usd(self) -> float:
        """The price of the calls."""
        return self.blocks * _usd_per(Charge.BLOCK_READ) + self.lists * _usd_per(Charge.BLOCK_LIST)

    @property
    def traffic_usd(self) -> float:
        """The price of the transfer to a machine outside AWS; within the region it is free."""
        return self.bytes / 1e9 * _usd_per(Charge.INTERNET)

    @property
    def most_usd(self) -> float:
        """Both together."""
        return self.api_usd + self.traffic_usd

    def __str__(self) -> str:
        return (
            f"{self.blocks:,} blocks ({self.bytes / 2**30:,.1f} GiB), {_usd(self.api_usd)} for the EBS direct APIs; "
            f"outside AWS {_usd(self.traffic_usd)} more for the transfer (US prices of 2026)"
        )


def _usd_per(charge: Charge) -> float:
    price = Prices().anywhere(charge)
    assert price is not None  # it comes with amicopy
    return float(price.usd)


def _usd(price: float) -> str:
    return f"about {price:,.2f} USD" if price >= 0.01 else "less than 0.01 USD"


def volumes_of(status: CopyStatus) -> tuple[VolumeContent, ...]:
    """Return the volumes that both the source and the copy have, with what DescribeSnapshots shows of them."""
    of_source, of_copy = status.source.snapshots_by_device, status.copy.snapshots_by_device
    volumes = []
    for device, snapshot_id in status.source.snapshot_ids_by_device.items():
        copy_id = status.copy.snapshot_ids_by_device.get(device)
        if copy_id is None:
            continue  # a difference that is found without the content
        original, copied = of_source.get(device), of_copy.get(device)
        volumes.append(
            VolumeContent(
                device=device,
                source_snapshot_id=snapshot_id,
                copy_snapshot_id=copy_id,
                source_bytes=original.full_bytes if original else None,
                copy_bytes=copied.full_bytes if copied else None,
                is_reencrypted=bool(copied and copied.encrypted),
            )
        )
    return tuple(volumes)


def why_not_compared(status: CopyStatus, level: ContentLevel) -> AmicopyError | None:
    """Return why the content of a copy cannot be compared, as far as that is known before any block is read."""
    source, copy = status.source, status.copy
    if status.source_is_gone or source.state is not ImageState.AVAILABLE:
        return _unreadable(source, "The source no longer exists, or is disabled.", "Compare its copies yourself.")
    for image in (source, copy) if level is not ContentLevel.SIZE else ():
        if problem := problem_of_snapshots(image):
            return problem
    return None


def problem_of_snapshots(image: Image) -> AmicopyError | None:
    """Return why the data of an AMI cannot be read, as far as that is known before any block is read."""
    if image.is_instance_store:
        return _unreadable(image, "It is instance store-backed: it has no snapshots.", "Use only EBS-backed AMIs.")
    described = {snapshot.snapshot_id: snapshot for snapshot in image.snapshots}
    if image.owner_alias == "aws-marketplace":
        return _unreadable(image, "It is from AWS Marketplace, whose snapshots EBS doesn't let anyone read.", "")
    for snapshot_id in image.snapshot_ids:
        snapshot = described.get(snapshot_id)
        if snapshot is None:
            why = f"{snapshot_id} isn't visible to this account."
            return _unreadable(image, why, "Have its owner share the snapshot with this account.")
        if snapshot.state != "completed":
            return _unreadable(
                image, f"{snapshot_id} is {snapshot.state}.", "Run the command again once it is completed."
            )
        if snapshot.storage_tier == "archive":
            restore = f"aws ec2 restore-snapshot-tier --snapshot-id {snapshot_id} --region {image.region}"
            return _unreadable(image, f"{snapshot_id} is archived.", f"Restore it first: {restore} --permanent-restore")
    return None


def _unreadable(image: Image, why: str, next_step: str) -> SnapshotUnreadable:
    what = f"The content of {image.image_id} in {image.region} cannot be read."
    return SnapshotUnreadable(what, why=why, next_step=next_step)


def one_sided(first: Sequence[int], second: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
    """Return what only the first and what only the second of two ascending sequences has."""
    only: tuple[array[int], array[int]] = (array("I"), array("I"))
    left = right = 0
    while left < len(first) and right < len(second):
        if first[left] == second[right]:
            left, right = left + 1, right + 1
        elif first[left] < second[right]:
            only[0].append(first[left])
            left += 1
        else:
            only[1].append(second[right])
            right += 1
    only[0].extend(first[left:])
    only[1].extend(second[right:])
    return only


def chosen_blocks(
    level: ContentLevel, seed: int | None, volume: VolumeContent, source: Sequence[int], copy: Sequence[int]
) -> Sequence[int]:
    """Return which blocks to compare, in ascending order, of those that are written in the source or in the copy.

    A sample has the same blocks of a source for all its copies, and besides blocks that only one side has.
    """
    if not level.reads_data:
        return ()
    only = list(chain(*one_sided(source, copy)))
    if level is ContentLevel.FULL:
        return source if not only else sorted({*source, *copy})
    some = _drawn(f"{seed}/{volume.source_snapshot_id}", source)
    return sorted({*some, *_drawn(f"{seed}/{volume.copy_snapshot_id}", sorted(only))})


def _drawn(seed: str, blocks: Sequence[int]) -> Iterable[int]:
    if len(blocks) <= BLOCKS_OF_SAMPLE:
        return blocks
    return (blocks[at] for at in random.Random(seed).sample(range(len(blocks)), BLOCKS_OF_SAMPLE))  # noqa: S311 - a sample


def differing_blocks(indexes: Sequence[int], source: bytes, copy: bytes) -> tuple[int, ...]:
    """Return the blocks whose SHA-256 differ; both digests have 32 bytes for each of ``indexes``."""
    if source == copy:
        return ()
    return tuple(
        index
        for at, index in enumerate(indexes)
        if source[DIGEST_BYTES * at : DIGEST_BYTES * (at + 1)] != copy[DIGEST_BYTES * at : DIGEST_BYTES * (at + 1)]
    )
