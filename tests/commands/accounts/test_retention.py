"""``keep`` in other accounts: old copies there go by the same rules as those in the own account."""

from pathlib import Path

from amicopy.sandbox.records import Image
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.accounts import OWN, B, C
from tests.support.clock import FakeClock
from tests.support.manifests import DAY, a_manifest, released
from tests.support.scenes import HOME, WEST, a_source, asked, order, writes

MANIFEST = f"""\
    name: base
    images:
      - source: {{name: 'web-*'}}
        from: {HOME}
        to: [{HOME}, {WEST}]
        accounts:
          - id: '{B}'
          - {{id: '{C}', regions: {WEST}}}
        keep: {{newest: 1}}
"""
PLACES = ((OWN, WEST), (B, HOME), (B, WEST), (C, WEST))


def copies(world: World, account: str, region: str) -> list[Image]:
    """Return the copies that an account has in a region."""
    return [image for image in world.images(region, account) if "amicopy:source" in image.tags]


def releases(world: World, account: str, region: str) -> list[str]:
    """Return the ids of the sources of these copies."""
    return sorted(image.tags["amicopy:source"].partition("/")[2] for image in copies(world, account, region))


def test_old_copies_go_in_every_account_with_their_snapshots(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    manifest = a_manifest(tmp_path, MANIFEST)
    _, second = released(world, clock, amicopy, manifest, "web-1", "web-2")
    for account, region in PLACES:
        assert releases(world, account, region) == [second.image_id]
        used = {snapshot_id for image in world.images(region, account) for snapshot_id in image.snapshot_ids}
        assert {one.snapshot_id for one in world.snapshots(region, account)} == used
    world.requests.clear()
    assert amicopy("sync", manifest).code == 0
    assert [one for one in writes(world) if one != "AssumeRole"] == []


def test_the_dry_run_names_the_accounts_and_removes_nothing(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    manifest = a_manifest(tmp_path, MANIFEST)
    released(world, clock, amicopy, manifest, "web-1")
    [old] = copies(world, B, WEST)
    a_source(world, name="web-2")
    world.requests.clear()
    ran = amicopy("sync", manifest, "--dry-run")
    assert f"- {B}/{WEST} {old.image_id}" in " ".join(ran.out.split())
    assert f"what is removed (-) is in account {OWN}, {B}, {C}" in ran.out
    assert asked(world, "DeregisterImage") == []
    ran = amicopy("sync", manifest, "--dry-run", "--output", "json")
    assert {(one.get("account"), one["region"]) for one in ran.json["removals"]} == {
        (None if account == OWN else account, region) for account, region in PLACES
    }


def test_what_an_account_uses_shares_protects_or_has_launched_stays_there_alone(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    manifest = a_manifest(tmp_path, MANIFEST)
    [first] = released(world, clock, amicopy, manifest, "web-1")
    [used], [shared], [protected] = copies(world, B, HOME), copies(world, B, WEST), copies(world, C, WEST)
    world.state.references[used.image_id] = [("ec2:Instance", f"arn:aws:ec2:{HOME}:{B}:instance/i-1")]
    shared.launch_permissions.add("444444444444")
    protected.protection = "enabled"
    second = a_source(world, name="web-2")
    ran = amicopy("sync", manifest, "--output", "json")
    assert ran.code == 0, ran.err
    kept = {one["image_id"]: one["reason"] for one in ran.json["removals"] if one["state"] == "keep"}
    assert "instance i-1 uses it" in kept[used.image_id]
    assert "it is shared with 444444444444" in kept[shared.image_id]
    assert "deregistration protection is on" in kept[protected.image_id]
    assert releases(world, OWN, WEST) == [second.image_id]
    assert releases(world, B, HOME) == sorted((first.image_id, second.image_id))


def test_nothing_goes_in_an_account_whose_new_copy_has_failed(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    manifest = a_manifest(tmp_path, MANIFEST)
    [first] = released(world, clock, amicopy, manifest, "web-1")
    second = a_source(world, name="web-2")
    order(world, f"copy@{HOME}=fail*always")  # only B gets one there
    ran = amicopy("sync", manifest)
    assert ran.code == 3, ran.err
    assert first.image_id in releases(world, B, HOME)
    assert releases(world, C, WEST) == [second.image_id]


def test_a_copy_that_another_account_may_be_copying_stays(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    manifest = a_manifest(tmp_path, MANIFEST.replace("newest: 1", "newest: 1, shared: true"))
    released(world, clock, amicopy, manifest, "web-1")
    [old] = copies(world, OWN, WEST)
    old.tags[f"amicopy:grant:{B}"] = f"{clock.now():%Y-%m-%dT%H:%M:%SZ} 0123456789"
    a_source(world, name="web-2")
    ran = amicopy("sync", manifest)
    assert ran.code == 0, ran.err
    assert old.image_id in {image.image_id for image in copies(world, OWN, WEST)}
    assert f"account {B} may use it for a copy that is being made" in ran.err
    clock.advance(3 * DAY)
    assert amicopy("sync", manifest).code == 0
    assert old.image_id not in {image.image_id for image in copies(world, OWN, WEST)}


def test_a_copy_that_only_has_the_tags_stays(amicopy: Run, world: World, clock: FakeClock, tmp_path: Path) -> None:
    manifest = a_manifest(tmp_path, MANIFEST)
    released(world, clock, amicopy, manifest, "web-1")
    [made] = copies(world, B, WEST)
    forged = world.register(WEST, account=B, name="theirs", tags=dict(made.tags))
    released(world, clock, amicopy, manifest, "web-2")
    assert forged.image_id in {image.image_id for image in world.images(WEST, B)}
