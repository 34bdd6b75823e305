"""Policies that name principals: the trust policy of a role, the key policy of a KMS key."""

import json
import re
from collections.abc import Mapping
from typing import Any

from amicopy.sandbox.accounts import Principal
from amicopy.sandbox.http.iam_conditions import Context, as_list, conditions_hold, is_like

_ROOT = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):root")


def allows(policy: str, principal: Principal, action: str, context: Context | None = None) -> bool:
    """Return True if a statement of the policy allows the principal this action, and none denies it.

    ``context`` has the condition keys of the request, in lower case; those of the principal are added.
    """
    try:
        statements = as_list(json.loads(policy).get("Statement", []))
    except (ValueError, AttributeError):
        return False
    known = {**_context_of(principal), **(context or {})}
    effects = {
        statement.get("Effect")
        for statement in statements
        if _acts_on(statement, action)
        and _names(statement, principal)
        and conditions_hold(statement.get("Condition", {}), known)
    }
    return "Allow" in effects and "Deny" not in effects


def is_principal(named: str, principal: Principal) -> bool:
    """Return True if ``named``, which is an account, an ARN or ``*``, includes the principal."""
    root = _ROOT.fullmatch(named)
    return named in ("*", principal.account, principal.arn, principal.role_arn) or (
        root is not None and root[1] == principal.account
    )


def _context_of(principal: Principal) -> Context:
    context: dict[str, str | tuple[str, ...]] = {
        "aws:principalaccount": principal.account,
        "aws:principalarn": principal.role_arn or principal.arn,
        "kms:calleraccount": principal.account,
    }
    if principal.organization_id:
        context |= {
            "aws:principalorgid": principal.organization_id,
            "aws:principalorgpaths": principal.organization_paths,
        }
    return context


def _acts_on(statement: Mapping[str, Any], action: str) -> bool:
    patterns = as_list(statement.get("Action", []))
    return any(is_like(action.lower(), pattern.lower()) for pattern in patterns)


def _names(statement: Mapping[str, Any], principal: Principal) -> bool:
    named = statement.get("Principal", {})
    if isinstance(named, dict):
        named = named.get("AWS", [])
    return any(is_principal(str(one), principal) for one in as_list(named))
