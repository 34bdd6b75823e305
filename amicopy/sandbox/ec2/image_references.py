"""DescribeImageReferences: the instances, launch templates and parameters that use an image."""

from typing import Any

from amicopy.sandbox.ec2 import errors
from amicopy.sandbox.ec2.filters import paginate
from amicopy.sandbox.other_resources import ImageReference
from amicopy.sandbox.state import Call

_DEFAULT_DEPTH = 10


def describe_image_references(call: Call) -> dict[str, Any]:
    """DescribeImageReferences: list the caller's resources in the region that use the images."""
    options = {
        item.get("ResourceType"): _options(item.get("ResourceTypeOptions") or [])
        for item in call.params.get("ResourceTypes") or []
    }
    everything = call.params.get("IncludeAllResourceTypes")
    if not options and not everything:
        raise errors.missing_parameter("ResourceTypes")
    image_ids = call.required("ImageIds")
    found = [
        ImageReference(image_id=image_id, kind=kind, arn=arn)
        for image_id in image_ids
        for kind, arn in call.state.references.get(image_id, [])
    ]
    found += [
        reference
        for reference in call.state.others.image_references(call.account, call.region)
        if reference.image_id in image_ids
    ]
    rows = [
        {"ImageId": reference.image_id, "ResourceType": reference.kind, "Arn": reference.arn}
        for reference in found
        if (everything or reference.kind in options)
        and _in_scope(reference, {} if everything else options[reference.kind])
    ]
    unique = list({tuple(row.values()): row for row in rows}.values())  # several versions of one launch template
    return paginate(call, unique, key="ImageReferences")


def _options(items: list[dict[str, Any]]) -> dict[str, list[str]]:
    return {item.get("OptionName") or "": item.get("OptionValues") or [] for item in items}


def _in_scope(reference: ImageReference, options: dict[str, list[str]]) -> bool:
    if reference.kind == "ec2:LaunchTemplate":
        depth = options.get("version-depth") or [str(_DEFAULT_DEPTH)]
        return reference.depth <= int(depth[0])
    states = options.get("state-name")
    return states is None or reference.kind != "ec2:Instance" or reference.state in states
