"""RunInstances and CreateVolume: what EC2 refuses about the image and the snapshots, and what it takes from them.

moto has the instances and volumes. It gets requests that these functions have checked and completed.
"""

from collections.abc import Mapping
from typing import Any

from amicopy.sandbox.ec2 import encryption, errors
from amicopy.sandbox.records import Device, Image, Snapshot
from amicopy.sandbox.state import Call

_IOPS_TYPES = ("io1", "io2")


def run_instances(call: Call) -> dict[str, Any]:
    """Return the parameters of a RunInstances with a mapping for each volume that the image's snapshots make."""
    template = call.state.others.launch_template(call.account, call.region, call.params.get("LaunchTemplate") or {})
    image = launchable(call, _image_id(call, template))
    _check_architecture(call, image, call.params.get("InstanceType") or template.get("InstanceType") or "")
    requested = {
        mapping.get("DeviceName"): mapping
        for source in (template, call.params)
        for mapping in source.get("BlockDeviceMappings") or []
    }
    snapshots = call.state.snapshots[call.region]
    of_image = {snapshot_id: snapshots[snapshot_id] for snapshot_id in image.snapshot_ids if snapshot_id in snapshots}
    mappings = []
    for device in image.devices:
        mapping = requested.pop(device.name, {})
        if device.is_ebs and "NoDevice" not in mapping:
            ebs = _ebs(call, _of_device(device) | (mapping.get("Ebs") or {}), of_image)
            mappings.append({"DeviceName": device.name, "Ebs": ebs})
    mappings += [
        {**mapping, "Ebs": _ebs(call, mapping["Ebs"], of_image)}
        for mapping in requested.values()
        if mapping.get("Ebs") and "NoDevice" not in mapping
    ]
    completed = {**call.params, "ImageId": image.image_id}
    return {**completed, "BlockDeviceMappings": mappings} if mappings else completed


def _image_id(call: Call, template: Mapping[str, Any]) -> str:
    """Return the image id of the request or of its launch template; either may name a parameter."""
    image_id = str(call.params.get("ImageId") or template.get("ImageId") or "")
    if not image_id:
        raise errors.missing_parameter("ImageId")
    if not image_id.startswith("resolve:ssm:"):
        return image_id
    name = image_id.removeprefix("resolve:ssm:")
    value = call.state.others.parameter(call.account, call.region, name)
    if not value:
        raise errors.invalid_value(image_id, "imageId", "The parameter does not exist.")
    return value


def launchable(call: Call, image_id: str) -> Image:
    """Return an image that the caller can launch, or raise RunInstances' error for the id."""
    try:
        image = call.image(image_id)
    except errors.Ec2Error as error:
        if error.code != "InvalidAMIID.NotFound":
            raise
        raise errors.Ec2Error(error.code, f"The AMI ID '{image_id}' does not exist") from None
    if image.state != "available":
        raise errors.image_unavailable(image_id, image.state)
    return image


def _check_architecture(call: Call, image: Image, instance_type: str) -> None:
    architectures = call.state.others.architectures(instance_type) if instance_type else ()
    if architectures and image.architecture not in architectures:
        raise errors.Ec2Error(
            "InvalidParameterValue",
            f"The architecture '{','.join(architectures)}' of the specified instance type does not match the "
            f"architecture '{image.architecture}' of the specified AMI. Specify an instance type and an AMI that have "
            "matching architectures, and try again.",
        )


def _of_device(device: Device) -> dict[str, Any]:
    ebs = {
        "SnapshotId": device.snapshot_id or None,
        "VolumeSize": device.gib,
        # moto launches no volumes with provisioned IOPS.
        "VolumeType": "gp3" if device.volume_type in _IOPS_TYPES else device.volume_type or None,
        "DeleteOnTermination": device.delete_on_termination,
        "Encrypted": device.encrypted or None,
    }
    return {name: value for name, value in ebs.items() if value is not None}


def create_volume(call: Call) -> dict[str, Any]:
    """Return the parameters of a CreateVolume with the encryption that the region and the snapshot require."""
    return _ebs(call, call.params, {})


def _ebs(call: Call, ebs: Mapping[str, Any], of_image: Mapping[str, Snapshot]) -> dict[str, Any]:
    """Return a volume's parameters with the encryption that its snapshot or the region decides.

    Whoever can launch an image can use its snapshots, ``of_image``, even if they aren't shared.
    """
    completed = dict(ebs)
    if ebs.get("SnapshotId"):
        snapshot = of_image.get(ebs["SnapshotId"]) or call.snapshot(ebs["SnapshotId"])
        if snapshot.state != "completed":
            raise errors.Ec2Error(
                "IncorrectState", f"The snapshot {snapshot.snapshot_id} is not in the 'completed' state."
            )
        size = completed.get("VolumeSize", completed.get("Size"))
        if size is not None and size < snapshot.gib:
            raise errors.Ec2Error(
                "InvalidParameterValue",
                f"Volume of size {size}GB is smaller than snapshot '{snapshot.snapshot_id}', "
                f"expect size >= {snapshot.gib}GB",
            )
        if snapshot.encrypted:
            completed["Encrypted"] = True
            if snapshot.owner == call.account:
                completed.setdefault("KmsKeyId", snapshot.kms_key_id)
    if call.settings.encryption_by_default:
        completed["Encrypted"] = True
    if completed.get("Encrypted"):
        key_id = completed.get("KmsKeyId") or encryption.default_key(call)
        key = encryption.find_key(call, key_id)
        completed["KmsKeyId"] = key.arn if key else key_id
    return completed
