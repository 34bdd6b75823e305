"""Whether a KMS key can let a role of another account use it, as far as its policy and its grants say.

A "no" is certain. A "yes" is not: conditions may not hold, and the other account's own policies count as well.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from amicopy.core.grants import KEY_GRANT_OPERATIONS
from amicopy.core.kms_key import KeyGrant

# Condition keys whose value is known beforehand: the account that calls.
_ABOUT_CALLER = frozenset({"kms:calleraccount", "aws:principalaccount"})
_ROLE = re.compile(r"arn:(?P<partition>[^:]+):iam::(?P<account>[0-9]{12}):role/(?:.*/)?(?P<name>[^/]+)")


@dataclass(frozen=True, slots=True)
class _Role:
    """The role, and how policies name it."""

    account: str
    names: frozenset[str]
    sessions: str  # how the ARNs of its sessions begin

    @classmethod
    def parse(cls, arn: str) -> "_Role | None":
        found = _ROLE.fullmatch(arn)
        if found is None:
            return None
        account, partition = found["account"], found["partition"]
        names = frozenset({"*", account, arn, f"arn:{partition}:iam::{account}:root"})
        return cls(account, names, f"arn:{partition}:sts::{account}:assumed-role/{found['name']}/")

    def may_be(self, principal: str) -> bool:
        return principal in self.names or principal.startswith(self.sessions)


def missing_operations(policy: str | None, grants: Iterable[KeyGrant] | None, role_arn: str) -> tuple[str, ...]:
    """Return what the role certainly may not do with the key.

    None stands for a policy, or for grants, that could not be read: then nothing is certain.
    """
    role = _Role.parse(role_arn)
    if policy is None or grants is None or role is None:
        return ()
    granted = {name for one in grants if role.may_be(one.grantee) for name in one.operations}
    return tuple(name for name in KEY_GRANT_OPERATIONS if name not in granted and not _may_allow(policy, role, name))


def keeps_from_copying(missing: Iterable[str]) -> bool:
    """Return whether EC2 cannot copy without these: one way of reading the data is enough."""
    found = set(missing)
    return bool(found & {"DescribeKey", "CreateGrant"}) or found >= {"Decrypt", "ReEncryptFrom"}


def _may_allow(policy: str, role: _Role, operation: str) -> bool:
    """Return whether the policy may let the role do this; conditions that are not known may hold."""
    try:
        statements = [one for one in _listed(json.loads(policy)["Statement"]) if isinstance(one, Mapping)]
    except (ValueError, KeyError, TypeError):
        return True
    about = [one for one in statements if _is_about(one, operation)]
    if any(one.get("Effect") == "Deny" and not one.get("Condition") and _denies(one, role) for one in about):
        return False
    return any(
        one.get("Effect") == "Allow" and _may_name(one, role) and _may_hold(one.get("Condition"), role) for one in about
    )


def _is_about(statement: Mapping[str, Any], operation: str) -> bool:
    action = f"kms:{operation}".lower()
    negated = "NotAction" in statement
    patterns = _listed(statement.get("NotAction" if negated else "Action"))
    return any(fnmatchcase(action, str(pattern).lower()) for pattern in patterns) is not negated


def _denies(statement: Mapping[str, Any], role: _Role) -> bool:
    return any(one in role.names for one in _principals(statement))


def _may_name(statement: Mapping[str, Any], role: _Role) -> bool:
    return "NotPrincipal" in statement or any(map(role.may_be, _principals(statement)))


def _principals(statement: Mapping[str, Any]) -> list[str]:
    named = statement.get("Principal")
    return [str(one) for one in _listed(named.get("AWS") if isinstance(named, Mapping) else named)]


def _may_hold(conditions: object, role: _Role) -> bool:
    """Return False if a condition is about the caller's account and names others only."""
    return not isinstance(conditions, Mapping) or all(role.account in some for some in _accounts_named(conditions))


def _accounts_named(conditions: Mapping[str, Any]) -> Iterator[list[str]]:
    for operator, keys in conditions.items():
        if operator == "StringEquals" and isinstance(keys, Mapping):
            yield from ([*map(str, _listed(value))] for key, value in keys.items() if key.lower() in _ABOUT_CALLER)


def _listed(value: object) -> list[Any]:
    return list(value) if isinstance(value, list) else [] if value is None else [value]
