"""IAM policies: is this caller allowed to make this call?

Decides on the action, the ARNs that it affects, their tags, and the caller's policies.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from amicopy.sandbox.ec2.errors import Ec2Error
from amicopy.sandbox.http.iam_conditions import Context, as_list, conditions_hold, is_like
from amicopy.sandbox.settings import ec2_arn


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The identity that makes a call, and its policy documents."""

    arn: str
    policies: Sequence[str]


@dataclass(frozen=True, slots=True)
class Resource:
    """What a call affects: its ARN, and the condition keys that it brings."""

    arn: str
    context: Context = field(default_factory=dict)


CallerLookup = Callable[[str, str], Caller | None]  # access key, region → caller; None: is allowed everything
TagLookup = Callable[[str], Mapping[str, str]]  # the tags of an image or a snapshot in the region of the call


def no_tags(_resource_id: str) -> Mapping[str, str]:
    """Return no tags: the default."""
    return {}


def resource_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the condition keys of a resource with these tags."""
    return {f"{prefix}resourcetag/{key.lower()}": value for key, value in tags.items() for prefix in ("aws:", "ec2:")}


# SQS has no actions for batches: "Amazon SQS API permissions", Service Authorization Reference.
_CHECKED_AS = {
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}


class Authorizer:
    """Allows or denies calls by the caller's policies."""

    def __init__(self, find_caller: CallerLookup) -> None:
        self._find_caller = find_caller

    def authorize(
        self,
        operation: str,
        params: Mapping[str, Any],
        *,
        source_snapshot_ids: Sequence[str] = (),
        tags_of: TagLookup = no_tags,
        access_key: str,
        region: str,
    ) -> None:
        """Refuse an EC2 call that the caller's policies don't allow.

        ``source_snapshot_ids`` are the snapshots of the image that a CopyImage copies: it reads them too.
        """
        caller = self._find_caller(access_key, region)
        if caller is None:
            return
        for action, resource in _permissions(operation, params, region, source_snapshot_ids, tags_of):
            reason = _denial_reason(caller.policies, action, resource, region)
            if reason:
                raise Ec2Error(
                    "UnauthorizedOperation",
                    "You are not authorized to perform this operation. "
                    f"{_denial(caller.arn, action, f' on resource: {resource.arn}', reason)}",
                    status=403,
                )

    def allows(self, action: str, resource: Resource, *, access_key: str, region: str) -> bool:
        """Return True if the caller's policies allow what a service does in the caller's name."""
        caller = self._find_caller(access_key, region)
        return caller is None or not _denial_reason(caller.policies, action, resource, region)

    def authorize_service(
        self, service: str, operation: str, resource: Resource | None, *, access_key: str, region: str
    ) -> None:
        """Refuse a call to a service other than EC2 that the caller's policies don't allow.

        Without a resource, the action must be allowed on some resource.
        """
        caller = self._find_caller(access_key, region)
        action = f"{service}:{operation}"
        action = _CHECKED_AS.get(action, action)
        if caller is None or action == "sts:GetCallerIdentity":  # no policy can deny this one
            return
        reason = _denial_reason(caller.policies, action, resource, region)
        if reason:
            on = f" on resource: {resource.arn}" if resource else ""
            code = "AccessDeniedException" if service in ("kms", "ssm", "ebs") else "AccessDenied"
            status = 400 if service in ("kms", "ssm") else 403
            raise Ec2Error(code, _denial(caller.arn, action, on, reason), status)


def _denial(arn: str, action: str, on: str, reason: str) -> str:
    return f"User: {arn} is not authorized to perform: {action}{on} {reason}"


def _permissions(
    operation: str,
    params: Mapping[str, Any],
    region: str,
    source_snapshot_ids: Sequence[str],
    tags_of: TagLookup,
) -> Iterable[tuple[str, Resource]]:
    """Yield the permissions that a call needs: action and resource."""
    action = f"ec2:{operation}"
    specifications = params.get("TagSpecifications") or []
    if operation == "CopyImage":
        requested = _requested_tags(_tags_for(specifications, "image"))
        yield action, Resource(ec2_arn(region, "image", "*"), requested)
        there = params.get("SourceRegion") or ""
        yield action, Resource(ec2_arn(there, "image", params.get("SourceImageId", "")))
        for snapshot_id in source_snapshot_ids:
            yield action, Resource(ec2_arn(there, "snapshot", snapshot_id))
    elif operation == "RunInstances":
        yield action, Resource(ec2_arn(region, "image", params.get("ImageId", "")))
        for kind in ("network-interface", "security-group", "subnet"):
            yield action, Resource(_arn(region, kind, "*"))
        for kind in ("instance", "volume"):
            yield action, Resource(_arn(region, kind, "*"), _requested_tags(_tags_for(specifications, kind)))
    else:
        requested = _requested_tags(params.get("Tags") or [])
        for arn, tags in _resources(operation, params, region, tags_of):
            yield action, Resource(arn, {**requested, **resource_tags(tags)})
    # Tagging on creation is an action of its own; the condition key ec2:CreateAction names the creating operation.
    for specification in specifications:
        kind = specification.get("ResourceType", "")
        context = {"ec2:createaction": operation, **_requested_tags(_tags_for(specifications, kind))}
        yield "ec2:CreateTags", Resource(_arn(region, kind, "*"), context)


def _arn(region: str, kind: str, resource_id: str) -> str:
    """Return an ARN; those of images and snapshots have no account. Policies have ``*`` for it, so any will do."""
    if kind in ("image", "snapshot", "*"):
        return ec2_arn(region, kind, resource_id)
    return ec2_arn(region, kind, resource_id).replace("::", ":000000000000:")


def _tags_for(specifications: Iterable[Mapping[str, Any]], kind: str) -> list[Mapping[str, Any]]:
    return [tag for one in specifications if one.get("ResourceType") == kind for tag in one.get("Tags") or []]


def _requested_tags(tags: Iterable[Mapping[str, Any]]) -> dict[str, str | tuple[str, ...]]:
    """Return the condition keys of a request with these tags."""
    values = {str(tag.get("Key", "")): str(tag.get("Value") or "") for tag in tags}
    context: dict[str, str | tuple[str, ...]] = {f"aws:requesttag/{key.lower()}": text for key, text in values.items()}
    return {**context, "aws:tagkeys": tuple(values)} if values else context


def _resources(
    operation: str, params: Mapping[str, Any], region: str, tags_of: TagLookup
) -> list[tuple[str, Mapping[str, str]]]:
    """Return the ARN and the tags of everything that a call affects."""
    if operation.startswith(("Describe", "Get")) and not operation.endswith(("Attribute", "ConsoleOutput")):
        return [("*", {})]
    if "LaunchTemplate" in operation:
        return [(_arn(region, "launch-template", params.get("LaunchTemplateId") or "lt-0"), {})]
    named = [("image", params["ImageId"])] if params.get("ImageId") else []
    instance_ids = [*(params.get("InstanceIds") or []), *filter(None, [params.get("InstanceId")])]
    if instance_ids and operation in ("TerminateInstances", "GetConsoleOutput"):
        return [(_arn(region, "instance", one), tags_of(one)) for one in instance_ids]
    if params.get("SnapshotId"):
        named.append(("snapshot", params["SnapshotId"]))
    if template := params.get("LaunchTemplate"):
        named.append(("launch-template", template.get("LaunchTemplateId") or "lt-0"))
    named += [("snapshot", one) for one in params.get("SourceSnapshotIds") or []]
    for resource in params.get("Resources") or []:
        kinds = {"ami-": "image", "snap-": "snapshot", "i-": "instance"}
        kind = next((kind for prefix, kind in kinds.items() if resource.startswith(prefix)), "*")
        named.append((kind, resource))
    return [(_arn(region, kind, resource_id), tags_of(resource_id)) for kind, resource_id in named] or [("*", {})]


def _denial_reason(policies: Sequence[str], action: str, resource: Resource | None, region: str) -> str:
    """Return why the action is denied, in AWS's words; empty if it is allowed. None stands for any resource."""
    context: Context = {"aws:requestedregion": region, "ec2:region": region, **(resource.context if resource else {})}
    arn = resource.arn if resource else None
    granted = False
    for policy in policies:
        for statement in as_list(json.loads(policy)["Statement"]):
            if not _applies(statement, action, arn, context):
                continue
            if statement["Effect"] == "Deny":
                return "with an explicit deny in an identity-based policy"
            granted = True
    return "" if granted else f"because no identity-based policy allows the {action} action"


def _applies(statement: Mapping[str, Any], action: str, resource: str | None, context: Context) -> bool:
    return (
        _matches(statement, "Action", action.lower(), lower=True)
        and (resource is None or _matches(statement, "Resource", resource))
        and conditions_hold(statement.get("Condition", {}), context)
    )


def _matches(statement: Mapping[str, Any], element: str, value: str, *, lower: bool = False) -> bool:
    negated = f"Not{element}" in statement
    patterns = as_list(statement.get(f"Not{element}" if negated else element, []))
    matched = any(is_like(value, pattern.lower() if lower else pattern) for pattern in patterns)
    return matched is not negated
