"""What to send with EC2's DryRun to learn whether a write is allowed, before there is anything to write to.

Refuses to send it; the gateway does.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from amicopy.core.models import SOURCE_TAG, Image


class WriteOperation(StrEnum):
    """A writing call that a run may come to, by its EC2 operation."""

    COPY = "CopyImage"
    TAG = "CreateTags"
    DEPRECATE = "EnableImageDeprecation"
    PROTECT = "EnableImageDeregistrationProtection"
    SHARE_SNAPSHOT = "ModifySnapshotAttribute"
    SHARE_IMAGE = "ModifyImageAttribute"
    DEREGISTER = "DeregisterImage"
    DELETE_SNAPSHOT = "DeleteSnapshot"


def dry_run_parameters(write: WriteOperation, source: Image, now: datetime) -> Mapping[str, Any]:
    """Return parameters for a rehearsal in a destination, where the source's ids stand for those to come.

    DryRun checks permissions only, so an id that is unknown there does not matter, and what else EC2 has against it
    says nothing about the permission.
    """
    snapshot_id = next(iter(source.snapshot_ids), "snap-00000000000000000")
    match write:
        case WriteOperation.COPY:
            tag = [{"Key": SOURCE_TAG, "Value": source.reference}]
            return {
                "SourceRegion": source.region,
                "SourceImageId": source.image_id,
                "Name": "amicopy",
                "TagSpecifications": [{"ResourceType": kind, "Tags": tag} for kind in ("image", "snapshot")],
            }
        case WriteOperation.TAG:
            return {"Resources": [snapshot_id], "Tags": [{"Key": SOURCE_TAG, "Value": source.reference}]}
        case WriteOperation.DEPRECATE:
            return {"ImageId": source.image_id, "DeprecateAt": now + timedelta(days=1)}
        case WriteOperation.SHARE_SNAPSHOT:
            nobody = [{"UserId": "000000000000"}]
            return {"SnapshotId": snapshot_id, "CreateVolumePermission": {"Add": nobody}}
        case WriteOperation.SHARE_IMAGE:
            return {"ImageId": source.image_id, "LaunchPermission": {"Add": [{"UserId": "000000000000"}]}}
        case WriteOperation.PROTECT | WriteOperation.DEREGISTER:
            return {"ImageId": source.image_id}
        case WriteOperation.DELETE_SNAPSHOT:
            return {"SnapshotId": snapshot_id}
