"""Operations that read images: DescribeImages, DescribeImageAttribute and GetImageAncestry."""

import zlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

from amicopy.sandbox.ec2 import errors
from amicopy.sandbox.ec2.filters import apply_filters, boolean_text, paginate, refuse_pages_of_ids
from amicopy.sandbox.ec2.tags import tag_set, tags_of
from amicopy.sandbox.records import Device, Image, Watermark
from amicopy.sandbox.state import Call

_ALIASES = ("amazon", "aws-marketplace", "aws-backup-vault")


def describe_images(call: Call) -> dict[str, Any]:
    """DescribeImages: list the images that the caller can see, by id, owner, permission and filter."""
    refuse_pages_of_ids(call, "ImageIds")
    _check_owners(call)
    _count_down_unseen(call)
    rows = _by_id(call) if call.params.get("ImageIds") else _all(call)
    rows = [image for image in rows if _listed(call, image)]
    for parameter, matches in (("Owners", _owned_by), ("ExecutableUsers", _executable_by)):
        values = call.params.get(parameter)
        if values:
            rows = [image for image in rows if any(matches(call, image, value) for value in values)]
    states = {image.image_id: _shown_state(image) for image in rows}
    columns = {**_COLUMNS, "state": lambda image: [states[image.image_id]]}
    kept = apply_filters(
        call.params.get("Filters"), rows, columns=columns, tags=lambda image: tags_of(image, call.account)
    )
    response = paginate(call, kept, key="Images")
    response["Images"] = [_describe(call, image, states[image.image_id]) for image in response["Images"]]
    return response


def _count_down_unseen(call: Call) -> None:
    for image in call.state.images[call.region].values():
        if image.unseen_describes and image.owner == call.account:
            image.unseen_describes -= 1
            if image.unseen_describes == 0:
                image.visible_at = call.now


def _all(call: Call) -> list[Image]:
    return [image for image in call.state.images[call.region].values() if call.sees(image)]


def _by_id(call: Call) -> list[Image]:
    found, unknown = [], []
    for image_id in dict.fromkeys(call.params["ImageIds"]):
        try:
            found.append(call.image(image_id))
        except errors.Ec2Error as refusal:
            if refusal.code == "InvalidAMIID.Malformed":
                raise
            # The id of a deregistered image returns no entry and no error: boto/botocore#2194.
            if refusal.code == "InvalidAMIID.NotFound" and not _too_new(call, image_id):
                unknown.append(image_id)
    if unknown:
        raise errors.image_not_found(*unknown)
    return found


def _too_new(call: Call, image_id: str) -> bool:
    """Return True if the image exists and its id returns an empty list for now, instead of NotFound."""
    image = call.state.images[call.region].get(image_id)
    if image is None or image.owner != call.account:
        return False
    behavior = call.state.unconfirmed.unseen_id
    if behavior == "alternate":
        call.state.unseen_responses += 1
        return call.state.unseen_responses % 2 == 0
    return behavior == "empty"


def _listed(call: Call, image: Image) -> bool:
    own = image.owner == call.account
    if image.state == "disabled" and not (own and call.params.get("IncludeDisabled")):
        return False
    # "If you are the AMI owner, all deprecated AMIs appear in the response regardless": the text of EC2's model.
    deprecated = image.deprecate_at is not None and image.deprecate_at <= call.now
    return own or not deprecated or bool(call.params.get("IncludeDeprecated"))


def _check_owners(call: Call) -> None:
    for owner in call.params.get("Owners") or []:
        if owner not in ("self", *_ALIASES) and not (owner.isdigit() and len(owner) == 12):
            raise errors.Ec2Error("InvalidUserID.Malformed", f'Invalid user id: "{owner}"')


def _owned_by(call: Call, image: Image, owner: str) -> bool:
    if owner in _ALIASES:
        return image.owner_alias == owner
    return image.owner == (call.account if owner == "self" else owner)


def _executable_by(call: Call, image: Image, user: str) -> bool:
    if user == "all":
        return image.public
    if user in (
        "self",
        call.account,
    ):  # the model's text: those shared with the caller's organization are returned, too
        return not image.launch_permissions.isdisjoint(call.state.identities_of(call.account))
    return user in image.launch_permissions


def _shown_state(image: Image) -> str:
    if image.state != "available":
        return image.state
    if image.shown_available and image.flap_describes:
        image.flap_describes -= 1
        return "pending"
    image.shown_available = True
    return "available"


def timestamp(moment: datetime | None, *, millis: bool = True) -> str | None:
    """Return a time as EC2 writes it in members of type string."""
    if moment is None:
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z" if millis else "%Y-%m-%dT%H:%M:%SZ")


def _describe(call: Call, image: Image, state: str) -> dict[str, Any]:
    """Return the image as DescribeImages shows it to the caller.

    Empty members are left out, but not the list of devices: EC2 sends an empty one (seek-oss/aec#312).
    """
    own = image.owner == call.account
    tags = tags_of(image, call.account)
    reason = image.state_reason
    omit_snapshots = image.state == "pending" and call.state.unconfirmed.pending_mappings_omit_snapshots
    members = {
        "Architecture": image.architecture,
        "CreationDate": timestamp(image.created_at),
        "ImageId": image.image_id,
        "ImageLocation": image.location or f"{image.owner}/{image.name or image.image_id}",
        "ImageType": "machine",
        "Public": image.public,
        "KernelId": image.kernel_id,
        "OwnerId": image.owner,
        # The model says "Windows"; EC2 sends it in lower case.
        "Platform": image.platform,
        "PlatformDetails": image.platform_details,
        "UsageOperation": image.usage_operation,
        "ProductCodes": [{"ProductCodeId": code, "ProductCodeType": kind} for code, kind in image.product_codes],
        "RamdiskId": image.ramdisk_id,
        "State": state,
        "BlockDeviceMappings": [_mapping(device, omit_snapshot=omit_snapshots) for device in image.devices],
        "Description": image.description,
        "EnaSupport": image.ena or None,
        "Hypervisor": image.hypervisor,
        "ImageOwnerAlias": image.owner_alias,
        "Name": image.name,
        "RootDeviceName": image.root_device_name,
        "RootDeviceType": image.root_device_type,
        "SriovNetSupport": image.sriov,
        "StateReason": {"Code": reason[0], "Message": reason[1]} if reason else None,
        "Tags": tag_set(tags),
        "VirtualizationType": image.virtualization_type,
        "BootMode": image.boot_mode,
        "TpmSupport": image.tpm,
        "DeprecationTime": timestamp(image.deprecate_at),
        "ImdsSupport": image.imds,
        "InstanceTypeSpecification": _instance_types(image),
        "ImageWatermarks": [_watermark(watermark) for watermark in image.watermarks],
        "ScanResults": _scan(image),
        "SourceInstanceId": image.source_instance_id,
        "DeregistrationProtection": image.protection if own else None,
        "LastLaunchedTime": timestamp(image.last_launched_at, millis=False) if own else None,
        "SourceImageId": image.source_image_id,
        "SourceImageRegion": image.source_image_region,
    }
    shown = {name: value for name, value in members.items() if value not in (None, "", [], {})}
    return {"BlockDeviceMappings": [], **shown}


def _watermark(watermark: Watermark) -> dict[str, Any]:
    return {
        "WatermarkKey": watermark.key,
        "SourceImageRegion": watermark.source_region,
        "SourceImageId": watermark.source_image_id,
        "SourceImageCreationTime": watermark.source_created_at,
        "WatermarkCreationTime": watermark.attached_at,
    }


def _scan(image: Image) -> dict[str, Any]:
    results = {"HighestFindingSeverityLabel": image.severity, "FindingScanDate": image.scanned_at}
    return {member: value for member, value in results.items() if value}


def _instance_types(image: Image) -> dict[str, list[dict[str, str]]]:
    lists = {
        "SupportedInstanceTypes": image.supported_instance_types,
        "UnsupportedInstanceTypes": image.unsupported_instance_types,
    }
    return {member: [{"InstanceType": name} for name in names] for member, names in lists.items() if names}


def _mapping(device: Device, *, omit_snapshot: bool) -> dict[str, Any]:
    if device.no_device:
        return {"DeviceName": device.name, "NoDevice": ""}
    if device.virtual_name:
        return {"DeviceName": device.name, "VirtualName": device.virtual_name}
    ebs = {
        "DeleteOnTermination": device.delete_on_termination,
        "Iops": device.iops,
        "SnapshotId": None if omit_snapshot else device.snapshot_id or None,
        "VolumeSize": device.gib,
        "VolumeType": device.volume_type,
        "Throughput": device.throughput,
        "Encrypted": device.encrypted,
    }
    return {
        "DeviceName": device.name,
        "Ebs": {name: value for name, value in ebs.items() if value is not None},
    }


def describe_image_attribute(call: Call) -> dict[str, Any]:
    """DescribeImageAttribute: show one attribute to the owner."""
    attribute = call.required("Attribute")
    image = call.own_image(call.required("ImageId"))
    response: dict[str, Any] = {"ImageId": image.image_id}
    if attribute == "blockDeviceMapping":
        raise errors.Ec2Error("AuthFailure", "Unauthorized attempt to access restricted resource")
    if attribute == "launchPermission":
        # EC2 promises no order. This one is neither chronological nor alphabetical, so that no client can rely on it.
        ordered = sorted(image.launch_permissions, key=lambda text: zlib.crc32(text.encode()))
        response["LaunchPermissions"] = [_permission(principal) for principal in ordered]
    elif attribute == "productCodes":
        response["ProductCodes"] = [
            {"ProductCodeId": code, "ProductCodeType": kind} for code, kind in image.product_codes
        ]
    elif attribute in _ATTRIBUTES:
        member, value = _ATTRIBUTES[attribute]
        text = value(image)
        response[member] = {"Value": text} if text else {}
    else:
        raise errors.invalid_value(attribute, "attribute", "Unknown attribute.")
    return response


def _permission(principal: str) -> dict[str, str]:
    if principal == "all":
        return {"Group": "all"}
    if ":organization/" in principal:
        return {"OrganizationArn": principal}
    return {"OrganizationalUnitArn": principal} if ":ou/" in principal else {"UserId": principal}


_ATTRIBUTES: dict[str, tuple[str, Callable[[Image], str | None]]] = {
    "description": ("Description", lambda image: image.description),
    "kernel": ("KernelId", lambda image: image.kernel_id),
    "ramdisk": ("RamdiskId", lambda image: image.ramdisk_id),
    "sriovNetSupport": ("SriovNetSupport", lambda image: image.sriov),
    "bootMode": ("BootMode", lambda image: image.boot_mode),
    "tpmSupport": ("TpmSupport", lambda image: image.tpm),
    "uefiData": ("UefiData", lambda image: image.uefi_data),
    "lastLaunchedTime": ("LastLaunchedTime", lambda image: timestamp(image.last_launched_at, millis=False)),
    "imdsSupport": ("ImdsSupport", lambda image: image.imds),
    "deregistrationProtection": ("DeregistrationProtection", lambda image: image.protection),
}


def get_image_ancestry(call: Call) -> dict[str, Any]:
    """GetImageAncestry: list the image, the one that it was copied from, and so on up to the first."""
    image: Image | None = call.image(call.required("ImageId"))
    entries = []
    while image is not None:
        entry = {
            "CreationDate": image.created_at,
            "ImageId": image.image_id,
            "ImageOwnerAlias": image.owner_alias,
            "SourceImageId": image.source_image_id,
            "SourceImageRegion": image.source_image_region,
        }
        entries.append({name: value for name, value in entry.items() if value})
        parents = call.state.images[image.source_image_region] if image.source_image_region else {}
        image = parents.get(image.source_image_id)
    return {"ImageAncestryEntries": entries}


def _devices(image: Image, value: Any) -> list[str]:
    return [text for device in image.devices if device.is_ebs and (text := value(device))]


def _instance_type_column(member: str) -> Callable[[Image], list[str]]:
    return lambda image: [row["InstanceType"] for row in _instance_types(image).get(member, [])]


_COLUMNS: dict[str, Any] = {
    "architecture": lambda image: [image.architecture],
    "block-device-mapping.delete-on-termination": lambda image: _devices(
        image, lambda device: boolean_text(device.delete_on_termination)
    ),
    "block-device-mapping.device-name": lambda image: [device.name for device in image.devices],
    "block-device-mapping.snapshot-id": lambda image: image.snapshot_ids,
    "block-device-mapping.volume-size": lambda image: _devices(image, lambda device: str(device.gib or "")),
    "block-device-mapping.volume-type": lambda image: _devices(image, lambda device: device.volume_type),
    "block-device-mapping.encrypted": lambda image: _devices(image, lambda device: boolean_text(device.encrypted)),
    "boot-mode": lambda image: [image.boot_mode] if image.boot_mode else [],
    "creation-date": lambda image: [timestamp(image.created_at) or ""],
    "description": lambda image: [image.description or ""],
    "ena-support": lambda image: [boolean_text(image.ena)],
    "free-tier-eligible": lambda _image: ["false"],
    "hypervisor": lambda image: [image.hypervisor],
    "image-allowed": lambda _image: ["true"],
    "image-id": lambda image: [image.image_id],
    "image-type": lambda _image: ["machine"],
    "image-watermark.source-image-creation-time": lambda image: [
        timestamp(watermark.source_created_at) or "" for watermark in image.watermarks
    ],
    "image-watermark.source-image-id": lambda image: [watermark.source_image_id for watermark in image.watermarks],
    "image-watermark.source-image-region": lambda image: [watermark.source_region for watermark in image.watermarks],
    "image-watermark.watermark-creation-time": lambda image: [
        timestamp(watermark.attached_at) or "" for watermark in image.watermarks
    ],
    "image-watermark.watermark-key": lambda image: [watermark.key for watermark in image.watermarks],
    "is-public": lambda image: [boolean_text(image.public)],
    "kernel-id": lambda image: [image.kernel_id],
    "manifest-location": lambda image: [image.location or f"{image.owner}/{image.name or image.image_id}"],
    "name": lambda image: [image.name or ""],
    "owner-alias": lambda image: [image.owner_alias],
    "owner-id": lambda image: [image.owner],
    "platform": lambda image: [image.platform],
    "product-code": lambda image: [code for code, _ in image.product_codes],
    "product-code.type": lambda image: [kind for _, kind in image.product_codes],
    "ramdisk-id": lambda image: [image.ramdisk_id],
    "root-device-name": lambda image: [image.root_device_name],
    "root-device-type": lambda image: [image.root_device_type],
    "source-image-id": lambda image: [image.source_image_id],
    "source-image-region": lambda image: [image.source_image_region],
    "source-instance-id": lambda image: [image.source_instance_id],
    "state-reason-code": lambda image: [image.state_reason[0]] if image.state_reason else [],
    "state-reason-message": lambda image: [image.state_reason[1]] if image.state_reason else [],
    "sriov-net-support": lambda image: [image.sriov],
    "virtualization-type": lambda image: [image.virtualization_type],
}
