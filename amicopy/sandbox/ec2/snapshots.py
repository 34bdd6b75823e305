"""Operations on snapshots: describe, share, copy, create (also of all volumes of an instance), delete."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from amicopy.sandbox.ec2 import copy_image, encryption, errors, snapshot_copies, tags
from amicopy.sandbox.ec2.filters import apply_filters, boolean_text, paginate, refuse_pages_of_ids
from amicopy.sandbox.ec2.tags import tag_set, tags_of
from amicopy.sandbox.other_resources import EbsVolume, Instance
from amicopy.sandbox.pending_copies import CopyFailure, PendingCopy
from amicopy.sandbox.records import Snapshot
from amicopy.sandbox.state import Call


def describe_snapshots(call: Call) -> dict[str, Any]:
    """DescribeSnapshots: list the caller's own snapshots, public ones, and those shared with the caller."""
    refuse_pages_of_ids(call, "SnapshotIds")
    rows = _by_id(call) if call.params.get("SnapshotIds") else _all(call)
    owners, users = call.params.get("OwnerIds"), call.params.get("RestorableByUserIds")
    if owners:
        accounts = {call.account if owner == "self" else owner for owner in owners}
        rows = [snapshot for snapshot in rows if snapshot.owner in accounts]
    if users:
        rows = [snapshot for snapshot in rows if _restorable(call, snapshot, users)]
    kept = apply_filters(
        call.params.get("Filters"), rows, columns=_COLUMNS, tags=lambda row: tags_of(row, call.account)
    )
    response = paginate(call, kept, key="Snapshots", min_results=5)
    response["Snapshots"] = [describe(call, snapshot) for snapshot in response["Snapshots"]]
    return response


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


def describe(call: Call, snapshot: Snapshot) -> dict[str, Any]:
    """Return the snapshot as DescribeSnapshots shows it to the caller."""
    completed = snapshot.state == "completed"
    members = {
        "Tags": tag_set(tags_of(snapshot, call.account)),
        "StorageTier": snapshot.storage_tier,
        "TransferType": snapshot.transfer_type,
        "CompletionDurationMinutes": snapshot.completion_minutes,
        "CompletionTime": snapshot.completed_at,
        "FullSnapshotSizeInBytes": snapshot.full_bytes if completed else None,
        "KmsKeyId": snapshot.kms_key_id,
        "OutpostArn": snapshot.outpost_arn,
        "AvailabilityZone": snapshot.availability_zone,
        "StateMessage": snapshot.state_message,
    }
    present = {name: value for name, value in members.items() if value not in (None, "", [])}
    return present | {
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
    """DescribeSnapshotAttribute: show one attribute to the owner."""
    attribute = call.required("Attribute")
    snapshot = call.own_snapshot(call.required("SnapshotId"))
    if attribute == "productCodes":
        return {"SnapshotId": snapshot.snapshot_id, "ProductCodes": []}
    if attribute != "createVolumePermission":
        raise errors.invalid_value(attribute, "attribute", "Unknown attribute.")
    permissions = [
        {"Group": "all"} if principal == "all" else {"UserId": principal}
        for principal in sorted(snapshot.shared_with, reverse=True)
    ]
    return {"SnapshotId": snapshot.snapshot_id, "CreateVolumePermissions": permissions}


def modify_snapshot_attribute(call: Call) -> dict[str, Any]:
    """ModifySnapshotAttribute: add or remove permissions of accounts or the group ``all``, not both in one call."""
    snapshot = call.own_snapshot(call.required("SnapshotId"))
    given = call.params.get("CreateVolumePermission") or {}
    changes = {
        "add": [dict(item) for item in given.get("Add") or []],
        "remove": [dict(item) for item in given.get("Remove") or []],
    }
    listed = [{"UserId": user} for user in call.params.get("UserIds") or []]
    listed += [{"Group": group} for group in call.params.get("GroupNames") or []]
    # packer sends UserIds together with CreateVolumePermission, which contains them already.
    if listed and (call.params.get("OperationType") or not given):
        changes.setdefault(call.required("OperationType"), []).extend(listed)
    if call.params.get("Attribute") not in (None, "createVolumePermission"):
        raise errors.invalid_value(call.params["Attribute"], "attribute", "Only permissions can be modified.")
    if changes["add"] and changes["remove"]:
        raise errors.invalid_combination("You cannot both add and remove permissions in a single operation.")
    add, remove = (_principals(changes[name]) for name in ("add", "remove"))
    if not add and not remove:
        raise errors.missing_parameter("CreateVolumePermission")
    _check_sharing(call, snapshot, add - snapshot.shared_with)
    snapshot.shared_from |= call.seen_from(add - snapshot.shared_with)
    snapshot.shared_with |= add
    snapshot.shared_with -= remove
    _end_copies(call, snapshot)
    return {}


def _end_copies(call: Call, snapshot: Snapshot) -> None:
    """Let copies of the snapshot fail whose account may no longer use it, if that is how EC2 behaves."""
    if call.state.unconfirmed.unshared_source == "copied":
        return
    for copies in call.state.pending_copies.values():
        for copy in copies:
            is_reader = copy.account == snapshot.owner or not snapshot.shared_with.isdisjoint({"all", copy.account})
            if snapshot.snapshot_id in copy.sources and not is_reader and copy.failure is None:
                copy.failure = CopyFailure(at=call.now, code="Client.InternalError", message=copy_image.FAILED)


def _principals(items: list[dict[str, str]]) -> set[str]:
    if len(items) > 500:
        raise errors.invalid_combination("You can make up to 500 modifications to a snapshot in a single operation.")
    for item in items:
        if item.get("Group", "all") != "all":
            raise errors.invalid_value(item["Group"], "group", "The only valid value is all.")
        if "UserId" in item and not re.fullmatch(r"\d{12}", item["UserId"]):
            raise errors.Ec2Error("InvalidUserID.Malformed", f'Invalid user id: "{item["UserId"]}"')
    return {item.get("UserId") or item["Group"] for item in items}


def _check_sharing(call: Call, snapshot: Snapshot, added: set[str]) -> None:
    if not added:
        return
    for account in sorted(added & call.state.unconfirmed.closed_accounts):
        raise errors.Ec2Error("InvalidUserID.Malformed", f'Invalid user id: "{account}"')
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
    """ResetSnapshotAttribute: make the snapshot private."""
    if call.required("Attribute") != "createVolumePermission":
        raise errors.invalid_value(call.params["Attribute"], "attribute", "Only permissions can be reset.")
    snapshot = call.own_snapshot(call.required("SnapshotId"))
    snapshot.shared_with.clear()
    _end_copies(call, snapshot)
    return {}


def images_using(call: Call, snapshot: Snapshot) -> list[str]:
    """Return the ids of the images that use the snapshot, including disabled ones."""
    images = call.state.images[snapshot.region]
    return sorted(image_id for image_id in snapshot.used_by if image_id in images)


def delete_snapshot(call: Call) -> dict[str, Any]:
    """DeleteSnapshot: refuse it while an image uses the snapshot. A pending snapshot can be deleted."""
    snapshot = call.own_snapshot(call.required("SnapshotId"))
    using = images_using(call, snapshot)
    if using:
        raise errors.Ec2Error(
            "InvalidSnapshot.InUse",
            f"The snapshot {snapshot.snapshot_id} is currently in use by {', '.join(using)}",
        )
    delete(call, snapshot)
    return {}


def delete(call: Call, snapshot: Snapshot) -> None:
    """Delete the snapshot now, or mark it to disappear when its copy ends."""
    if snapshot.state == "pending" and call.state.unconfirmed.deleted_pending_snapshot_lingers:
        snapshot.deleted = True
    else:
        del call.state.snapshots[snapshot.region][snapshot.snapshot_id]


def copy_snapshot(call: Call) -> dict[str, Any]:
    """CopySnapshot: copy one snapshot, encrypted by the same rules as an image's."""
    region = call.required("SourceRegion")
    copy_image.check_source_region(call, region)
    encryption.check_parameters(call)
    requested_tags = tags.from_specifications(call, "snapshot")["snapshot"]
    call.state.advance(region)
    source = call.snapshot(call.required("SourceSnapshotId"), region)
    if source.state != "completed":
        raise errors.Ec2Error("IncorrectState", f"Snapshot is in invalid state - {source.state}, must be completed.")
    encryption.check_sources(call, [source])
    minutes = call.params.get("CompletionDurationMinutes")
    if minutes is not None:
        snapshot_copies.check_minutes(minutes, "completionDurationMinutes")
    copies = call.state.pending_copies[call.region]
    limit = call.settings.snapshot_copies_limit
    if sum(1 for copy in copies if not copy.image_id and copy.account == call.account) >= limit:
        raise errors.Ec2Error(
            "ResourceLimitExceeded",
            f"Too many snapshot copies in progress. The limit is {limit} for this destination region.",
        )
    copy = PendingCopy(account=call.account, started_at=call.now, available_at=call.now)
    snapshot_copies.reserve_throughput(call, copy, [source], minutes)
    encrypted = encryption.encryption_of_copy(call, source, caller_owns_source=source.owner == call.account)
    created = snapshot_copies.start(call, copy, source, encrypted, tags=requested_tags, minutes=minutes)
    created.listed_at = created.started_at = call.now
    created.description = call.params.get("Description") or ""
    if encrypted.key_unusable:
        at = call.now + timedelta(seconds=call.state.timing.key_checked_after)
        copy.failure = CopyFailure(at=at, code="", message="", snapshot_message=encryption.KEY_MESSAGE)
    copies.append(copy)
    return {"SnapshotId": created.snapshot_id, "Tags": tag_set(created.tags)}


def create_snapshot(call: Call) -> dict[str, Any]:
    """CreateSnapshot: create a completed snapshot at once, as the sandbox keeps no data of volumes."""
    volume = find_volume(call, call.required("VolumeId"))
    requested = tags.from_specifications(call, "snapshot")["snapshot"]
    return _created(call, of_volume(call, volume, call.params.get("Description") or "", requested))


def create_snapshots(call: Call) -> dict[str, Any]:
    """CreateSnapshots: create snapshots of all volumes of an instance, but those that the request excludes."""
    specification = call.required("InstanceSpecification")
    if not specification.get("InstanceId"):
        raise errors.missing_parameter("InstanceSpecification.InstanceId")
    instance = find_instance(call, specification["InstanceId"])
    excluded = set(specification.get("ExcludeDataVolumeIds") or [])
    unknown = excluded - {attached.volume.volume_id for attached in instance.volumes}
    if unknown:
        raise errors.volume_not_found(sorted(unknown)[0])
    chosen = [
        attached.volume
        for attached in instance.volumes
        if attached.volume.volume_id not in excluded
        and not (specification.get("ExcludeBootVolume") and attached.device == instance.root_device_name)
    ]
    requested = tags.from_specifications(call, "snapshot")["snapshot"]
    carries = call.params.get("CopyTagsFromSource") == "volume"
    created = []
    for volume in chosen:
        own = {key: value for key, value in volume.tags.items() if not key.lower().startswith("aws:")}
        merged = {**own, **requested} if carries else requested
        tags.check_count(merged)
        created.append(of_volume(call, volume, call.params.get("Description") or "", merged))
    return {"Snapshots": [_created(call, snapshot) for snapshot in created]}


def _created(call: Call, snapshot: Snapshot) -> dict[str, Any]:
    """Return a new snapshot as its creation shows it: with a list of tags even if there are none (AWS CLI examples)."""
    return {"Tags": [], **describe(call, snapshot)}


def find_volume(call: Call, volume_id: str) -> EbsVolume:
    """Return the caller's volume, or raise EC2's error for the id."""
    volume = call.state.others.volume(call.account, call.region, volume_id)
    if volume is None:
        raise errors.volume_not_found(volume_id)
    return volume


def find_instance(call: Call, instance_id: str) -> Instance:
    """Return the caller's instance, or raise EC2's error for the id."""
    instance = call.state.others.instance(call.account, call.region, instance_id)
    if instance is None:
        raise errors.Ec2Error("InvalidInstanceID.NotFound", f"The instance ID '{instance_id}' does not exist")
    return instance


def of_volume(call: Call, volume: EbsVolume, description: str, requested_tags: Mapping[str, str]) -> Snapshot:
    """Add a completed snapshot of a volume to the region. It is encrypted if the volume is, with the same key."""
    key_id = (volume.kms_key_id or encryption.default_key(call)) if volume.encrypted else ""
    key = encryption.find_key(call, key_id) if key_id else None
    snapshot = Snapshot(
        snapshot_id=call.state.new_id("snap"),
        region=call.region,
        owner=call.account,
        gib=volume.gib,
        started_at=call.now,
        listed_at=call.now,
        completed_at=call.now,
        description=description,
        volume_id=volume.volume_id,
        encrypted=volume.encrypted,
        kms_key_id=key.arn if key else key_id,
        aws_managed_key=bool(key and key.aws_managed),
        tags=dict(requested_tags),
    )
    call.state.snapshots[call.region][snapshot.snapshot_id] = snapshot
    return snapshot


_COLUMNS: dict[str, Any] = {
    "description": lambda row: [row.description],
    "encrypted": lambda row: [boolean_text(row.encrypted)],
    "owner-alias": lambda _row: [],
    "owner-id": lambda row: [row.owner],
    "progress": lambda row: [row.progress],
    "snapshot-id": lambda row: [row.snapshot_id],
    "start-time": lambda row: [row.started_at.strftime("%Y-%m-%dT%H:%M:%S.000Z")],
    "status": lambda row: [row.state],
    "storage-tier": lambda row: [row.storage_tier],
    "transfer-type": lambda row: [row.transfer_type] if row.transfer_type else [],
    "volume-id": lambda row: [row.volume_id],
    "volume-size": lambda row: [str(row.gib)],
}
