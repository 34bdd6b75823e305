"""``amicopy sync``: sources found in every way, copies made as the manifest says, and what its run tells."""

import json
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest

from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.clock import FakeClock
from tests.support.manifests import DAY, a_manifest, put_parameter
from tests.support.scenes import (
    EAST,
    HOME,
    ORGANIZATION,
    SOMEBODY,
    WEST,
    a_pending_source,
    a_source,
    asked,
    order,
    row,
    the_copy,
    writes,
)


def one(source: str, more: str = "", to: str = WEST) -> str:
    """Return a manifest of one image."""
    return f"images:\n  - source: {source}\n    from: {HOME}\n    to: {to}\n{more}"


def test_a_name_means_the_newest_that_matches_in_every_respect(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    wanted: dict[str, Any] = {"name": "web-1", "architecture": "arm64", "tags": {"stage": "live"}}
    a_source(world, **wanted)
    clock.advance(DAY)
    newest = a_source(world, **wanted)
    clock.advance(DAY)
    for other in ({"name": "db-1"}, {"architecture": "x86_64"}, {"tags": {"stage": "test"}}, {"account": SOMEBODY}):
        a_source(world, **{**wanted, **other})
    manifest = a_manifest(tmp_path, one("{name: 'web-?', architecture: arm64, tags: {stage: live}}"))
    assert amicopy("sync", manifest).code == 0
    assert the_copy(world, WEST).source_image_id == newest.image_id


def test_a_copy_that_amicopy_made_and_that_is_the_newest_of_a_name_is_named(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    elsewhere = a_source(world, name="web-1", region=EAST)
    clock.advance(DAY)
    assert amicopy("copy", elsewhere.image_id, "--from", EAST, "--to", HOME).code == 0
    copy = the_copy(world, HOME)
    ran = amicopy("sync", a_manifest(tmp_path, one("{name: 'web-*'}")), "--dry-run")
    assert ran.code == 0
    assert f"{copy.image_id}, is itself a copy of {EAST}/{elsewhere.image_id}" in ran.out + ran.err


def test_another_account_s_images_are_found_by_their_owner(amicopy: Run, world: World, tmp_path: Path) -> None:
    a_source(world, name="web-1")
    theirs = a_source(world, name="web-1", account=SOMEBODY, launch_permissions={"all"})
    for snapshot_id in theirs.snapshot_ids:
        world.snapshot(HOME, snapshot_id).shared_with.add("all")
    manifest = a_manifest(tmp_path, one(f"{{name: 'web-*', owner: {SOMEBODY}}}"))
    assert amicopy("sync", manifest).code == 0
    assert the_copy(world, WEST).source_image_id == theirs.image_id


def test_a_deprecated_image_is_not_the_newest(amicopy: Run, world: World, clock: FakeClock, tmp_path: Path) -> None:
    good = a_source(world, name="web-1")
    clock.advance(DAY)
    bad = a_source(world, name="web-2")
    clock.advance(3600)
    world.image(HOME, bad.image_id).deprecate_at = clock.now()
    assert amicopy("sync", a_manifest(tmp_path, one("{name: 'web-*'}"))).code == 0
    assert the_copy(world, WEST).source_image_id == good.image_id


def test_the_newest_by_name_is_waited_for(amicopy: Run, world: World, clock: FakeClock, tmp_path: Path) -> None:
    """A pipeline's sync comes right after its build: the release before would be published, and nothing said."""
    a_source(world, name="web-1")
    clock.advance(DAY)
    newest = a_pending_source(world, 600, name="web-2")
    ran = amicopy("sync", a_manifest(tmp_path, one("{name: 'web-*'}")))
    assert ran.code == 0, ran.err
    assert the_copy(world, WEST).source_image_id == newest.image_id


@pytest.mark.parametrize("option", ["--no-wait", "--dry-run"])
def test_without_waiting_the_newest_available_is_used_and_the_newer_one_named(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path, option: str
) -> None:
    before = a_source(world, name="web-1")
    clock.advance(DAY)
    newest = a_pending_source(world, 600, name="web-2")
    ran = amicopy("sync", a_manifest(tmp_path, one("{name: 'web-*'}")), option)
    assert ran.code == 0, ran.err
    assert f"{newest.image_id} is newer than {before.image_id} and pending; this run does not wait for it" in ran.err


def test_a_parameter_names_the_source(amicopy: Run, world: World, tmp_path: Path) -> None:
    source = a_source(world)
    put_parameter(HOME, "/golden/web", source.image_id)
    assert amicopy("sync", a_manifest(tmp_path, one("{ssm: /golden/web}"))).code == 0
    assert the_copy(world, WEST).source_image_id == source.image_id


def test_a_packer_manifest_with_several_regions_needs_a_source_region(
    amicopy: Run, world: World, tmp_path: Path
) -> None:
    source = a_source(world)
    artifact = f"eu-west-1:ami-0123456789abcdef0,{HOME}:{source.image_id}"
    builds = [{"packer_run_uuid": "r", "artifact_id": artifact}]
    (tmp_path / "packer.json").write_text(json.dumps({"builds": builds, "last_run_uuid": "r"}))
    text = f"images:\n  - source: {{packer: packer.json}}\n    to: {WEST}\n"
    ran = amicopy("sync", a_manifest(tmp_path, text))
    assert (ran.code, world.requests) == (2, [])
    assert "has AMIs in several regions, set from to one of: eu-west-1, us-east-1" in ran.err


def test_an_endless_packer_manifest_is_refused(amicopy: Run, world: World, tmp_path: Path) -> None:
    ran = amicopy("sync", a_manifest(tmp_path, one("{packer: /dev/zero}")))
    assert (ran.code, world.requests) == (2, [])
    assert "it is larger than 10 MB" in ran.err


def test_packer_s_manifest_names_the_source_beside_the_manifest(amicopy: Run, world: World, tmp_path: Path) -> None:
    source = a_source(world)
    builds = [{"packer_run_uuid": "r", "artifact_id": f"{HOME}:{source.image_id}"}]
    (tmp_path / "packer.json").write_text(json.dumps({"builds": builds, "last_run_uuid": "r"}))
    assert amicopy("sync", a_manifest(tmp_path, one("{packer: packer.json}"))).code == 0
    assert the_copy(world, WEST).source_image_id == source.image_id


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{name: nothing-*}", f"No available AMI in {HOME} is named 'nothing-*'"),
        ("{ssm: /nowhere}", f"There is no parameter /nowhere in {HOME}"),
        ("{ssm: /text}", f"The parameter /text in {HOME} does not contain an AMI id"),
    ],
)
def test_a_source_that_is_not_found_is_told_with_its_place_and_nothing_starts(
    amicopy: Run, world: World, tmp_path: Path, source: str, said: str
) -> None:
    put_parameter(HOME, "/text", "hello")
    world.requests.clear()
    manifest = a_manifest(tmp_path, one(source))
    ran = amicopy("sync", manifest)
    assert (ran.code, writes(world)) == (2, [])
    assert f"{manifest}:2:5: {said}" in ran.err


def test_two_entries_that_come_to_the_same_copy_are_refused(amicopy: Run, world: World, tmp_path: Path) -> None:
    source = a_source(world, name="web-1")
    world.requests.clear()
    manifest = a_manifest(
        tmp_path, one(source.image_id) + f"  - {{source: {{name: 'web-*'}}, from: {HOME}, to: 'us-*'}}\n"
    )
    ran = amicopy("sync", manifest)
    assert (ran.code, writes(world)) == (2, [])
    assert f"{source.image_id} is copied to {WEST} in {manifest}:5:5 too" in ran.err


def test_a_region_s_own_words_win_there_and_nowhere_else(amicopy: Run, world: World, tmp_path: Path) -> None:
    source = a_source(world, name="web", tags={"team": "web"}, launch_permissions={SOMEBODY})
    text = f"""\
    defaults: {{from: {HOME}, tags: {{stage: test}}}}
    images:
      - source: {source.image_id}
        to:
          {WEST}: {{name: web-west, tags: {{west: true}}, share: [{ORGANIZATION}]}}
          {EAST}: {{encrypt: true, carry_permissions: false}}
    """
    assert amicopy("sync", a_manifest(tmp_path, text)).code == 0
    west, east = the_copy(world, WEST), the_copy(world, EAST)
    assert (west.name, west.launch_permissions) == ("web-west", {ORGANIZATION})
    assert (east.name, east.launch_permissions) == ("web", set())
    assert [west.tags.get(key) for key in ("team", "stage", "west")] == ["web", "test", "true"]
    assert [east.tags.get(key) for key in ("team", "stage", "west")] == ["web", "test", None]
    assert all(device.encrypted for device in east.devices)


def test_what_fails_in_a_best_effort_region_does_not_count(amicopy: Run, world: World, tmp_path: Path) -> None:
    source = a_source(world)
    order(world, f"copy@{WEST}=fail*always")
    manifest = a_manifest(tmp_path, one(source.image_id, f"    best_effort: {WEST}\n", f"[{WEST}, {EAST}]"))
    ran = amicopy("sync", manifest, "--output", "json")
    assert ran.code == 0
    assert row(ran, WEST)["state"] == "failed"


@pytest.mark.parametrize(("least", "code"), [(1, 0), (2, 3)])
def test_so_many_have_to_succeed(amicopy: Run, world: World, tmp_path: Path, least: int, code: int) -> None:
    source = a_source(world)
    order(world, f"copy@{WEST}=fail*always")
    manifest = a_manifest(tmp_path, one(source.image_id, f"    min_success: {least}\n", f"[{WEST}, {EAST}]"))
    assert amicopy("sync", manifest).code == code


def test_a_variable_that_is_not_set_is_told_before_aws_is_asked(
    amicopy: Run, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = a_source(world)
    manifest = a_manifest(tmp_path, one(source.image_id, "    name: web-${VERSION}\n"))
    world.requests.clear()
    ran = amicopy("sync", manifest)
    assert (ran.code, world.requests) == (2, [])
    assert f"{manifest}:5:11: the variable VERSION is not set" in ran.err
    monkeypatch.setenv("VERSION", "1.2")
    assert amicopy("sync", manifest).code == 0
    assert the_copy(world, WEST).name == "web-1.2"


def test_a_manifest_from_stdin(amicopy: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    source = a_source(world)
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(one(source.image_id).encode())))
    assert amicopy("sync", "-").code == 0
    assert the_copy(world, WEST).source_image_id == source.image_id


def test_the_dry_run_is_a_diff_that_ends_with_4_where_there_is_work(amicopy: Run, world: World, tmp_path: Path) -> None:
    source = a_source(world)
    manifest = a_manifest(tmp_path, one(source.image_id, to=f"[{WEST}, {EAST}]"))
    amicopy("copy", source.image_id, "--to", EAST)
    world.requests.clear()
    ran = amicopy("sync", manifest, "--dry-run", "--exit-code")
    assert [" ".join(said.split()[:2]) for said in ran.out.splitlines()[:2]] == [f"+ {WEST}", f"= {EAST}"]
    assert (ran.code, writes(world)) == (4, [])
    assert amicopy("sync", manifest, "--dry-run").code == 0
    amicopy("sync", manifest)
    ran = amicopy("sync", manifest, "--dry-run", "--exit-code")
    assert (ran.code, ran.out) == (0, "nothing to do: 2 copies are up to date\n")
    quiet = amicopy("sync", manifest, "--dry-run", "--exit-code", "--quiet")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")  # cron sends whatever is printed


def test_many_sources_are_looked_for_once_each(amicopy: Run, world: World, tmp_path: Path) -> None:
    images = "".join(f"  - {{source: {{name: web-{n}}}, from: {HOME}, to: {WEST}}}\n" for n in range(5))
    for number in range(5):
        a_source(world, name=f"web-{number}")
    assert amicopy("sync", a_manifest(tmp_path, f"images:\n{images}"), "--dry-run").code == 0
    filters = [filter_ for ask in asked(world, "DescribeImages", HOME) for filter_ in ask.params.get("Filters", [])]
    assert sorted(filter_["Values"][0] for filter_ in filters if filter_["Name"] == "name") == [
        f"web-{number}" for number in range(5)
    ]
