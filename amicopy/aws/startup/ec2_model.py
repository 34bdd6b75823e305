"""The EC2 operations that amicopy calls, and botocore's model of EC2 cut down to them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

# Add an operation here before calling it; a test compares this list with the names in the code.
OPERATIONS = (
    "AttachImageWatermark",
    "CopyImage",
    "CreateLaunchTemplateVersion",
    "CreateTags",
    "DeleteSnapshot",
    "DeleteTags",
    "DeregisterImage",
    "DescribeFastLaunchImages",
    "DescribeFastSnapshotRestores",
    "DescribeImageAttribute",
    "DescribeImageReferences",
    "DescribeImages",
    "DescribeInstanceStatus",
    "DescribeInstanceTypeOfferings",
    "DescribeInstances",
    "DescribeLaunchTemplateVersions",
    "DescribeRegions",
    "DescribeSnapshotAttribute",
    "DescribeSnapshots",
    "DescribeSubnets",
    "DisableFastLaunch",
    "DisableFastSnapshotRestores",
    "DisableImage",
    "DisableImageDeprecation",
    "EnableFastLaunch",
    "EnableFastSnapshotRestores",
    "EnableImage",
    "EnableImageDeprecation",
    "EnableImageDeregistrationProtection",
    "GetConsoleOutput",
    "GetEbsDefaultKmsKeyId",
    "GetEbsEncryptionByDefault",
    "GetImageBlockPublicAccessState",
    "GetSnapshotBlockPublicAccessState",
    "ListImagesInRecycleBin",
    "ModifyImageAttribute",
    "ModifyLaunchTemplate",
    "ModifySnapshotAttribute",
    "ReplaceImageInstanceTypeSpecification",
    "RunInstances",
    "TerminateInstances",
)
# Operations that the oldest supported botocore does not know. It cannot read what they would change, so that they are
# never called with it.
NEWER_OPERATIONS = {"AttachImageWatermark", "ReplaceImageInstanceTypeSpecification"}


# Of large shapes only what is sent and read, so that the model stays quick to load: those of the boot test, of
# launch templates and of EC2 Fast Launch.
MEMBERS: Mapping[str, frozenset[str]] = {
    "DescribeFastLaunchImagesSuccessItem": frozenset(
        {
            *("ImageId", "LaunchTemplate", "MaxParallelLaunches", "SnapshotConfiguration", "State"),
            "StateTransitionReason",
        }
    ),
    "DisableFastLaunchResult": frozenset(),
    "EnableFastLaunchResult": frozenset(),
    "Instance": frozenset(
        {"ImageId", "InstanceId", "InstanceType", "LaunchTime", "State", "StateReason", "StateTransitionReason", "Tags"}
    ),
    "InstanceStatus": frozenset({"InstanceId", "InstanceState", "InstanceStatus", "SystemStatus"}),
    "InstanceNetworkInterfaceSpecification": frozenset(
        {"AssociatePublicIpAddress", "DeleteOnTermination", "DeviceIndex", "SubnetId"}
    ),
    "LaunchTemplate": frozenset({"DefaultVersionNumber", "LaunchTemplateId", "LaunchTemplateName"}),
    "LaunchTemplateVersion": frozenset(
        {"DefaultVersion", "LaunchTemplateData", "LaunchTemplateName", "VersionDescription", "VersionNumber"}
    ),
    "RequestLaunchTemplateData": frozenset({"ImageId"}),
    "Reservation": frozenset({"Instances", "ReservationId"}),
    "ResponseLaunchTemplateData": frozenset({"ImageId"}),
    "RunInstancesRequest": frozenset(
        {
            *("BlockDeviceMappings", "ClientToken", "DryRun", "ImageId", "InstanceInitiatedShutdownBehavior"),
            *("InstanceType", "MaxCount", "MetadataOptions", "MinCount", "NetworkInterfaces", "TagSpecifications"),
        }
    ),
    "Subnet": frozenset({"AvailabilityZone", "DefaultForAz", "SubnetId", "VpcId"}),
    "TerminateInstancesResult": frozenset(),
}


def cut(model: Mapping[str, Any], operations: Iterable[str] = OPERATIONS) -> dict[str, Any]:
    """Return the model with these operations, the shapes that they use, and all exceptions, without documentation.

    Raises:
        KeyError, TypeError, AttributeError: the model isn't built as expected, or an operation is missing that every
            supported botocore has.
    """
    known = [name for name in operations if name in model["operations"] or name not in NEWER_OPERATIONS]
    kept = {name: _bare(model["operations"][name]) for name in known}
    shapes: dict[str, Any] = {}
    waiting = [*_references(kept), *(name for name, shape in model["shapes"].items() if shape.get("exception"))]
    while waiting:
        name = waiting.pop()
        if name not in shapes:
            shapes[name] = _with_few_members(name, _bare(model["shapes"][name]))
            waiting += _references(shapes[name])
    return {**model, "documentation": "", "operations": kept, "shapes": shapes}


def _with_few_members(name: str, shape: Any) -> Any:
    if name == "InstanceType":  # botocore does not check values, and this shape lists a thousand
        return {"type": "string"}
    if name not in MEMBERS or "members" not in shape:
        return shape
    return {**shape, "members": {key: value for key, value in shape["members"].items() if key in MEMBERS[name]}}


def _bare(node: Any) -> Any:
    """Return the node without its documentation, which is a string; a member named ``documentation`` stays."""
    if isinstance(node, Mapping):
        items = ((key, value) for key, value in node.items() if key != "documentation" or not isinstance(value, str))
        return {key: _bare(value) for key, value in items}
    return [_bare(item) for item in node] if isinstance(node, list) else node


def _references(node: Any) -> Iterator[str]:
    """Yield the name of every shape that the node refers to; a member named ``shape`` is not a reference."""
    if isinstance(node, Mapping):
        if isinstance(node.get("shape"), str):
            yield node["shape"]
        node = node.values()
    elif not isinstance(node, list):
        return
    for item in node:
        yield from _references(item)
