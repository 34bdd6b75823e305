"""CreateImage: an image of an instance, with a snapshot of each of its volumes."""

import dataclasses
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from amicopy.sandbox.ec2 import copy_image, errors, image_lifecycle, snapshots, tags
from amicopy.sandbox.other_resources import AttachedVolume, Instance
from amicopy.sandbox.pending_copies import PendingCopy, Transfer
from amicopy.sandbox.records import Device, Image, Snapshot
from amicopy.sandbox.state import Call


def create_image(call: Call) -> dict[str, Any]:
    """CreateImage: return the new image's id at once; its snapshots take as long as those of a copy."""
    instance_id, name = call.required("InstanceId"), call.required("Name")
    copy_image.check_name(name)
    requested = tags.from_specifications(call, "image", "snapshot")
    instance = snapshots.find_instance(call, instance_id)
    if instance.state not in ("running", "stopped"):
        raise errors.Ec2Error(
            "IncorrectState", f"The instance '{instance_id}' is not in a valid state: {instance.state}"
        )
    image_lifecycle.check_unused_name(call, name)
    image = _image(call, instance, name, requested["image"])
    copy = PendingCopy(
        account=call.account,
        image_id=image.image_id,
        from_instance=True,
        started_at=call.now,
        available_at=call.now + timedelta(seconds=call.state.vary(call.state.timing.copy_seconds)),
    )
    image.devices = _devices(call, instance, image, copy, requested["snapshot"])
    call.state.images[call.region][image.image_id] = image
    call.state.pending_copies[call.region].append(copy)
    return {"ImageId": image.image_id}


def _image(call: Call, instance: Instance, name: str, requested_tags: Mapping[str, str]) -> Image:
    """Return the new image: it has the attributes of the image that the instance was launched from."""
    images, deregistered = call.state.images[call.region], call.state.deregistered[call.region]
    base = images.get(instance.image_id) or deregistered.get(instance.image_id)
    created = Image(
        image_id=call.state.new_id("ami"),
        region=call.region,
        owner=call.account,
        visible_at=call.now + timedelta(seconds=call.state.timing.visible_after),
        name=name,
        description=call.params.get("Description") or None,
        created_at=call.now,
        state="pending",
        architecture=instance.architecture,
        virtualization_type=instance.virtualization_type,
        platform=instance.platform,
        kernel_id=instance.kernel_id,
        root_device_name=instance.root_device_name,
        tags=dict(requested_tags),
        location=f"{call.account}/{name}",
        source_image_id=instance.image_id,
        source_image_region=call.region if instance.image_id else "",
        source_instance_id=instance.instance_id,
    )
    if base is None:
        return created
    return dataclasses.replace(
        created,
        hypervisor=base.hypervisor,
        platform_details=base.platform_details,
        usage_operation=base.usage_operation,
        boot_mode=call.params.get("BootModeOverride") or base.boot_mode,
        ena=base.ena,
        sriov=base.sriov,
        tpm=base.tpm,
        imds=base.imds,
        uefi_data=base.uefi_data,
        ramdisk_id=base.ramdisk_id,
        product_codes=list(base.product_codes),
    )


def _devices(
    call: Call, instance: Instance, image: Image, copy: PendingCopy, snapshot_tags: Mapping[str, str]
) -> list[Device]:
    """Return the devices of the instance's volumes, as the request's mappings change them, and those added."""
    mappings = {mapping.get("DeviceName"): mapping for mapping in call.params.get("BlockDeviceMappings") or []}
    devices = []
    for attached in instance.volumes:
        mapping = mappings.pop(attached.device, {})
        if "NoDevice" in mapping:
            continue
        ebs = mapping.get("Ebs") or {}
        if "Encrypted" in ebs and ebs["Encrypted"] != attached.volume.encrypted:
            raise errors.invalid_value(
                str(ebs["Encrypted"]).lower(), "encrypted", "The encryption status of an existing volume can't change."
            )
        snapshot = _snapshot(call, instance, image, copy, attached, snapshot_tags)
        devices.append(
            Device(
                name=attached.device,
                snapshot_id=snapshot.snapshot_id,
                gib=attached.volume.gib,
                volume_type=ebs.get("VolumeType") or attached.volume.volume_type,
                delete_on_termination=ebs.get("DeleteOnTermination", attached.delete_on_termination),
                iops=ebs.get("Iops") or attached.volume.iops,
                throughput=ebs.get("Throughput") or attached.volume.throughput,
                encrypted=snapshot.encrypted,
            )
        )
    added = [image_lifecycle.device_of(call, mapping) for mapping in mappings.values() if "NoDevice" not in mapping]
    for device in added:
        if device.snapshot_id:
            call.state.snapshots[call.region][device.snapshot_id].used_by.add(image.image_id)
    return devices + added


def _snapshot(
    call: Call,
    instance: Instance,
    image: Image,
    copy: PendingCopy,
    attached: AttachedVolume,
    snapshot_tags: Mapping[str, str],
) -> Snapshot:
    """Start a snapshot of the volume as part of the image's creation."""
    timing = call.state.timing
    description = f"Created by CreateImage({instance.instance_id}) for {image.image_id}"
    snapshot = snapshots.of_volume(call, attached.volume, description, snapshot_tags)
    seconds = call.state.vary(timing.copy_seconds + attached.volume.gib * timing.seconds_per_gib)
    ends_at = call.now + timedelta(seconds=seconds)
    snapshot.state, snapshot.progress, snapshot.completed_at = "pending", "", None
    snapshot.used_by.add(image.image_id)
    copy.transfers.append(Transfer(snapshot_id=snapshot.snapshot_id, starts_at=call.now, ends_at=ends_at))
    copy.available_at = max(copy.available_at, ends_at + timedelta(seconds=timing.finishing_seconds))
    return snapshot
