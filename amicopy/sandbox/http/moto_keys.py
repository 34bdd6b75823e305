"""KMS keys of other accounts, and grants: what moto's KMS leaves out."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from moto.kms.models import Grant, Key, kms_backends

from amicopy.sandbox.accounts import Principal
from amicopy.sandbox.ec2.errors import Ec2Error
from amicopy.sandbox.http.resource_policies import allows, is_principal
from amicopy.sandbox.settings import partition_of

# What can be done with a key of another account (KMS API reference, "Cross-account use: Yes").
_ACROSS_ACCOUNTS = frozenset(
    {
        *("CreateGrant", "Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext"),
        *("GetKeyRotationStatus", "GetPublicKey", "ListGrants", "ReEncrypt", "RetireGrant", "RevokeGrant"),
    }
)


class _IssuedGrant(Grant):
    """A grant that is listed as KMS lists it."""

    def __init__(self, key: Key, request: Mapping[str, Any], issuing_account: str, now: datetime) -> None:
        super().__init__(
            key.arn,
            request.get("Name", ""),
            request["GranteePrincipal"],
            list(request.get("Operations") or []),
            request.get("Constraints") or {},
            request.get("RetiringPrincipal", ""),
        )
        self._issuing_account, self._created_at = issuing_account, now.timestamp()

    def to_json(self) -> dict[str, Any]:
        members = {**super().to_json(), "CreationDate": self._created_at, "IssuingAccount": self._issuing_account}
        return {name: value for name, value in members.items() if value not in ("", {})}


def account_for(operation: str, request: Mapping[str, Any], principal: Principal, region: str) -> str:
    """Return the account in which a call to KMS takes place: that of the key, if it is another account's.

    Raises:
        Ec2Error: neither the key's policy nor a grant lets the caller do that.
    """
    named = str(request.get("KeyId", ""))
    parts = named.split(":")
    if len(parts) < 6 or not parts[5].startswith(("key/", "alias/")) or parts[4] == principal.account:
        return principal.account
    action = f"kms:{operation}"
    key = _find(named)
    if parts[3] == region and operation in _ACROSS_ACCOUNTS and key is not None and permits(key, principal, action):
        return parts[4]
    reason = f"because no resource-based policy allows the {action} action"
    if key is None or parts[3] != region:
        reason = (
            "because the resource does not exist in this Region, no resource-based policies allow access, "
            "or a resource-based policy explicitly denies access"
        )
    raise Ec2Error(
        "AccessDeniedException",
        f"User: {principal.arn} is not authorized to perform: {action} on resource: {named} {reason}",
    )


def may_use(arn: str, principal: Principal, action: str) -> bool:
    """Return True if a key lets the caller do this: its own account may, by its IAM policies; others need leave."""
    key = _find(arn)
    return key is None or permits(key, principal, action)


def permits(key: Key, principal: Principal, action: str) -> bool:
    """Return True if the principal is of the key's account, or the key's policy or a grant allows the action."""
    if key.account_id == principal.account or allows(key.policy, principal, action):
        return True
    operation = action.removeprefix("kms:")
    return any(
        operation in grant.operations and is_principal(grant.grantee_principal, principal)
        for grant in key.grants.values()
    )


def answer(
    operation: str, request: Mapping[str, Any], *, account: str, region: str, caller: str, now: datetime
) -> dict[str, Any] | None:
    """Return the response to a call about grants; None if it is moto's to answer.

    Raises:
        Ec2Error: KMS refuses the call, or it was a dry run.
    """
    if operation not in ("CreateGrant", "ListGrants", "RevokeGrant", "ListRetirableGrants"):
        return None
    backend = kms_backends[account][region]
    if operation == "ListRetirableGrants":
        found = [grant for key in backend.keys.values() for grant in key.grants.values()]
        return _page(request, [grant for grant in found if grant.retiring_principal == request["RetiringPrincipal"]])
    named = str(request.get("KeyId", ""))
    try:
        key = backend.describe_key(named)
    except (KeyError, AttributeError):
        arn = f"arn:{partition_of(region)}:kms:{region}:{account}:key/{named}"
        raise Ec2Error(
            "NotFoundException", f"Key '{named if named.startswith('arn:') else arn}' does not exist"
        ) from None
    if operation == "CreateGrant":
        return _create_grant(key, request, caller, now)
    if operation == "RevokeGrant":
        return _revoke_grant(key, request)
    return _page(request, _listed(key, request))


def _create_grant(key: Key, request: Mapping[str, Any], caller: str, now: datetime) -> dict[str, Any]:
    grantee = str(request.get("GranteePrincipal", ""))
    if not grantee.startswith("arn:"):
        raise Ec2Error("InvalidArnException", "ARN does not refer to a valid principal")
    if key.key_state != "Enabled":
        code = "DisabledException" if key.key_state == "Disabled" else "KMSInvalidStateException"
        raise Ec2Error(code, f"{key.arn} is {'disabled' if key.key_state == 'Disabled' else 'pending deletion'}.")
    _end_dry_run(request)
    # "If you use the same Name and the same parameters again, you get the same grant": CreateGrant's reference.
    if request.get("Name"):
        for grant in key.grants.values():
            if _parameters(grant) == _requested(request):
                return {"GrantId": grant.id, "GrantToken": grant.token}
    grant = _IssuedGrant(key, request, f"arn:aws:iam::{caller}:root", now)
    key.grants[grant.id] = grant
    return {"GrantId": grant.id, "GrantToken": grant.token}


def _parameters(grant: Grant) -> tuple[Any, ...]:
    return (
        grant.name,
        grant.grantee_principal,
        sorted(grant.operations),
        grant.constraints or {},
        grant.retiring_principal,
    )


def _requested(request: Mapping[str, Any]) -> tuple[Any, ...]:
    operations = sorted(request.get("Operations") or [])
    constraints, retiring = request.get("Constraints") or {}, request.get("RetiringPrincipal", "")
    return request.get("Name"), request.get("GranteePrincipal"), operations, constraints, retiring


def _revoke_grant(key: Key, request: Mapping[str, Any]) -> dict[str, Any]:
    grant_id = str(request.get("GrantId", ""))
    if grant_id not in key.grants:
        raise Ec2Error("NotFoundException", f"Grant ID {grant_id} not found")
    _end_dry_run(request)
    del key.grants[grant_id]
    return {}


def _end_dry_run(request: Mapping[str, Any]) -> None:
    if request.get("DryRun"):
        raise Ec2Error(
            "DryRunOperationException", "The request would have succeeded, but the DryRun option is set.", status=412
        )


def _listed(key: Key, request: Mapping[str, Any]) -> list[Grant]:
    wanted = {"GrantId": "id", "GranteePrincipal": "grantee_principal"}
    return [
        grant
        for grant in key.grants.values()
        if all(getattr(grant, member) == request[name] for name, member in wanted.items() if request.get(name))
    ]


def _page(request: Mapping[str, Any], grants: Sequence[Grant]) -> dict[str, Any]:
    start = int(request.get("Marker") or 0)
    end = start + int(request.get("Limit") or 50)
    more = {"NextMarker": str(end)} if end < len(grants) else {}
    return {"Grants": [grant.to_json() for grant in grants[start:end]], "Truncated": bool(more), **more}


def _find(arn: str) -> Key | None:
    region, account = arn.split(":")[3:5]
    try:
        return kms_backends[account][region].describe_key(arn)
    except (KeyError, AttributeError):  # moto's ways to report an unknown key
        return None
