"""``amicopy boot --account``: copies in other accounts are launched there, by the role, and nothing is left running."""

import json
from dataclasses import replace
from typing import Any

import pytest

from amicopy.cli.environment import Environment
from amicopy.cli.main import main
from amicopy.core.parallel import Stop
from amicopy.sandbox.accounts import unit_id
from amicopy.sandbox.http.moto_resources import advance_instances
from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.records import Image
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.accounts import OWN, B, C, There, copy_in
from tests.support.clock import FakeClock
from tests.support.scenes import EAST, HOME, WEST, a_source, asked, order

EVERYWHERE = [(account, region) for account in (OWN, B, C) for region in (HOME, WEST)]


@pytest.fixture
def source(amicopy: Run, world: World) -> Image:
    """A source with a copy in its own account and one in another."""
    return copied(amicopy, world, WEST, B)


def copied(amicopy: Run, world: World, regions: str, accounts: str) -> Image:
    """Return a source with copies in these regions and accounts; an instance takes two minutes to pass its checks."""
    image = a_source(world)
    assert amicopy("copy", image.image_id, "--to", regions, "--account", accounts).code == 0
    world.state.timing = replace(world.state.timing, running_seconds=10, checked_seconds=120)
    world.requests.clear()
    return image


def launched(world: World) -> list[tuple[str, str, str]]:
    """Return account, region and image of every launch."""
    real = [one for one in asked(world, "RunInstances") if not one.error]
    return sorted((one.account, one.region, one.params["ImageId"]) for one in real)


def running(world: World) -> list[tuple[str, str]]:
    """Return account and id of the instances that cost something."""
    runs = world.state.instance_runs.values()
    for account, region in {(one.account, one.region) for one in runs}:
        advance_instances(world.state, account, region)  # as with the next call
    return sorted((one.account, one.instance_id) for one in runs if one.terminated_at is None)


def test_each_account_s_copy_is_launched_there_and_nothing_runs_afterwards(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world, f"{HOME},{WEST}", f"{B},{C}")
    argv = ("boot", "--yes", source.image_id, "--in", f"{HOME},{WEST}", "--account", f"{B},{C}")
    ran = amicopy(*argv, "--output", "json")
    assert ran.code == 0, ran.err
    expected = [(account, region, copy_in(world, account, region).image_id) for account, region in EVERYWHERE]
    assert (launched(world), running(world)) == (sorted(expected), [])
    assert [(one.get("account", OWN), one["region"], one["image_id"]) for one in ran.json["images"]] == expected
    assert "account" not in ran.json["images"][0]
    for account in (B, C):
        image_id = copy_in(world, account, WEST).image_id
        assert f"testing {image_id} in {account}/{WEST} with the instance i-" in ran.err
        assert f"passed: {image_id} in {account}/{WEST} after " in ran.err
    assert len(asked(world, "AssumeRole")) == 2
    assert f"{B}/{WEST} {copy_in(world, B, WEST).image_id} passed\n" in amicopy(*argv).out


def test_the_dry_run_shows_every_account_and_what_all_cost_and_launches_nothing(
    amicopy: Run, world: World, source: Image
) -> None:
    argv = ("boot", source.image_id, "--in", WEST, "--account", B)
    ran = amicopy(*argv, "--dry-run")
    assert (ran.code, launched(world)) == (0, [])
    assert f"boot  {B}/{WEST}  {copy_in(world, B, WEST).image_id}  t3.micro" in ran.err
    assert "costs: 2 instances for at most 15 minutes, volumes included; about 0.021 USD an hour" in ran.err
    assert "amicopy iam-policy boot, for that of the roles: --account-role ARN" in ran.err
    ran = amicopy(*argv, "--quiet")
    assert (ran.code, launched(world)) == (2, [])
    assert f"Launch 2 instances in {WEST}, {B}/{WEST}, about 0.021 USD an hour" in ran.err


def test_a_unit_stands_for_its_accounts(amicopy: Run, sandbox: Sandbox, world: World, source: Image) -> None:
    sandbox.add_account(B, unit="workloads")
    ran = amicopy("boot", "--yes", source.image_id, "--in", WEST, "--ou", unit_id("workloads"))
    assert ran.code == 0, ran.err
    assert [account for account, _, _ in launched(world)] == [OWN, B]


def test_without_other_accounts_nothing_but_ec2_is_asked(amicopy: Run, world: World, source: Image) -> None:
    assert amicopy("boot", "--yes", source.image_id, "--in", WEST).code == 0
    assert {(one.service, one.account) for one in world.requests} == {("ec2", OWN)}


def test_an_account_without_a_copy_is_an_error_and_the_others_are_tested(amicopy: Run, world: World) -> None:
    """A source that is shared with an account is no copy there: nobody in that account has it."""
    image = a_source(world, launch_permissions={C})
    assert amicopy("copy", image.image_id, "--to", HOME, "--account", B, "--no-permissions").code == 0
    world.requests.clear()
    ran = amicopy("boot", "--yes", image.image_id, "--in", HOME, "--account", f"{B},{C}", "--output", "json")
    words = f"{image.image_id} is not in {C}/{HOME}, and there is no copy of it that can be launched."
    assert (ran.code, [one["what"] for one in ran.json["unread"]]) == (3, [words]), ran.err
    assert "or leave it out of --account" in ran.err
    assert [account for account, _, _ in launched(world)] == [OWN, B]
    assert running(world) == []


def test_a_copy_that_is_named_itself_is_tested_in_its_account_only(amicopy: Run, world: World) -> None:
    copied(amicopy, world, f"{HOME},{WEST}", B)
    for region in (HOME, WEST):
        world.requests.clear()
        copy = copy_in(world, B, region)
        ran = amicopy("boot", "--yes", copy.image_id, "--in", region, "--account", B)
        assert (ran.code, ran.out) == (0, f"{B}/{region} {copy.image_id} passed\n"), ran.err
        assert launched(world) == [(B, region, copy.image_id)]


def test_an_instance_that_fails_in_one_account_fails_there_alone(amicopy: Run, world: World, source: Image) -> None:
    order(world, f"launch@{WEST}=unhealthy after 1")  # in which account is a matter of who launches first
    ran = amicopy("boot", "--yes", source.image_id, "--in", WEST, "--account", B, "--output", "json")
    assert (ran.code, running(world)) == (3, [])
    assert sorted(one["state"] for one in ran.json["images"]) == ["failed", "passed"]
    [failed] = [one for one in ran.json["images"] if one["state"] == "failed"]
    place = f"{failed['account']}/{WEST}" if "account" in failed else WEST
    assert f"error: {failed['image_id']} in {place} did not pass its boot test." in ran.err


def test_a_role_that_may_not_launch_is_an_error_before_anything_is_launched(
    amicopy: Run, world: World, source: Image
) -> None:
    order(world, f"RunInstances@{WEST}=error:403 UnauthorizedOperation: You are not authorized.*always")
    ran = amicopy("boot", "--yes", source.image_id, "--in", WEST, "--account", B)
    assert (ran.code, launched(world)) == (6, []), ran.err
    assert f"in {B}/{WEST}" in ran.err


def test_accounts_that_cannot_be_worked_in_are_all_named_and_nothing_is_launched(
    amicopy: Run, sandbox: Sandbox, world: World, source: Image
) -> None:
    for account in (B, C):
        sandbox.add_account(account, role="")
    ran = amicopy("boot", "--yes", source.image_id, "--in", WEST, "--account", f"{B},{C}")
    assert (ran.code, launched(world)) == (6, [])
    assert all(f"The role arn:aws:iam::{account}:role/amicopy cannot be assumed." in ran.err for account in (B, C))


def test_what_may_not_be_read_in_one_account_is_an_error_and_the_others_are_tested(
    amicopy: Run, world: World, source: Image
) -> None:
    order(world, f"DescribeInstances@{WEST}=error:403 UnauthorizedOperation: You are not authorized. after 1")
    ran = amicopy("boot", "--yes", source.image_id, "--in", WEST, "--account", B)
    assert (ran.code, len(launched(world))) == (3, 1), ran.err


def subnet_of(there: There, account: str, region: str = WEST) -> str:
    """Return a subnet of an account's default VPC."""
    return str(there.client(account, "ec2", region).describe_subnets()["Subnets"][0]["SubnetId"])


def test_each_account_has_subnets_of_its_own(amicopy: Run, world: World, there: There, source: Image) -> None:
    own, theirs = subnet_of(there, OWN), subnet_of(there, B)
    argv = ("boot", "--yes", source.image_id, "--in", WEST, "--account", B)
    ran = amicopy(*argv, "--subnet", f"{WEST}={own}", "--subnet", f"{B}/{WEST}={theirs}")
    assert ran.code == 0, ran.err
    real = [one for one in asked(world, "RunInstances") if not one.error]
    used = {one.account: one.params["NetworkInterfaces"][0]["SubnetId"] for one in real}
    assert used == {OWN: own, B: theirs}
    world.requests.clear()
    ran = amicopy(*argv, "--subnet", own)  # which the other account does not have
    assert (ran.code, launched(world)) == (1, []), ran.err
    assert f"{B}/{WEST} has no subnet {own}." in ran.err
    assert f"--subnet {B}/{WEST}=SUBNET" in ran.err


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (f"{C}/{WEST}", f"{C}/{WEST} is not tested"),
        (f"{B}/{EAST}", f"{B}/{EAST} is not tested"),
        (f"{B}/us-wset-2", "Did you mean us-west-2"),
        (f"12/{WEST}", "'12' is not a valid account id"),
    ],
)
def test_a_subnet_for_a_place_that_is_not_tested_is_refused_before_aws_is_asked(
    amicopy: Run, world: World, source: Image, where: str, said: str
) -> None:
    subnet = f"{where}=subnet-0123456789abcdef0"
    ran = amicopy("boot", "--yes", source.image_id, "--in", WEST, "--account", B, "--subnet", subnet)
    assert (ran.code, world.requests, said in ran.err) == (2, [], True), ran.err


def test_the_check_of_a_copy_has_the_subnet_of_its_account(amicopy: Run, world: World, there: There) -> None:
    theirs = subnet_of(there, B)
    check = f"boot --subnet {B}/{WEST}={theirs}"
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--account", B, "--check", check)
    assert ran.code == 0, ran.err
    real = [one for one in asked(world, "RunInstances") if not one.error]
    assert {one.account: one.params["NetworkInterfaces"][0].get("SubnetId", "") for one in real} == {OWN: "", B: theirs}


def test_an_interrupted_test_terminates_the_instances_of_every_account(
    world: World, source: Image, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    stop = Stop()

    class Impatient(FakeClock):
        def sleep(self, seconds: float, until: Any = None) -> None:
            clock.sleep(seconds, until)
            if len(launched(world)) == 2:
                stop.set()

        def now(self) -> Any:
            return clock.now()

    argv = ["boot", "--yes", source.image_id, "--in", WEST, "--account", B, "--output", "json"]
    assert main(argv, Environment(clock=Impatient(), stop=stop)) == 130
    said = capsys.readouterr()
    assert (len(launched(world)), running(world)) == (2, [])
    assert {one["state"] for one in json.loads(said.out)["images"]} == {"interrupted"}
    assert "the instances are terminated" in said.err


def test_what_a_killed_run_has_left_is_terminated_by_the_next(
    amicopy: Run, world: World, source: Image, clock: FakeClock
) -> None:
    refused = "error:UnauthorizedOperation: no*always"
    order(world, f"TerminateInstances@{WEST}={refused}", f"CreateTags@{WEST}={refused}")
    amicopy("boot", source.image_id, "--in", WEST, "--account", B, "--yes")
    world.clear_faults()
    [(_, own), (owner, theirs)] = running(world)
    assert owner == B
    clock.advance(7200)
    order(world, f"TerminateInstances@{WEST}=error:UnauthorizedOperation: no")  # the first one, and once
    ran = amicopy("boot", "--yes", source.image_id, "--in", WEST, "--account", B)
    assert ran.code == 3, ran.err
    assert f"terminate {theirs} in {B}/{WEST}, left by a run that was killed" in ran.err
    assert f"{own} in {WEST}, left by a killed run, is still running" in ran.err
    assert running(world) == []  # the test of the same copy has terminated it
