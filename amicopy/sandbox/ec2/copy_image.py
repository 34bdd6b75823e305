"""CopyImage: what the call refuses, and how the copy that it starts is going to end.

The call doesn't check the KMS key. As in EC2, a copy with an unusable key starts and then fails.
"""

import dataclasses
import json
import re
from datetime import timedelta
from typing import Any

from amicopy.sandbox.ec2 import encryption, errors, snapshot_copies, tags
from amicopy.sandbox.pending_copies import CopyFailure, PendingCopy
from amicopy.sandbox.records import Image, Snapshot
from amicopy.sandbox.settings import partition_of
from amicopy.sandbox.state import Call

FAILED = "Copy image failed with an internal error"  # hashicorp/packer#6737
_NAME = re.compile(r"[A-Za-z0-9()\[\]. \-/'@_]+")  # CreateImage's alphabet: wider than the one in the error table


def copy_image(call: Call) -> dict[str, Any]:
    """CopyImage: return the new image's id at once; the copy itself takes time."""
    name = call.required("Name")
    check_name(name)
    source_region, source_id = call.required("SourceRegion"), call.required("SourceImageId")
    _check_text(call)
    encryption.check_parameters(call)
    check_source_region(call, source_region)
    earlier_id = _image_of_token(call)
    if earlier_id:
        return {"ImageId": earlier_id}
    call.state.advance(source_region)
    source = _source(call, source_region, source_id)
    _check_destination(call)
    snapshots = _readable_snapshots(call, source)
    _check_copies_in_progress(call)
    image = _new_image(call, source, name)
    _set_kernel(call, source, image)
    copy = _start(call, source, image, snapshots)
    call.state.images[call.region][image.image_id] = image
    call.state.pending_copies[call.region].append(copy)
    for effect in call.state.faults.take_copy_effects(call.operation, call.region):
        effect.apply(copy, image)
    _remember_token(call, image.image_id)
    return {"ImageId": image.image_id}


def check_name(name: str) -> None:
    """Refuse a malformed image name. Whether it is in use doesn't matter: copies may share a name."""
    if not 3 <= len(name) <= 128 or not _NAME.fullmatch(name):
        raise errors.Ec2Error(
            "InvalidAMIName.Malformed",
            "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, "
            "'(', ')', '.', '-', '/' and '_'",
        )


def _check_text(call: Call) -> None:
    if len(call.params.get("Description") or "") > 255:
        raise errors.invalid_value("...", "description", "Length exceeds the maximum of 255.")
    if len(call.params.get("ClientToken") or "") > 64:
        raise errors.invalid_value("...", "clientToken", "Length exceeds the maximum of 64.")


def check_source_region(call: Call, source_region: str) -> None:
    """Refuse a source region that doesn't exist, is in another partition, or isn't enabled."""
    if source_region not in call.state.regions or partition_of(source_region) != partition_of(call.region):
        raise errors.Ec2Error("InvalidRegion", f"The region '{source_region}' is not valid as a source.")
    if not call.state.settings_of(call.account, source_region).opted_in:
        raise errors.Ec2Error("InvalidRegion", f"The region '{source_region}' is not enabled.")


def _fingerprint(call: Call) -> str:
    kept = {key: value for key, value in call.params.items() if key not in ("ClientToken", "DryRun")}
    return json.dumps(kept, sort_keys=True, default=str)


def _image_of_token(call: Call) -> str:
    token = call.params.get("ClientToken")
    if not token:
        return ""
    known = call.state.tokens.get((call.account, call.region, token))
    if known is None:
        return ""
    fingerprint, image_id = known
    if fingerprint != _fingerprint(call):
        raise errors.Ec2Error(
            "IdempotentParameterMismatch",
            "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
        )
    if image_id not in call.state.images[call.region] and call.state.unconfirmed.dead_token != "same-id":  # noqa: S105
        raise errors.image_deregistered(image_id)
    return image_id


def _remember_token(call: Call, image_id: str) -> None:
    token = call.params.get("ClientToken")
    if token:
        call.state.tokens[call.account, call.region, token] = (_fingerprint(call), image_id)


def _source(call: Call, region: str, image_id: str) -> Image:
    source = call.image(image_id, region)
    if source.state in ("pending", "transient"):
        raise errors.storage_not_ready()
    if source.state == "disabled" and call.state.unconfirmed.copy_of_disabled == "accepted":
        return source
    if source.state != "available":
        raise errors.image_unavailable(image_id, source.state)
    if source.owner != call.account and any(kind == "marketplace" for _, kind in source.product_codes):
        raise errors.storage_denied()
    return source


def _check_destination(call: Call) -> None:
    parameters = ("DestinationOutpostArn", "DestinationAvailabilityZone", "DestinationAvailabilityZoneId")
    given = [name for name in parameters if call.params.get(name)]
    minutes = call.params.get("SnapshotCopyCompletionDurationMinutes")
    if len(given) > 1:
        raise errors.invalid_combination(f"The parameters {' and '.join(given)} cannot be used together.")
    if given and minutes:
        raise errors.invalid_combination(
            f"The parameter SnapshotCopyCompletionDurationMinutes cannot be used with {given[0]}."
        )
    if minutes is not None:
        snapshot_copies.check_minutes(minutes, "snapshotCopyCompletionDurationMinutes")
    if given and call.params["SourceRegion"] != call.region:
        raise errors.invalid_combination(f"With {given[0]} the source must be in the parent Region, {call.region}.")
    zone = call.params.get("DestinationAvailabilityZone")
    if zone and not re.fullmatch(rf"{re.escape(call.region)}-[a-z]{{3}}-\d[a-z]", zone):
        raise errors.Ec2Error("InvalidParameterValue", f"Invalid Local Zone: [{zone}]")


def _readable_snapshots(call: Call, source: Image) -> list[Snapshot]:
    in_region = call.state.snapshots[source.region]
    readable = []
    for snapshot_id in source.snapshot_ids:
        snapshot = in_region.get(snapshot_id)
        if snapshot is None or snapshot.state != "completed":
            raise errors.storage_not_ready()
        if not call.may_read(snapshot):
            raise errors.storage_denied()
        readable.append(snapshot)
    encryption.check_sources(call, readable, instance_store=source.root_device_type == "instance-store")
    return readable


def _check_copies_in_progress(call: Call) -> None:
    images, copies = call.state.images[call.region], call.state.pending_copies[call.region]
    in_progress = sum(
        1 for copy in copies if copy.account == call.account and copy.image_id in images and not copy.from_instance
    )
    limit = call.settings.image_copies_limit
    if in_progress >= limit:  # CopySnapshot's text, adapted: EC2's own for images is not known
        raise errors.Ec2Error(
            "ResourceLimitExceeded",
            f"Too many image copies in progress. The limit is {limit} for this destination region.",
        )


def _new_image(call: Call, source: Image, name: str) -> Image:
    requested = tags.from_specifications(call, "image", "snapshot")["image"]
    carried: dict[str, str] = {}
    if call.params.get("CopyImageTags") and source.owner == call.account:
        carried = {key: value for key, value in source.tags.items() if not key.lower().startswith("aws:")}
    merged = {**carried, **requested}
    tags.check_count(merged)
    keeps_types = call.state.unconfirmed.copy_keeps_instance_types
    keeps_deprecation = call.state.unconfirmed.copy_keeps_deprecation
    return dataclasses.replace(
        source,
        image_id=call.state.new_id("ami"),
        region=call.region,
        owner=call.account,
        owner_alias="",
        visible_at=call.now + timedelta(seconds=call.state.timing.visible_after),
        name=name,
        description=call.params.get("Description") or None,
        created_at=call.now,
        state="pending",
        state_reason=None,
        devices=[dataclasses.replace(device, snapshot_id="") for device in source.devices],
        tags=merged,
        tags_by_others={},
        launch_permissions=set(),
        shared_from={},
        product_codes=list(source.product_codes),
        watermarks=list(source.watermarks),
        supported_instance_types=list(source.supported_instance_types) if keeps_types else [],
        unsupported_instance_types=list(source.unsupported_instance_types) if keeps_types else [],
        location=f"{call.account}/{name}",
        source_image_id=source.image_id,
        source_image_region=source.region,
        source_instance_id="",
        deprecate_at=source.deprecate_at if keeps_deprecation else None,
        protection="disabled",
        protected_until=None,
        last_launched_at=None,
        unseen_describes=0,
        flap_describes=0,
        shown_available=False,
    )


def _set_kernel(call: Call, source: Image, image: Image) -> None:
    """Give the copy the destination's kernel and RAM disk of the same name; refuse or fail it if there are none."""
    if source.region == call.region:
        return
    there, here = (call.state.kernels.get(region, {}) for region in (source.region, call.region))
    for kind, source_id in (("AKI", source.kernel_id), ("ARI", source.ramdisk_id)):
        matching = [kernel_id for kernel_id, name in here.items() if name == there.get(source_id)]
        no_kernels = kind == "AKI" and source.virtualization_type == "paravirtual" and not here
        if not no_kernels and (not source_id or matching):
            if source_id and kind == "AKI":
                image.kernel_id = matching[0]
            elif source_id:
                image.ramdisk_id = matching[0]
        elif call.state.unconfirmed.missing_kernel == "refused":
            raise errors.Ec2Error("InvalidRequest", f"Failed to find matching {kind}")
        else:
            image.state_reason = ("Client.InvalidRequest", f"Failed to find matching {kind}")


def _start(call: Call, source: Image, image: Image, snapshots: list[Snapshot]) -> PendingCopy:
    timing = call.state.timing
    copy = PendingCopy(
        account=call.account,
        image_id=image.image_id,
        started_at=call.now,
        available_at=call.now + timedelta(seconds=call.state.vary(timing.copy_seconds)),
    )
    snapshot_tags = tags.from_specifications(call, "image", "snapshot")["snapshot"]
    minutes = call.params.get("SnapshotCopyCompletionDurationMinutes")
    snapshot_copies.reserve_throughput(call, copy, snapshots, minutes)
    encryptions = [
        encryption.encryption_of_copy(call, snapshot, caller_owns_source=source.owner == call.account)
        for snapshot in snapshots
    ]
    by_source = dict(zip(source.snapshot_ids, zip(snapshots, encryptions, strict=True), strict=True))
    for device, source_device in zip(image.devices, source.devices, strict=True):
        if not source_device.snapshot_id:
            continue
        snapshot, encrypted = by_source[source_device.snapshot_id]
        created = snapshot_copies.start(call, copy, snapshot, encrypted, tags=snapshot_tags, minutes=minutes)
        created.description = (
            f"Copied for DestinationAmi {image.image_id} from SourceAmi {source.image_id} for "
            f"SourceSnapshot {snapshot.snapshot_id}. "
            f"Task created on {int(call.now.timestamp() * 1000):,}."
        )
        created.used_by.add(image.image_id)
        device.snapshot_id, device.encrypted = created.snapshot_id, created.encrypted
    copy.failure = _failure(call, image, key_unusable=any(item.key_unusable for item in encryptions))
    return copy


def _failure(call: Call, image: Image, *, key_unusable: bool) -> CopyFailure | None:
    at = call.now + timedelta(seconds=call.state.timing.key_checked_after)
    if key_unusable:
        return CopyFailure(at=at, code="Client.InternalError", message=FAILED, snapshot_message=encryption.KEY_MESSAGE)
    if image.state_reason:
        code, message = image.state_reason
        image.state_reason = None
        return CopyFailure(at=at, code=code, message=message)
    return None
