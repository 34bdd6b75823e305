"""What is refused for other accounts: everything at once, before anything is written; and credentials that end."""

import pytest

from amicopy.sandbox.records import Volume
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.accounts import B, C, copy_in, guests, records
from tests.support.scenes import HOME, WEST, a_source, order, slow, writes

OFF = "eu-south-1"  # enabled in the own account only


def test_all_that_keeps_copies_from_other_accounts_is_said_together(amicopy: Run, world: World) -> None:
    """B7 (8). Roles that cannot be assumed come before that: without them, an account cannot be asked."""
    world.opt_in(OFF)
    sold = a_source(world, name="sold", product_codes=[("abcd", "marketplace")])
    managed = a_source(world, name="managed", volumes=[Volume(encrypted=True)])
    sources = (sold.image_id, managed.image_id, a_source(world, name="good").image_id)
    ran = amicopy("copy", *sources, "--to", f"{WEST},{OFF}", "--account", f"{B},{C}")
    assert (ran.code, [one for one in writes(world) if one != "AssumeRole"]) == (1, [])
    for account in (B, C):
        assert f"{sold.image_id} cannot be copied into account {account}: it has product codes" in ran.err
        assert f"{managed.image_id} in {HOME} cannot be copied into account {account}: the AWS-managed key" in ran.err
        assert f"The region {OFF} is not enabled for account {account}." in ran.err
    assert "10 of 18 copies are refused, so nothing was started." in ran.err


def test_credentials_of_the_run_that_end_are_said_to_have_ended_and_the_same_command_continues(
    amicopy: Run, world: World
) -> None:
    """B7 (9): the session of a role ends after an hour, and nothing can renew it."""
    source = a_source(world)
    slow(world, 2 * 3600)
    argv = ("copy", source.image_id, "--to", HOME, "--account", B)
    order(
        world, "AssumeRole=error:403 ExpiredToken: The security token included in the request is expired*always after 1"
    )
    ran = amicopy(*argv)
    assert ran.code == 5, ran.err
    assert "The credentials expired with 1 copy unfinished; EC2 keeps copying these:" in ran.err
    assert f"then: amicopy copy {source.image_id} --to {HOME} --account {B}" in ran.err
    assert (guests(world), len(records(world))) == ({B}, 2)  # of the image and of its snapshot
    world.clear_faults()
    assert amicopy(*argv).code == 0
    assert (guests(world), records(world), copy_in(world, B, HOME).state) == (set(), [], "available")


@pytest.mark.parametrize("option", [("--role-name", "x"), ("--external-id", "x"), ("--grants", "keep")])
def test_what_is_for_other_accounts_needs_some(
    amicopy: Run, world: World, monkeypatch: pytest.MonkeyPatch, option: tuple[str, str]
) -> None:
    source = a_source(world)
    ran = amicopy("copy", source.image_id, "--to", WEST, *option)
    assert (ran.code, world.requests) == (2, [])
    assert f"{option[0]} is for other accounts: name them with --account or --ou" in " ".join(ran.err.split())
    monkeypatch.setenv(f"AMICOPY_{option[0][2:].upper().replace('-', '_')}", option[1])  # meant for all commands
    assert amicopy("copy", source.image_id, "--to", WEST, "--dry-run").code == 0
