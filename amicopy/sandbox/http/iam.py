"""IAM, where asked for: may this caller make this EC2 call?

Refuses to know EC2's state: an action, the ARNs it touches, and the policies of who calls.
"""

import fnmatch
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from amicopy.sandbox.ec2.errors import Ec2Error
from amicopy.sandbox.settings import partition_of

Caller = tuple[str, Sequence[str]]  # ARN, policy documents
CallerLookup = Callable[[str, str], Caller | None]  # access key, region → caller; None: may do everything


class Guard:
    """Who may do what, as their policies say."""

    def __init__(self, callers: CallerLookup) -> None:
        self._callers = callers

    def check(
        self,
        operation: str,
        params: Mapping[str, Any],
        *,
        source_snapshot_ids: Sequence[str] = (),
        access_key: str,
        region: str,
    ) -> None:
        """Refuse an EC2 call that the caller's policies do not allow.

        ``source_snapshot_ids`` are those of the image that a CopyImage names: to read them is part of it.
        """
        caller = self._callers(access_key, region)
        if caller is None:
            return
        arn, documents = caller
        for action, resource, context in _needed(operation, params, region, source_snapshot_ids):
            if not allowed(documents, action, resource, context):
                raise Ec2Error(
                    "UnauthorizedOperation",
                    "You are not authorized to perform this operation. "
                    f"{_denial(arn, action, f' on resource: {resource}')}",
                    status=403,
                )

    def permits(self, operation: str, *, access_key: str, region: str) -> bool:
        """Say whether the caller may call this EC2 operation on whatever it is about."""
        caller = self._callers(access_key, region)
        return caller is None or allowed(caller[1], f"ec2:{operation}", None, _context(region))

    def check_other(self, service: str, operation: str, resource: str | None, *, access_key: str, region: str) -> None:
        """Refuse a call to another service; without a resource any statement on the action will do."""
        caller = self._callers(access_key, region)
        action = f"{service}:{operation}"
        if caller is None or action == "sts:GetCallerIdentity":  # which no policy can deny
            return
        if not allowed(caller[1], action, resource, _context(region)):
            on = f" on resource: {resource}" if resource else ""
            in_json = service in ("kms", "ssm")
            code = "AccessDeniedException" if in_json else "AccessDenied"
            raise Ec2Error(code, _denial(caller[0], action, on), status=400 if in_json else 403)


def _denial(arn: str, action: str, on: str) -> str:
    return (
        f"User: {arn} is not authorized to perform: {action}{on} "
        f"because no identity-based policy allows the {action} action"
    )


def _context(region: str) -> dict[str, str]:
    return {"aws:requestedregion": region, "ec2:region": region}


def _needed(
    operation: str, params: Mapping[str, Any], region: str, source_snapshot_ids: Sequence[str]
) -> Iterable[tuple[str, str, Mapping[str, str]]]:
    here, context = _base(region), _context(region)
    for resource in _resources(operation, params, here):
        yield f"ec2:{operation}", resource, context
    if operation == "CopyImage":
        there = _base(params.get("SourceRegion") or "")
        yield "ec2:CopyImage", f"{there}image/{params.get('SourceImageId', '')}", context
        for snapshot_id in source_snapshot_ids:
            yield "ec2:CopyImage", f"{there}snapshot/{snapshot_id}", context
    # Tagging while creating is an action of its own; the condition key says what it belongs to.
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


def allowed(documents: Sequence[str], action: str, resource: str | None, context: Mapping[str, str]) -> bool:
    """Say whether the policies allow the action: one has to, and none may deny; None is any resource."""
    granted = False
    for document in documents:
        statements = json.loads(document)["Statement"]
        for statement in [statements] if isinstance(statements, dict) else statements:
            if not _concerns(statement, action, resource, context):
                continue
            if statement["Effect"] == "Deny":
                return False
            granted = True
    return granted


def _concerns(statement: Mapping[str, Any], action: str, resource: str | None, context: Mapping[str, str]) -> bool:
    return (
        _matches(statement, "Action", action.lower(), lower=True)
        and (resource is None or _matches(statement, "Resource", resource))
        and all(
            _holds(operator, key, values, context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _matches(statement: Mapping[str, Any], element: str, value: str, *, lower: bool = False) -> bool:
    negated = f"Not{element}" in statement
    patterns = statement.get(f"Not{element}" if negated else element, [])
    found = any(fnmatch.fnmatchcase(value, pattern.lower() if lower else pattern) for pattern in _listed(patterns))
    return found is not negated


def _holds(operator: str, key: str, values: Any, context: Mapping[str, str]) -> bool:
    actual, wanted = context.get(key.lower()), [str(value) for value in _listed(values)]
    if operator.endswith("IfExists"):
        operator = operator.removesuffix("IfExists")
        if actual is None:
            return True
    if operator in ("StringEquals", "StringLike", "ArnLike", "ArnEquals"):
        return actual is not None and any(fnmatch.fnmatchcase(actual, value) for value in wanted)
    if operator in ("StringNotEquals", "StringNotLike"):
        return actual is None or not any(fnmatch.fnmatchcase(actual, value) for value in wanted)
    return False


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
