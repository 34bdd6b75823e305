"""Whole commands: what can be told apart: images and snapshots, a date and a length of time, an own permission lost."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from amicopy.sandbox.records import Image, Volume
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.clock import START, FakeClock
from tests.support.scenes import EAST, OTHERS, SOMEBODY, UNIT, WEST, a_source, snapshots_of, the_copy, writes


def volume_permissions(world: World, copy: Image) -> list[set[str]]:
    """Return with whom each snapshot is shared."""
    return [set(one.shared_with) for one in snapshots_of(world, copy).values()]


def test_who_may_launch_and_who_may_use_the_snapshots_are_two_questions(amicopy: Run, world: World) -> None:
    """May launch, may not copy: neither is taken from the source, and it stays so."""
    source = a_source(
        world, launch_permissions={OTHERS}, volumes=[Volume(shared_with=frozenset({OTHERS})), Volume(device="/dev/sdb")]
    )
    request = ("copy", source.image_id, "--to", WEST, "--share", SOMEBODY, "--share-snapshots", "555566667777")
    ran = amicopy(*request)
    copy = the_copy(world, WEST)
    assert (ran.code, copy.launch_permissions) == (0, {SOMEBODY}), ran.err
    assert volume_permissions(world, copy) == [{"555566667777"}, {"555566667777"}]
    world.requests.clear()
    assert (amicopy(*request).code, writes(world)) == (0, [])
    verified = amicopy(*("verify", *request[1:2], "--in", WEST, *request[4:]))
    assert verified.code == 0, verified.out


def test_a_manifest_can_keep_the_snapshots_to_itself(amicopy: Run, world: World, tmp_path: Path) -> None:
    source = a_source(world, volumes=[Volume(shared_with=frozenset({OTHERS}))])
    manifest = tmp_path / "amis.yaml"
    manifest.write_text(
        f"images: [{{source: {source.image_id}, from: us-east-1, to: {WEST}, share: ['{SOMEBODY}'], "
        "share_snapshots: []}]"
    )
    assert amicopy("sync", str(manifest)).code == 0
    copy = the_copy(world, WEST)
    assert (copy.launch_permissions, volume_permissions(world, copy)) == ({SOMEBODY}, [set()])


def test_snapshots_become_public_only_after_a_question(amicopy: Run, world: World) -> None:
    source = a_source(world)
    request = ("copy", source.image_id, "--to", WEST, "--share-snapshots", "public")
    refused = amicopy(*request)
    assert (refused.code, writes(world)) == (2, []), refused.err
    assert amicopy(*request, "--yes").code == 0
    assert volume_permissions(world, the_copy(world, WEST)) == [{"all"}]
    assert amicopy(*request).code == 0


def test_tags_can_be_for_images_or_for_snapshots(amicopy: Run, world: World, tmp_path: Path) -> None:
    source = a_source(world, tags={"Team": "web"})
    request = ("--tag", "Both=1", "--image-tag", "Image=1", "--image-tag", "Both=2", "--snapshot-tag", "Snapshot=1")
    ran = amicopy("copy", source.image_id, "--to", WEST, *request)
    copy = the_copy(world, WEST)
    [snapshot] = snapshots_of(world, copy).values()
    for tags in (copy.tags, snapshot.tags):
        tags.pop("amicopy:source")
    assert (ran.code, copy.tags) == (0, {"Team": "web", "Both": "2", "Image": "1"}), ran.err
    assert snapshot.tags == {"Both": "1", "Snapshot": "1"}
    manifest = tmp_path / "amis.yaml"
    manifest.write_text(
        f"""
        defaults: {{ from: us-east-1, image_tags: {{ A: 1 }} }}
        images: [{{ source: {source.image_id}, to: {EAST}, image_tags: {{ B: 2 }}, snapshot_tags: {{ C: 3 }} }}]
        """
    )
    assert amicopy("sync", str(manifest)).code == 0
    copy = the_copy(world, EAST)
    [snapshot] = snapshots_of(world, copy).values()
    assert {key: copy.tags.get(key) for key in "ABC"} == {"A": "1", "B": "2", "C": None}
    assert {key: snapshot.tags.get(key) for key in "ABC"} == {"A": None, "B": None, "C": "3"}


@pytest.mark.parametrize("written", ["2027-11-30", "2027-11-30T00:00Z", "2027-11-30T01:00+01:00"])
def test_all_copies_can_be_deprecated_on_one_date(amicopy: Run, world: World, clock: FakeClock, written: str) -> None:
    source = a_source(world, deprecate_at=datetime(2028, 1, 1, tzinfo=UTC))
    request = ("copy", source.image_id, "--to", f"{WEST},{EAST}", "--deprecate-at", written)
    assert amicopy(*request).code == 0
    dates = {the_copy(world, region).deprecate_at for region in (WEST, EAST)}
    assert dates == {datetime(2027, 11, 30, tzinfo=UTC)}
    clock.advance(86400)
    world.requests.clear()
    assert (amicopy(*request).code, writes(world)) == (0, [])


def test_a_date_that_has_passed_is_said_and_sets_none(amicopy: Run, world: World) -> None:
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--deprecate-at", f"{START:%Y-%m-%d}")
    assert (ran.code, the_copy(world, WEST).deprecate_at) == (0, None)
    assert "the deprecation date 2026-11-23 has passed" in ran.err


def test_what_aws_takes_from_a_public_image_comes_back(amicopy: Run, world: World, tmp_path: Path) -> None:
    """The source has lost it too: the manifest says what is to be."""
    source = a_source(world)
    manifest = tmp_path / "amis.yaml"
    manifest.write_text(f"images: [{{source: {source.image_id}, from: us-east-1, to: {WEST}, share: [public]}}]")
    assert amicopy("sync", str(manifest)).code == 0
    copy = the_copy(world, WEST)
    copy.launch_permissions.clear()
    assert amicopy("sync", str(manifest)).code == 0
    assert copy.launch_permissions == {"all"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--share-snapshots", UNIT], "a snapshot is shared with accounts or public"),
        (["--share-snapshots", SOMEBODY, "--no-permissions"], "--share-snapshots and --no-permissions: cannot be used"),
        (["--share-snapshots", "public", "--encrypt"], "an encrypted snapshot cannot be public"),
        (["--deprecate-at", "soon"], "'soon' is not a valid date"),
        (
            ["--deprecate-at", "2027-01-01", "--deprecate-after", "1d"],
            "--deprecate-at and --deprecate-after: cannot",
        ),
        (["--deprecate-at", "2027-01-01", "--no-deprecation"], "--deprecate-at and --no-deprecation: cannot be used"),
        (["--image-tag", "amicopy:source=x"], "set by amicopy itself"),
        (["--snapshot-tag", "aws:x=y"], "aws:"),
        (["--image-tag", "A=1", "--image-tag", "A=2"], "--image-tag is given more than once for A"),
    ],
)
def test_what_contradicts_itself_is_refused(amicopy: Run, world: World, options: list[str], said: str) -> None:
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, *options)
    assert (ran.code, world.requests, said in ran.err) == (2, [], True), ran.err


def test_status_says_before_aws_stops_sharing_a_public_copy(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = a_source(world)
    amicopy("copy", source.image_id, "--to", WEST, "--share", "public", "--deprecate-at", "2027-01-01", "--yes")
    early = amicopy("status", source.image_id, "--in", WEST, "--output", "json")
    assert (early.json["copies"][0]["public_until"][:10], "AWS may stop" in early.err) == ("2027-07-02", False)
    clock.advance(60 * 86400)
    ran = amicopy("status", source.image_id, "--in", WEST)
    assert "has been deprecated since 2027-01-01; AWS may stop sharing it from 2027-07-02 on" in ran.err
