"""The printed policies for other accounts: the caller's own, the role's, and its trust policy."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from amicopy.sandbox.accounts import unit_id
from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.records import Image, Volume
from amicopy.sandbox.world import World
from tests.conftest import Ran, Run
from tests.support.accounts import OWN, B, guests, records
from tests.support.clock import FakeClock
from tests.support.iam import Caller, actions_of, denied, each_action, printed, without
from tests.support.manifests import DAY, a_manifest
from tests.support.scenes import HOME, WEST, a_source

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


RELEASES = f"""\
    name: base
    images:
      - source: {{name: 'web-*'}}
        from: {HOME}
        to: {WEST}
        carry_permissions: false
        carry_deprecation: false
        accounts: [{{id: '{B}'}}]
        publish: {{ssm: /amis/web, launch_templates: web}}
        keep: {{newest: 1}}
"""
OF_RELEASES = {
    *("AmicopyReadParameters:ssm:GetParameter", "AmicopyPublishParameters:ssm:PutParameter"),
    *("AmicopyRead:ec2:DescribeImageReferences", "AmicopyManageCopies:ec2:DeregisterImage"),
    *("AmicopyRead:ec2:DescribeLaunchTemplateVersions", "AmicopyPublishTemplates:ec2:CreateLaunchTemplateVersion"),
    "AmicopyPublishTemplates:ec2:ModifyLaunchTemplate",
}


OLD = "ami-0123456789abcdef0"


class Releases:
    """A manifest with two releases, the second of which the caller and the role copy, publish, and clean up after."""

    def __init__(self, amicopy: Run, sandbox: Sandbox, clock: FakeClock, folder: Path) -> None:
        self._amicopy, self._world, self._clock = amicopy, sandbox.world, clock
        self.manifest = a_manifest(folder, RELEASES)
        sandbox.add_account(B, role="")
        self.role = Role(sandbox, printed(amicopy, "sync", self.manifest, "--account-role", USER))
        session = boto3.Session(**sandbox.credentials(B), region_name=WEST)
        self.ec2: Any = session.client("ec2", endpoint_url=sandbox.endpoint_url)
        self.ssm: Any = session.client("ssm", endpoint_url=sandbox.endpoint_url)
        own = boto3.Session(**sandbox.credentials(OWN), region_name=WEST)
        self._own: Any = own.client("ec2", endpoint_url=sandbox.endpoint_url)
        self._own.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"ImageId": OLD})

    def run(self, name: str) -> Ran:
        """Apply the manifest when this image has been registered."""
        self._clock.advance(2 * DAY)
        self._world.register(HOME, name=name)
        return self._amicopy("sync", self.manifest)

    def add_template(self) -> None:
        """Let the other account have the template, too; what a version of it names stays."""
        self.ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"ImageId": OLD})

    @property
    def published(self) -> str:
        """The id that the other account's parameter has."""
        return str(self.ssm.get_parameter(Name="/amis/web")["Parameter"]["Value"])

    def close(self) -> None:
        """End the connections."""
        for one in (self.role, self.ec2, self.ssm, self._own):
            one.close()


@pytest.fixture
def releases(amicopy: Run, guarded: World, sandbox: Sandbox, clock: FakeClock, tmp_path: Path) -> Iterator[Releases]:
    """The manifest, and the role with what is printed for it."""
    assert guarded is sandbox.world
    made = Releases(amicopy, sandbox, clock, tmp_path)
    yield made
    made.close()


def test_a_manifest_s_policies_let_ids_be_published_and_old_copies_removed_there(
    amicopy: Run, caller: Caller, releases: Releases, guarded: World
) -> None:
    caller.may(printed(amicopy, "sync", releases.manifest))
    assert releases.run("web-1").code == 0
    releases.add_template()
    ran = releases.run("web-2")
    assert ran.code == 0, ran.err
    assert denied(guarded) == []
    [copy] = guarded.images(WEST, B)
    assert releases.published == copy.image_id


@pytest.mark.parametrize("name", sorted(OF_RELEASES))
def test_without_one_action_of_the_role_s_the_manifest_is_not_applied_there(
    amicopy: Run, caller: Caller, releases: Releases, guarded: World, name: str
) -> None:
    sid, action = name.split(":", 1)
    caller.may(printed(amicopy, "sync", releases.manifest))
    assert releases.run("web-1").code == 0
    releases.add_template()
    assert (sid, action) in each_action(releases.role.policy)
    releases.role.may(without(releases.role.policy, action, sid))
    ran = releases.run("web-2")
    assert action in ran.err
    assert ran.code != 0 or len(guarded.images(WEST, B)) == 2  # what uses a copy is not known, so it stays


def test_each_policy_has_the_parameters_of_its_own_accounts_only(amicopy: Run, tmp_path: Path) -> None:
    unit = "{path: /unit, accounts: [{ou: ou-abcd-12345678}]}"  # which may have either
    paths = f"[{{path: /own, accounts: self}}, {{path: /theirs, accounts: '{B}'}}, {unit}, /all]"
    manifest = a_manifest(tmp_path, RELEASES.replace("/amis/web, launch_templates: web", paths))

    def parameters(*more: str) -> set[str]:
        document = printed(amicopy, "sync", manifest, *more)
        [found] = [one for one in document.get("Policy", document)["Statement"] if "ssm:PutParameter" in one["Action"]]
        return {arn.partition("parameter/")[2] for arn in found["Resource"]}

    assert parameters() == {"own", "unit", "all"}
    assert parameters("--account-role", USER) == {"theirs", "unit", "all"}
    alone = a_manifest(tmp_path, RELEASES.replace(f"        accounts: [{{id: '{B}'}}]\n", ""), "alone.yaml")
    role = printed(amicopy, "sync", alone, "--account-role", USER)["Policy"]
    assert not {"ssm:PutParameter", "ec2:DescribeImageReferences"} & actions_of(role)


LISTING = ("organizations:ListAccountsForParent", "organizations:ListOrganizationalUnitsForParent")


def test_a_unit_that_ids_are_published_in_has_to_be_listed(
    amicopy: Run, caller: Caller, sandbox: Sandbox, guarded: World, tmp_path: Path
) -> None:
    sandbox.add_account(B, unit="workloads", role="")
    paths = f"{{path: /amis/web, accounts: [{{ou: {unit_id('workloads')}}}]}}"
    manifest = a_manifest(tmp_path, RELEASES.replace("/amis/web, launch_templates: web", paths))
    role = Role(sandbox, printed(amicopy, "sync", manifest, "--account-role", USER))
    guarded.register(HOME, name="web-1")
    document = printed(amicopy, "sync", manifest)
    assert not set(LISTING) & actions_of(role.policy)
    for action in LISTING:
        caller.may(without(document, action, "AmicopyListAccounts"))
        ran = amicopy("sync", manifest)
        assert (ran.code, guarded.images(WEST)) == (6, [])
        assert action in ran.err
    guarded.requests.clear()
    caller.may(document)
    ran = amicopy("sync", manifest)
    assert (ran.code, denied(guarded)) == (0, []), ran.err
    role.close()


def test_the_dispatcher_works_in_no_other_account(amicopy: Run, tmp_path: Path) -> None:
    accounts = "accounts: [{ou: ou-abcd-12345678}]"
    publish = "/amis/web, accounts: [{ou: ou-abcd-12345678}]"
    text = RELEASES.replace(f"accounts: [{{id: '{B}'}}]", accounts).replace(
        "ssm: /amis/web", f"ssm: {{path: {publish}}}"
    )
    manifest = a_manifest(tmp_path, text)
    assert {"sts:AssumeRole", *LISTING} <= actions_of(printed(amicopy, "--for", "lambda-worker", manifest))
    assert not {"sts:AssumeRole", *LISTING} & actions_of(printed(amicopy, "--for", "lambda-dispatcher", manifest))


def test_policies_to_boot_suffice_and_the_role_s_has_nothing_more_than_that(
    amicopy: Run, caller: Caller, sandbox: Sandbox, guarded: World
) -> None:
    where = ("--from", HOME, "--in", HOME, "--account", B)
    sandbox.add_account(B, role="")
    role = Role(sandbox, printed(amicopy, "boot", *where, "--account-role", USER))
    caller.may(printed(amicopy, "boot", *where))
    argv = ("boot", a_source(guarded, account=B).image_id, *where, "--yes")
    ran = amicopy(*argv)
    assert (ran.code, denied(guarded)) == (0, []), ran.err
    spared = {"ec2:DescribeInstanceTypeOfferings", "ec2:DescribeSubnets"}  # without them EC2 says it at the launch
    for sid, action in each_action(role.policy):
        if action.startswith("ec2:") and action not in spared:
            role.may(without(role.policy, action, sid))
            guarded.requests.clear()
            ran = amicopy(*argv, "--expect", "login") if action == "ec2:GetConsoleOutput" else amicopy(*argv)
            assert ran.code != 0 or denied(guarded) != [], (sid, action)
    role.close()


def test_policies_to_retire_suffice_in_every_account(
    amicopy: Run, caller: Caller, sandbox: Sandbox, guarded: World
) -> None:
    where = ("--from", HOME, "--in", f"{HOME},{WEST}", "--account", B)
    source = guarded.register(HOME, name="web", volumes=[Volume(device="/dev/sda1", gib=8)])
    sandbox.add_account(B, role="")
    role = Role(sandbox, printed(amicopy, *ARGUMENTS[:-2], "--account-role", USER))
    caller.may(printed(amicopy, *ARGUMENTS[:-2]))
    assert amicopy("copy", source.image_id, *ARGUMENTS[1:-2]).code == 0
    role.may(printed(amicopy, "retire", *where, "--account-role", USER)["Policy"])
    caller.may(printed(amicopy, "retire", *where))
    ran = amicopy("retire", source.image_id, *where, "--yes")
    assert ran.code == 0, ran.err
    assert denied(guarded) == []
    assert {image.state for image in guarded.images(None, B)} == {"disabled"}
    role.close()


@pytest.mark.parametrize("trusted", ["notanarn", "*", "arn:aws:iam::1:role/x", "arn:aws:iam::111122223333:policy/x"])
def test_only_who_can_assume_a_role_is_trusted(amicopy: Run, trusted: str) -> None:
    ran = amicopy("iam-policy", *ARGUMENTS, "--account-role", trusted)
    assert (ran.code, ran.out) == (2, "")
    assert f"Invalid value for '--account-role': '{trusted}'" in ran.err
