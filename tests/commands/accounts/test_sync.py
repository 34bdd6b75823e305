"""Manifests that name accounts, and what is wrong with them."""

from pathlib import Path

import pytest

from amicopy.sandbox.accounts import unit_id
from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.accounts import OWN, B, C, guests, records
from tests.support.scenes import EAST, HOME, WEST, a_source, asked


def a_manifest(directory: Path, source: str, accounts: str) -> str:
    """Write a manifest of one entry with these accounts; return its path."""
    path = directory / "accounts.yaml"
    path.write_text(
        f"images:\n  - source: {source}\n    from: {HOME}\n    to: {HOME}, {WEST}, {EAST}\n    accounts:\n{accounts}"
    )
    return str(path)


def test_each_account_has_copies_in_its_own_regions(amicopy: Run, world: World, tmp_path: Path) -> None:
    source = a_source(world)
    said = f"      - id: {B}\n      - {{ id: '{C}', regions: [{WEST}], role: copies, external_id: x1 }}\n"
    path = a_manifest(tmp_path, source.image_id, said)
    ran = amicopy("sync", path)
    assert ran.code == 0, ran.err
    held = {(image.owner, image.region) for image in world.images()}
    assert held == {*((account, region) for account in (OWN, B) for region in (HOME, WEST, EAST)), (C, WEST)}
    assert {one.params["RoleArn"] for one in asked(world, "AssumeRole")} >= {f"arn:aws:iam::{C}:role/copies"}
    assert (guests(world), records(world)) == (set(), [])
    assert "nothing to do: 6 copies are up to date" in amicopy("sync", path).err


def test_a_unit_and_a_key_in_a_manifest(amicopy: Run, sandbox: Sandbox, world: World, tmp_path: Path) -> None:
    sandbox.add_account(B, unit="workloads")
    said = f"      - {{ ou: {unit_id('workloads')}, regions: {WEST}, kms_key: alias/images }}\n"
    ran = amicopy("sync", a_manifest(tmp_path, a_source(world).image_id, said), "--dry-run")
    assert ran.code == 1
    assert f"Use a key that exists in {B}/{WEST}" in ran.err


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("      - id: 12345\n", "'12345' is not a valid account id"),
        (f"      - {{ id: {B}, ou: ou-abcd-12345678 }}\n", "give exactly one of id and ou"),
        (f"      - id: {B}\n      - id: {B}\n", f"{B} is given twice"),
        (f"      - {{ id: {B}, regions: ap-south-1 }}\n", "ap-south-1 is not a destination"),
        (f"      - {{ id: {B}, regions: us-wets-2 }}\n", "unknown region 'us-wets-2'"),
        (f"      - {{ id: {B}, role: a b }}\n", "is not a valid role name"),
        (f"      - {{ id: {B}, kms_key: 17 }}\n", "'17' is not a valid KMS key"),
        (f"      - {{ id: {B}, color: red }}\n", "color"),
        ("      {}\n", "accounts"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_nothing_is_called(
    amicopy: Run, world: World, tmp_path: Path, said: str, wrong: str
) -> None:
    ran = amicopy("sync", a_manifest(tmp_path, "ami-0abcdef1234567890", said))
    assert (ran.code, world.requests) == (2, [])
    assert wrong in ran.err
    assert "accounts.yaml:" in ran.err
