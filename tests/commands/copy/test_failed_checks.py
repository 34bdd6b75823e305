"""Whole commands after a check that failed, or that never came to an end: nobody shares the copy unchecked."""

import json
import re
import shlex
from pathlib import Path

import boto3
import pytest

from amicopy.sandbox.records import Image, Volume
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.clock import FakeClock
from tests.support.scenes import (
    EAST,
    HOME,
    OTHERS,
    SOMEBODY,
    WEST,
    a_source,
    asked,
    driven,
    finished_by_hand,
    first,
    order,
    row,
    slow,
    snapshots_of,
    the_copy,
    writes,
)

CHECKED = "amicopy:checked"


@pytest.fixture
def source(world: World) -> Image:
    """Register a source that somebody may launch and somebody may copy."""
    volumes = [Volume(shared_with=frozenset({OTHERS}))]
    return a_source(world, launch_permissions={SOMEBODY}, volumes=volumes, tags={"Release": "1"})


@pytest.fixture
def check(tmp_path: Path) -> str:
    """Return a check that fails until the file ``fixed`` is there."""
    path = tmp_path / "smoke-test"
    path.write_text(f"#!/bin/sh\ntest -e {tmp_path}/fixed\n")
    path.chmod(0o755)
    return str(path)


def is_private(world: World, region: str = WEST) -> bool:
    copy = the_copy(world, region)
    return not copy.launch_permissions and not any(one.shared_with for one in snapshots_of(world, copy).values())


def is_shared(world: World, region: str = WEST) -> bool:
    copy = the_copy(world, region)
    [snapshot] = snapshots_of(world, copy).values()
    return copy.launch_permissions == {SOMEBODY} and snapshot.shared_with == {OTHERS}


def failed(amicopy: Run, world: World, source: Image, check: str) -> Image:
    """Copy; the copy fails its check."""
    assert amicopy("copy", source.image_id, "--to", WEST, "--check", check).code == 1
    world.requests.clear()
    return the_copy(world, WEST)


def test_repair_does_not_share_it_and_says_why(amicopy: Run, world: World, source: Image, check: str) -> None:
    """What else it lacks is written."""
    copy = failed(amicopy, world, source, check)
    del copy.tags["Release"]
    shown = amicopy("verify", source.image_id, "--in", WEST, "--repair", "--yes", "--dry-run")
    assert f"would not share {copy.image_id} in {WEST}: it failed its check (smoke-test) on 2026-" in shown.err
    assert shown.err.count("would fix") == 1
    ran = amicopy("verify", source.image_id, "--in", WEST, "--repair", "--yes")
    assert (ran.code, is_private(world), copy.tags["Release"]) == (4, True, "1"), ran.err
    assert [one for one in writes(world) if one != "CreateTags"] == []
    assert f"The copy {copy.image_id} in {WEST} failed its check (smoke-test) on 2026-" in ran.err
    assert "[not-checked]" in ran.err
    assert f"--copy {copy.image_id}" in ran.err
    again = amicopy("verify", source.image_id, "--in", WEST, "--repair", "--share", SOMEBODY, "--yes")
    assert (again.code, is_private(world)) == (4, True), again.err


def test_status_and_verify_show_it(amicopy: Run, world: World, source: Image, check: str) -> None:
    copy = failed(amicopy, world, source, check)
    words = "failed its check (smoke-test) on 2026-"
    table = amicopy("status", source.image_id, "--in", WEST, "--output", "table")
    assert words in " ".join(re.sub("[│|]", " ", table.out).split())
    [status] = json.loads(amicopy("status", source.image_id, "--in", WEST, "--output", "json").out)["copies"]
    assert status["missing"][0].startswith(words)
    assert (status["check"]["state"], status["check"]["name"]) == ("failed", "smoke-test")
    assert status["check"]["failed_at"].endswith("Z")
    verified = amicopy("verify", source.image_id, "--in", WEST)
    assert (verified.code, words in verified.out) == (4, True), verified.out
    text = amicopy("verify", source.image_id, "--in", WEST, "--output", "text")
    assert (len(text.out.splitlines()), words in text.err) == (1, True)
    [verdict] = json.loads(amicopy("verify", source.image_id, "--in", WEST, "--output", "json").out)["copies"]
    assert (verdict["image_id"], verdict["check"]["state"], verdict["verdict"]) == (copy.image_id, "failed", "differs")


def test_a_private_copy_that_failed_is_not_as_it_should_be(amicopy: Run, world: World, check: str) -> None:
    """Nothing is missing, and nobody is to use it."""
    source = a_source(world)
    failed(amicopy, world, source, check)
    assert amicopy("verify", source.image_id, "--in", WEST).code == 4
    ran = amicopy("verify", source.image_id, "--in", WEST, "--repair", "--yes")
    assert (ran.code, writes(world), "[not-checked]" in ran.err) == (4, [], True)


def test_a_run_without_a_check_refuses_it(amicopy: Run, world: World, source: Image, check: str) -> None:
    """Nothing starts anywhere, as with every refusal; with the record deleted, as advised, it is shared."""
    copy = failed(amicopy, world, source, check)
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "--output", "json")
    assert (ran.code, writes(world), row(ran, WEST)["error"]["slug"]) == (1, [], "not-checked"), ran.err
    [command] = re.findall(r"aws ec2 (delete-tags [^;\n]*)", row(ran, WEST)["error"]["next"])
    _, _, resource, _, tag, _, region = shlex.split(command)
    ec2 = boto3.client("ec2", region)
    ec2.delete_tags(Resources=[resource], Tags=[{"Key": tag.removeprefix("Key=")}])
    ec2.close()
    again = amicopy("copy", source.image_id, "--to", WEST)
    assert (again.code, is_shared(world), the_copy(world, WEST) is copy) == (0, True, True), again.err


def test_a_manifest_that_has_lost_its_check_publishes_nothing(
    amicopy: Run, world: World, source: Image, check: str, tmp_path: Path
) -> None:
    text = f"images: [{{source: {source.image_id}, to: {WEST}, publish: {{ssm: /images/web}}}}]"
    (tmp_path / "amis.yaml").write_text(text.replace("publish:", f"check: {check}, publish:"))
    assert amicopy("sync", str(tmp_path / "amis.yaml")).code == 1
    (tmp_path / "amis.yaml").write_text(text)
    world.requests.clear()
    ran = amicopy("sync", str(tmp_path / "amis.yaml"))
    assert (ran.code, writes(world), is_private(world)) == (1, [], True), ran.err
    assert "failed its check" in ran.err


def test_a_check_that_passes_in_the_end_is_all_that_is_remembered(
    amicopy: Run, world: World, source: Image, check: str, tmp_path: Path
) -> None:
    """No tag says anything else, and runs without a check are welcome again."""
    copy = failed(amicopy, world, source, check)
    shown = amicopy("copy", source.image_id, "--to", WEST, "--check", check, "--dry-run")
    assert "; it failed its check (smoke-test) on 2026-" in shown.out
    (tmp_path / "fixed").touch()
    ran = amicopy("copy", source.image_id, "--to", WEST, "--check", check)
    assert (ran.code, is_shared(world)) == (0, True), ran.err
    assert sorted(key for key in copy.tags if key.startswith("amicopy:")) == [CHECKED, "amicopy:source"]
    assert re.fullmatch("[0-9a-f]{32}", copy.tags[CHECKED])
    world.requests.clear()
    assert amicopy("verify", source.image_id, "--in", WEST).code == 0
    assert (amicopy("copy", source.image_id, "--to", WEST).code, writes(world)) == (0, [])


def test_a_copy_is_to_be_checked_from_its_first_moment(
    amicopy: Run, world: World, source: Image, check: str, clock: FakeClock
) -> None:
    """A pass without waiting has left it; neither a repair nor a run without a check shares it meanwhile."""
    slow(world, 600)
    amicopy("copy", source.image_id, "--to", WEST, "--check", check, "--no-wait")
    clock.advance(60)
    pending = amicopy("copy", source.image_id, "--to", WEST, "--output", "json")
    assert (pending.code, row(pending, WEST)["error"]["slug"]) == (1, "not-checked")
    seen = amicopy("verify", source.image_id, "--in", WEST)
    assert seen.code == 0, seen.out
    clock.advance(3600)
    assert amicopy("verify", source.image_id, "--in", WEST, "--repair", "--yes").code == 4
    available = amicopy("copy", source.image_id, "--to", WEST)
    assert (available.code, is_private(world)) == (1, True)
    assert "has not passed its check (smoke-test) yet" in available.err


def test_a_copy_that_another_run_has_made_meanwhile_is_not_shared_unchecked(
    amicopy: Run, world: World, source: Image, check: str, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run without a check has planned a copy, and gets the one of a run with a check."""
    argv = ("copy", source.image_id, "--to", WEST)

    def other() -> None:
        assert amicopy(*argv, "--check", check, "--no-wait").code == 0

    ran = driven(capsys, clock, first(other), *argv, "--on-failure", "cancel", "--output", "json")
    assert (ran.code, is_private(world)) == (1, True), ran.err
    assert row(ran, WEST)["error"]["slug"] == "not-checked"


def test_a_copy_from_before_is_recorded_before_its_check_begins(
    amicopy: Run, world: World, source: Image, tmp_path: Path
) -> None:
    """Whoever kills the run after that leaves no copy that a repair would share."""
    amicopy("copy", source.image_id, "--to", WEST, "--no-permissions")
    copy = the_copy(world, WEST)
    look = tmp_path / "look"
    look.write_text(f"#!/bin/sh\ncat >{tmp_path}/seen\nexit 1\n")
    look.chmod(0o755)
    world.requests.clear()
    assert amicopy("copy", source.image_id, "--to", WEST, "--check", str(look)).code == 1
    tags = [one.params["Tags"][0]["Value"] for one in asked(world, "CreateTags", WEST)]
    assert [value.split()[0] for value in tags] == ["waiting", "failed"]
    assert copy.tags[CHECKED].startswith("failed ")


def test_a_shared_copy_that_fails_is_recorded_and_stays_shared(
    amicopy: Run, world: World, source: Image, check: str
) -> None:
    amicopy("copy", source.image_id, "--to", WEST)
    failed(amicopy, world, source, check)
    assert (is_shared(world), the_copy(world, WEST).tags[CHECKED].split()[0]) == (True, "failed")
    assert amicopy("verify", source.image_id, "--in", WEST).code == 4


def test_a_record_that_cannot_be_written_is_said(amicopy: Run, world: World, source: Image, check: str) -> None:
    order(world, f"CreateTags@{WEST}=error:403 UnauthorizedOperation: no*9")
    ran = amicopy("copy", source.image_id, "--to", WEST, "--check", check, "--no-preflight")
    assert (ran.code, is_private(world), "cannot be tagged amicopy:checked" in ran.err) == (1, True, True), ran.err
    assert the_copy(world, WEST).tags[CHECKED] == "waiting smoke-test"  # from CopyImage


@pytest.mark.parametrize("tags", [49, 50])
def test_a_copy_without_room_for_the_record_is_not_started(amicopy: Run, world: World, check: str, tags: int) -> None:
    source = a_source(world, launch_permissions={SOMEBODY}, tags={f"Tag{number}": "" for number in range(tags)})
    ran = amicopy("copy", source.image_id, "--to", WEST, "--check", check, "--no-preflight")
    assert (ran.code, world.images(WEST), "no room for the tag amicopy:checked" in ran.err) == (1, [], True), ran.err
    assert writes(world) == []
    assert amicopy("copy", source.image_id, "--to", WEST, "--check", check, "--no-tags").code == 1
    assert (the_copy(world, WEST).tags[CHECKED].split()[0], is_private(world)) == ("failed", True)


def test_the_record_may_be_the_fiftieth_tag(amicopy: Run, world: World, check: str) -> None:
    source = a_source(world, launch_permissions={SOMEBODY}, tags={f"Tag{number}": "" for number in range(48)})
    assert amicopy("copy", source.image_id, "--to", WEST, "--check", check).code == 1
    copy = the_copy(world, WEST)
    assert (len(copy.tags), copy.tags[CHECKED].split()[0], is_private(world)) == (50, "failed", True)


def test_a_record_that_came_along_with_anothers_copy_says_nothing(
    amicopy: Run, world: World, clock: FakeClock, check: str
) -> None:
    """Neither is a source refused that was such a copy itself."""
    source = a_source(world, tags={CHECKED: "failed 2026-11-01T00:00:00Z boot"})
    finished_by_hand(world, clock, source, WEST, CopyImageTags=True)
    assert CHECKED in the_copy(world, WEST).tags
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}")
    assert ran.code == 0, ran.err
    assert CHECKED not in the_copy(world, EAST).tags
    assert amicopy("verify", source.image_id, "--in", f"{WEST},{EAST}").code == 0


def test_the_record_costs_no_call_of_its_own(amicopy: Run, world: World, check: str, tmp_path: Path) -> None:
    (tmp_path / "fixed").touch()
    source = a_source(world)
    assert amicopy("copy", source.image_id, "--to", WEST, "--check", check).code == 0
    assert writes(world) == ["CopyImage", "CreateTags"]


def test_a_copy_that_failed_is_removed_as_advised(amicopy: Run, world: World, source: Image, check: str) -> None:
    failed(amicopy, world, source, check)
    ran = amicopy("copy", source.image_id, "--to", WEST)
    [command] = re.findall(r"amicopy (cancel --copy \S+ --in \S+ --available)", " ".join(ran.err.split()))
    removed = amicopy(*command.split(), "--yes")
    assert (removed.code, world.images(WEST)) == (0, []), removed.err
    assert [one.image_id for one in world.images(HOME)] == [source.image_id]
