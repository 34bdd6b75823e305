"""``fast_restore``: switched on once a copy is complete, once over reruns, and off before the copy is removed."""

from pathlib import Path
from typing import Any

import pytest

from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.clock import FakeClock
from tests.support.manifests import DAY, a_manifest
from tests.support.scenes import EAST, HOME, WEST, a_source, order, the_copy

TAG = "amicopy:fast-restore"
FROM_WEST = f"""\
    name: web
    images:
      - source: {{name: 'web-*'}}
        from: {WEST}
        to: {HOME}
        fast_restore: {{{HOME}: [{HOME}a, {HOME}b]}}
"""
MANIFEST = f"""\
    name: web
    images:
      - source: {{name: 'web-*'}}
        from: {HOME}
        to: [{WEST}, {EAST}]
        fast_restore: {{{WEST}: [{WEST}a, {WEST}b]}}
"""
KEEP = MANIFEST + "        keep: {newest: 1, min_age: 60s}\n"
ON = {"enabling", "optimizing", "enabled"}


def zones(world: World, region: str = WEST) -> set[tuple[str, str]]:
    """Return the snapshots and zones for which it is on."""
    found: Any = world.call("DescribeFastSnapshotRestores", {}, region=region)["FastSnapshotRestores"]
    return {(one["SnapshotId"], one["AvailabilityZone"]) for one in found if one["State"] in ON}


def switched(world: World) -> list[str]:
    """Return the operations that switch it, in order."""
    return [one.operation for one in world.requests if one.operation.endswith("ableFastSnapshotRestores")]


def switch(world: World, snapshot_id: str, zone: str, *, on: bool = True) -> None:
    """Switch it as somebody else would."""
    operation = "EnableFastSnapshotRestores" if on else "DisableFastSnapshotRestores"
    world.call(operation, {"SourceSnapshotIds": [snapshot_id], "AvailabilityZones": [zone]}, region=WEST)


def test_it_is_switched_on_for_the_copy_and_recorded(amicopy: Run, world: World, tmp_path: Path) -> None:
    a_source(world, name="web-1")
    manifest = a_manifest(tmp_path, MANIFEST)
    planned = amicopy("sync", manifest, "--dry-run", "--output", "json").json["fast_restores"]
    wanted = [f"{WEST}a", f"{WEST}b"]
    assert [(one["region"], one["zones"], one["state"]) for one in planned] == [(WEST, wanted, "switch")]
    assert (planned[0]["usd_per_hour"], switched(world)) == (None, [])
    ran = amicopy("sync", manifest)
    assert ran.code == 0, ran.err
    copy = the_copy(world, WEST)
    assert zones(world) == {(one, zone) for one in copy.snapshot_ids for zone in wanted}
    assert copy.tags[TAG] == f"{WEST}a {WEST}b"
    assert f"fast restore of {copy.image_id}  on in {WEST}a, {WEST}b" in ran.err
    assert zones(world, EAST) == set()


def test_a_second_run_writes_nothing(amicopy: Run, world: World, tmp_path: Path) -> None:
    a_source(world, name="web-1")
    manifest = a_manifest(tmp_path, MANIFEST)
    amicopy("sync", manifest)
    world.requests.clear()
    again = amicopy("sync", manifest, "--output", "json")
    assert (again.code, again.json["fast_restores"][0]["state"]) == (0, "kept")
    assert {one.operation for one in world.requests if not one.operation.startswith(("Describe", "Get"))} == set()


def test_a_manifest_without_it_makes_no_further_call(amicopy: Run, world: World, tmp_path: Path) -> None:
    a_source(world, name="web-1")
    without = "".join(line for line in KEEP.splitlines(keepends=True) if "fast_restore" not in line)
    assert amicopy("sync", a_manifest(tmp_path, without)).code == 0
    assert not [one for one in world.requests if "FastSnapshot" in one.operation]


def test_the_price_is_shown_where_it_is_known(amicopy: Run, world: World, tmp_path: Path) -> None:
    source = a_source(world, WEST, name="web-1")
    usd = 0.75 * 2 * len(source.snapshot_ids)
    planned = amicopy("sync", a_manifest(tmp_path, FROM_WEST), "--dry-run")
    assert f"fast snapshot restore in {HOME}, for each snapshot in each zone: {usd:.2f} USD an hour" in planned.out
    assert "0.75 (price of 2026-08)" in planned.out
    own = tmp_path / "own.csv"
    own.write_text(f"price,region,usd\nfast-restore,{HOME},1\n")
    with_own = amicopy("sync", a_manifest(tmp_path, FROM_WEST), "--dry-run", "--prices", str(own), "--output", "json")
    assert with_own.json["fast_restores"][0]["usd_per_hour"] == f"{2 * len(source.snapshot_ids)}.00"


def test_an_unknown_price_is_no_zero(amicopy: Run, world: World, tmp_path: Path) -> None:
    a_source(world, name="web-1")
    planned = amicopy("sync", a_manifest(tmp_path, MANIFEST), "--dry-run")
    assert f"fast snapshot restore in {WEST}, for each snapshot in each zone: unknown" in planned.out


@pytest.mark.parametrize(
    "fault",
    [
        f"EnableFastSnapshotRestores@{WEST}=error:UnauthorizedOperation: no",
        f"EnableFastSnapshotRestores@{WEST}=lost",
        f"CreateTags@{WEST}=error:UnauthorizedOperation: no",
    ],
)
def test_a_rerun_finishes_it(amicopy: Run, world: World, tmp_path: Path, fault: str) -> None:
    a_source(world, name="web-1")
    order(world, fault)
    manifest = a_manifest(tmp_path, MANIFEST)
    first = amicopy("sync", manifest)
    assert first.code == (3 if "error" in fault else 0), first.err
    world.clear_faults()
    again = amicopy("sync", manifest)
    assert again.code == 0, again.err
    copy = the_copy(world, WEST)
    assert len(zones(world)) == 2 * len(copy.snapshot_ids)
    assert copy.tags[TAG] == f"{WEST}a {WEST}b"


def test_without_a_record_nothing_is_switched_on(amicopy: Run, world: World, tmp_path: Path) -> None:
    a_source(world, name="web-1")
    order(world, f"CreateTags@{WEST}=error:UnauthorizedOperation: no")
    assert amicopy("sync", a_manifest(tmp_path, MANIFEST)).code == 3
    assert switched(world) == []


def test_a_refusal_names_the_snapshot_and_the_reason(amicopy: Run, world: World, tmp_path: Path) -> None:
    a_source(world, name="web-1")
    world.settings(WEST).fast_restore_limit = 0
    ran = amicopy("sync", a_manifest(tmp_path, MANIFEST))
    assert ran.code == 3
    assert f"Fast snapshot restore cannot be switched on in {WEST}a." in ran.err
    assert f"{the_copy(world, WEST).snapshot_ids[0]}: The limit of snapshots" in ran.err


def test_what_somebody_else_has_switched_on_is_left_alone(amicopy: Run, world: World, tmp_path: Path) -> None:
    source = a_source(world, name="web-1")
    amicopy("copy", source.image_id, "--from", HOME, "--to", WEST)
    copy = the_copy(world, WEST)
    for snapshot_id in copy.snapshot_ids:
        switch(world, snapshot_id, f"{WEST}a")
        switch(world, snapshot_id, f"{WEST}c")
    assert amicopy("sync", a_manifest(tmp_path, MANIFEST)).code == 0
    assert the_copy(world, WEST).tags[TAG] == f"{WEST}b"
    off = a_manifest(tmp_path, MANIFEST.replace(f"[{WEST}a, {WEST}b]", "[]"), "off.yaml")
    ran = amicopy("sync", off)
    assert (ran.code, {zone for _, zone in zones(world)}) == (0, {f"{WEST}a", f"{WEST}c"})
    assert (the_copy(world, WEST).tags[TAG], "off in us-west-2b" in ran.err) == ("", True)
    world.requests.clear()
    assert (amicopy("sync", off).code, switched(world)) == (0, [])


def test_cancel_switches_it_off_before_it_removes(amicopy: Run, world: World, tmp_path: Path) -> None:
    source = a_source(world, name="web-1")
    amicopy("sync", a_manifest(tmp_path, MANIFEST))
    cancel = ("cancel", source.image_id, "--from", HOME, "--in", WEST, "--available", "--yes")
    order(world, f"DisableFastSnapshotRestores@{WEST}=error:UnauthorizedOperation: no")
    refused = amicopy(*cancel)
    assert (refused.code == 0, len(world.images(WEST))) == (False, 1)  # nothing is removed while it is on
    world.clear_faults()
    world.requests.clear()
    assert amicopy(*cancel).code == 0
    operations = [one.operation for one in world.requests]
    assert operations.index("DisableFastSnapshotRestores") < operations.index("DeregisterImage")
    assert (world.images(WEST), zones(world)) == ([], set())


def test_keep_switches_it_off_before_it_removes(amicopy: Run, world: World, clock: FakeClock, tmp_path: Path) -> None:
    a_source(world, name="web-1")
    manifest = a_manifest(tmp_path, KEEP)
    amicopy("sync", manifest)
    clock.advance(DAY)
    a_source(world, name="web-2")
    world.requests.clear()
    ran = amicopy("sync", manifest)
    assert ran.code == 0, ran.err
    assert switched(world)[-1] == "DisableFastSnapshotRestores"
    operations = [one.operation for one in world.requests if one.region == WEST]
    assert operations.index("DisableFastSnapshotRestores") < operations.index("DeregisterImage")
    copy = the_copy(world, WEST)
    assert {snapshot_id for snapshot_id, _ in zones(world)} == set(copy.snapshot_ids)


def test_retire_switches_it_off_and_undo_on_again(amicopy: Run, world: World, tmp_path: Path) -> None:
    source = a_source(world, name="web-1")
    amicopy("sync", a_manifest(tmp_path, MANIFEST))
    before = zones(world)
    places = ("--from", HOME, "--in", f"{HOME},{WEST}", "--yes")
    assert amicopy("retire", source.image_id, *places).code == 0
    assert (zones(world), len(before)) == (set(), 2 * len(source.snapshot_ids))
    restored = amicopy("retire", source.image_id, *places, "--undo")
    assert restored.code == 0, restored.err
    assert zones(world) == before


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (f"{{{WEST}: us-east-1a}}", f"'us-east-1a' is not an Availability Zone of {WEST}, such as {WEST}a"),
        (f"{{{WEST}: usw2-az1}}", "'usw2-az1' is not an Availability Zone"),
        ("{eu-central-1: eu-central-1a}", "eu-central-1 is not a destination"),
        ("{us-wset-2: us-wset-2a}", "us-wset-2"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(
    amicopy: Run, world: World, tmp_path: Path, said: str, words: str
) -> None:
    a_source(world, name="web-1")
    ran = amicopy("sync", a_manifest(tmp_path, MANIFEST.replace(f"{{{WEST}: [{WEST}a, {WEST}b]}}", said)))
    assert (ran.code, world.images(WEST)) == (2, [])
    assert words in ran.err
