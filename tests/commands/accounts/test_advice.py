"""Advice about another account names it: what is pasted with one's own credentials would act on one's own account."""

from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.accounts import B, copy_in
from tests.support.scenes import HOME, WEST, a_source, order

CAPE = "af-south-1"
AS_B = f", with credentials of account {B}"


def test_a_region_is_enabled_in_the_account_where_it_is_off(amicopy: Run, world: World) -> None:
    source = a_source(world)
    world.opt_in(CAPE)
    ran = amicopy("copy", source.image_id, "--to", CAPE, "--account", B)
    assert f"Enable it{AS_B} (aws account enable-region --region-name {CAPE})" in ran.err


def test_in_the_own_account_nobody_is_named(amicopy: Run, world: World) -> None:
    ran = amicopy("copy", a_source(world).image_id, "--to", CAPE)
    assert f"Enable it (aws account enable-region --region-name {CAPE})" in ran.err


def test_keys_are_listed_in_the_account_of_the_copy(amicopy: Run, world: World) -> None:
    ran = amicopy(
        "copy", a_source(world).image_id, "--to", HOME, "--account", B, "--kms-key", f"{B}=alias/nowhere", "--encrypt"
    )
    assert f"to list them{AS_B}: aws kms list-aliases --region {HOME}" in ran.err


def test_a_disabled_copy_is_enabled_in_its_account(amicopy: Run, world: World) -> None:
    source = a_source(world)
    assert amicopy("copy", source.image_id, "--to", HOME, "--account", B).code == 0
    copy = copy_in(world, B, HOME)
    copy.state = "disabled"
    ran = amicopy("copy", source.image_id, "--to", HOME, "--account", B)
    assert f"Enable it{AS_B} (aws ec2 enable-image --image-id {copy.image_id} --region {HOME})" in ran.err


def test_what_cannot_be_made_public_is_unblocked_in_its_account(amicopy: Run, world: World) -> None:
    source = a_source(world)
    world.settings(WEST, B).image_block_public_access = "block-new-sharing"
    ran = amicopy("copy", source.image_id, "--to", WEST, "--account", B, "--share", "public", "--yes")
    assert f"yourself{AS_B}: aws ec2 disable-image-block-public-access --region {WEST}" in ran.err


def test_what_iam_denies_there_is_allowed_to_the_role_there(amicopy: Run, world: World) -> None:
    source = a_source(world)
    denied = "UnauthorizedOperation: You are not authorized, with an explicit deny in an identity-based policy"
    order(world, f"ModifyImageAttribute@{WEST}=error:403 {denied}*always")
    ran = amicopy("copy", source.image_id, "--to", WEST, "--account", B, "--share", "444455556666")
    assert f"in the policy of the role in account {B}: amicopy iam-policy prints it with --account-role." in ran.err


def test_protection_is_lifted_in_the_account_of_the_copy(amicopy: Run, world: World) -> None:
    source = a_source(world)
    assert amicopy("copy", source.image_id, "--to", HOME, "--account", B).code == 0
    copy_in(world, B, HOME).protection = "enabled-without-cooldown"
    ran = amicopy("cancel", source.image_id, "--in", HOME, "--account", B, "--available", "--dry-run")
    assert f"to lift it{AS_B}: aws ec2 disable-image-deregistration-protection" in ran.err
