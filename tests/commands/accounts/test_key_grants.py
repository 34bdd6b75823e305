"""``--kms-grant``: grants on keys for the time of copying, recorded and named, so that none is left behind."""

import json
from typing import Any

import boto3
import pytest

from amicopy.core.grants import KEY_GRANT_TAG
from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.records import Image, Volume
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.accounts import OWN, B, C, copied_from, copy_in, guests, records, standing
from tests.support.clock import FakeClock
from tests.support.iam import Caller, printed
from tests.support.keys import Keys, letting
from tests.support.scenes import HOME, WEST, asked, order, slow, writes

OPERATIONS = ["CreateGrant", "Decrypt", "DescribeKey", "ReEncryptFrom"]


@pytest.fixture
def source(world: World, keys: Keys) -> Image:
    """An image whose two snapshots are encrypted with a key that no other account may use."""
    arn = keys.make()
    volumes = [Volume(device="/dev/sda1", encrypted=True, kms_key_id=arn), Volume(device="/dev/sdf")]
    return world.register(HOME, name="secret", tags={"Name": "web"}, volumes=volumes)


def key_of(world: World, image: Image) -> str:
    """Return the key of an image's encrypted snapshot."""
    return next(
        one.kms_key_id for one in map(world.state.snapshots[HOME].get, image.snapshot_ids) if one and one.encrypted
    )


def test_grants_are_recorded_named_and_revoked(amicopy: Run, world: World, keys: Keys, source: Image) -> None:
    before = standing(world)
    ran = amicopy("copy", source.image_id, "--to", HOME, "--account", f"{B},{C}", "--kms-grant")
    assert ran.code == 0, ran.err
    made = [one.params for one in asked(world, "CreateGrant") if not one.params.get("DryRun")]
    assert [(one["Name"], one["GranteePrincipal"], one["Operations"]) for one in made] == [
        (f"amicopy:{source.image_id}:{account}", f"arn:aws:iam::{account}:role/amicopy", OPERATIONS)
        for account in (B, C)
    ]
    assert len([one for one in asked(world, "RevokeGrant") if not one.params.get("DryRun")]) == 2
    assert (keys.grants(key_of(world, source)), records(world), guests(world)) == ([], [], set())
    assert standing(world) == before
    assert all(copy_in(world, account, HOME).state == "available" for account in (B, C))


def test_the_record_comes_before_the_grant_and_goes_after_it(amicopy: Run, world: World, source: Image) -> None:
    assert amicopy("copy", source.image_id, "--to", HOME, "--account", B, "--kms-grant", "--no-permissions").code == 0
    names = [
        one.operation
        for one in world.requests
        if one.account == OWN and one.operation in {"CreateTags", "CreateGrant", "RevokeGrant", "DeleteTags"}
        if not one.params.get("DryRun")
    ]
    assert names == ["CreateTags", "CreateTags", "CreateGrant", "RevokeGrant", "DeleteTags", "DeleteTags"]
    [tagged] = [
        one
        for one in asked(world, "CreateTags")
        if any(KEY_GRANT_TAG in str(tag) for tag in one.params.get("Tags", ()))
    ]
    encrypted = [one.snapshot_id for one in world.snapshots(HOME, OWN) if one.encrypted]
    assert tagged.params["Resources"] == encrypted  # and nothing that no key encrypts


def test_a_copy_fails_without_them_and_a_grant_of_somebody_else_stays(
    amicopy: Run, world: World, keys: Keys, source: Image
) -> None:
    arn = key_of(world, source)
    keys.kms().create_grant(
        KeyId=arn, GranteePrincipal=f"arn:aws:iam::{B}:root", Operations=["DescribeKey"], Name="theirs"
    )
    assert amicopy("copy", source.image_id, "--to", HOME, "--account", B).code == 1
    assert amicopy("copy", source.image_id, "--to", HOME, "--account", B, "--kms-grant").code == 0
    assert [one["Name"] for one in keys.grants(arn)] == ["theirs"]


def test_copies_of_the_own_account_are_granted_too(amicopy: Run, world: World, keys: Keys, source: Image) -> None:
    there = keys.make(region=WEST)
    given = ("--kms-key", f"{WEST}={there}", "--kms-key", f"{B}=alias/aws/ebs")
    ran = amicopy("copy", source.image_id, "--to", WEST, "--account", B, *given, "--kms-grant")
    assert ran.code == 0, ran.err
    assert copied_from(world, WEST) == [HOME, WEST]
    [made] = [one for one in asked(world, "CreateGrant") if not one.params.get("DryRun") and one.region == WEST]
    assert made.params["KeyId"] == there
    assert (keys.grants(there, WEST), records(world)) == ([], [])


def test_a_run_that_dies_leaves_what_the_next_one_status_and_cancel_find(
    amicopy: Run, world: World, keys: Keys, source: Image, clock: FakeClock
) -> None:
    slow(world, 3600)
    argv = ("copy", source.image_id, "--to", HOME, "--account", B, "--kms-grant", "--no-wait")
    assert amicopy(*argv).code == 0
    arn = key_of(world, source)
    assert len(keys.grants(arn)) == 1
    [grant] = amicopy("status", source.image_id, "--in", HOME, "--output", "json").json["grants"]
    assert (grant["account"], grant["kms_keys"]) == (B, [arn])
    assert f"account {B} may copy {source.image_id} in {HOME} and may use {arn}, since " in (
        amicopy("status", source.image_id, "--in", HOME).err
    )
    clock.advance(2 * 3600)
    # Without --kms-grant, too: the record says that there is one.
    ran = amicopy("copy", source.image_id, "--to", HOME, "--account", B)
    assert ran.code == 0, ran.err
    assert (keys.grants(arn), records(world)) == ([], [])


def test_cancel_revokes_them(amicopy: Run, world: World, keys: Keys, source: Image) -> None:
    before = standing(world)
    slow(world, 3600)
    amicopy("copy", source.image_id, "--to", HOME, "--account", B, "--kms-grant", "--no-wait")
    ran = amicopy("cancel", source.image_id, "--in", HOME, "--account", B, "--yes")
    assert ran.code == 0, ran.err
    assert (keys.grants(key_of(world, source)), standing(world)) == ([], before)


def test_a_grant_that_cannot_be_revoked_is_a_failure_and_stays_recorded(
    amicopy: Run, world: World, keys: Keys, source: Image
) -> None:
    argv = ("copy", source.image_id, "--to", HOME, "--account", B, "--kms-grant")
    order(world, "RevokeGrant=error:400 AccessDeniedException: no*always")
    ran = amicopy(*argv)
    assert ran.code == 6, ran.err  # it is not even given
    assert f"These credentials may not call kms:RevokeGrant in {HOME}." in ran.err
    assert [one for one in writes(world) if one not in {"AssumeRole", "CreateKey"}] == []
    ran = amicopy(*argv, "--no-preflight")
    assert ran.code == 1
    assert "could not be removed" in ran.err
    assert records(world)
    world.clear_faults()
    assert amicopy(*argv).code == 0
    assert (keys.grants(key_of(world, source)), records(world)) == ([], [])


def test_a_grant_that_is_not_seen_yet_is_waited_for(amicopy: Run, world: World, source: Image) -> None:
    order(world, "DescribeKey=error:400 AccessDeniedException: not authorized to perform: kms:DescribeKey*3")
    ran = amicopy("copy", source.image_id, "--to", HOME, "--account", B, "--kms-grant", "--no-preflight")
    assert ran.code == 0, ran.err
    denied = [one for one in asked(world, "DescribeKey") if one.error]
    assert {one.account for one in denied} >= {B}


def test_an_image_that_is_not_encrypted_gets_none(amicopy: Run, world: World) -> None:
    image = world.register(HOME, name="plain")
    assert amicopy("copy", image.image_id, "--to", HOME, "--account", B, "--kms-grant").code == 0
    assert [one for one in world.requests if one.service == "kms"] == []


@pytest.mark.parametrize("more", [("--account", B, "--grants", "keep"), ("--account", B, "--grants", "none"), ()])
def test_what_contradicts_it_is_a_usage_error(amicopy: Run, world: World, more: tuple[str, ...]) -> None:
    ran = amicopy("copy", "ami-0abcdef1234567890", "--to", HOME, "--kms-grant", *more)
    assert (ran.code, world.requests) == (2, [])
    assert "--kms-grant" in ran.err


def test_the_printed_policies_suffice_and_grant_to_nobody_else(
    amicopy: Run, sandbox: Sandbox, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = sandbox.reset(clock=clock, enforce_iam=True)
    caller, keys = Caller(sandbox, monkeypatch), Keys(sandbox)
    try:
        arn = keys.make()
        image = world.register(HOME, name="secret", volumes=[Volume(encrypted=True, kms_key_id=arn)])
        argv = ("copy", "--from", HOME, "--to", HOME, "--account", B, "--kms-grant")
        a_role(sandbox, printed(amicopy, *argv, "--account-role", f"arn:aws:iam::{OWN}:user/pipeline"))
        caller.may(printed(amicopy, *argv))
        with pytest.raises(caller.own("kms", HOME).exceptions.ClientError, match="AccessDenied"):
            caller.own("kms", HOME).create_grant(
                KeyId=arn, GranteePrincipal=f"arn:aws:iam::{C}:root", Operations=["Decrypt"]
            )
        ran = amicopy("copy", image.image_id, *argv[1:])
        assert ran.code == 0, ran.err
        assert (keys.grants(arn), records(world)) == ([], [])
    finally:
        keys.close()
        caller.close()


def a_role(sandbox: Sandbox, policies: Any) -> None:
    """Make the role of the other account, with the policies that amicopy prints for it."""
    sandbox.add_account(B, role="")
    session = boto3.Session(**sandbox.credentials(B), region_name=HOME)
    iam: Any = session.client("iam", endpoint_url=sandbox.endpoint_url)
    iam.create_role(RoleName="amicopy", AssumeRolePolicyDocument=json.dumps(policies["TrustPolicy"]))
    iam.put_role_policy(RoleName="amicopy", PolicyName="amicopy", PolicyDocument=json.dumps(policies["Policy"]))
    iam.close()


def test_keys_that_let_the_account_need_no_grant(amicopy: Run, world: World, keys: Keys) -> None:
    volume = Volume(encrypted=True, kms_key_id=keys.make(letting(B)))
    image = world.register(HOME, name="secret", volumes=[volume])
    assert amicopy("copy", image.image_id, "--to", HOME, "--account", B).code == 0
    assert asked(world, "CreateGrant") == []
