"""Snapshots: reading, sharing, copying, making and deleting them.

Refuses to know volumes: it asks the look-up that the world was given for their size.
"""

import re
from datetime import timedelta
from typing import Any

from amicopy.sandbox.ec2 import copy_image as copying
from amicopy.sandbox.ec2 import encryption, errors, tags
from amicopy.sandbox.ec2 import snapshot_copies as transfers
from amicopy.sandbox.ec2.filters import keep, page, refuse_paging_of, truth
from amicopy.sandbox.ec2.tags import tag_set, tags_of
from amicopy.sandbox.pending_copies import CopyJob, Ending
from amicopy.sandbox.records import Snapshot
from amicopy.sandbox.state import Call


def describe_snapshots(call: Call) -> dict[str, Any]:
    """DescribeSnapshots: the caller's own, public ones, and those shared with the caller."""
    refuse_paging_of(call, "SnapshotIds")
    rows = _by_id(call) if call.params.get("SnapshotIds") else _all(call)
    owners, users = call.params.get("OwnerIds"), call.params.get("RestorableByUserIds")
    if owners:
        wanted = {call.account if owner == "self" else owner for owner in owners}
        rows = [snapshot for snapshot in rows if snapshot.owner in wanted]
    if users:
        rows = [snapshot for snapshot in rows if _restorable(call, snapshot, users)]
    kept = keep(call.params.get("Filters"), rows, columns=_COLUMNS, tags=lambda row: tags_of(row, call.account))
    answer = page(call, kept, key="Snapshots", least=5)
    answer["Snapshots"] = [as_answer(call, snapshot) for snapshot in answer["Snapshots"]]
    return answer


def _all(call: Call) -> list[Snapshot]:
    return [row for row in call.state.snapshots[call.region].values() if call.sees_snapshot(row)]


def _by_id(call: Call) -> list[Snapshot]:
    return [call.snapshot(snapshot_id) for snapshot_id in dict.fromkeys(call.params["SnapshotIds"])]


def _restorable(call: Call, snapshot: Snapshot, users: list[str]) -> bool:
    for user in users:
        account = call.account if user == "self" else user
        if account in snapshot.shared_with or (user != "all" and snapshot.owner == account):
            return True
    return False


def as_answer(call: Call, snapshot: Snapshot) -> dict[str, Any]:
    """Return the snapshot as DescribeSnapshots shows it to the caller."""
    done = snapshot.state == "completed"
    members = {
        "Tags": tag_set(tags_of(snapshot, call.account)),
        "StorageTier": "standard",
        "TransferType": snapshot.transfer_type,
        "CompletionDurationMinutes": snapshot.completion_minutes,
        "CompletionTime": snapshot.completed_at,
        "FullSnapshotSizeInBytes": snapshot.gib * 2**30 if done else None,
        "KmsKeyId": snapshot.kms_key_id,
        "OutpostArn": snapshot.outpost_arn,
        "AvailabilityZone": snapshot.availability_zone,
        "StateMessage": snapshot.state_message,
    }
    answer = {name: value for name, value in members.items() if value not in (None, "", [])}
    return answer | {
        "SnapshotId": snapshot.snapshot_id,
        "VolumeId": snapshot.volume_id,
        "State": snapshot.state,
        "StartTime": snapshot.started_at,
        "Progress": snapshot.progress,
        "OwnerId": snapshot.owner,
        "Description": snapshot.description,
        "VolumeSize": snapshot.gib,
        "Encrypted": snapshot.encrypted,
    }


def describe_snapshot_attribute(call: Call) -> dict[str, Any]:
    """DescribeSnapshotAttribute: for the owner alone."""
    attribute = call.required("Attribute")
    snapshot = call.own_snapshot(call.required("SnapshotId"))
    if attribute == "productCodes":
        return {"SnapshotId": snapshot.snapshot_id, "ProductCodes": []}
    if attribute != "createVolumePermission":
        raise errors.invalid_value(attribute, "attribute", "Unknown attribute.")
    permissions = [
        {"Group": "all"} if who == "all" else {"UserId": who} for who in sorted(snapshot.shared_with, reverse=True)
    ]
    return {"SnapshotId": snapshot.snapshot_id, "CreateVolumePermissions": permissions}


def modify_snapshot_attribute(call: Call) -> dict[str, Any]:
    """ModifySnapshotAttribute: add or remove accounts or the group all; never both, and no organizations."""
    snapshot = call.own_snapshot(call.required("SnapshotId"))
    given = call.params.get("CreateVolumePermission") or {}
    changes = {
        "add": [dict(item) for item in given.get("Add") or []],
        "remove": [dict(item) for item in given.get("Remove") or []],
    }
    listed = [{"UserId": user} for user in call.params.get("UserIds") or []]
    listed += [{"Group": group} for group in call.params.get("GroupNames") or []]
    if listed and (call.params.get("OperationType") or not given):  # packer lists them beside the permissions
        changes.setdefault(call.required("OperationType"), []).extend(listed)
    if call.params.get("Attribute") not in (None, "createVolumePermission"):
        raise errors.invalid_value(call.params["Attribute"], "attribute", "Only permissions can be modified.")
    if changes["add"] and changes["remove"]:
        raise errors.combination("You cannot both add and remove permissions in a single operation.")
    add, remove = (_principals(changes[name]) for name in ("add", "remove"))
    if not add and not remove:
        raise errors.missing("CreateVolumePermission")
    _check_sharing(call, snapshot, add - snapshot.shared_with)
    snapshot.shared_with |= add
    snapshot.shared_with -= remove
    return {}


def _principals(items: list[dict[str, str]]) -> set[str]:
    if len(items) > 500:
        raise errors.combination("You can make up to 500 modifications to a snapshot in a single operation.")
    for item in items:
        if item.get("Group", "all") != "all":
            raise errors.invalid_value(item["Group"], "group", "The only valid value is all.")
        if "UserId" in item and not re.fullmatch(r"\d{12}", item["UserId"]):
            raise errors.Ec2Error("InvalidUserID.Malformed", f'Invalid user id: "{item["UserId"]}"')
    return {item.get("UserId") or item["Group"] for item in items}


def _check_sharing(call: Call, snapshot: Snapshot, added: set[str]) -> None:
    if not added:
        return
    if snapshot.aws_managed_key:
        raise errors.Ec2Error(
            "InvalidParameter",
            "Snapshots encrypted with the AWS Managed CMK can’t be shared. Specify another snapshot",
        )
    if "all" not in added:
        return
    if call.settings.snapshot_block_public_access != "unblocked":
        raise errors.Ec2Error(
            "OperationNotPermitted",
            "You can't publicly share this snapshot because block public access for snapshots is enabled.",
        )
    if snapshot.encrypted:
        raise errors.Ec2Error("InvalidParameter", "Encrypted snapshots can’t be made public.")


def reset_snapshot_attribute(call: Call) -> dict[str, Any]:
    """ResetSnapshotAttribute: the snapshot is private afterwards."""
    if call.required("Attribute") != "createVolumePermission":
        raise errors.invalid_value(call.params["Attribute"], "attribute", "Only permissions can be reset.")
    call.own_snapshot(call.required("SnapshotId")).shared_with.clear()
    return {}


def users(call: Call, snapshot: Snapshot) -> list[str]:
    """Return the images that stand on the snapshot; disabled ones count."""
    images = call.state.images[snapshot.region]
    return sorted(image_id for image_id in snapshot.used_by if image_id in images)


def delete_snapshot(call: Call) -> dict[str, Any]:
    """DeleteSnapshot: refused while an image stands on it; a pending one may go."""
    snapshot = call.own_snapshot(call.required("SnapshotId"))
    using = users(call, snapshot)
    if using:
        raise errors.Ec2Error(
            "InvalidSnapshot.InUse",
            f"The snapshot {snapshot.snapshot_id} is currently in use by {', '.join(using)}",
        )
    remove(call, snapshot)
    return {}


def remove(call: Call, snapshot: Snapshot) -> None:
    """Take the snapshot away, or let it linger until its copy has ended."""
    if snapshot.state == "pending" and call.state.unconfirmed.deleted_pending_snapshot_lingers:
        snapshot.deleted = True
    else:
        del call.state.snapshots[snapshot.region][snapshot.snapshot_id]


def copy_snapshot(call: Call) -> dict[str, Any]:
    """CopySnapshot: one snapshot, encrypted by the same rules as those of an image."""
    region = call.required("SourceRegion")
    copying.check_source_region(call, region)
    encryption.check_parameters(call)
    asked = tags.from_specifications(call, "snapshot")["snapshot"]
    call.state.settle(region)
    source = call.snapshot(call.required("SourceSnapshotId"), region)
    if source.state != "completed":
        raise errors.Ec2Error("IncorrectState", f"Snapshot is in invalid state - {source.state}, must be completed.")
    encryption.check_sources(call, [source])
    minutes = call.params.get("CompletionDurationMinutes")
    if minutes is not None:
        transfers.check_minutes(minutes, "completionDurationMinutes")
    going_on = [job for job in call.state.jobs[call.region] if not job.image_id and job.account == call.account]
    limit = call.settings.snapshot_copies_limit
    if len(going_on) >= limit:
        raise errors.Ec2Error(
            "ResourceLimitExceeded",
            f"Too many snapshot copies in progress. The limit is {limit} for this destination region.",
        )
    job = CopyJob(account=call.account, begun_at=call.now, available_at=call.now)
    transfers.reserve(call, job, [source], minutes)
    outcome = encryption.outcome(call, source, owned_by_reader=source.owner == call.account)
    made = transfers.new_snapshot(call, job, source, outcome, tags=asked, minutes=minutes)
    made.listed_at = made.started_at = call.now
    made.description = call.params.get("Description") or ""
    if outcome.broken:
        at = call.now + timedelta(seconds=call.state.timing.key_checked_after)
        job.ending = Ending(at=at, code="", message="", snapshot_message=encryption.KEY_MESSAGE)
    call.state.jobs[call.region].append(job)
    return {"SnapshotId": made.snapshot_id, "Tags": tag_set(made.tags)}


def create_snapshot(call: Call) -> dict[str, Any]:
    """CreateSnapshot: completed at once, since what is in the volume is nobody's concern here."""
    volume_id = call.required("VolumeId")
    gib = call.state.volumes(call.account, call.region, volume_id)
    if gib is None:
        raise errors.Ec2Error("InvalidVolume.NotFound", f"The volume '{volume_id}' does not exist.")
    made = Snapshot(
        snapshot_id=call.state.new_id("snap"),
        region=call.region,
        owner=call.account,
        gib=gib,
        started_at=call.now,
        listed_at=call.now,
        completed_at=call.now,
        description=call.params.get("Description") or "",
        volume_id=volume_id,
        tags=tags.from_specifications(call, "snapshot")["snapshot"],
    )
    call.state.snapshots[call.region][made.snapshot_id] = made
    return as_answer(call, made)


_COLUMNS: dict[str, Any] = {
    "description": lambda row: [row.description],
    "encrypted": lambda row: [truth(row.encrypted)],
    "owner-alias": lambda _row: [],
    "owner-id": lambda row: [row.owner],
    "progress": lambda row: [row.progress],
    "snapshot-id": lambda row: [row.snapshot_id],
    "start-time": lambda row: [row.started_at.strftime("%Y-%m-%dT%H:%M:%S.000Z")],
    "status": lambda row: [row.state],
    "storage-tier": lambda _row: ["standard"],
    "transfer-type": lambda row: [row.transfer_type] if row.transfer_type else [],
    "volume-id": lambda row: [row.volume_id],
    "volume-size": lambda row: [str(row.gib)],
}
