"""Accounts in moto: roles in its IAM, the organization and its units, and who a caller is."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.organizations.models import (
    FakeAccount,
    FakeOrganization,
    FakeOrganizationalUnit,
    OrganizationsBackend,
    organizations_backends,
)
from moto.sts.models import sts_backends

from amicopy.sandbox.accounts import ORGANIZATION_ID, ROOT_ID, Principal, RoleSession, unit_id
from amicopy.sandbox.ec2.errors import Ec2Error
from amicopy.sandbox.settings import partition_of

_PARTITION = "aws"
# What every account of an organization may ask; all else is for the management account and delegated administrators.
_FOR_MEMBERS = frozenset({"DescribeOrganization", "LeaveOrganization", "AcceptHandshake", "DeclineHandshake"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What STS needs to know of a role: its trust policy, and how long its sessions may last."""

    trust: str
    max_session_seconds: int


def create_role(account: str, name: str, trust: str, max_session_seconds: int) -> str:
    """Create a role without policies and return its ARN. It replaces one of another sandbox in this process."""
    backend = iam_backends[account][_PARTITION]
    if any(role.name == name for role in backend.get_roles()):
        backend.delete_role(name)
    role = backend.create_role(
        role_name=name,
        assume_role_policy_document=trust,
        path="/",
        permissions_boundary=None,
        description="",
        tags=[],
        max_session_duration=str(max_session_seconds),
    )
    return str(role.arn)


def trust_policy(trusted: Collection[str], external_id: str) -> str:
    """Return the trust policy for these accounts or ARNs, with the external id that they have to send, if any."""
    named = [f"arn:aws:iam::{one}:root" if one.isdigit() else one for one in trusted]
    statement = {"Effect": "Allow", "Principal": {"AWS": named}, "Action": "sts:AssumeRole"}
    condition = {"Condition": {"StringEquals": {"sts:ExternalId": external_id}}} if external_id else {}
    return json.dumps({"Version": "2012-10-17", "Statement": [{**statement, **condition}]})


def find_role(arn: str) -> Role | None:
    """Return the role with this ARN, or None if there is none."""
    partition, account = arn.split(":")[1], arn.split(":")[4]
    try:
        role = iam_backends[account][partition].get_role_by_arn(arn)
    except (KeyError, NotFoundException):
        return None
    return Role(trust=role.assume_role_policy_document, max_session_seconds=int(role.max_session_duration or 3600))


def principal_of(access_key: str, account: str, region: str, session: RoleSession | None) -> Principal:
    """Return who calls with an access key; ``session`` is the key's, if it is that of a role."""
    _, arn, _ = sts_backends[account][partition_of(region)].get_caller_identity(access_key, region)
    organization = _organization_of(account)
    path = [node.id for node in _ancestors(organization, account)] if organization else []
    organization_id = organization.org.id if organization and organization.org else ""
    return Principal(
        account=account,
        arn=arn,
        role_arn=session.role_arn if session else "",
        organization_id=organization_id,
        organization_paths=("/".join([organization_id, *reversed(path)]) + "/",) if path else (),
    )


def organization_arns(account: str) -> frozenset[str]:
    """Return the ARNs of the account's organization and of all units that it is in."""
    organization = _organization_of(account)
    if organization is None or organization.org is None:
        return frozenset()
    units = [node.arn for node in _ancestors(organization, account) if node.id != organization.org.root_id]
    return frozenset([organization.org.arn, *units])


def is_suspended(account: str) -> bool:
    """Return True if the account is closed."""
    organization = _organization_of(account)
    members = organization.accounts if organization else []
    return any(member.id == account and member.status == "SUSPENDED" for member in members)


def account_for(operation: str, account: str) -> str:
    """Return the account as which a call to AWS Organizations is answered: the management account, for a hierarchy.

    Raises:
        Ec2Error: the account is in no organization, or isn't its management account or a delegated administrator.
    """
    organization = _organization_of(account)
    if not operation.startswith(("Describe", "List")) or operation in _FOR_MEMBERS:
        return account
    if organization is None or organization.org is None:
        raise Ec2Error("AWSOrganizationsNotInUseException", "Your account is not a member of an organization.")
    management = str(organization.org.master_account_id)
    if account != management and all(admin.account.id != account for admin in organization.admins):
        raise Ec2Error("AccessDeniedException", "You don't have permissions to access this resource.")
    return management


def add_to_organization(
    account: str, *, management: str, name: str, unit: str, suspended: bool, joined_at: datetime
) -> str:
    """Put an account into the organization of the management account; return the id of its unit, or of the root.

    ``unit`` is a path such as ``workloads/test``; "" is the root. Units that don't exist yet are created, and so is the
    organization.
    """
    organization, owner = _organization(management)
    parent_id = owner.root_id
    parts = unit.split("/") if unit else []
    for depth, part in enumerate(parts, start=1):
        parent_id = _unit(organization, owner, "/".join(parts[:depth]), part, parent_id)
    member = FakeAccount(owner, AccountName=name, Email=f"{account}@example.com")
    iam_backends.pop(member.id)  # moto has drawn an id and created a role there
    member.id, member.parent_id, member.create_time = account, parent_id, joined_at
    if suspended:
        member.close()
    organization.accounts = [other for other in organization.accounts if other.id != account] + [member]
    organizations_backends.master_accounts[account] = (management, _PARTITION)
    return str(parent_id)


def _organization(management: str) -> tuple[OrganizationsBackend, FakeOrganization]:
    backend: OrganizationsBackend = organizations_backends[management][_PARTITION]
    if backend.org is not None:
        return backend, backend.org
    backend.create_organization("us-east-1", FeatureSet="ALL")
    created: FakeOrganization = vars(backend)["org"]
    created.id, created.root_id = ORGANIZATION_ID, ROOT_ID
    (root,), (member,) = backend.ou, backend.accounts
    root.id, root.organization_id = ROOT_ID, ORGANIZATION_ID
    member.organization_id, member.parent_id = ORGANIZATION_ID, ROOT_ID
    return backend, created


def _unit(backend: OrganizationsBackend, owner: FakeOrganization, path: str, name: str, parent_id: str) -> str:
    wanted = unit_id(path)
    if all(unit.id != wanted for unit in backend.ou):
        unit = FakeOrganizationalUnit(owner, Name=name, ParentId=parent_id)
        unit.id = wanted
        backend.ou.append(unit)
    return wanted


def _organization_of(account: str) -> OrganizationsBackend | None:
    own: OrganizationsBackend = organizations_backends[account][_PARTITION]
    if own.org is not None:
        return own
    management, partition = organizations_backends.master_accounts.get(account, ("", ""))
    return organizations_backends[management][partition] if management else None


def _ancestors(organization: OrganizationsBackend, account: str) -> Iterable[FakeOrganizationalUnit]:
    """Yield the units that the account is in, from the innermost to the root."""
    units = {unit.id: unit for unit in organization.ou}
    parent = next((member.parent_id for member in organization.accounts if member.id == account), "")
    while parent in units:
        yield units[parent]
        parent = units[parent].parent_id or ""
