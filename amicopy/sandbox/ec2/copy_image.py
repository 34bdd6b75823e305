"""CopyImage: what is refused at the call, and what goes on inside EC2 after it was answered.

Refuses to check a KMS key at the call: EC2 does that later, and the copy fails then.
"""

import dataclasses
import json
import re
from datetime import timedelta
from typing import Any

from amicopy.sandbox.ec2 import encryption, errors, tags
from amicopy.sandbox.ec2 import snapshot_copies as transfers
from amicopy.sandbox.pending_copies import CopyJob, Ending
from amicopy.sandbox.records import Device, Image, Snapshot
from amicopy.sandbox.settings import REGIONS, partition_of
from amicopy.sandbox.state import Call

_FAILED = "Copy image failed with an internal error"  # hashicorp/packer#6737
_NAME = re.compile(r"[A-Za-z0-9()\[\]. \-/'@_]+")  # CreateImage's alphabet: wider than the error table's


def copy_image(call: Call) -> dict[str, Any]:
    """CopyImage: answer with the new image's id at once, and copy in the time to come."""
    name = checked_name(call.required("Name"))
    source_region, source_id = call.required("SourceRegion"), call.required("SourceImageId")
    _check_text(call)
    encryption.check_parameters(call)
    check_source_region(call, source_region)
    repeated = _repeated(call)
    if repeated:
        return {"ImageId": repeated}
    call.state.settle(source_region)
    source = _source(call, source_region, source_id)
    _check_destination(call)
    snapshots = _readable_snapshots(call, source)
    _check_room(call)
    image = _new_image(call, source, name)
    _kernel(call, source, image)
    job = _start(call, source, image, snapshots)
    call.state.images[call.region][image.image_id] = image
    call.state.jobs[call.region].append(job)
    _remember(call, image.image_id)
    return {"ImageId": image.image_id}


def checked_name(name: str) -> str:
    """Return the name, or refuse it; that it is taken is no reason: copies may share a name."""
    if 3 <= len(name) <= 128 and _NAME.fullmatch(name):
        return name
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
    """Refuse a source region that does not exist, or that lies in another partition."""
    if source_region not in REGIONS or partition_of(source_region) != partition_of(call.region):
        raise errors.Ec2Error("InvalidRegion", f"The region '{source_region}' is not valid as a source.")
    if not call.state.settings_of(call.account, source_region).opted_in:
        raise errors.Ec2Error("InvalidRegion", f"The region '{source_region}' is not enabled.")


def _fingerprint(call: Call) -> str:
    kept = {key: value for key, value in call.params.items() if key not in ("ClientToken", "DryRun")}
    return json.dumps(kept, sort_keys=True, default=str)


def _repeated(call: Call) -> str:
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
        raise errors.image_gone(image_id)
    return image_id


def _remember(call: Call, image_id: str) -> None:
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
    places = ("DestinationOutpostArn", "DestinationAvailabilityZone", "DestinationAvailabilityZoneId")
    given = [place for place in places if call.params.get(place)]
    minutes = call.params.get("SnapshotCopyCompletionDurationMinutes")
    if len(given) > 1:
        raise errors.combination(f"The parameters {' and '.join(given)} cannot be used together.")
    if given and minutes:
        raise errors.combination(f"The parameter SnapshotCopyCompletionDurationMinutes cannot be used with {given[0]}.")
    if minutes is not None:
        transfers.check_minutes(minutes, "snapshotCopyCompletionDurationMinutes")
    if given and call.params["SourceRegion"] != call.region:
        raise errors.combination(f"With {given[0]} the source must be in the parent Region, {call.region}.")
    zone = call.params.get("DestinationAvailabilityZone")
    if zone and not re.fullmatch(rf"{re.escape(call.region)}-[a-z]{{3}}-\d[a-z]", zone):
        raise errors.Ec2Error("InvalidParameterValue", f"Invalid Local Zone: [{zone}]")


def _readable_snapshots(call: Call, source: Image) -> list[Snapshot]:
    held = call.state.snapshots[source.region]
    found = []
    for snapshot_id in source.snapshot_ids:
        snapshot = held.get(snapshot_id)
        if snapshot is None or snapshot.state != "completed":
            raise errors.storage_not_ready()
        if snapshot.owner != call.account and snapshot.shared_with.isdisjoint({"all", call.account}):
            raise errors.storage_denied()
        found.append(snapshot)
    encryption.check_sources(call, found, instance_store=source.root_device_type == "instance-store")
    return found


def _check_room(call: Call) -> None:
    images = call.state.images[call.region]
    going_on = sum(1 for job in call.state.jobs[call.region] if job.account == call.account and job.image_id in images)
    limit = call.settings.image_copies_limit
    if going_on >= limit:  # the text is CopySnapshot's, adapted: EC2's own for images is not known
        raise errors.Ec2Error(
            "ResourceLimitExceeded",
            f"Too many image copies in progress. The limit is {limit} for this destination region.",
        )


def _new_image(call: Call, source: Image, name: str) -> Image:
    asked = tags.from_specifications(call, "image", "snapshot")["image"]
    carried: dict[str, str] = {}
    if call.params.get("CopyImageTags") and source.owner == call.account:
        carried = {key: value for key, value in source.tags.items() if not key.lower().startswith("aws:")}
    merged = {**carried, **asked}
    tags.within_limit(merged)
    keeps = call.state.unconfirmed.copy_keeps_deprecation
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
        product_codes=list(source.product_codes),
        location=f"{call.account}/{name}",
        source_image_id=source.image_id,
        source_image_region=source.region,
        source_instance_id="",
        deprecate_at=source.deprecate_at if keeps else None,
        protection="disabled",
        protected_until=None,
        last_launched_at=None,
        unseen_describes=0,
        flap_describes=0,
        shown_available=False,
    )


def _kernel(call: Call, source: Image, image: Image) -> None:
    """Give the copy the destination's kernel and RAM disk of the same making, or refuse."""
    if source.region == call.region:
        return
    there, here = (call.state.kernels.get(region, {}) for region in (source.region, call.region))
    for kind, old in (("AKI", source.kernel_id), ("ARI", source.ramdisk_id)):
        same = [kernel_id for kernel_id, made in here.items() if made == there.get(old)]
        pv_without = kind == "AKI" and source.virtualization_type == "paravirtual" and not here
        if not pv_without and (not old or same):
            if old and kind == "AKI":
                image.kernel_id = same[0]
            elif old:
                image.ramdisk_id = same[0]
        elif call.state.unconfirmed.missing_kernel == "refused":
            raise errors.Ec2Error("InvalidRequest", f"Failed to find matching {kind}")
        else:
            image.state_reason = ("Client.InvalidRequest", f"Failed to find matching {kind}")


def _start(call: Call, source: Image, image: Image, snapshots: list[Snapshot]) -> CopyJob:
    timing = call.state.timing
    job = CopyJob(
        account=call.account,
        image_id=image.image_id,
        begun_at=call.now,
        available_at=call.now + timedelta(seconds=call.state.vary(timing.copy_seconds)),
    )
    tagged = tags.from_specifications(call, "image", "snapshot")["snapshot"]
    minutes = call.params.get("SnapshotCopyCompletionDurationMinutes")
    transfers.reserve(call, job, snapshots, minutes)
    outcomes = [
        encryption.outcome(call, snapshot, owned_by_reader=source.owner == call.account) for snapshot in snapshots
    ]
    by_source = dict(zip(source.snapshot_ids, zip(snapshots, outcomes, strict=True), strict=True))
    for device, old in zip(image.devices, source.devices, strict=True):
        if not old.snapshot_id:
            continue
        snapshot, outcome = by_source[old.snapshot_id]
        made = transfers.new_snapshot(call, job, snapshot, outcome, tags=tagged, minutes=minutes)
        made.description = (
            f"Copied for DestinationAmi {image.image_id} from SourceAmi {source.image_id} for "
            f"SourceSnapshot {snapshot.snapshot_id}. "
            f"Task created on {int(call.now.timestamp() * 1000):,}."
        )
        made.used_by.add(image.image_id)
        _attach(device, made)
    _ending(call, job, image, [outcome for outcome in outcomes if outcome.broken])
    return job


def _attach(device: Device, snapshot: Snapshot) -> None:
    device.snapshot_id = snapshot.snapshot_id
    device.encrypted = snapshot.encrypted


def _ending(call: Call, job: CopyJob, image: Image, broken: list[encryption.Outcome]) -> None:
    at = call.now + timedelta(seconds=call.state.timing.key_checked_after)
    if broken:
        job.ending = Ending(
            at=at, code="Client.InternalError", message=_FAILED, snapshot_message=encryption.KEY_MESSAGE
        )
    elif image.state_reason:
        code, message = image.state_reason
        image.state_reason = None
        job.ending = Ending(at=at, code=code, message=message)
