"""Accounts beside the default one: their records, and the sessions of the roles that are assumed in them."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

ROLE = "amicopy"  # the name of the role that each account has, unless it is given another
ORGANIZATION_ID = "o-exampleorgid"
ROOT_ID = "r-exam"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account of the sandbox."""

    account_id: str
    name: str
    role_arn: str = ""  # the role that another account may assume; "" if there is none
    parent_id: str = ""  # the organizational unit or the root that it is in; "" outside of the organization
    suspended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleSession:
    """The credentials that STS has issued for a role."""

    access_key: str
    token: str
    account: str
    role_arn: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who makes a call: the account, and the ARNs by which policies name the caller."""

    account: str
    arn: str
    role_arn: str = ""
    organization_id: str = ""
    organization_paths: tuple[str, ...] = ()  # as aws:PrincipalOrgPaths has them


def unit_id(path: str) -> str:
    """Return the id of the organizational unit at a path such as ``workloads/test``: always the same one."""
    return f"ou-{ROOT_ID.removeprefix('r-')}-{hashlib.blake2b(path.encode(), digest_size=4).hexdigest()}"
