"""The writable attributes of an image: launch permissions, description, IMDS support, instance types, watermarks."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from amicopy.sandbox.ec2 import errors
from amicopy.sandbox.records import Image, Watermark
from amicopy.sandbox.state import Call

_ACCOUNT = re.compile(r"\d{12}")
_ORGANIZATION = re.compile(r"arn:aws[a-z-]*:organizations::\d{12}:organization/o-[a-z0-9]{10,32}")
_UNIT = re.compile(r"arn:aws[a-z-]*:organizations::\d{12}:ou/o-[a-z0-9]{10,32}/ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}")
_INSTANCE_TYPE = re.compile(r"[A-Za-z0-9_.*-]{1,24}")  # botocore's model, InstanceTypeSpecificationRequest
_MOST_INSTANCE_TYPES = 100
_WATERMARK = re.compile(r"[A-Za-z0-9()\[\] ./'@_-]{3,128}")  # botocore's model, AttachImageWatermarkRequest
_MOST_WATERMARKS = 5  # EC2 User Guide, "AMI watermarks"
_KINDS = {  # member of LaunchPermission → its name in EC2's error, and the pattern of its values
    "UserId": ("userId", _ACCOUNT),
    "Group": ("group", re.compile("all")),
    "OrganizationArn": ("organizationArn", _ORGANIZATION),
    "OrganizationalUnitArn": ("organizationalUnitArn", _UNIT),
}
_LISTS = {
    "UserIds": "UserId",
    "UserGroups": "Group",
    "OrganizationArns": "OrganizationArn",
    "OrganizationalUnitArns": "OrganizationalUnitArn",
}


def modify_image_attribute(call: Call) -> dict[str, Any]:
    """ModifyImageAttribute: change launch permissions, description or IMDS support, one of them per call."""
    image = call.own_image(call.required("ImageId"))
    attribute = lower_camel_case(call.params.get("Attribute"))
    members = [name for name in ("Description", "ImdsSupport", "LaunchPermission") if call.params.get(name)]
    if len(members) > 1:
        raise errors.invalid_combination("Fields for multiple attribute types specified")
    if attribute in ("description", "imdsSupport") or members in (["Description"], ["ImdsSupport"]):
        _modify_value(call, image, attribute or members[0])
        return {}
    if attribute not in (None, "launchPermission"):
        raise errors.invalid_value(attribute, "attribute", "Unknown attribute.")
    add, remove = _changes(call)
    if not add and not remove:
        raise errors.missing_parameter("LaunchPermission")
    if image.state == "disabled":
        raise errors.image_unavailable(image.image_id, "disabled")
    check_available(image)
    check_sharing(call, image, add - image.launch_permissions)
    image.shared_from |= call.seen_from(add - image.launch_permissions)
    image.launch_permissions |= add
    image.launch_permissions -= remove
    return {}


def lower_camel_case(attribute: str | None) -> str | None:
    """Return the name of an attribute as the model spells it: EC2 accepts LaunchPermission, too (canonical/awspub)."""
    return f"{attribute[0].lower()}{attribute[1:]}" if attribute else attribute


def replace_instance_types(call: Call) -> dict[str, Any]:
    """ReplaceImageInstanceTypeSpecification: replace the lists of instance types, or remove them."""
    image = call.own_image(call.required("ImageId"))
    check_available(image)
    if any(kind == "marketplace" for _, kind in image.product_codes):
        raise errors.Ec2Error("OperationNotPermitted", "The AMI is listed in AWS Marketplace.")
    given = call.params.get("InstanceTypeSpecification") or {}
    lists = [given.get(member) or [] for member in ("SupportedInstanceTypes", "UnsupportedInstanceTypes")]
    for types in lists:
        if len(types) > _MOST_INSTANCE_TYPES or not all(map(_INSTANCE_TYPE.fullmatch, types)):
            raise errors.invalid_value(", ".join(types), "InstanceTypeSpecification", "Invalid instance type.")
    image.supported_instance_types, image.unsupported_instance_types = lists
    return {"ReturnValue": True}


def attach_watermark(call: Call) -> dict[str, Any]:
    """AttachImageWatermark: put the caller's watermark on an image of its own that is not public."""
    image, name = call.own_image(call.required("ImageId")), call.required("WatermarkName")
    check_available(image)
    if not _WATERMARK.fullmatch(name):
        raise errors.invalid_value(name, "WatermarkName", "Invalid watermark name.")
    if image.public:
        raise errors.Ec2Error("OperationNotPermitted", "Watermarks cannot be added to public AMIs.")
    key = f"{call.account}:{name}"
    if all(watermark.key != key for watermark in image.watermarks):
        if len(image.watermarks) >= _MOST_WATERMARKS:
            raise errors.Ec2Error("ResourceLimitExceeded", "The AMI has the most watermarks that it can have.")
        origin = Watermark(
            key=key,
            source_image_id=image.image_id,
            source_region=image.region,
            source_created_at=image.created_at,
            attached_at=call.now,
        )
        image.watermarks.append(origin)
    return {"WatermarkKey": key}


def detach_watermark(call: Call) -> dict[str, Any]:
    """DetachImageWatermark: remove a watermark, if the image has it. Its copies keep theirs."""
    image, key = call.own_image(call.required("ImageId")), call.required("WatermarkKey")
    image.watermarks = [watermark for watermark in image.watermarks if watermark.key != key]
    return {"Return": True}


def check_available(image: Image) -> None:
    """Refuse an image that isn't available, or that a `Flap` fault shows as pending again."""
    if image.state == "available" and image.shown_available and image.flap_describes:
        image.flap_describes -= 1
        raise errors.image_unavailable(image.image_id, "pending")
    if image.state != "available":
        raise errors.image_unavailable(image.image_id, image.state)


def _modify_value(call: Call, image: Image, attribute: str) -> None:
    member = attribute[0].upper() + attribute[1:]
    value = (call.params.get(member) or {}).get("Value", call.params.get("Value"))
    if value is None:
        raise errors.missing_parameter("Value")
    check_available(image)
    if member == "Description":
        image.description = value or None
    elif value != "v2.0":
        raise errors.invalid_value(value, "imdsSupport", "The only valid value is v2.0.")
    else:
        image.imds = value


def _changes(call: Call) -> tuple[set[str], set[str]]:
    given = call.params.get("LaunchPermission") or {}
    add, remove = _principals(given.get("Add") or []), _principals(given.get("Remove") or [])
    listed = _principals({kind: value} for name, kind in _LISTS.items() for value in call.params.get(name) or [])
    operation = call.params.get("OperationType")
    if given and not operation:  # packer sends UserIds too, which LaunchPermission contains already
        return add, remove
    if listed and operation not in ("add", "remove"):
        raise errors.missing_parameter("OperationType")
    (add if operation == "add" else remove).update(listed)
    return add, remove


def _principals(items: Iterable[Mapping[str, str]]) -> set[str]:
    principals = set()
    for item in items:
        if len(item) != 1:
            raise errors.invalid_combination("A launch permission must name exactly one principal.")
        ((kind, value),) = item.items()
        name, pattern = _KINDS[kind]
        if not pattern.fullmatch(value):
            raise _invalid_item(name, value)
        principals.add(value)
    return principals


def _invalid_item(kind: str, value: str) -> errors.Ec2Error:
    return errors.Ec2Error(
        "InvalidAMIAttributeItemValue", f'Invalid attribute item value "{value}" for {kind} item type.'
    )


def check_sharing(call: Call, image: Image, added: set[str]) -> None:
    """Refuse to share an image that can't be shared with the added principals."""
    if not added:
        return
    for account in sorted(added & call.state.unconfirmed.closed_accounts):
        raise _invalid_item("userId", account)
    snapshots = [
        snapshot
        for snapshot_id in image.snapshot_ids
        if (snapshot := call.state.snapshots[image.region].get(snapshot_id)) is not None
    ]
    if "all" in added:
        _check_public(call, image, encrypted=any(snapshot.encrypted for snapshot in snapshots))
    if any(snapshot.aws_managed_key for snapshot in snapshots) and added - {image.owner}:
        raise errors.Ec2Error(  # the wording of hashicorp/packer#7410, its typographic apostrophe included
            "InvalidParameter",
            "Snapshots encrypted with the AWS Managed CMK can’t be shared. Specify another snapshot",
        )
    limit = call.settings.sharing_limit
    if len((image.launch_permissions | added) - {"all"}) > limit:
        raise errors.Ec2Error(
            "ResourceLimitExceeded",
            f"You have reached your quota of {limit} entities that an AMI is shared with.",
        )


def _check_public(call: Call, image: Image, *, encrypted: bool) -> None:
    if call.settings.image_block_public_access == "block-new-sharing":
        raise errors.Ec2Error(
            "OperationNotPermitted",
            "You can’t publicly share this image because block public access for AMIs is enabled for this "
            "account. To publicly share the image, you must call the DisableImageBlockPublicAccess API.",
        )
    if encrypted:
        raise errors.Ec2Error("InvalidParameter", "Images with encrypted snapshots can’t be made public.")
    if image.watermarks:
        raise errors.Ec2Error("OperationNotPermitted", "Images with watermarks cannot be made public.")
    if image.product_codes:
        raise errors.Ec2Error("OperationNotPermitted", "Images with product codes cannot be made public.")
    public = sum(1 for other in call.state.images[call.region].values() if other.owner == call.account and other.public)
    limit = call.settings.public_images_limit
    if public >= limit:
        raise errors.Ec2Error(
            "ResourceLimitExceeded",
            f"You have reached your quota of {limit} for the number of public images allowed in this Region. "
            "Deregister unused public images, or request an increase in your public AMIs quota.",
        )


def reset_image_attribute(call: Call) -> dict[str, Any]:
    """ResetImageAttribute: remove all launch permissions. EC2 can reset no other attribute."""
    if call.required("Attribute") != "launchPermission":
        raise errors.invalid_value(call.params["Attribute"], "attribute", "Only launchPermission can be reset.")
    image = call.own_image(call.required("ImageId"))
    check_available(image)
    image.launch_permissions.clear()
    return {}


def cancel_image_launch_permission(call: Call) -> dict[str, Any]:
    """CancelImageLaunchPermission: remove the caller's own permission to launch an image shared with it."""
    image = call.image(call.required("ImageId"))
    if image.owner == call.account or call.account not in image.launch_permissions:
        raise errors.not_authorized_for_image(image.image_id)
    image.launch_permissions.discard(call.account)
    return {"Return": True}
