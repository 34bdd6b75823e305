"""Sessions in other accounts: which are asked for, how often, and what is said of those that cannot be had."""

import pytest

from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.accounts import OWN, B, C
from tests.support.scenes import EAST, WEST, a_source, asked


def test_an_account_costs_one_call_whatever_the_number_of_regions(amicopy: Run, world: World) -> None:
    ran = amicopy("copy", a_source(world).image_id, "--to", f"{WEST},{EAST},ap-south-1", "--account", f"{B},{C}")
    assert ran.code == 0, ran.err
    assumed = asked(world, "AssumeRole")
    assert sorted(one.params["RoleArn"] for one in assumed) == [f"arn:aws:iam::{name}:role/amicopy" for name in (B, C)]
    assert len(asked(world, "GetCallerIdentity")) == 1


def test_a_session_asks_for_an_hour_and_names_the_run(amicopy: Run, world: World) -> None:
    amicopy("copy", a_source(world).image_id, "--to", WEST, "--account", B, "--dry-run")
    [assumed] = asked(world, "AssumeRole")
    assert assumed.params["DurationSeconds"] == "3600"
    assert assumed.params["RoleSessionName"].startswith("amicopy-2026")
    assert "ExternalId" not in assumed.params


def test_role_and_external_id_are_those_given(amicopy: Run, world: World) -> None:
    given = ("--account", B, "--role-name", "team/copies", "--external-id", "golden-1")
    amicopy("copy", a_source(world).image_id, "--to", WEST, *given, "--dry-run")
    [assumed] = asked(world, "AssumeRole")
    assert assumed.params["RoleArn"] == f"arn:aws:iam::{B}:role/team/copies"
    assert assumed.params["ExternalId"] == "golden-1"


def test_without_accounts_sts_is_not_asked(amicopy: Run, world: World) -> None:
    amicopy("copy", a_source(world).image_id, "--to", WEST)
    assert {one.service for one in world.requests} == {"ec2"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--account", "12345"), "'12345' is not a valid account id: an account id has 12 digits"),
        (("--account", f"{B},{C}", "--account", B), f"{B} is given 2 times"),
        (("--account", B, "--role-name", "arn:aws:iam::1:role/x"), "is not a valid role name"),
        (("--account", B, "--external-id", "x"), "an external id has 2 to 1224"),
        (("--ou", "engineering"), "'engineering' is not a valid id of an organizational unit"),
    ],
)
def test_wrong_options_are_usage_errors_before_aws_is_called(
    amicopy: Run, world: World, given: tuple[str, ...], said: str
) -> None:
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, *given)
    assert (ran.code, world.requests) == (2, [])
    assert said in ran.err


def test_everything_wrong_with_accounts_is_said_together(amicopy: Run, world: World) -> None:
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--account", "1,x", "--role-name", "a b")
    assert ran.code == 2
    assert all(text in ran.err for text in ("'1'", "'x'", "'a b'"))


def test_the_own_account_listed_as_another_is_a_usage_error(amicopy: Run, world: World) -> None:
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--account", OWN)
    assert (ran.code, asked(world, "AssumeRole")) == (2, [])
    assert f"Account {OWN} is that of the credentials" in ran.err
