"""The printed policies for other accounts: the caller's own, the role's, and its trust policy."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.records import Image, Volume
from amicopy.sandbox.world import World
from tests.conftest import Ran, Run
from tests.support.accounts import OWN, B, guests, records
from tests.support.iam import Caller, denied, each_action, printed, without
from tests.support.scenes import HOME, WEST

ARGUMENTS = ("copy", "--from", HOME, "--to", f"{HOME},{WEST}", "--account", B, "--external-id", "golden-1")
USER = f"arn:aws:iam::{OWN}:user/pipeline"
# What a copy without permissions, dates, adoption or watermarks never comes to.
NEEDED = {
    *("AmicopyAssumeRoles:sts:AssumeRole", "AmicopyCopyImage:ec2:CopyImage", "AmicopyRead:ec2:DescribeImages"),
    *("AmicopyRead:ec2:DescribeSnapshots", "AmicopyTagNewCopies:ec2:CreateTags"),
    *("AmicopyRecordAccess:ec2:CreateTags", "AmicopyRecordAccess:ec2:DeleteTags"),
    *("AmicopyGiveAccess:ec2:ModifyImageAttribute", "AmicopyGiveAccess:ec2:ModifySnapshotAttribute"),
    *("AmicopyRead:ec2:DescribeImageAttribute", "AmicopyRead:ec2:DescribeSnapshotAttribute"),
}
OF_ROLE = {name for name in NEEDED if not name.startswith(("AmicopyAssume", "AmicopyRecord", "AmicopyGive"))} - {
    "AmicopyRead:ec2:DescribeImageAttribute",
    "AmicopyRead:ec2:DescribeSnapshotAttribute",
}


class Role:
    """The role in the other account, with the policies that amicopy prints for it."""

    def __init__(self, sandbox: Sandbox, policies: Any) -> None:
        session = boto3.Session(**sandbox.credentials(B), region_name=HOME)
        self._iam: Any = session.client("iam", endpoint_url=sandbox.endpoint_url)
        self._iam.create_role(RoleName="amicopy", AssumeRolePolicyDocument=json.dumps(policies["TrustPolicy"]))
        self.policy = policies["Policy"]
        self.may(self.policy)

    def may(self, document: Any) -> None:
        """Let the role do what the policy document says, and nothing else."""
        self._iam.put_role_policy(RoleName="amicopy", PolicyName="amicopy", PolicyDocument=json.dumps(document))

    def close(self) -> None:
        """End the connections."""
        self._iam.close()


@pytest.fixture
def role(amicopy: Run, guarded: World, sandbox: Sandbox) -> Iterator[Role]:
    """The role in another account that the caller may assume."""
    sandbox.add_account(B, role="")
    one = Role(sandbox, printed(amicopy, *ARGUMENTS, "--account-role", USER))
    yield one
    one.close()


@pytest.fixture
def source(guarded: World) -> Image:
    """An image whose two snapshots have different tags."""
    volumes = [Volume(device="/dev/sda1", gib=8, tags={"Name": "root"}), Volume(device="/dev/sdf", gib=8)]
    return guarded.register(HOME, name="web", tags={"Name": "web"}, volumes=volumes)


def copied(amicopy: Run, source: Image, *more: str) -> Ran:
    """Copy it into the other account, into the source's region and another one."""
    return amicopy(ARGUMENTS[0], source.image_id, *ARGUMENTS[1:], *more)


def test_both_policies_together_suffice(
    amicopy: Run, caller: Caller, role: Role, source: Image, world: World, guarded: World
) -> None:
    caller.may(printed(amicopy, *ARGUMENTS))
    ran = copied(amicopy, source)
    assert ran.code == 0, ran.err
    assert denied(guarded) == []
    assert (guests(guarded), records(guarded)) == (set(), [])
    assert {(image.owner, image.region) for image in guarded.images()} == {
        (OWN, HOME),
        (OWN, WEST),
        (B, HOME),
        (B, WEST),
    }


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_without_one_action_of_the_callers_something_is_denied(
    amicopy: Run, caller: Caller, role: Role, source: Image, guarded: World, name: str
) -> None:
    sid, action = name.split(":", 1)
    document = printed(amicopy, *ARGUMENTS)
    assert (sid, action) in each_action(document)
    caller.may(without(document, action, sid))
    ran = copied(amicopy, source)
    assert ran.code != 0
    assert action in ran.err or "cannot be assumed" in ran.err


@pytest.mark.parametrize("name", sorted(OF_ROLE))
def test_without_one_action_of_the_roles_something_is_denied(
    amicopy: Run, caller: Caller, role: Role, source: Image, name: str
) -> None:
    sid, action = name.split(":", 1)
    assert (sid, action) in each_action(role.policy)
    caller.may(printed(amicopy, *ARGUMENTS))
    role.may(without(role.policy, action, sid))
    ran = copied(amicopy, source)
    assert ran.code != 0
    assert action in ran.err


def test_a_unit_adds_listing_and_any_account(amicopy: Run) -> None:
    document = printed(amicopy, "copy", "--from", HOME, "--to", WEST, "--ou", "ou-abcd-12345678")
    by_sid = {one["Sid"]: one for one in document["Statement"]}
    assert by_sid["AmicopyAssumeRoles"]["Resource"] == ["arn:aws:iam::*:role/amicopy"]
    assert "organizations:ListAccountsForParent" in by_sid["AmicopyListAccounts"]["Action"]


def test_without_accounts_the_policy_says_nothing_of_them(amicopy: Run) -> None:
    text = json.dumps(printed(amicopy, "copy", "--from", HOME, "--to", WEST))
    assert "sts:" not in text
    assert "amicopy:grant" not in text
