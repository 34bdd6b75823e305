"""EC2 Fast Launch for Windows images: switched on and off, with the states in between.

EC2's codes for what is refused are not documented, nor is how long the states last: enabling took eight minutes in a
log of packer's (hashicorp/packer-plugin-amazon#445). There are neither instances nor snapshots of it here.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from amicopy.sandbox.ec2 import errors
from amicopy.sandbox.ec2.filters import apply_filters, paginate
from amicopy.sandbox.records import FastLaunch, Image
from amicopy.sandbox.settings import ec2_arn, partition_of
from amicopy.sandbox.state import Call

_ENABLING = timedelta(minutes=8)
_DISABLING = timedelta(seconds=10)
_LEAST_LAUNCHES = 6
_SERVICE = "ec2fastlaunch.amazonaws.com"


def enable(call: Call) -> dict[str, Any]:
    """EnableFastLaunch: also changes the settings of an image for which it is on."""
    image = call.own_image(call.required("ImageId"))
    if image.state != "available":
        raise errors.image_unavailable(image.image_id, image.state)
    if image.platform.lower() != "windows":
        raise errors.Ec2Error("InvalidParameterValue", f"The AMI {image.image_id} is not a Windows AMI.")
    count = (call.params.get("SnapshotConfiguration") or {}).get("TargetResourceCount", 5)
    launches = call.params.get("MaxParallelLaunches", _LEAST_LAUNCHES)
    if launches < _LEAST_LAUNCHES:
        raise errors.Ec2Error("InvalidParameterValue", "MaxParallelLaunches must be 6 or greater.")
    if count < 1:
        raise errors.Ec2Error("InvalidParameterValue", "TargetResourceCount must be 1 or greater.")
    is_on = state_of(call, image) in {"enabling", "enabled"}
    if state_of(call, image) == "disabling" or (is_on and call.state.unconfirmed.fast_launch_again == "refused"):
        raise errors.Ec2Error("IncorrectState", f"Fast launch is {state_of(call, image)} for {image.image_id}.")
    template_id, template, version = _launch_template(call)
    _check_permissions(call, image)
    failure = call.state.faults.take_fast_launch_failure(call.operation, call.region)
    since = image.fast_launch.since if image.fast_launch and is_on and not failure else call.now
    image.fast_launch = FastLaunch(
        is_on=True,
        since=since,
        count=count,
        launches=launches,
        template_id=template_id,
        template=template,
        version=version,
        failure=failure,
    )
    return _members(call, image, image.fast_launch)


def disable(call: Call) -> dict[str, Any]:
    """DisableFastLaunch: removes the snapshots, which takes a while."""
    image = call.own_image(call.required("ImageId"))
    if image.fast_launch is None or state_of(call, image) == "disabled":
        raise errors.Ec2Error("IncorrectState", f"Fast launch is not enabled for {image.image_id}.")
    failure = call.state.faults.take_fast_launch_failure(call.operation, call.region)
    image.fast_launch = replace(
        image.fast_launch, is_on=False, since=call.now, failure="" if call.params.get("Force") else failure
    )
    return _members(call, image, image.fast_launch)


def describe(call: Call) -> dict[str, Any]:
    """DescribeFastLaunchImages: the images for which it is on, or not off completely."""
    named = set(call.params.get("ImageIds") or ())
    rows = [row for row in _rows(call) if not named or row[0].image_id in named]
    columns: dict[str, Any] = {
        "owner-id": lambda row: [row[0].owner],
        "resource-type": lambda _row: ["snapshot"],
        "state": lambda row: [state_of(call, row[0])],
    }
    found = apply_filters(call.params.get("Filters"), rows, columns=columns, tags=lambda _row: {})
    response = paginate(call, found, key="FastLaunchImages")
    response["FastLaunchImages"] = [_members(call, *row) for row in response["FastLaunchImages"]]
    return response


def state_of(call: Call, image: Image) -> str:
    """Return EC2's word for how far it is for an image; "disabled" if there is nothing of it."""
    record = image.fast_launch
    if record is None:
        return "disabled"
    begun, ended = ("enabling", "enabled") if record.is_on else ("disabling", "disabled")
    if call.now - record.since < (_ENABLING if record.is_on else _DISABLING) and not record.failure:
        return begun
    return f"{begun}-failed" if record.failure else ended


def _rows(call: Call) -> Iterator[tuple[Image, FastLaunch]]:
    is_listed = call.state.unconfirmed.fast_launch_ended == "disabled"
    for image in call.state.images[call.region].values():
        if image.owner == call.account and image.fast_launch and (is_listed or state_of(call, image) != "disabled"):
            yield image, image.fast_launch


def _launch_template(call: Call) -> tuple[str, str, str]:
    """Return the id, name and version of the launch template: EC2 makes one if none is named."""
    named = call.params.get("LaunchTemplate") or {}
    if not named:
        template_id = call.state.new_id("lt")
        return template_id, f"EC2FastLaunchDefaultResourceCreation-{template_id.removeprefix('lt-')}", "1"
    found = call.state.others.launch_template_names(call.account, call.region, named)
    if found is None:
        kind = "Id" if named.get("LaunchTemplateId") else "Name"
        raise errors.Ec2Error(
            f"InvalidLaunchTemplate{kind}.NotFoundException", "The specified launch template does not exist."
        )
    if not call.state.others.launch_template(call.account, call.region, named):
        raise errors.Ec2Error(
            "InvalidLaunchTemplateId.VersionNotFound", f"Could not find the version {named.get('Version')}."
        )
    return *found, str(named.get("Version"))


def _check_permissions(call: Call, image: Image) -> None:
    """Refuse a caller who may not launch from the image: EC2 "validates your permissions" before it switches it on.

    EC2 User Guide, "Configure EC2 Fast Launch settings" and "EC2 Fast Launch prerequisites for Windows".
    """
    partition = partition_of(call.region)
    here = f"arn:{partition}:ec2:{call.region}:{call.account}"
    needed = [("ec2:RunInstances", ec2_arn(call.region, "image", image.image_id))]
    kinds = ("network-interface", "security-group", "subnet", "instance", "volume", "launch-template")
    needed += [("ec2:RunInstances", f"{here}:{kind}/*") for kind in kinds]
    needed += [("ec2:CreateTags", f"{here}:{kind}/*") for kind in ("instance", "volume")]
    if not call.params.get("LaunchTemplate"):
        stack = f"arn:{partition}:cloudformation:{call.region}:{call.account}:stack/EC2FastLaunch-default/*"
        needed.append(("cloudformation:CreateStack", stack))
    if call.account not in call.state.fast_launch_roles:
        role = f"role/aws-service-role/{_SERVICE}/AWSServiceRoleForEC2FastLaunch"
        needed.append(("iam:CreateServiceLinkedRole", f"arn:{partition}:iam::{call.account}:{role}"))
    for action, resource in needed:
        if not call.is_allowed(action, resource):
            raise errors.Ec2Error(
                "UnauthorizedOperation",
                "You are not authorized to perform this operation. Can't enable EC2 Fast Launch. User: "
                f"arn:{partition}:iam::{call.account}:user/caller is not authorized to perform: {action} on resource: "
                f"{resource} because no identity-based policy allows the {action} action",
                status=403,
            )
    call.state.fast_launch_roles.add(call.account)


def _members(call: Call, image: Image, record: FastLaunch) -> dict[str, Any]:
    return {
        "ImageId": image.image_id,
        "ResourceType": "snapshot",
        "SnapshotConfiguration": {"TargetResourceCount": record.count},
        "LaunchTemplate": {
            "LaunchTemplateId": record.template_id,
            "LaunchTemplateName": record.template,
            "Version": record.version,
        },
        "MaxParallelLaunches": record.launches,
        "OwnerId": image.owner,
        "State": state_of(call, image),
        "StateTransitionReason": record.failure or "Client.UserInitiated",
        "StateTransitionTime": record.since,
    }
