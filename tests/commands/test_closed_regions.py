"""Regions that EC2 lists as enabled and a service control policy closes, as Control Tower's Region deny."""

import pytest

from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.clock import FakeClock
from tests.support.scenes import EAST, WEST, a_source, asked, order

DENIED = (
    "error:403 UnauthorizedOperation: You are not authorized to perform this operation. User: arn:aws:iam::1:user/me "
    "is not authorized to perform: ec2:DescribeImages with an explicit deny in a service control policy"
)
CLOSED = ("eu-central-1", "eu-west-2")
NOTE = "note: left out, because a service control policy closes them: eu-central-1, eu-west-2\n"
EUROPE = "eu-*"


@pytest.fixture
def source(amicopy: Run, world: World, clock: FakeClock) -> str:
    """A source with a copy in Europe, after which two regions there are closed."""
    source = a_source(world).image_id
    assert amicopy("copy", source, "--to", EAST, "-q").code == 0
    order(world, *(f"*@{region}={DENIED}*always" for region in CLOSED))
    return source


@pytest.mark.parametrize("command", ["copy", "status", "verify", "cancel"])
def test_a_pattern_leaves_them_out_with_a_note(amicopy: Run, source: str, command: str) -> None:
    where = {"copy": "--to", "status": "--in", "verify": "--in", "cancel": "--in"}[command]
    given = ["--yes"] if command == "cancel" else []
    ran = amicopy(command, source, where, EUROPE, *given, "--output", "json")
    assert NOTE in ran.err
    assert (ran.code, ran.err.count("error:")) == (0, 0)
    assert NOTE.removeprefix("note: ").strip() in ran.json["notes"]


@pytest.mark.parametrize("command", ["copy", "status", "verify", "cancel"])
def test_one_that_is_named_is_an_error_that_says_how_to_leave_it_out(amicopy: Run, source: str, command: str) -> None:
    where = {"copy": "--to", "status": "--in", "verify": "--in", "cancel": "--in"}[command]
    given = ["--yes"] if command == "cancel" else []
    ran = amicopy(command, source, where, f"{EAST},eu-west-2", *given)
    assert "eu-central-1" not in ran.err
    assert "These credentials may not call ec2:DescribeImages in eu-west-2." in ran.err
    assert ran.code in {3, 6}
    if command != "copy":
        assert "or exclude that region (--exclude; in a manifest, exclude)." in " ".join(ran.err.split())


@pytest.mark.parametrize("command", ["copy", "status", "verify", "cancel"])
def test_what_is_excluded_is_not_asked(amicopy: Run, world: World, source: str, command: str) -> None:
    where = {"copy": "--to", "status": "--in", "verify": "--in", "cancel": "--in"}[command]
    given = ["--yes"] if command == "cancel" else []
    before = len(world.requests)
    ran = amicopy(command, source, where, EUROPE, "--exclude", ",".join(CLOSED), *given)
    assert ran.code == 0, ran.err
    assert NOTE not in ran.err
    assert not {one.region for one in world.requests[before:]} & {*CLOSED}


def test_if_every_region_is_closed_that_is_the_error(amicopy: Run, source: str) -> None:
    ran = amicopy("status", source, "--in", "eu-central-*")
    assert "note: left out" not in ran.err
    assert ran.code == 6


def test_a_denial_of_ones_own_policy_is_an_error_as_before(amicopy: Run, world: World) -> None:
    source = a_source(world).image_id
    order(world, "*@eu-west-2=error:403 UnauthorizedOperation: You are not authorized.*always")
    ran = amicopy("copy", source, "--to", EUROPE)
    assert "note: left out" not in ran.err
    assert ran.code == 6
    assert not asked(world, "CopyImage")


def test_excluding_everything_is_a_usage_error(amicopy: Run, world: World) -> None:
    ran = amicopy("status", a_source(world).image_id, "--in", WEST, "--exclude", "us-*")
    assert ran.code == 2
    assert "--exclude removes every region of --in us-west-2." in ran.err
