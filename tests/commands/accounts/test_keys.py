"""Keys of what other accounts copy: who may use them is found out before anything is written."""

from collections.abc import Callable
from typing import Any

import pytest

from amicopy.sandbox.records import Image, Volume
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.accounts import OWN, B, C, copy_in
from tests.support.keys import Keys, letting
from tests.support.scenes import EAST, HOME, WEST, a_source, asked, order, writes


@pytest.fixture
def source(world: World, keys: Keys) -> Callable[..., Image]:
    """Make an image whose snapshot a key encrypts, with these statements in its policy."""

    def make(*statements: dict[str, Any]) -> Image:
        volume = Volume(encrypted=True, kms_key_id=keys.make(*statements))
        return world.register(HOME, name="secret", volumes=[volume])

    return make


def key_of(world: World, image: Image) -> str:
    """Return the key of an image's snapshot."""
    return world.state.snapshots[image.region][image.snapshot_ids[0]].kms_key_id


def wrote(world: World) -> list[str]:
    """Return what was written; sessions, and what the test has made, left out."""
    return [one for one in writes(world) if one not in {"AssumeRole", "CreateKey", "DisableKey"}]


def test_an_account_that_the_key_policy_does_not_name_is_refused_before_any_write(
    amicopy: Run, world: World, source: Callable[..., Image]
) -> None:
    image = source(letting(C))
    ran = amicopy("copy", image.image_id, "--to", HOME, "--account", f"{B},{C}")
    assert (ran.code, wrote(world)) == (1, [])
    assert f"Account {B} cannot use the KMS key {key_of(world, image)}" in ran.err
    assert f"kms:CreateGrant to arn:aws:iam::{B}:role/amicopy" in ran.err
    assert f"Account {C} cannot use" not in ran.err
    assert "--kms-grant" in ran.err


def test_an_account_that_the_key_policy_names_copies_without_a_note(
    amicopy: Run, world: World, source: Callable[..., Image]
) -> None:
    image = source(letting(B))
    ran = amicopy("copy", image.image_id, "--to", HOME, "--account", B)
    assert ran.code == 0, ran.err
    assert "has to let account" not in ran.err
    assert copy_in(world, B, HOME).state == "available"


@pytest.mark.parametrize(
    ("statement", "refused"),
    [
        (letting(B, ("kms:DescribeKey", "kms:Decrypt")), True),  # no grant for EC2
        (letting(B, ("kms:DescribeKey", "kms:CreateGrant")), True),  # nothing that reads
        (letting(B, Condition={"StringEquals": {"kms:CallerAccount": C}}), True),
        ({**letting(B), "Principal": {"AWS": f"arn:aws:iam::{B}:role/other"}}, True),
        ({**letting(B), "Principal": {"AWS": f"arn:aws:iam::{B}:role/amicopy"}}, False),
        (letting(B, Condition={"StringEquals": {"kms:CallerAccount": [B, C]}}), False),
        ({**letting(B), "Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-a"}}}, False),
        (letting(B, Condition={"StringLike": {"kms:ViaService": "ec2.*"}}), False),  # not for us, but for EC2
    ],
)
def test_what_a_policy_says_is_read_as_far_as_it_is_certain(
    amicopy: Run, source: Callable[..., Image], statement: dict[str, Any], refused: bool
) -> None:
    image = source(statement)
    ran = amicopy("copy", image.image_id, "--to", HOME, "--account", B, "--dry-run")
    assert (ran.code, "cannot use the KMS key" in ran.err) == ((1, True) if refused else (0, False)), ran.err


def test_a_statement_that_denies_is_a_refusal(amicopy: Run, source: Callable[..., Image]) -> None:
    image = source(letting(B), {**letting(B), "Effect": "Deny", "Action": "kms:Create*"})
    ran = amicopy("copy", image.image_id, "--to", HOME, "--account", B, "--dry-run")
    assert ran.code == 1
    assert "kms:CreateGrant to" in ran.err


def test_a_grant_counts_as_much_as_the_policy(
    amicopy: Run, world: World, keys: Keys, source: Callable[..., Image]
) -> None:
    image = source()
    operations = ["DescribeKey", "Decrypt", "ReEncryptFrom", "CreateGrant"]
    grantee = f"arn:aws:iam::{B}:role/amicopy"
    keys.kms().create_grant(KeyId=key_of(world, image), GranteePrincipal=grantee, Operations=operations)
    ran = amicopy("copy", image.image_id, "--to", HOME, "--account", B)
    assert ran.code == 0, ran.err


def test_what_may_not_be_looked_at_is_a_note(amicopy: Run, world: World, source: Callable[..., Image]) -> None:
    image = source()
    order(world, "GetKeyPolicy=error:400 AccessDeniedException: no*always")
    ran = amicopy("copy", image.image_id, "--to", HOME, "--account", B, "--dry-run")
    assert ran.code == 0, ran.err
    assert f"the policy of {key_of(world, image)} has to let account {B} use it" in ran.out


def test_a_disabled_key_is_refused(amicopy: Run, world: World, keys: Keys, source: Callable[..., Image]) -> None:
    image = source(letting(B))
    keys.kms().disable_key(KeyId=key_of(world, image).split("/")[1])
    ran = amicopy("copy", image.image_id, "--to", HOME, "--account", B)
    assert (ran.code, wrote(world)) == (1, [])
    assert "It is in the state Disabled." in ran.err
    assert "aws kms enable-key" in ran.err


def test_the_key_of_a_copy_that_is_still_to_be_made_is_looked_at_too(
    amicopy: Run, world: World, keys: Keys, source: Callable[..., Image]
) -> None:
    image, there = source(letting(B)), keys.make(region=WEST)
    given = ("--kms-key", f"{WEST}={there}", "--kms-key", f"{B}=alias/aws/ebs")
    ran = amicopy("copy", image.image_id, "--to", WEST, "--account", B, *given)
    assert (ran.code, wrote(world)) == (1, [])
    assert f"Account {B} cannot use the KMS key {there}" in ran.err


def test_what_is_not_encrypted_costs_no_call(amicopy: Run, world: World) -> None:
    image = world.register(HOME, name="plain")
    assert amicopy("copy", image.image_id, "--to", HOME, "--account", B).code == 0
    assert [one for one in world.requests if one.service == "kms"] == []


def test_each_key_is_asked_about_once(amicopy: Run, world: World, source: Callable[..., Image]) -> None:
    image = source(letting(B), letting(C))
    assert amicopy("copy", image.image_id, "--to", HOME, "--account", f"{B},{C}", "--dry-run").code == 0
    looked = [(one.operation, one.account) for one in world.requests if one.service == "kms"][1:]
    about = [pair for pair in looked if pair[0] != "DescribeKey"]
    assert sorted(about) == [("GetKeyPolicy", OWN), ("ListGrants", OWN)]
    assert {account for operation, account in looked if operation == "DescribeKey"} == {OWN, B, C}
    assert len(looked) - len(about) <= 2 + 2  # our own two, and one for each account


def test_grants_none_is_refused_unless_the_account_can_read_image_and_snapshots(amicopy: Run, world: World) -> None:
    image = world.register(HOME, name="web")
    argv = ("copy", image.image_id, "--to", HOME, "--account", f"{B},{C}", "--grants", "none")
    ran = amicopy(*argv)
    assert (ran.code, wrote(world)) == (1, [])
    assert f"Account {B} may not copy {image.image_id}: it lacks the launch permission of {image.image_id}." in ran.err
    assert f"Account {C} may not copy" in ran.err
    image.launch_permissions |= {B, C}
    [snapshot] = image.snapshot_ids
    world.state.snapshots[HOME][snapshot].shared_with.add(C)
    ran = amicopy(*argv)
    assert (ran.code, wrote(world)) == (1, [])
    assert f"it lacks the permission to create volumes from {snapshot}." in ran.err
    assert f"Account {C} may not copy" not in ran.err
    world.state.snapshots[HOME][snapshot].shared_with.add(B)
    assert amicopy(*argv).code == 0
    assert [one for one in asked(world, "ModifyImageAttribute", HOME) if one.account == OWN] == []


def test_grants_none_needs_a_copy_that_will_be_shared(amicopy: Run, world: World) -> None:
    image = world.register(HOME, name="web", launch_permissions={B}, volumes=[Volume(shared_with=frozenset({B}))])
    argv = ("copy", image.image_id, "--to", WEST, "--account", f"{B},{C}", "--grants", "none")
    ran = amicopy(*argv)
    assert (ran.code, wrote(world)) == (1, [])
    assert f"Account {C} may not copy the copy in {WEST}: it lacks its launch permission" in ran.err
    assert f"Account {B} may not copy" not in ran.err
    assert amicopy(*argv[:5], B, *argv[6:]).code == 0
    assert copy_in(world, B, WEST).state == "available"


def test_an_image_of_a_third_account_is_asked_about_as_the_account_that_copies_it(amicopy: Run, world: World) -> None:
    people = {OWN, B}
    volume = Volume(shared_with=frozenset({OWN}))
    image = world.register(HOME, name="theirs", account=C, launch_permissions=people, volumes=[volume])
    argv = ("copy", image.image_id, "--to", HOME, "--account", B, "--grants", "none", "--no-permissions")
    ran = amicopy(*argv)
    assert (ran.code, wrote(world)) == (1, [])
    assert "it lacks the permission to create volumes from" in ran.err
    world.state.snapshots[HOME][image.snapshot_ids[0]].shared_with.add(B)
    assert amicopy(*argv).code == 0


@pytest.mark.parametrize("stands", [False, True])
def test_a_copy_that_is_encrypted_only_by_its_origin_is_said_to_be(
    amicopy: Run, world: World, keys: Keys, *, stands: bool
) -> None:
    source = a_source(world)
    world.settings(WEST).encryption_by_default = True
    world.settings(WEST).default_kms_key = keys.make(region=WEST)
    if stands:
        assert amicopy("copy", source.image_id, "--to", WEST, "--account", C, "--kms-grant").code == 0
    said = f"the copy will be encrypted, which {source.image_id} is not: it is made from the copy in {WEST}"
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "--account", B, "--kms-grant")
    assert (ran.code, ran.err.count(said)) == (0, 1), ran.err
    assert all(device.encrypted for device in copy_in(world, B, WEST).devices)
    assert not any(device.encrypted for device in copy_in(world, B, EAST).devices)


def test_what_the_account_encrypts_anyway_is_no_news(amicopy: Run, world: World, keys: Keys) -> None:
    source = a_source(world)
    for account in (OWN, B):
        world.settings(WEST, account).encryption_by_default = True
    world.settings(WEST).default_kms_key = keys.make(region=WEST)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--account", B, "--kms-grant", "--dry-run")
    assert (ran.code, "will be encrypted, which" in ran.err) == (0, False), ran.err
