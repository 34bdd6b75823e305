"""Reading what a comparison needs of copies beyond DescribeImages: snapshots and permissions.

Refuses to read what nobody compares: each attribute is a call of its own.
"""

from collections.abc import Sequence
from dataclasses import replace

from amicopy.aws.ec2 import Gateway
from amicopy.core.errors import AccessDenied, ImageNotFound, ImageUnavailable, NotOwner, SnapshotNotFound
from amicopy.core.models import Image, Principal, Snapshot
from amicopy.plan.desired import Wanted


def with_details(
    gateway: Gateway, copies: Sequence[tuple[Image, Wanted]], *, every_permission: bool = False
) -> list[Image]:
    """Return the copies with their snapshots and, where some are wanted (or ``every_permission``), their permissions.

    One DescribeSnapshots for all copies, one attribute call per image and snapshot whose permissions matter.
    """
    snapshot_ids = [snapshot_id for copy, _ in copies for snapshot_id in copy.snapshot_ids]
    found = gateway.describe_snapshots(snapshot_ids) if snapshot_ids else {}
    return [_with_details(gateway, copy, wanted, found, every_permission) for copy, wanted in copies]


def _with_details(
    gateway: Gateway, copy: Image, wanted: Wanted, found: dict[str, Snapshot], every_permission: bool
) -> Image:
    snapshots = []
    for device in copy.devices:
        if snapshot := found.get(device.snapshot_id):
            if every_permission or wanted.volume_permissions.get(device.device):
                permissions = read_volume_permissions(gateway, snapshot.snapshot_id)
                snapshot = replace(snapshot, volume_permissions=permissions)
            snapshots.append(snapshot)
    launch = None
    if every_permission or wanted.launch_permissions:
        launch = read_launch_permissions(gateway, copy.image_id)
    return replace(copy, snapshots=tuple(snapshots), launch_permissions=launch)


def read_launch_permissions(gateway: Gateway, image_id: str) -> frozenset[Principal] | None:
    """Return who may launch the AMI; None where that is not ours to read."""
    try:
        return gateway.launch_permissions(image_id)
    except (NotOwner, AccessDenied, ImageNotFound, ImageUnavailable):
        return None


def read_volume_permissions(gateway: Gateway, snapshot_id: str) -> frozenset[Principal] | None:
    """Return who may create volumes from the snapshot; None where that is not ours to read."""
    try:
        return gateway.volume_permissions(snapshot_id)
    except (NotOwner, AccessDenied, SnapshotNotFound):
        return None
