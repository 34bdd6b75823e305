"""Several accounts: roles and their sessions, the organization, keys and images that accounts share."""

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from amicopy.sandbox.behavior import Timing, Unconfirmed
from amicopy.sandbox.faults import parse_fault
from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.records import DEFAULT_ACCOUNT, Image, Volume
from amicopy.sandbox.samples import CLOSED, TEST_UNIT, UNIT, sample_accounts
from tests.sandbox.over_http import AWAY, HOME, Aws, asked, code_of
from tests.support.clock import FakeClock

OWNER = DEFAULT_ACCOUNT
MEMBER, OTHER, STRANGER = "111122223333", "444455556666", "999988887777"


def role_arn(account: str = MEMBER, name: str = "amicopy") -> str:
    return f"arn:aws:iam::{account}:role/{name}"


def assume(sts: Any, arn: str, **params: Any) -> dict[str, str]:
    """Assume a role and return the keyword arguments for its clients."""
    keys = sts.assume_role(RoleArn=arn, RoleSessionName="test", **params)["Credentials"]
    return {
        "aws_access_key_id": keys["AccessKeyId"],
        "aws_secret_access_key": keys["SecretAccessKey"],
        "aws_session_token": keys["SessionToken"],
    }


def policy(*statements: Any) -> str:
    """Return the text of a policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def refusal(call: Any, **params: Any) -> tuple[str, str]:
    """Return the code and the message of a call that fails."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_role_session_is_of_its_account(aws: Aws) -> None:
    account = aws.sandbox.add_account(MEMBER)
    sts = aws.client("sts", **assume(aws.client("sts"), account.role_arn))
    identity = sts.get_caller_identity()
    assert identity["Account"] == MEMBER
    assert identity["Arn"] == f"arn:aws:sts::{MEMBER}:assumed-role/amicopy/test"


def test_any_role_can_be_assumed_until_an_account_is_added(aws: Aws) -> None:
    assume(aws.client("sts"), role_arn(STRANGER))
    aws.sandbox.add_account(MEMBER)
    assert refusal(assume, sts=aws.client("sts"), arn=role_arn(STRANGER))[0] == "AccessDenied"


@pytest.mark.parametrize(
    ("arn", "params"),
    [
        (role_arn(name="none"), {"ExternalId": "right"}),
        (role_arn(STRANGER), {"ExternalId": "right"}),
        (role_arn(), {}),
        (role_arn(), {"ExternalId": "wrong"}),
        (role_arn(OTHER), {}),
    ],
    ids=["no such role", "no such account", "no external id", "wrong external id", "trusts another account"],
)
def test_role_that_does_not_trust_the_caller_is_denied_in_the_same_words(
    aws: Aws, arn: str, params: dict[str, str]
) -> None:
    aws.sandbox.add_account(MEMBER, external_id="right")
    aws.sandbox.add_account(OTHER, trusted=[MEMBER])
    code, message = refusal(assume, sts=aws.client("sts"), arn=arn, **params)
    assert code == "AccessDenied"
    assert message.endswith(f"is not authorized to perform: sts:AssumeRole on resource: {arn}")
    assert aws.world.requests[-1].error == "AccessDenied"
    assume(aws.client("sts"), role_arn(), ExternalId="right")
    assume(aws.client("sts", account=MEMBER), role_arn(OTHER))


@pytest.mark.parametrize(("arn", "external_id"), [("amicopy", "right"), (role_arn(), "not this one!")])
def test_malformed_role_and_external_id_are_refused(aws: Aws, arn: str, external_id: str) -> None:
    aws.sandbox.add_account(MEMBER)
    padded = arn.rjust(20, "-")  # botocore demands 20 characters
    assert refusal(assume, sts=aws.client("sts"), arn=padded, ExternalId=external_id)[0] == "ValidationError"


def test_role_of_a_closed_account_is_denied(aws: Aws) -> None:
    account = aws.sandbox.add_account(MEMBER, suspended=True)
    assert refusal(assume, sts=aws.client("sts"), arn=account.role_arn)[0] == "AccessDenied"


@pytest.mark.parametrize(
    ("principal", "condition", "allowed"),
    [
        ({"AWS": DEFAULT_ACCOUNT}, {}, True),
        ({"AWS": "*"}, {"StringEquals": {"aws:PrincipalOrgID": "o-exampleorgid"}}, True),
        ({"AWS": "*"}, {"StringEquals": {"aws:PrincipalOrgID": "o-0000000000"}}, False),
        ({"AWS": "*"}, {"StringLike": {"sts:RoleSessionName": "amicopy-*"}}, False),
        ({"AWS": "*"}, {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-exampleorgid/r-exam/*"}}, True),
        ({"AWS": f"arn:aws:iam::{DEFAULT_ACCOUNT}:user/somebody"}, {}, False),
        ({"Service": "ec2.amazonaws.com"}, {}, False),
    ],
)
def test_trust_policy_decides(aws: Aws, principal: Any, condition: Any, allowed: bool) -> None:
    aws.sandbox.add_account(MEMBER)
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": condition}
    aws.client("iam", account=MEMBER).create_role(RoleName="theirs", AssumeRolePolicyDocument=policy(statement))
    if allowed:
        assume(aws.client("sts"), role_arn(name="theirs"))
    else:
        assert refusal(assume, sts=aws.client("sts"), arn=role_arn(name="theirs"))[0] == "AccessDenied"


def test_chained_role_lasts_an_hour_at_most(aws: Aws) -> None:
    first = aws.sandbox.add_account(MEMBER, max_session_seconds=43200)
    second = aws.sandbox.add_account(OTHER, trusted=[first.role_arn], max_session_seconds=43200)
    keys = assume(aws.client("sts"), first.role_arn, DurationSeconds=43200)
    chained = aws.client("sts", **keys)
    assert refusal(assume, sts=chained, arn=second.role_arn, DurationSeconds=3601) == (
        "ValidationError",
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
    )
    assume(chained, second.role_arn, DurationSeconds=3600)


def test_session_lasts_as_long_as_its_role_permits(aws: Aws) -> None:
    account = aws.sandbox.add_account(MEMBER)
    assert refusal(assume, sts=aws.client("sts"), arn=account.role_arn, DurationSeconds=3601) == (
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    )


def test_credentials_expire_by_the_sandboxs_clock(aws: Aws) -> None:
    account = aws.sandbox.add_account(MEMBER)
    answer = aws.client("sts").assume_role(RoleArn=account.role_arn, RoleSessionName="test", DurationSeconds=900)
    assert (answer["Credentials"]["Expiration"] - aws.clock.now()).total_seconds() == 900
    keys = assume(aws.client("sts"), account.role_arn, DurationSeconds=900)
    clients = {service: aws.client(service, **keys) for service in ("ec2", "kms", "sts")}
    aws.clock.advance(899)
    clients["ec2"].describe_regions()
    aws.clock.advance(1)
    assert refusal(clients["ec2"].describe_regions) == ("RequestExpired", "Request has expired.")
    assert refusal(clients["kms"].list_keys)[0] == "ExpiredTokenException"
    assert refusal(clients["sts"].get_caller_identity)[0] == "ExpiredToken"


def test_key_of_a_session_needs_its_token(aws: Aws) -> None:
    keys = assume(aws.client("sts"), aws.sandbox.add_account(MEMBER).role_arn) | {"aws_session_token": "another"}
    assert refusal(aws.client(**keys).describe_regions)[0] == "AuthFailure"
    assert refusal(aws.client("sts", **keys).get_caller_identity)[0] == "InvalidClientTokenId"


def test_organization_lists_its_units_and_accounts(aws: Aws) -> None:
    for sample in sample_accounts(3):
        aws.sandbox.add_account(sample.account_id, name=sample.name, unit=sample.unit, suspended=sample.suspended)
    client = aws.client("organizations")
    (root,) = client.list_roots()["Roots"]
    (unit,) = client.list_organizational_units_for_parent(ParentId=root["Id"])["OrganizationalUnits"]
    (nested,) = client.list_organizational_units_for_parent(ParentId=unit["Id"])["OrganizationalUnits"]
    assert (unit["Name"], nested["Name"]) == (UNIT, TEST_UNIT.rpartition("/")[2])
    inside = client.list_accounts_for_parent(ParentId=unit["Id"])["Accounts"]
    assert [(row["Id"], row["Status"]) for row in inside] == [(MEMBER, "ACTIVE"), ("500000000003", "ACTIVE")]
    below = client.list_accounts_for_parent(ParentId=nested["Id"])["Accounts"]
    assert [(row["Id"], row["Status"]) for row in below] == [(OTHER, "ACTIVE"), (CLOSED.account_id, "SUSPENDED")]
    assert client.describe_organization()["Organization"]["MasterAccountId"] == DEFAULT_ACCOUNT


def test_only_the_management_account_and_delegated_administrators_list_accounts(aws: Aws) -> None:
    account = aws.sandbox.add_account(MEMBER, unit="workloads")
    aws.sandbox.add_account(STRANGER, unit=None)
    member, stranger = (aws.client("organizations", account=account) for account in (MEMBER, STRANGER))
    listing = {"ParentId": account.parent_id}
    assert refusal(member.list_accounts_for_parent, **listing) == (
        "AccessDeniedException",
        "You don't have permissions to access this resource.",
    )
    assert refusal(stranger.list_accounts_for_parent, **listing)[0] == "AWSOrganizationsNotInUseException"
    assert member.describe_organization()["Organization"]["MasterAccountId"] == DEFAULT_ACCOUNT
    aws.client("organizations").register_delegated_administrator(AccountId=MEMBER, ServicePrincipal="ssm.amazonaws.com")
    assert [row["Id"] for row in member.list_accounts_for_parent(**listing)["Accounts"]] == [MEMBER]


def test_page_of_accounts_may_be_empty_and_have_a_successor(aws: Aws) -> None:
    account = aws.sandbox.add_account(MEMBER, unit="workloads")
    aws.world.inject(parse_fault("ListAccountsForParent=empty*2"))
    client = aws.client("organizations")
    first = client.list_accounts_for_parent(ParentId=account.parent_id)
    assert first["Accounts"] == []
    pages = client.get_paginator("list_accounts_for_parent").paginate(ParentId=account.parent_id)
    assert [[row["Id"] for row in page["Accounts"]] for page in pages] == [[], [MEMBER]]


def test_only_a_list_of_accounts_has_empty_pages() -> None:
    with pytest.raises(ValueError, match="use it with one of ListAccounts"):
        parse_fault("DescribeImages=empty")


def shared_source(aws: Aws, principal: str) -> Image:
    return aws.source(launch_permissions={principal}, volumes=[Volume(shared_with=frozenset({MEMBER}))])


def test_image_shared_with_the_organization_or_a_unit_is_seen_by_its_accounts(aws: Aws) -> None:
    aws.sandbox.add_account(MEMBER, unit="workloads/test")
    aws.sandbox.add_account(OTHER, unit="others")
    aws.sandbox.add_account(STRANGER, unit=None)
    organizations = aws.client("organizations")
    arn = organizations.describe_organization()["Organization"]["Arn"]
    units = organizations.list_organizational_units_for_parent(ParentId="r-exam")["OrganizationalUnits"]
    by_organization = shared_source(aws, arn)
    by_unit = shared_source(aws, next(unit["Arn"] for unit in units if unit["Name"] == "workloads"))

    def seen(account: str) -> list[str]:
        images = aws.client(region=HOME, account=account).describe_images(ExecutableUsers=["self"])["Images"]
        return [image["ImageId"] for image in images]

    assert seen(MEMBER) == [by_organization.image_id, by_unit.image_id]
    assert seen(OTHER) == [by_organization.image_id]
    assert seen(STRANGER) == []
    assert aws.client(account=MEMBER).copy_image(**asked(by_unit))["ImageId"]


def test_unit_outside_which_an_account_is_shares_nothing_with_it(aws: Aws) -> None:
    aws.sandbox.add_account(MEMBER, unit="workloads")
    source = shared_source(aws, "arn:aws:organizations::123456789012:ou/o-exampleorgid/ou-exam-00000000")
    code, message = refusal(aws.client(account=MEMBER).copy_image, **asked(source))
    assert (code, message) == ("InvalidAMIID.NotFound", f"The image id '[{source.image_id}]' does not exist")


def test_copy_into_another_account_needs_its_snapshots_and_carries_no_tags(aws: Aws) -> None:
    aws.sandbox.add_account(MEMBER)
    owner, member = aws.client(region=HOME), aws.client(account=MEMBER)
    source = aws.source(tags={"Name": "web"}, volumes=[Volume(tags={"Name": "root"})])
    (snapshot_id,) = source.snapshot_ids
    assert refusal(member.copy_image, **asked(source))[0] == "InvalidAMIID.NotFound"
    owner.modify_image_attribute(ImageId=source.image_id, LaunchPermission={"Add": [{"UserId": MEMBER}]})
    assert refusal(member.copy_image, **asked(source)) == (
        "InvalidRequest",
        "You do not have permission to access the storage of this ami",
    )
    owner.modify_snapshot_attribute(SnapshotId=snapshot_id, CreateVolumePermission={"Add": [{"UserId": MEMBER}]})
    token = {"ClientToken": "the same"}
    image_id = member.copy_image(**asked(source, CopyImageTags=True, **token))["ImageId"]
    own_id = aws.client().copy_image(**asked(source, CopyImageTags=True, **token))["ImageId"]
    copy = aws.world.image(AWAY, image_id)
    assert (copy.owner, copy.tags, copy.launch_permissions) == (MEMBER, {}, set())
    assert image_id != own_id
    assert aws.world.image(AWAY, own_id).tags == {"Name": "web"}


def test_accounts_see_what_is_shared_with_them_after_a_while(aws: Aws) -> None:
    aws.world.state.timing = Timing(shared_after=5)
    owner, member = aws.client(region=HOME), aws.client(account=MEMBER)
    source = aws.source()
    share = {"Add": [{"UserId": MEMBER}]}
    owner.modify_image_attribute(ImageId=source.image_id, LaunchPermission=share)
    assert refusal(member.copy_image, **asked(source))[0] == "InvalidAMIID.NotFound"
    aws.clock.advance(5)
    owner.modify_snapshot_attribute(SnapshotId=source.snapshot_ids[0], CreateVolumePermission=share)
    assert refusal(member.copy_image, **asked(source))[0] == "InvalidRequest"
    owner.modify_image_attribute(ImageId=source.image_id, LaunchPermission=share)  # changes nothing
    aws.clock.advance(5)
    image_id = member.copy_image(**asked(source))["ImageId"]
    assert aws.world.image(AWAY, image_id).shared_from == {}


@pytest.mark.parametrize(("behavior", "state"), [("copied", "available"), ("failed", "failed")])
@pytest.mark.parametrize("operation", ["modify_snapshot_attribute", "reset_snapshot_attribute"])
def test_copy_whose_source_is_unshared_meanwhile(aws: Aws, behavior: Any, state: str, operation: str) -> None:
    aws.world.state.unconfirmed = Unconfirmed(unshared_source=behavior)
    source = shared_source(aws, MEMBER)
    copies = [aws.client(account=account).copy_image(**asked(source))["ImageId"] for account in (MEMBER, OWNER)]
    change: dict[str, Any] = {"Attribute": "createVolumePermission"}
    if operation.startswith("modify"):
        change |= {"CreateVolumePermission": {"Remove": [{"UserId": MEMBER}]}}
    getattr(aws.client(region=HOME), operation)(SnapshotId=source.snapshot_ids[0], **change)
    aws.clock.advance(3600)
    assert [aws.world.image(AWAY, image_id).state for image_id in copies] == [state, "available"]


def test_regions_are_enabled_by_account(aws: Aws) -> None:
    aws.sandbox.add_account(MEMBER, regions=["af-south-1"])
    member, owner = (aws.client(region="af-south-1", account=account) for account in (MEMBER, DEFAULT_ACCOUNT))
    member.describe_images()
    assert refusal(owner.describe_images)[0] == "AuthFailure"


def encrypted_source(aws: Aws) -> tuple[Any, str, Image]:
    kms = aws.client("kms", region=HOME)
    arn = kms.create_key()["KeyMetadata"]["Arn"]
    volume = Volume(encrypted=True, kms_key_id=arn, shared_with=frozenset({MEMBER}))
    return kms, arn, aws.source(launch_permissions={MEMBER}, volumes=[volume])


SOURCE_KEY = ["DescribeKey", "CreateGrant", "Decrypt", "ReEncryptFrom"]


def state_of_copy(aws: Aws, source: Image) -> str:
    copy = aws.client(account=MEMBER).copy_image(**asked(source, Encrypted=True))["ImageId"]
    aws.clock.advance(3600)
    return aws.world.image(AWAY, copy).state


def test_encrypted_image_is_copied_with_a_grant_and_fails_without(aws: Aws) -> None:
    aws.sandbox.add_account(MEMBER)
    kms, key, source = encrypted_source(aws)
    assert state_of_copy(aws, source) == "failed"
    grant = {"KeyId": key, "GranteePrincipal": f"arn:aws:iam::{MEMBER}:root", "Operations": SOURCE_KEY}
    grant_id = kms.create_grant(Name="amicopy", **grant)["GrantId"]
    assert state_of_copy(aws, source) == "available"
    kms.revoke_grant(KeyId=key, GrantId=grant_id)
    assert state_of_copy(aws, source) == "failed"


@pytest.mark.parametrize(
    ("statement", "state"),
    [
        ({"Principal": {"AWS": f"arn:aws:iam::{MEMBER}:root"}}, "available"),
        ({"Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-exampleorgid"}}}, "available"),
        ({"Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"}}, "failed"),
        ({"Principal": {"AWS": MEMBER}, "Action": ["kms:DescribeKey", "kms:Decrypt"]}, "failed"),
    ],
)
def test_key_policy_lets_other_accounts_copy(aws: Aws, statement: dict[str, Any], state: str) -> None:
    aws.sandbox.add_account(MEMBER)
    kms, key, source = encrypted_source(aws)
    whole = {"Effect": "Allow", "Action": "kms:*", "Resource": "*", **statement}
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy(whole))
    assert state_of_copy(aws, source) == state


def test_key_of_another_account_is_described_if_it_permits_that(aws: Aws) -> None:
    aws.sandbox.add_account(MEMBER)
    owner = aws.client("kms")
    key = owner.create_key()["KeyMetadata"]["Arn"]
    member = aws.client("kms", **assume(aws.client("sts"), role_arn()))
    code, message = refusal(member.describe_key, KeyId=key)
    assert (code, message) == (
        "AccessDeniedException",
        f"User: arn:aws:sts::{MEMBER}:assumed-role/amicopy/test is not authorized to perform: kms:DescribeKey on "
        f"resource: {key} because no resource-based policy allows the kms:DescribeKey action",
    )
    owner.create_grant(KeyId=key, GranteePrincipal=role_arn(), Operations=["DescribeKey"])
    assert member.describe_key(KeyId=key)["KeyMetadata"]["Arn"] == key
    unknown = f"arn:aws:kms:{AWAY}:{DEFAULT_ACCOUNT}:key/none"
    assert "because the resource does not exist" in refusal(member.describe_key, KeyId=unknown)[1]


def test_grant_is_found_again_by_its_name(aws: Aws) -> None:
    kms = aws.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    grant: dict[str, Any] = {
        "KeyId": key,
        "GranteePrincipal": f"arn:aws:iam::{MEMBER}:root",
        "Operations": ["Decrypt"],
        "Name": "amicopy:ami-1:111122223333",
    }
    assert refusal(kms.create_grant, DryRun=True, **grant)[0] == "DryRunOperationException"
    assert kms.list_grants(KeyId=key)["Grants"] == []
    first = kms.create_grant(**grant)["GrantId"]
    assert kms.create_grant(**grant)["GrantId"] == first
    other = kms.create_grant(**(grant | {"Name": "another", "RetiringPrincipal": role_arn()}))["GrantId"]
    assert kms.create_grant(KeyId=key, GranteePrincipal=role_arn(), Operations=["Decrypt"])["GrantId"] != other
    (listed,) = kms.list_grants(KeyId=key, GrantId=first)["Grants"]
    assert (listed["Name"], listed["KeyId"], listed["IssuingAccount"]) == (
        "amicopy:ami-1:111122223333",
        key,
        f"arn:aws:iam::{DEFAULT_ACCOUNT}:root",
    )
    assert listed["CreationDate"] == aws.clock.now()
    assert len(kms.list_grants(KeyId=key, GranteePrincipal=f"arn:aws:iam::{MEMBER}:root")["Grants"]) == 2
    pages = kms.get_paginator("list_grants").paginate(KeyId=key, PaginationConfig={"PageSize": 2})
    assert [len(page["Grants"]) for page in pages] == [2, 1]
    assert [row["GrantId"] for row in kms.list_retirable_grants(RetiringPrincipal=role_arn())["Grants"]] == [other]
    kms.revoke_grant(KeyId=key, GrantId=first)
    assert refusal(kms.revoke_grant, KeyId=key, GrantId=first)[0] == "NotFoundException"


def test_grant_needs_an_arn_and_a_key_that_is_enabled(aws: Aws) -> None:
    kms = aws.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    grant: dict[str, Any] = {"KeyId": key, "Operations": ["Decrypt"]}
    assert refusal(kms.create_grant, GranteePrincipal=MEMBER, **grant)[0] == "InvalidArnException"
    kms.disable_key(KeyId=key)
    assert refusal(kms.create_grant, GranteePrincipal=role_arn(), **grant)[0] == "DisabledException"
    assert refusal(kms.list_grants, KeyId="00000000-0000-0000-0000-000000000000")[0] == "NotFoundException"


@pytest.mark.parametrize("account_id", ["12345", "１２３４５６７８９０１２", DEFAULT_ACCOUNT, MEMBER])
def test_account_is_added_once(aws: Aws, account_id: str) -> None:
    aws.sandbox.add_account(MEMBER)
    with pytest.raises(ValueError, match=r"12 digits|already"):
        aws.sandbox.add_account(account_id)


def test_accounts_are_forgotten_with_their_world(aws: Aws) -> None:
    aws.sandbox.add_account(MEMBER)
    aws.sandbox.reset(clock=aws.clock)
    assert refusal(aws.client("organizations").list_accounts)[0] == "AWSOrganizationsNotInUseException"
    assert refusal(aws.client("organizations", account=MEMBER).describe_organization)[0] == (
        "AWSOrganizationsNotInUseException"
    )


def test_two_sandboxes_of_a_process_may_have_the_same_accounts(session: boto3.Session) -> None:
    with Sandbox.start(clock=FakeClock(), accounts=2) as first, Sandbox.start(clock=FakeClock(), accounts=2) as second:
        assert list(first.world.state.accounts) == list(second.world.state.accounts)
        sts = session.client("sts", HOME, endpoint_url=first.endpoint_url, **first.credentials(DEFAULT_ACCOUNT))
        assume(sts, role_arn())
        sts.close()


def test_unknown_error_codes_have_the_status_of_their_service(aws: Aws) -> None:
    aws.sandbox.add_account(MEMBER)
    with pytest.raises(ClientError) as caught:
        assume(aws.client("sts"), role_arn(OTHER))
    assert code_of(caught) == ("AccessDenied", 403)


def test_policies_of_a_role_decide_where_they_are_enforced(aws: Aws) -> None:
    aws.world = aws.sandbox.reset(clock=aws.clock, enforce_iam=True)
    account = aws.sandbox.add_account(MEMBER)
    source = shared_source(aws, MEMBER)
    statement = {"Effect": "Allow", "Action": ["ec2:CopyImage", "sts:AssumeRole"], "Resource": "*"}
    aws.client("iam", account=MEMBER).put_role_policy(
        RoleName="amicopy", PolicyName="copy", PolicyDocument=policy(statement)
    )
    keys = assume(aws.client("sts"), account.role_arn)
    aws.client(**keys).copy_image(**asked(source))
    assert refusal(aws.client(**keys).describe_images)[0] == "UnauthorizedOperation"


def test_caller_without_the_action_cannot_assume_a_role(aws: Aws) -> None:
    aws.world = aws.sandbox.reset(clock=aws.clock, enforce_iam=True)
    accounts = [aws.sandbox.add_account(one) for one in (MEMBER, OTHER)]
    iam = aws.client("iam")
    iam.create_user(UserName="runner")
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": accounts[0].role_arn}
    iam.put_user_policy(UserName="runner", PolicyName="p", PolicyDocument=policy(statement))
    key = iam.create_access_key(UserName="runner")["AccessKey"]
    keys = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    sts = aws.client("sts", **keys)
    assume(sts, accounts[0].role_arn)
    code, message = refusal(assume, sts=sts, arn=accounts[1].role_arn)
    assert code == "AccessDenied"
    assert f"sts:AssumeRole on resource: {accounts[1].role_arn}" in message
