"""Whole commands: verify --content proves that the data of copies is the source's, and shows where it isn't."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from amicopy.core.errors import ExitCode
from amicopy.sandbox.content import BLOCK_BYTES, Content, MadeUp, Stored
from amicopy.sandbox.records import Image, Volume
from amicopy.sandbox.world import World
from tests.conftest import Ran, Run
from tests.support.clock import FakeClock
from tests.support.scenes import EAST, HOME, WEST, a_source, asked, copied_by_hand, finished_by_hand, order

DATA = Stored({index: bytes([index % 251 + 1]) * BLOCK_BYTES for index in (0, 1, 7, 900)})
LEVELS = ["size", "list", "sample", "full"]
DENIED = "error:403 AccessDeniedException: User is not authorized to perform: ebs:GetSnapshotBlock*always"


def copied(amicopy: Run, world: World, *faults: str, to: str = WEST, content: Content = DATA, **volume: Any) -> Image:
    """Register a source with this content and copy it."""
    source = a_source(world, volumes=[Volume(gib=1, content=content, **volume)])
    order(world, *faults)
    ran = amicopy("copy", source.image_id, "--to", to, "-q")
    assert ran.code == 0, ran.err
    world.requests.clear()
    return source


def verify(amicopy: Run, source: Image, level: str, *options: str, places: str = WEST) -> Ran:
    return amicopy("verify", source.image_id, "--in", places, "--content", level, *options)


def volume(ran: Ran, at: int = 0) -> Any:
    """Return the evidence of the only volume of a copy."""
    [one] = ran.json["copies"][at]["content"]["volumes"]
    return one


@pytest.mark.parametrize("level", LEVELS)
def test_faithful_content_is_proven_at_each_level(amicopy: Run, world: World, level: str) -> None:
    source = copied(amicopy, world)
    ran = verify(amicopy, source, level, "--output", "json")
    assert (ran.code, ran.json["copies"][0]["content"]["state"]) == (0, "identical")
    found = volume(ran)
    assert (found["source_bytes"], found["copy_bytes"]) == (4 * BLOCK_BYTES, 4 * BLOCK_BYTES)
    assert found["source_blocks"] == (None if level == "size" else 4)
    assert found["compared"] == (4 if level in {"sample", "full"} else None)
    reads = {name: len(asked(world, name)) for name in ("ListSnapshotBlocks", "GetSnapshotBlock")}
    assert reads == {
        "ListSnapshotBlocks": 0 if level == "size" else 2,
        "GetSnapshotBlock": 8 if level in {"sample", "full"} else 0,
    }


@pytest.mark.parametrize("level", ["sample", "full"])
def test_block_that_differs_is_named(amicopy: Run, world: World, level: str) -> None:
    source = copied(amicopy, world, "copy@us-west-2=differ:1", to=f"{WEST},{EAST}")
    ran = verify(amicopy, source, level, places=f"{WEST},{EAST}")
    assert ran.code == ExitCode.DRIFT
    assert "/dev/sda1: 1 of 4 compared block differs: 7" in ran.out
    assert "us-west-2  compared 4 of 4 blocks (1 volume" in ran.err
    assert ran.out.count("differs") == 2  # in one region
    assert "faithful" in ran.out


def test_lists_alone_do_not_see_a_changed_block(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world, "copy=differ:1")
    ran = verify(amicopy, source, "list")
    assert ran.code == 0
    assert "us-west-2  the same 4 blocks are written (1 volume)" in ran.err


@pytest.mark.parametrize(
    ("level", "words"),
    [
        ("size", "the source has 2097152 bytes of data, the copy 1572864"),
        ("list", "1 block is written in the source only"),
        ("sample", "1 of 4 compared block differs: 7"),
        ("full", "1 of 4 compared block differs: 7"),
    ],
)
def test_lost_block_is_seen_at_each_level(amicopy: Run, world: World, level: str, words: str) -> None:
    ran = verify(amicopy, copied(amicopy, world, "copy=lose:1"), level)
    assert ran.code == ExitCode.DRIFT
    assert words in ran.out.replace("\n", " ")


@pytest.mark.parametrize("level", ["sample", "full"])
def test_block_of_zeros_may_be_left_out(amicopy: Run, world: World, level: str) -> None:
    """What was never written reads as zeros: a copy without such a block has the same data."""
    with_zeros = Stored({**DATA.data, 7: bytes(BLOCK_BYTES)})
    source = copied(amicopy, world, "copy=lose:1", content=with_zeros)
    ran = verify(amicopy, source, level, "--output", "json")
    found = volume(ran)
    assert (ran.code, found["only_in_source"], found["only_in_copy"], found["differing"]) == (0, 1, 0, [])
    assert found["source_digest"] == found["copy_digest"]


def test_encryption_with_another_key_does_not_change_the_data(amicopy: Run, world: World) -> None:
    source = a_source(world, volumes=[Volume(gib=1, content=DATA, encrypted=True, kms_key_id="alias/source")])
    assert amicopy("copy", source.image_id, "--to", WEST, "--encrypt", "-q").code == 0
    ran = verify(amicopy, source, "full", "--encrypt", "--output", "json")
    keys = {snapshot.kms_key_id for snapshot in world.snapshots()}
    assert len(keys) == 2
    assert (ran.code, volume(ran)["compared"]) == (0, 4)


def test_sample_has_460_blocks_the_same_for_every_copy_and_seed(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world, to=f"{WEST},{EAST}", content=MadeUp("x", 600))
    ran = verify(amicopy, source, "sample", "--output", "json", "--seed", "7", places=f"{WEST},{EAST}")
    first, second = volume(ran), volume(ran, 1)
    assert (first["compared"], len(set(first["sampled"])), first["sampled"]) == (460, 460, second["sampled"])
    read = asked(world, "GetSnapshotBlock")
    assert len(read) == 3 * 460  # the source's once, not for each copy
    assert len({(request.params["SnapshotId"], request.params["BlockIndex"]) for request in read}) == len(read)
    again = verify(amicopy, source, "sample", "--output", "json", "--seed", "7")
    assert volume(again) == next(
        one for one in (first, second) if one["copy_snapshot_id"] == volume(again)["copy_snapshot_id"]
    )
    other = verify(amicopy, source, "sample", "--output", "json")
    assert volume(other)["sampled"] != first["sampled"]
    assert isinstance(other.json["copies"][0]["content"]["seed"], int)


def test_anyone_can_recompute_the_digest(amicopy: Run, world: World) -> None:
    ran = verify(amicopy, copied(amicopy, world), "full", "--output", "json")
    whole = hashlib.sha256()
    for index, data in DATA.data.items():
        whole.update(index.to_bytes(8, "big") + hashlib.sha256(data).digest())
    assert volume(ran)["source_digest"] == volume(ran)["copy_digest"] == whole.hexdigest()


def test_corrupt_block_is_asked_for_again(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world)
    order(world, "GetSnapshotBlock=corrupt*2", "GetSnapshotBlock=throttle*3")
    assert verify(amicopy, source, "full").code == 0


@pytest.mark.parametrize("repair", [(), ("--repair",)])
def test_copy_that_cannot_be_read_does_not_hide_the_others(amicopy: Run, world: World, repair: tuple[str, ...]) -> None:
    source = copied(amicopy, world, to=f"{WEST},{EAST}")
    order(world, f"GetSnapshotBlock@{WEST}={DENIED}")
    ran = verify(amicopy, source, "full", *repair, places=f"{WEST},{EAST}")
    assert ran.code == ExitCode.PARTIAL
    assert "partly compared" in ran.out
    assert "faithful" in ran.out
    assert "These credentials may not call ebs:GetSnapshotBlock in us-west-2" in ran.err


def test_without_permission_nothing_is_proven(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world)
    order(world, f"ListSnapshotBlocks={DENIED.replace('Get', 'List')}")
    ran = verify(amicopy, source, "list", "--output", "json")
    assert (ran.code, ran.json["copies"][0]["verdict"]) == (6, "partly-compared")
    assert ran.json["copies"][0]["content"]["state"] == "not-compared"


def test_archived_source_is_named_with_the_way_out(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world)
    world.snapshot(HOME, source.snapshot_ids[0]).storage_tier = "archive"
    ran = verify(amicopy, source, "sample")
    assert ran.code == 1
    assert "is archived" in ran.err
    assert "restore-snapshot-tier" in ran.err
    assert asked(world, "ListSnapshotBlocks") == []


def test_pending_copy_is_not_compared(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = a_source(world, volumes=[Volume(content=DATA)])
    copied_by_hand(world, source, WEST)
    clock.advance(1)
    ran = verify(amicopy, source, "full", "--output", "json")
    assert (ran.code, ran.json["copies"][0]["verdict"]) == (0, "pending")
    assert "content" not in ran.json["copies"][0]
    assert "reading" not in ran.err


def test_nothing_is_said_about_reading_where_there_is_no_copy(amicopy: Run, world: World) -> None:
    ran = verify(amicopy, a_source(world, volumes=[Volume(content=DATA)]), "sample")
    assert "reading" not in ran.err + ran.out


def test_copies_of_a_source_that_is_gone_are_not_compared(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world)
    world.call("DeregisterImage", {"ImageId": source.image_id}, region=HOME)
    ran = verify(amicopy, source, "full")
    assert "no longer exists, or is disabled" in ran.err
    assert asked(world, "GetSnapshotBlock") == []


def test_copy_of_another_tool_is_compared_too(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = a_source(world, volumes=[Volume(content=DATA)])
    order(world, "copy=differ:1")
    finished_by_hand(world, clock, source, WEST)
    ran = verify(amicopy, source, "full")
    assert ran.code == ExitCode.DRIFT
    assert "compared block differs" in ran.out


def test_size_of_an_encrypted_copy_may_differ(amicopy: Run, world: World) -> None:
    """AWS doesn't say that encrypting keeps the size; the data itself can be compared."""
    source = a_source(world, volumes=[Volume(gib=1, content=Stored({**DATA.data, 7: bytes(BLOCK_BYTES)}))])
    order(world, "copy=lose:1")
    assert amicopy("copy", source.image_id, "--to", WEST, "--encrypt", "-q").code == 0
    ran = verify(amicopy, source, "size", "--encrypt")
    assert ran.code == 0
    assert "the source has 2097152 bytes of data, the copy 1572864" in ran.err
    assert verify(amicopy, source, "full", "--encrypt").code == 0


def test_expensive_comparison_asks_first(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world, content=MadeUp("x", 16_384))
    ran = verify(amicopy, source, "full")
    assert ran.code == ExitCode.USAGE
    assert "Read 32,768 blocks (16.0 GiB), about 0.10 USD for the EBS direct APIs" in ran.err
    assert "no data was read" in ran.err
    assert "Take --content sample, or run the command with --yes" in ran.err
    assert asked(world, "GetSnapshotBlock") == []


def test_cost_is_said_before_anything_is_read(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world)
    assert "reading 8 blocks (0.0 GiB), less than 0.01 USD" in verify(amicopy, source, "full").err
    assert verify(amicopy, source, "full", "-q").err == ""


def test_page_has_the_evidence(amicopy: Run, world: World, tmp_path: Path) -> None:
    source = copied(amicopy, world, "copy@us-west-2=differ:1", to=f"{WEST},{EAST}", content=MadeUp("x", 470))
    world.image(WEST, world.images(WEST)[0].image_id).name = "<script>alert(1)</script>"
    path = tmp_path / "verdict.html"
    ran = verify(
        amicopy, source, "sample", "--seed", "1", "--html", str(path), "--output", "json", places=f"{WEST},{EAST}"
    )
    page = path.read_text()
    assert "1 of 2 copies match" in page
    for copy in ran.json["copies"]:
        [found] = copy["content"]["volumes"]
        assert found["source_digest"] in page
        assert found["copy_digest"] in page
        assert ", ".join(map(str, found["sampled"])) in page
        assert f"--seed {copy['content']['seed']}" in page
    assert "<script>" not in page


def test_page_that_cannot_be_written_is_said_before_anything_starts(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world)
    ran = verify(amicopy, source, "full", "--html", "/nowhere/page.html")
    assert ran.code == ExitCode.USAGE
    assert world.requests == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--content", "all"], "is not one of"),
        (["--seed", "7"], "--seed requires --content sample"),
        (["--content", "full", "--seed", "7"], "--seed requires --content sample"),
        (["--yes"], "--yes requires --repair or --content"),
    ],
)
def test_options_that_make_no_sense_are_refused(amicopy: Run, options: list[str], words: str) -> None:
    ran = amicopy("verify", "ami-12345678", *options)
    assert ran.code == ExitCode.USAGE
    assert words in ran.err
