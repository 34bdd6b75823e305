"""The Python API with other accounts."""

from pathlib import Path

import pytest

import amicopy
from amicopy.core.errors import ExitCode
from amicopy.sandbox.accounts import unit_id
from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.records import Volume
from amicopy.sandbox.world import World
from tests.support.accounts import OWN, B, C, copy_in, guests, records
from tests.support.clock import FakeClock, one_after_another
from tests.support.keys import Keys
from tests.support.scenes import EAST, HOME, WEST, a_source, asked, slow


@pytest.fixture
def context(world: World, clock: FakeClock) -> amicopy.Context:
    """Return what a program hands over."""
    return amicopy.Context(session=amicopy.Session(), clock=clock, drive=one_after_another)


def test_accounts_are_ids_units_or_values(sandbox: Sandbox, world: World, context: amicopy.Context) -> None:
    sandbox.add_account(B, unit="workloads")
    sandbox.add_account(C)
    source = a_source(world)
    target = amicopy.TargetAccount(account=C, regions=(EAST,))
    report = amicopy.copy(source.image_id, to=[WEST, EAST], accounts=[unit_id("workloads"), target], context=context)
    assert report.exit_code() is ExitCode.OK
    assert {(one.owner, one.region) for one in world.images() if one.region != HOME} == {
        *((account, region) for account in (OWN, B) for region in (WEST, EAST)),
        (C, EAST),
    }
    assert (guests(world), records(world)) == (set(), [])


def test_status_verify_and_cancel_see_the_copies_there(world: World, context: amicopy.Context) -> None:
    source = a_source(world, tags={"Name": "web"})
    amicopy.copy(source.image_id, to=WEST, accounts=B, context=context)
    there = copy_in(world, B, WEST)
    status = amicopy.status(source.image_id, regions=WEST, accounts=B, context=context)
    assert {(one.destination.account, one.copy.image_id) for one in status.copies} >= {(B, there.image_id)}
    del there.tags["Name"]
    verdict = amicopy.verify(source.image_id, regions=WEST, accounts=[B], context=context)
    assert [str(one.destination) for one in verdict.copies if one.missing] == [f"{B}/{WEST}"]
    result = amicopy.cancel(source.image_id, regions=WEST, accounts=B, available=True, context=context)
    assert (result.exit_code, world.images(WEST)) == (ExitCode.OK, [])


def test_copies_are_launched_in_each_account(world: World, context: amicopy.Context) -> None:
    source = a_source(world)
    amicopy.copy(source.image_id, to=WEST, accounts=B, context=context)
    report = amicopy.boot(source.image_id, regions=WEST, accounts=B, context=context)
    assert [(one.account, one.place, one.passed) for one in report.targets] == [
        ("", WEST, True),
        (B, f"{B}/{WEST}", True),
    ]
    images = amicopy.to_dict(report)["images"]
    assert [one.get("account") for one in images] == [None, B]


def test_keys_are_granted_and_pending_copies_cancelled(
    sandbox: Sandbox, world: World, context: amicopy.Context
) -> None:
    keys = Keys(sandbox)
    arn = keys.make()
    image = world.register(HOME, name="secret", volumes=[Volume(encrypted=True, kms_key_id=arn)])
    slow(world, 3600)
    options = amicopy.RunOptions(wait=False)
    amicopy.copy(image.image_id, to=HOME, accounts=B, kms_grant=True, run_options=options, context=context)
    assert [one["Name"] for one in keys.grants(arn)] == [f"amicopy:{image.image_id}:{B}"]
    [grant] = amicopy.status(image.image_id, regions=HOME, context=context).grants
    assert (grant.account, grant.key_ids) == (B, (arn,))
    amicopy.cancel(image.image_id, regions=HOME, accounts=B, context=context)
    assert (keys.grants(arn), records(world)) == ([], [])
    keys.close()


def test_a_manifest_can_be_applied_with_kept_permissions(
    world: World, context: amicopy.Context, tmp_path: Path
) -> None:
    source = a_source(world)
    path = tmp_path / "amis.yaml"
    entry = f"  - {{source: {source.image_id}, from: {HOME}, to: {HOME}, accounts: [{{id: '{B}'}}]}}\n"
    path.write_text(f"images:\n{entry}")
    assert amicopy.sync(path, grants=amicopy.Grants.KEEP, context=context).exit_code() is ExitCode.OK
    assert guests(world) == {B}


@pytest.mark.parametrize("accounts", ["12345", [B, B], amicopy.TargetAccount(account=B, role="a b")])
def test_wrong_accounts_are_usage_errors(
    world: World, context: amicopy.Context, accounts: str | list[str] | amicopy.TargetAccount
) -> None:
    with pytest.raises(amicopy.UsageError, match="accounts: "):
        amicopy.copy("ami-0abcdef1234567890", to=WEST, accounts=accounts, context=context)
    with pytest.raises(amicopy.UsageError, match="accounts: "):
        amicopy.cancel("ami-0abcdef1234567890", regions=WEST, accounts=accounts, context=context)
    assert asked(world, "AssumeRole") == []


def test_retire_reaches_the_copies_there(world: World, context: amicopy.Context) -> None:
    source = a_source(world)
    amicopy.copy(source.image_id, to=WEST, accounts=B, context=context)
    result = amicopy.retire(source.image_id, accounts=B, context=context)
    found = {(target.account, target.region, str(target.state)) for target in result.targets}
    assert found == {("", HOME, "retired"), ("", WEST, "retired"), (B, WEST, "retired")}
    assert copy_in(world, B, WEST).state == "disabled"
