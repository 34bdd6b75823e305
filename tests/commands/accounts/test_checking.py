"""Checks of copies in other accounts: each runs as the role in the copy's account, before that copy is shared."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.accounts import OWN, B, C, copy_in, guests, records
from tests.support.scenes import HOME, SOMEBODY, WEST, a_source, asked, order, writes

CHECKED = "amicopy:checked"
_LOOK = """
import json, os, sys
import boto3
image = json.load(sys.stdin)
[seen] = boto3.client("ec2").describe_images(ImageIds=[image["image_id"]], Owners=["self"])["Images"]
names = ("AMICOPY_ACCOUNT", "AMICOPY_REGION", "AMICOPY_IMAGE_ID", "AWS_PROFILE")
said = {name: os.environ.get(name) for name in names}
with open(sys.argv[1] + image["account"] + image["region"], "w") as file:
    json.dump({**said, "owner": seen["OwnerId"], "account": image["account"]}, file)
"""


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], str]:
    """Write a shell script and return its path."""

    def write(text: str) -> str:
        path = tmp_path / "check"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)

    return write


def test_a_check_acts_in_the_account_of_its_copy(
    amicopy: Run, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text("[profile pipeline]\nregion = us-east-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "pipeline")
    (tmp_path / "look.py").write_text(_LOOK)
    source = a_source(world)
    said = tmp_path / "said-"
    command = f"{sys.executable} {tmp_path / 'look.py'} {said}"
    monkeypatch.setenv("AWS_DEFAULT_REGION", WEST)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--account", B, "--check", command)
    assert ran.code == 0, ran.err
    found: dict[str, Any] = {account: json.loads(Path(f"{said}{account}{WEST}").read_text()) for account in (OWN, B)}
    for account, one in found.items():
        assert (one["AMICOPY_ACCOUNT"], one["account"], one["owner"]) == (account, account, account)
        assert (one["AMICOPY_REGION"], one["AMICOPY_IMAGE_ID"]) == (WEST, copy_in(world, account, WEST).image_id)
    assert (found[OWN]["AWS_PROFILE"], found[B]["AWS_PROFILE"]) == ("pipeline", None)


def test_a_copy_that_does_not_pass_fails_for_itself_and_is_not_shared(
    amicopy: Run, world: World, script: Callable[[str], str]
) -> None:
    source = a_source(world, launch_permissions={SOMEBODY})
    check = script(f'[ "$AMICOPY_ACCOUNT" != {B} ]')
    argv = ("copy", source.image_id, "--to", f"{HOME},{WEST}", "--account", f"{B},{C}", "--check", check)
    ran = amicopy(*argv)
    assert ran.code == 3, ran.err
    for region in (HOME, WEST):
        assert copy_in(world, B, region).launch_permissions == set()
        assert copy_in(world, B, region).tags[CHECKED].startswith("failed ")
        assert copy_in(world, C, region).launch_permissions == {SOMEBODY}
        assert CHECKED in copy_in(world, C, region).tags
        assert f"The copy {copy_in(world, B, region).image_id} in {region} did not pass its check." in ran.err
        advice = f"amicopy cancel --copy {copy_in(world, B, region).image_id} --in {region} --account {B} --available"
        assert advice in " ".join(ran.err.split())
    assert (guests(world) - {SOMEBODY}, records(world)) == (set(), [])


def test_in_the_source_region_too_nothing_is_shared_unchecked(
    amicopy: Run, world: World, script: Callable[[str], str]
) -> None:
    """There other accounts copy the source itself, which nobody has checked."""
    source = a_source(world, launch_permissions={SOMEBODY})
    ran = amicopy("copy", source.image_id, "--to", HOME, "--account", B, "--check", script("exit 1"))
    assert ran.code == 1, ran.err
    assert copy_in(world, B, HOME).launch_permissions == set()


def test_what_has_passed_is_remembered_in_each_account(
    amicopy: Run, world: World, script: Callable[[str], str], tmp_path: Path
) -> None:
    argv = ("copy", a_source(world).image_id, "--to", WEST, "--account", B)
    check = script(f"echo $AMICOPY_ACCOUNT >> {tmp_path / 'runs'}")
    assert amicopy(*argv, "--check", check).code == 0
    world.requests.clear()
    assert amicopy(*argv, "--check", check).code == 0
    assert [one for one in writes(world) if one != "AssumeRole"] == []
    assert (tmp_path / "runs").read_text().split() == [OWN, B]


def test_instances_are_launched_in_the_account_of_the_copy(amicopy: Run, world: World) -> None:
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--account", B, "--check", "boot")
    assert ran.code == 0, ran.err
    assert [one.account for one in asked(world, "RunInstances") if not one.params.get("DryRun")] == [OWN, B]
    assert [one.account for one in asked(world, "TerminateInstances")] == [OWN, B]


def test_an_instance_that_is_left_there_is_found_and_terminated_by_cancel(amicopy: Run, world: World) -> None:
    source = a_source(world)
    order(world, f"TerminateInstances@{HOME}=error:403 UnauthorizedOperation: Not today.*always")
    amicopy("copy", source.image_id, "--to", HOME, "--account", B, "--check", "boot", "--no-preflight")
    world.clear_faults()
    world.requests.clear()
    ran = amicopy("cancel", source.image_id, "--in", HOME, "--account", B, "--yes")
    assert ran.code == 0, ran.err
    assert f"for a boot test of {copy_in(world, B, HOME).image_id}" in ran.err
    assert [(one.account, one.region) for one in asked(world, "TerminateInstances")] == [(B, HOME)]
    order(world, f"DescribeInstances@{HOME}=error:403 UnauthorizedOperation: You are not authorized.*always")
    ran = amicopy("cancel", source.image_id, "--in", HOME, "--account", B, "--yes")
    assert ran.err.count("boot test") == 1, ran.err  # of the own account alone
