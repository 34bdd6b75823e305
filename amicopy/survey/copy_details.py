"""Reading what a comparison needs of copies and DescribeImages does not tell. Each attribute is a call of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from amicopy.aws.ec2 import Ec2
from amicopy.core.errors import AccessDenied, ImageNotFound, ImageUnavailable, NotOwner, SnapshotNotFound
from amicopy.core.lineage import FAILED_STATES
from amicopy.core.models import SOURCE_TAG, Image, Principal, Snapshot
from amicopy.core.progress import destination_of
from amicopy.core.retries import Retry, once
from amicopy.plan.attributes.base import DesiredCopy


def with_details(
    ec2: Ec2,
    copies: Sequence[tuple[Image, DesiredCopy]],
    *,
    every_permission: bool = False,
    uefi_data: bool = False,
    retry: Retry = once,
) -> list[Image]:
    """Return the copies with their snapshots and, if some are desired (or ``every_permission``), their permissions.

    One DescribeSnapshots for all copies, one attribute call per image and snapshot whose permissions matter.
    """
    snapshot_ids = [snapshot_id for copy, _ in copies for snapshot_id in copy.snapshot_ids]
    found = retry(partial(ec2.describe_snapshots, snapshot_ids)) if snapshot_ids else {}
    detailed = [_with_details(ec2, copy, desired, found, every_permission, retry) for copy, desired in copies]
    if not uefi_data:
        return detailed
    return [replace(copy, uefi_data=retry(partial(read_uefi_data, ec2, copy))) for copy in detailed]


def _with_details(
    ec2: Ec2, copy: Image, desired: DesiredCopy, found: dict[str, Snapshot], every_permission: bool, retry: Retry
) -> Image:
    snapshots = []
    for device in copy.devices:
        if snapshot := found.get(device.snapshot_id):
            if every_permission or desired.volume_permissions.get(device.device):
                permissions = retry(partial(read_volume_permissions, ec2, snapshot.snapshot_id))
                snapshot = replace(snapshot, volume_permissions=permissions)
            snapshots.append(snapshot)
    launch = None
    if every_permission or desired.launch_permissions:
        launch = retry(partial(read_launch_permissions, ec2, copy.image_id))
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
    found = ec2.find_snapshots_of_copies(untagged).values() if untagged else ()
    by_owner: dict[str, list[Snapshot]] = {}
    for snapshot in found:
        by_owner.setdefault(destination_of(snapshot), []).append(snapshot)
    with_snapshots = {image_id: replace(images[image_id], snapshots=tuple(some)) for image_id, some in by_owner.items()}
    return {**images, **with_snapshots}


def read_launch_permissions(ec2: Ec2, image_id: str) -> frozenset[Principal] | None:
    """Return who may launch the AMI; None where that is not ours to read."""
    try:
        return ec2.launch_permissions(image_id)
    except (NotOwner, AccessDenied, ImageNotFound, ImageUnavailable):
        return None


def read_volume_permissions(ec2: Ec2, snapshot_id: str) -> frozenset[Principal] | None:
    """Return who may create volumes from the snapshot; None where that is not ours to read."""
    try:
        return ec2.volume_permissions(snapshot_id)
    except (NotOwner, AccessDenied, SnapshotNotFound):
        return None


def read_uefi_data(ec2: Ec2, image: Image) -> str | None:
    """Return the image's UEFI variables, empty if it has none; None if they were not read.

    Only an image that can boot with UEFI is asked.
    """
    if not image.attributes.get("BootMode", "").startswith("uefi"):
        return None
    try:
        return ec2.uefi_data(image.image_id)
    except (NotOwner, AccessDenied, ImageNotFound, ImageUnavailable):
        return None
