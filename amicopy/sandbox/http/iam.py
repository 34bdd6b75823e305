"""IAM policies: is this caller allowed to make this call?

Decides on the action, the ARNs that it affects and the caller's policies alone, not on EC2's state.
"""

import fnmatch
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from amicopy.sandbox.ec2.errors import Ec2Error
from amicopy.sandbox.settings import partition_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The identity that makes a call, and its policy documents."""

    arn: str
    policies: Sequence[str]


CallerLookup = Callable[[str, str], Caller | None]  # access key, region → caller; None: is allowed everything


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
        access_key: str,
        region: str,
    ) -> None:
        """Refuse an EC2 call that the caller's policies don't allow.

        ``source_snapshot_ids`` are the snapshots of the image that a CopyImage copies: it reads them too.
        """
        caller = self._find_caller(access_key, region)
        if caller is None:
            return
        for action, resource, context in _permissions(operation, params, region, source_snapshot_ids):
            if not _is_allowed(caller.policies, action, resource, context):
                raise Ec2Error(
                    "UnauthorizedOperation",
                    "You are not authorized to perform this operation. "
                    f"{_denial(caller.arn, action, f' on resource: {resource}')}",
                    status=403,
                )

    def allows(self, operation: str, *, access_key: str, region: str) -> bool:
        """Return True if the caller's policies allow this EC2 operation on any resource."""
        caller = self._find_caller(access_key, region)
        return caller is None or _is_allowed(caller.policies, f"ec2:{operation}", None, _context(region))

    def authorize_service(
        self, service: str, operation: str, resource: str | None, *, access_key: str, region: str
    ) -> None:
        """Refuse a call to a service other than EC2 that the caller's policies don't allow.

        Without a resource, the action must be allowed on some resource.
        """
        caller = self._find_caller(access_key, region)
        action = f"{service}:{operation}"
        if caller is None or action == "sts:GetCallerIdentity":  # no policy can deny this one
            return
        if not _is_allowed(caller.policies, action, resource, _context(region)):
            on = f" on resource: {resource}" if resource else ""
            in_json = service in ("kms", "ssm")
            code = "AccessDeniedException" if in_json else "AccessDenied"
            raise Ec2Error(code, _denial(caller.arn, action, on), status=400 if in_json else 403)


def _denial(arn: str, action: str, on: str) -> str:
    return (
        f"User: {arn} is not authorized to perform: {action}{on} "
        f"because no identity-based policy allows the {action} action"
    )


def _context(region: str) -> dict[str, str]:
    return {"aws:requestedregion": region, "ec2:region": region}


def _permissions(
    operation: str, params: Mapping[str, Any], region: str, source_snapshot_ids: Sequence[str]
) -> Iterable[tuple[str, str, Mapping[str, str]]]:
    """Yield the permissions that a call needs: action, resource ARN, condition context."""
    here, context = _base(region), _context(region)
    for resource in _resources(operation, params, here):
        yield f"ec2:{operation}", resource, context
    if operation == "CopyImage":
        there = _base(params.get("SourceRegion") or "")
        yield "ec2:CopyImage", f"{there}image/{params.get('SourceImageId', '')}", context
        for snapshot_id in source_snapshot_ids:
            yield "ec2:CopyImage", f"{there}snapshot/{snapshot_id}", context
    # Tagging on creation is an action of its own; the condition key ec2:CreateAction names the creating operation.
    tagging = {**context, "ec2:createaction": operation}
    for specification in params.get("TagSpecifications") or []:
        yield "ec2:CreateTags", f"{here}{specification.get('ResourceType', '')}/*", tagging


def _base(region: str) -> str:
    return f"arn:{partition_of(region)}:ec2:{region}::"


def _resources(operation: str, params: Mapping[str, Any], base: str) -> list[str]:
    if operation == "CopyImage":
        return [f"{base}image/*"]
    if operation.startswith(("Describe", "Get")) and not operation.endswith("Attribute"):
        return ["*"]
    named = [f"{base}image/{params['ImageId']}"] if params.get("ImageId") else []
    if params.get("SnapshotId"):
        named.append(f"{base}snapshot/{params['SnapshotId']}")
    for resource in params.get("Resources") or []:
        kind = "image" if resource.startswith("ami-") else "snapshot" if resource.startswith("snap-") else "*"
        named.append(f"{base}{kind}/{resource}")
    return named or ["*"]


def _is_allowed(policies: Sequence[str], action: str, resource: str | None, context: Mapping[str, str]) -> bool:
    """Return True if a policy allows the action and none denies it. None stands for any resource."""
    granted = False
    for policy in policies:
        statements = json.loads(policy)["Statement"]
        for statement in [statements] if isinstance(statements, dict) else statements:
            if not _applies(statement, action, resource, context):
                continue
            if statement["Effect"] == "Deny":
                return False
            granted = True
    return granted


def _applies(statement: Mapping[str, Any], action: str, resource: str | None, context: Mapping[str, str]) -> bool:
    return (
        _matches(statement, "Action", action.lower(), lower=True)
        and (resource is None or _matches(statement, "Resource", resource))
        and all(
            _condition_holds(operator, key, values, context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _matches(statement: Mapping[str, Any], element: str, value: str, *, lower: bool = False) -> bool:
    negated = f"Not{element}" in statement
    patterns = statement.get(f"Not{element}" if negated else element, [])
    matched = any(fnmatch.fnmatchcase(value, pattern.lower() if lower else pattern) for pattern in _as_list(patterns))
    return matched is not negated


def _condition_holds(operator: str, key: str, values: Any, context: Mapping[str, str]) -> bool:
    actual, expected = context.get(key.lower()), [str(value) for value in _as_list(values)]
    if operator.endswith("IfExists"):
        operator = operator.removesuffix("IfExists")
        if actual is None:
            return True
    if operator in ("StringEquals", "StringLike", "ArnLike", "ArnEquals"):
        return actual is not None and any(fnmatch.fnmatchcase(actual, value) for value in expected)
    if operator in ("StringNotEquals", "StringNotLike"):
        return actual is None or not any(fnmatch.fnmatchcase(actual, value) for value in expected)
    return False


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
