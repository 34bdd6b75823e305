"""Sessions in other accounts: which are asked for, how often, and what is said of those that cannot be had."""

import pytest

from amicopy.sandbox.accounts import unit_id
from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.accounts import OWN, B, C
from tests.support.scenes import EAST, HOME, WEST, a_source, asked, order, slow, writes


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
    assert f"Account {OWN} is your own account" in ran.err


def test_sessions_are_renewed_before_they_end(amicopy: Run, world: World) -> None:
    source = a_source(world)
    slow(world, 100 * 60)
    ran = amicopy("copy", source.image_id, "--to", HOME, "--account", B)
    assert ran.code == 0, ran.err
    assert len(asked(world, "AssumeRole")) == 3  # a quarter of an hour before each hour is over
    assert world.images(HOME, B)[0].state == "available"


def test_all_roles_that_cannot_be_assumed_are_named_before_anything_is_written(
    amicopy: Run, sandbox: Sandbox, world: World
) -> None:
    sandbox.add_account(B, external_id="golden-images")
    sandbox.add_account(C, role="")
    sandbox.add_account("444444444444")
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--account", f"{B},{C},444444444444")
    assert (ran.code, ran.out) == (6, "")
    assert "2 accounts cannot be used, so nothing was started. [role-not-assumed]" in ran.err
    assert f"The role arn:aws:iam::{B}:role/amicopy cannot be assumed." in ran.err
    assert f"The role arn:aws:iam::{C}:role/amicopy cannot be assumed." in ran.err
    lines = [line.strip() for line in ran.err.splitlines() if "cannot be assumed" in line]
    assert [line[:14] for line in lines] == [f"{B}: ", f"{C}: "]  # with its own reason, not another's
    assert all("role/amicopy cannot be assumed. User: " in line and line[:12] in line[14:] for line in lines)
    assert "the external id that it requires is missing (--external-id)" in ran.err
    assert [one for one in writes(world) if one != "AssumeRole"] == []
    assert not any(one.service == "ec2" for one in world.requests)


def test_each_reason_is_that_of_its_account(amicopy: Run, sandbox: Sandbox, world: World) -> None:
    sandbox.add_account(B, role="")
    source = a_source(world)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--account", f"{B},{OWN}", "--ou", "ou-exam-00000000")
    assert ran.code == 6
    assert "3 accounts or organizational units cannot be used" in ran.err
    [own] = [line for line in ran.err.splitlines() if line.strip().startswith(f"{OWN}: ")]
    assert own.strip() == f"{OWN}: Account {OWN} is your own account, but is listed as another account. " + (
        "Copies go to its regions anyway."
    )
    [unit] = [line for line in ran.err.splitlines() if line.strip().startswith("ou-exam-00000000: ")]
    assert "cannot be listed" in unit
    assert "trust policy" not in unit
    [advice] = [line for line in ran.err.splitlines() if line.startswith("  next")]
    assert f"{OWN}: Leave it out." in advice


def test_a_wrong_external_id_is_said_to_be_wrong(amicopy: Run, sandbox: Sandbox, world: World) -> None:
    sandbox.add_account(B, external_id="golden-images")
    argv = ("copy", a_source(world).image_id, "--to", WEST, "--account", B, "--external-id")
    ran = amicopy(*argv, "silver-images")
    assert ran.code == 6
    assert "the external id that it requires is not the one given" in ran.err
    assert amicopy(*argv, "golden-images").code == 0


def test_a_unit_stands_for_its_active_accounts_and_those_of_units_in_it(
    amicopy: Run, sandbox: Sandbox, world: World
) -> None:
    sandbox.add_account(B, unit="workloads")
    sandbox.add_account(C, unit="workloads/test")
    sandbox.add_account("444444444444", unit="workloads/test", suspended=True)
    sandbox.add_account("555555555555", unit="security")
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--ou", unit_id("workloads"))
    assert ran.code == 0, ran.err
    assert {image.owner for image in world.images(WEST)} == {OWN, B, C}


def test_a_unit_is_listed_page_by_page(amicopy: Run, sandbox: Sandbox, world: World) -> None:
    for number in range(1, 31):
        sandbox.add_account(f"{number:012}", unit="workloads", suspended=number <= 25)
    ran = amicopy("copy", a_source(world).image_id, "--to", HOME, "--ou", unit_id("workloads"))
    assert ran.code == 0, ran.err
    assert len(world.images(HOME)) == 1 + 5


@pytest.mark.parametrize("pages", [f"List{what}ForParent=empty*3" for what in ("Accounts", "OrganizationalUnits")])
def test_an_empty_page_with_a_token_for_the_next_ends_no_list(
    amicopy: Run, sandbox: Sandbox, world: World, pages: str
) -> None:
    """B7 (10), with a unit in the unit and a suspended account: a client that stops at an empty page loses accounts."""
    sandbox.add_account(B, unit="workloads")
    sandbox.add_account(C, unit="workloads/test")
    sandbox.add_account("444444444444", unit="workloads/test", suspended=True)
    order(world, pages)
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--ou", unit_id("workloads"))
    assert ran.code == 0, ran.err
    assert {image.owner for image in world.images(WEST)} == {OWN, B, C}
    asked_for = [one for one in world.requests if one.operation == pages.partition("=")[0]]
    assert len(asked_for) > 2  # for each unit, and again after each empty page


def test_what_is_said_of_an_account_counts_more_than_what_is_said_of_its_unit(
    amicopy: Run, sandbox: Sandbox, world: World
) -> None:
    sandbox.add_account(B, unit="workloads")
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--ou", unit_id("workloads"), "--account", B)
    assert ran.code == 0, ran.err
    assert len(asked(world, "AssumeRole")) == 1


def test_a_unit_without_an_active_account_is_exit_6_and_nothing_is_copied(
    amicopy: Run, sandbox: Sandbox, world: World
) -> None:
    sandbox.add_account(B, unit="workloads", suspended=True)
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--ou", unit_id("workloads"))
    assert (ran.code, writes(world), world.images(WEST)) == (6, [], [])
    assert f"The organizational unit {unit_id('workloads')} has no active account." in ran.err


def test_units_that_do_not_exist_or_may_not_be_listed_are_exit_6(
    amicopy: Run, sandbox: Sandbox, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.add_account(B, unit="workloads")
    source = a_source(world)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--ou", "ou-exam-00000000")
    assert ran.code == 6
    assert "The organizational unit ou-exam-00000000 cannot be listed." in ran.err
    shared = a_source(world, account=B)
    for name, value in sandbox.credentials(B).items():
        monkeypatch.setenv(name.upper(), value)
    ran = amicopy("copy", shared.image_id, "--to", WEST, "--ou", unit_id("workloads"))
    assert ran.code == 6
    assert "or list the accounts by id (--account)" in ran.err


@pytest.mark.parametrize("command", ["status", "verify"])
@pytest.mark.parametrize("where", [("--in", f"{HOME},{WEST}"), ()])
def test_what_can_be_read_is_shown_when_one_account_cannot_be_entered(
    amicopy: Run, sandbox: Sandbox, world: World, command: str, where: tuple[str, ...]
) -> None:
    nowhere = "999900001111"
    sandbox.add_account(B)
    sandbox.add_account(nowhere, role="")
    source = a_source(world)
    assert amicopy("copy", source.image_id, "--to", WEST, "--account", B).code == 0
    about = (command, source.image_id, *where, "--account", f"{B},{nowhere}")
    ran = amicopy(*about)
    assert (ran.code, f"{B}/{WEST}" in ran.out) == (3, True), ran.err
    assert ran.err.count(f"The role arn:aws:iam::{nowhere}:role/amicopy cannot be assumed.") == 1
    unread = amicopy(*about, "--output", "json").json["unread"]
    regions = [HOME, WEST] if where else [HOME]
    assert [(one["account"], one["region"]) for one in unread] == [(nowhere, region) for region in regions]


def test_a_run_that_would_write_begins_nothing_without_one_of_its_accounts(
    amicopy: Run, sandbox: Sandbox, world: World
) -> None:
    sandbox.add_account(B)
    sandbox.add_account("999900001111", role="")
    source = a_source(world)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--account", f"{B},999900001111")
    assert (ran.code, [one for one in writes(world) if one != "AssumeRole"]) == (6, []), ran.err


def test_refused_copies_of_one_account_can_be_left_out(amicopy: Run, world: World) -> None:
    source = a_source(world)
    world.opt_in("af-south-1")
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},af-south-1", "--account", f"{B},{C}")
    assert f"Fix the problems above, leave {B}, {C} out of --account, exclude the region" in ran.err
