"""Reading what a comparison needs of copies and DescribeImages does not tell. Each attribute is a call of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from amicopy.aws.ec2 import Ec2
from amicopy.core.errors import (
    AccessDenied,
    ImageNotFound,
    ImageUnavailable,
    NotOwner,
    OperationNotImplemented,
    SnapshotNotFound,
)
from amicopy.core.lineage import FAILED_STATES
from amicopy.core.models import SOURCE_TAG, Image, Principal, Snapshot
from amicopy.core.parallel import Pending, Stop, run_all
from amicopy.core.progress import by_destination
from amicopy.core.retries import Retry, once
from amicopy.plan.attributes.base import DesiredCopy

READS_AT_ONCE = 8  # in one region


def with_details(ec2: Ec2, copy: Image, desired: DesiredCopy, *, every_permission: bool = False) -> Image:
    """Return a copy with its snapshots and, where some are desired (or all), their permissions and its own."""
    found = ec2.describe_snapshots(copy.snapshot_ids) if copy.snapshot_ids else {}
    permissions = {
        snapshot_id: read_volume_permissions(ec2, snapshot_id)
        for device, snapshot_id in copy.snapshot_ids_by_device.items()
        if snapshot_id in found and (every_permission or desired.volume_permissions.get(device))
    }
    is_shared = every_permission or bool(desired.launch_permissions)
    launch = read_launch_permissions(ec2, copy.image_id) if is_shared else None
    return _detailed(copy, found, launch, permissions)


def with_all_details(
    ec2: Ec2, copies: Sequence[Image], stop: Stop, *, uefi_data: bool = False, retry: Retry = once
) -> list[Image]:
    """Return copies with their snapshots and all permissions; every call is made at the same time as others.

    One DescribeSnapshots for all copies, one attribute call per image and snapshot. ``retry`` repeats each by itself.
    """
    snapshot_ids = list(dict.fromkeys(snapshot_id for copy in copies for snapshot_id in copy.snapshot_ids))
    found = Pending(partial(retry, partial(ec2.describe_snapshots, snapshot_ids)))
    volumes = {one: Pending(partial(retry, partial(read_volume_permissions, ec2, one))) for one in snapshot_ids}
    launch = {
        copy.image_id: Pending(partial(retry, partial(read_launch_permissions, ec2, copy.image_id))) for copy in copies
    }
    uefi = {copy.image_id: Pending(partial(retry, partial(read_uefi_data, ec2, copy))) for copy in copies}
    reads: list[Pending[Any]] = [found] if snapshot_ids else []
    reads += [*launch.values(), *volumes.values(), *(uefi.values() if uefi_data else ())]
    run_all(reads, stop, most=READS_AT_ONCE)
    snapshots = found.result() if snapshot_ids else {}
    permissions = {snapshot_id: volumes[snapshot_id].result() for snapshot_id in snapshot_ids}
    detailed = [_detailed(copy, snapshots, launch[copy.image_id].result(), permissions) for copy in copies]
    return [replace(copy, uefi_data=uefi[copy.image_id].result()) for copy in detailed] if uefi_data else detailed


def _detailed(
    copy: Image,
    found: Mapping[str, Snapshot],
    launch: frozenset[Principal] | None,
    permissions: Mapping[str, frozenset[Principal] | None],
) -> Image:
    snapshots = (
        replace(found[one], volume_permissions=permissions[one]) if one in permissions else found[one]
        for one in (device.snapshot_id for device in copy.devices)
        if one in found
    )
    return replace(copy, snapshots=tuple(snapshots), launch_permissions=launch)


def with_tags_of_snapshots(images: Mapping[str, Image], ec2: Ec2) -> dict[str, Image]:
    """Return the images; unfinished ones without our tag have their snapshots, as far as EC2 shows them.

    A source with 50 tags leaves no room for ours on its copy, but there may be room on the snapshots.
    """
    untagged = [
        image.image_id
        for image in images.values()
        if SOURCE_TAG not in image.tags and (image.state.in_progress or image.state in FAILED_STATES)
    ]
    found = by_destination(ec2.find_snapshots_of_copies(untagged).values())
    return {**images, **{image_id: replace(images[image_id], snapshots=tuple(its)) for image_id, its in found.items()}}


def read_launch_permissions(ec2: Ec2, image_id: str) -> frozenset[Principal] | None:
    """Return who may launch the AMI; None where that is not ours to read."""
    try:
        return ec2.launch_permissions(image_id)
    except (NotOwner, AccessDenied, ImageNotFound, ImageUnavailable, OperationNotImplemented):
        return None


def read_volume_permissions(ec2: Ec2, snapshot_id: str) -> frozenset[Principal] | None:
    """Return who may create volumes from the snapshot; None where that is not ours to read."""
    try:
        return ec2.volume_permissions(snapshot_id)
    except (NotOwner, AccessDenied, SnapshotNotFound, OperationNotImplemented):
        return None


def read_uefi_data(ec2: Ec2, image: Image) -> str | None:
    """Return the image's UEFI variables, empty if it has none; None if they were not read.

    Only an image that can boot with UEFI is asked.
    """
    if not image.attributes.get("BootMode", "").startswith("uefi"):
        return None
    try:
        return ec2.uefi_data(image.image_id)
    except (NotOwner, AccessDenied, ImageNotFound, ImageUnavailable, OperationNotImplemented):
        return None
