"""An image's lifecycle: register, deregister, protect, deprecate, disable."""

from datetime import UTC, datetime, timedelta
from typing import Any

from amicopy.sandbox.ec2 import copy_image, errors, snapshots, tags
from amicopy.sandbox.records import Device, Image
from amicopy.sandbox.settings import ec2_arn
from amicopy.sandbox.state import Call

COOLDOWN = timedelta(hours=24)


def deregister_image(call: Call) -> dict[str, Any]:
    """DeregisterImage: also stops a pending copy. Snapshots are kept unless the request deletes them too."""
    image = call.own_image(call.required("ImageId"))
    _check_protection(call, image)
    del call.state.images[call.region][image.image_id]
    image.state = "deregistered"
    call.state.deregistered[call.region][image.image_id] = image
    days = call.state.settings_of(call.account, call.region).image_retention_days
    if days and not call.params.get("DeleteAssociatedSnapshots"):
        call.state.recycled[call.region][image.image_id] = call.now + timedelta(days=days)
    response: dict[str, Any] = {"Return": True}
    if call.params.get("DeleteAssociatedSnapshots"):
        results = [_delete_snapshot(call, snapshot_id) for snapshot_id in dict.fromkeys(image.snapshot_ids)]
        response["DeleteSnapshotResults"] = [result for result in results if result]
    return response


def list_recycle_bin(call: Call) -> dict[str, Any]:
    """ListImagesInRecycleBin: the account's deregistered images that a retention rule keeps."""
    kept = call.state.recycled[call.region]
    found = (call.state.deregistered[call.region][image_id] for image_id, until in kept.items() if call.now < until)
    return {
        "Images": [
            {"ImageId": image.image_id, "Name": image.name or "", "RecycleBinExitTime": kept[image.image_id]}
            for image in found
            if image.owner == call.account
        ]
    }


def restore_from_recycle_bin(call: Call) -> dict[str, Any]:
    """RestoreImageFromRecycleBin: make the image available again, if its snapshots are there."""
    image_id = call.required("ImageId")
    until = call.state.recycled[call.region].get(image_id)
    if until is None or call.now >= until:
        raise errors.image_not_found(image_id)
    image = call.state.deregistered[call.region][image_id]
    for snapshot_id in image.snapshot_ids:
        call.snapshot(snapshot_id)
    del call.state.recycled[call.region][image_id], call.state.deregistered[call.region][image_id]
    image.state = "available"
    call.state.images[call.region][image_id] = image
    return {"Return": True}


def _delete_snapshot(call: Call, snapshot_id: str) -> dict[str, str]:
    snapshot = call.state.snapshots[call.region].get(snapshot_id)
    # A snapshot that EC2 hasn't created yet isn't deleted: it appears later, without an image.
    if snapshot is None or call.now < snapshot.listed_at:
        return {}
    if not call.is_allowed("ec2:DeleteSnapshot", ec2_arn(call.region, "snapshot", snapshot_id)):
        return {"SnapshotId": snapshot_id, "ReturnCode": "missing-permissions"}
    if snapshot.owner != call.account:
        return {"SnapshotId": snapshot_id, "ReturnCode": "client-error"}
    if snapshots.images_using(call, snapshot):
        return {"SnapshotId": snapshot_id, "ReturnCode": "skipped"}
    snapshots.delete(call, snapshot)
    return {"SnapshotId": snapshot_id, "ReturnCode": "success"}


def _check_protection(call: Call, image: Image) -> None:
    cooling = image.protected_until is not None and call.now < image.protected_until
    if image.protection.startswith("enabled") or cooling:
        # EC2's message is not known; the code is that of EC2's other refusals by policy.
        raise errors.Ec2Error(
            "OperationNotPermitted",
            f"The image '{image.image_id}' has deregistration protection and can't be deregistered.",
        )


def enable_protection(call: Call) -> dict[str, Any]:
    """EnableImageDeregistrationProtection: with a cooldown, protection lasts 24 hours after it is disabled."""
    image = call.own_image(call.required("ImageId"))
    cooldown = call.params.get("WithCooldown")
    image.protection = "enabled-with-cooldown" if cooldown else "enabled-without-cooldown"
    image.protected_until = None
    return {"Return": image.protection}


def disable_protection(call: Call) -> dict[str, Any]:
    """DisableImageDeregistrationProtection: end the protection, at once or after its cooldown."""
    image = call.own_image(call.required("ImageId"))
    if image.protection == "enabled-with-cooldown":
        image.protected_until = call.now + COOLDOWN
        image.protection = f"disabled after {image.protected_until:%Y-%m-%dT%H:%M:%S.000Z}"
    elif image.protected_until is None:
        image.protection = "disabled"
    return {"Return": image.protection}


def enable_deprecation(call: Call) -> dict[str, Any]:
    """EnableImageDeprecation: set the date, without its seconds. It can't be past or over ten years ahead.

    That of a public image can't be over two years after its creation.
    """
    image = call.own_image(call.required("ImageId"))
    moment = call.required("DeprecateAt")
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).replace(second=0, microsecond=0)
    # The EC2 guide: "You can't specify a date in the past". The code is the one for other invalid values.
    if moment + timedelta(minutes=1) <= call.now:
        raise errors.invalid_value(moment.isoformat(), "DeprecateAt", "The date cannot be in the past.")
    if moment > call.now + timedelta(days=3653):
        raise errors.invalid_value(moment.isoformat(), "DeprecateAt", "The limit is 10 years from now.")
    if image.public and moment > (image.created_at or call.now) + timedelta(days=731):
        raise errors.invalid_value(
            moment.isoformat(), "DeprecateAt", "The limit for public AMIs is 2 years from the creation date."
        )
    image.deprecate_at = moment
    return {"Return": True}


def disable_deprecation(call: Call) -> dict[str, Any]:
    """DisableImageDeprecation: remove the deprecation date."""
    call.own_image(call.required("ImageId")).deprecate_at = None
    return {"Return": True}


def disable_image(call: Call) -> dict[str, Any]:
    """DisableImage: also removes all launch permissions, which EnableImage doesn't restore."""
    image = call.own_image(call.required("ImageId"))
    if image.state not in ("available", "disabled"):
        raise errors.image_unavailable(image.image_id, image.state)
    image.state = "disabled"
    image.launch_permissions.clear()
    return {"Return": True}


def enable_image(call: Call) -> dict[str, Any]:
    """EnableImage: make a disabled image available again."""
    image = call.own_image(call.required("ImageId"))
    if image.state not in ("available", "disabled"):
        raise errors.image_unavailable(image.image_id, image.state)
    image.state = "available"
    return {"Return": True}


def register_image(call: Call) -> dict[str, Any]:
    """RegisterImage: create an image from snapshots. Unlike in CopyImage, the name must not be in use."""
    name = call.required("Name")
    copy_image.check_name(name)
    check_unused_name(call, name)
    mappings = call.params.get("BlockDeviceMappings") or []
    if not mappings and not call.params.get("ImageLocation"):
        raise errors.missing_parameter("BlockDeviceMappings")
    image = Image(
        image_id=call.state.new_id("ami"),
        region=call.region,
        owner=call.account,
        visible_at=call.now,
        name=name,
        description=call.params.get("Description") or None,
        created_at=call.now,
        architecture=call.params.get("Architecture") or "i386",
        virtualization_type=call.params.get("VirtualizationType") or "paravirtual",
        root_device_type="ebs" if mappings else "instance-store",
        root_device_name=call.params.get("RootDeviceName") or "/dev/sda1",
        devices=[device_of(call, mapping) for mapping in mappings],
        tags=tags.from_specifications(call, "image")["image"],
        boot_mode=call.params.get("BootMode") or "",
        ena=bool(call.params.get("EnaSupport")),
        sriov=call.params.get("SriovNetSupport") or "",
        tpm=call.params.get("TpmSupport") or "",
        imds=call.params.get("ImdsSupport") or "",
        uefi_data=call.params.get("UefiData") or "",
        kernel_id=call.params.get("KernelId") or "",
        ramdisk_id=call.params.get("RamdiskId") or "",
        location=call.params.get("ImageLocation") or "",
    )
    for snapshot_id in image.snapshot_ids:
        call.state.snapshots[call.region][snapshot_id].used_by.add(image.image_id)
    call.state.images[call.region][image.image_id] = image
    return {"ImageId": image.image_id}


def check_unused_name(call: Call, name: str) -> None:
    """Refuse a name that another image of the account has in the region. CopyImage doesn't check it."""
    for other in call.state.images[call.region].values():
        if other.owner == call.account and other.name == name:
            raise errors.Ec2Error(
                "InvalidAMIName.Duplicate", f"AMI name {name} is already in use by AMI {other.image_id}"
            )


def device_of(call: Call, mapping: dict[str, Any]) -> Device:
    """Return the device that a block device mapping of a request describes."""
    name, ebs = mapping.get("DeviceName") or "", mapping.get("Ebs") or {}
    if mapping.get("VirtualName"):
        return Device(name=name, virtual_name=mapping["VirtualName"])
    if "NoDevice" in mapping:
        return Device(name=name, no_device=True)
    snapshot = call.snapshot(ebs["SnapshotId"]) if ebs.get("SnapshotId") else None
    if snapshot is None and not ebs.get("VolumeSize"):
        raise errors.missing_parameter("size or snapshotId")
    if snapshot is not None and snapshot.state != "completed":
        raise errors.Ec2Error("IncorrectState", f"The snapshot {snapshot.snapshot_id} is not in the 'completed' state.")
    return Device(
        name=name,
        snapshot_id=snapshot.snapshot_id if snapshot else "",
        gib=ebs.get("VolumeSize") or (snapshot.gib if snapshot else None),
        volume_type=ebs.get("VolumeType") or "standard",
        delete_on_termination=ebs.get("DeleteOnTermination", True),
        iops=ebs.get("Iops"),
        throughput=ebs.get("Throughput"),
        encrypted=snapshot.encrypted if snapshot else bool(ebs.get("Encrypted")),
    )
