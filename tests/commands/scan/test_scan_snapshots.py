"""``amicopy scan AMI…`` and ``--snapshot``: the same as of a raw file, with few blocks, and what cannot be read."""

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from amicopy.core.parallel import Stop
from amicopy.sandbox.content import DiskImage
from amicopy.sandbox.records import DEFAULT_ACCOUNT, Volume
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.disks import tool, two_disks, write_tree
from tests.support.pinned import Pinned
from tests.support.planted import PINNED
from tests.support.scenes import HOME, a_source, asked, order

pytestmark = pytest.mark.skipif(not tool("mke2fs"), reason="mke2fs (e2fsprogs) is not installed")


def found(document: Any) -> Any:
    """Return a scan's document without what names the disk."""
    for disk in document["disks"]:
        for name in ("name", "image_id", "snapshot_id"):
            del disk[name]
    return document


def test_snapshot_and_file_of_the_same_disk_give_the_same_result(amicopy: Run, pinned: Pinned) -> None:
    path, image = pinned()
    of_file = amicopy("scan", "--image", str(path), "--from", HOME, "--output", "json")
    of_image = amicopy("scan", image.image_id, "--output", "json")
    of_snapshot = amicopy("scan", "--snapshot", image.snapshot_ids[0], "--output", "json")
    assert (of_file.code, of_image.code, of_snapshot.code) == (4, 4, 4)
    [disk] = of_image.json["disks"]
    assert (disk["name"], disk["image_id"], disk["snapshot_id"]) == (
        "/dev/xvda",
        image.image_id,
        image.snapshot_ids[0],
    )
    assert len(disk["findings"]) == 3
    assert found(of_file.json) == found(of_image.json) == found(of_snapshot.json)


def test_no_block_is_read_twice_and_none_that_was_never_written(amicopy: Run, pinned: Pinned, world: World) -> None:
    _, image = pinned()
    amicopy("scan", image.image_id)
    read = [request.params["BlockIndex"] for request in asked(world, "GetSnapshotBlock")]
    assert len(read) == len(set(read)) <= 20
    assert set(read) <= set(world.snapshot(HOME, image.snapshot_ids[0]).data.blocks)
    assert len(asked(world, "ListSnapshotBlocks")) == 1


@pytest.mark.parametrize(
    ("fault", "output"),
    [
        ("ListSnapshotBlocks=hang:5*1", "json"),
        ("GetSnapshotBlock=hang:5*1", "text"),
        ("GetSnapshotBlock=hang:5*1 after 1", "json"),
    ],
)
def test_a_signal_during_a_call_ends_the_scan_at_once_and_it_is_not_complete(
    amicopy: Run, pinned: Pinned, world: World, fault: str, output: str
) -> None:
    _, image = pinned({})
    order(world, fault)
    stop = Stop()
    done = threading.Event()
    delays: list[float] = []

    def interrupt() -> None:
        operation, most = fault.partition("=")[0], 2 if "after 1" in fault else 1
        while len(asked(world, operation)) < most and not done.wait(0.01):
            pass
        delays.append(time.monotonic())
        stop.signal_number = signal.SIGINT
        stop.set()

    watcher = threading.Thread(target=interrupt)
    watcher.start()
    ran = amicopy("scan", image.image_id, "--output", output, stop=stop)
    ended = time.monotonic()
    done.set()
    watcher.join()
    assert ran.code == 130
    assert ended - delays[0] < 4.5  # before the call that hangs for 5 seconds is answered
    if output == "json":
        assert (ran.json["status"], ran.json["complete"], len(ran.json["disks"])) == ("interrupted", False, 1)
    else:
        assert "NOT EVERYTHING COULD BE READ" in ran.err


def test_an_interrupted_scan_names_the_disks_that_were_not_begun(amicopy: Run, pinned: Pinned, world: World) -> None:
    path, _ = pinned({})
    stop = Stop()
    disks = [Volume(device=device, gib=1, content=DiskImage.open(path)) for device in ("/dev/xvda", "/dev/sdf")]
    image = a_source(world, volumes=disks)
    stop.signal_number = signal.SIGINT
    order(world, "ListSnapshotBlocks=hang:5*1 after 1")

    def interrupt() -> None:
        while len(asked(world, "ListSnapshotBlocks")) < 2:
            time.sleep(0.01)
        stop.set()

    watcher = threading.Thread(target=interrupt)
    watcher.start()
    ran = amicopy("scan", image.image_id, "--output", "json", stop=stop)
    watcher.join()
    assert (ran.code, [disk["complete"] for disk in ran.json["disks"]]) == (130, [False, False])


def test_the_owner_of_an_image_is_its_account(amicopy: Run, pinned: Pinned) -> None:
    _, image = pinned({"etc/app.conf": f"owner: {DEFAULT_ACCOUNT}\n"})
    command = ("scan", image.image_id, "--rules", "account", "--output", "text")
    assert "account-id /etc/app.conf:1" in amicopy(*command, "--to-account", "444455556666").out
    assert amicopy(*command, "--to-account", DEFAULT_ACCOUNT).out == ""


def test_what_passes_is_waited_for(amicopy: Run, pinned: Pinned, world: World) -> None:
    _, image = pinned()
    order(world, "GetSnapshotBlock=throttle*3", "GetSnapshotBlock=corrupt*2", "GetSnapshotBlock=500")
    assert amicopy("scan", image.image_id).code == 4


def test_block_that_stays_damaged_is_a_gap_and_never_0(amicopy: Run, pinned: Pinned, world: World) -> None:
    _, image = pinned({})
    order(world, "GetSnapshotBlock=corrupt*always")
    ran = amicopy("scan", image.image_id)
    assert ran.code in {1, 3}
    assert "NOT EVERYTHING COULD BE READ" in ran.err
    assert "SHA-256" in ran.err


def test_missing_permission_is_named(amicopy: Run, pinned: Pinned, world: World) -> None:
    _, image = pinned()
    denied = "error:403 AccessDeniedException: User is not authorized to perform: ebs:GetSnapshotBlock*always"
    order(world, f"GetSnapshotBlock={denied}")
    ran = amicopy("scan", image.image_id)
    assert ran.code == 6
    assert "Allow ebs:GetSnapshotBlock" in ran.err
    [invocation] = amicopy("scan", image.image_id, "--output", "sarif").json["runs"][0]["invocations"]
    [notification] = invocation["toolExecutionNotifications"]
    assert notification["message"]["text"].startswith("/dev/xvda: ")
    assert "ebs:GetSnapshotBlock" in notification["message"]["text"]


@pytest.mark.parametrize("output", ["table", "text", "sarif"])
def test_several_images_are_told_apart(amicopy: Run, pinned: Pinned, output: str) -> None:
    images = [pinned({"etc/app.conf": "region=us-east-1\n"})[1] for _ in range(2)]
    ran = amicopy("scan", *(image.image_id for image in images), "--output", output)
    assert ran.code == 4
    for image in images:
        name = f"{image.image_id} /dev/xvda"
        assert f"read  {name}: ext4" in ran.err
        if output == "sarif":
            results = ran.json["runs"][0]["results"]
            assert name in [one["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] for one in results]
        else:
            assert f"{name}:/etc/app.conf:1" in ran.out


def test_every_volume_is_scanned_and_blank_ones_are_not(amicopy: Run, pinned: Pinned, world: World) -> None:
    path, _ = pinned()
    disks = [Volume(device=device, gib=1, content=DiskImage.open(path)) for device in ("/dev/xvda", "/dev/sdf")]
    image = a_source(world, volumes=[*disks, Volume(device="/dev/sdg", blank=True)], ephemeral=["/dev/sdb"])
    ran = amicopy("scan", image.image_id, "--output", "json")
    assert [disk["name"] for disk in ran.json["disks"]] == ["/dev/xvda", "/dev/sdf"]
    assert ran.json["counts"]["critical"] == 2


def test_a_volume_group_over_two_volumes_is_read_as_one(amicopy: Run, world: World, tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {f"usr/share/{number}": os.urandom(40_000) for number in range(900)}
    files |= {f"etc/{number}.conf": PINNED["etc/environment"] for number in range(9)}
    paths = two_disks(tmp_path, write_tree(tmp_path / "tree", {**files, "var/x": ""}))
    images = [word for path in paths for word in ("--image", str(path))]
    of_files = amicopy("scan", *images, "--from", HOME, "--output", "json")
    disks = [
        Volume(device=device, gib=1, content=DiskImage.open(path))
        for device, path in zip(("/dev/xvda", "/dev/sdf"), paths, strict=True)
    ]
    of_image = amicopy("scan", a_source(world, volumes=disks).image_id, "--output", "json")
    for ran in (of_files, of_image):
        assert (ran.code, ran.json["complete"], ran.json["counts"]["high"]) == (4, True, 9)
    alone = amicopy("scan", "--image", str(paths[0]), "--from", HOME)
    assert "a part of it is on a disk that is not scanned" in alone.err
    assert alone.code == 1


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"storage_tier": "archive"}, "restore-snapshot-tier"),
        ({"state": "pending"}, "Run the command again once it is completed"),
    ],
)
def test_snapshot_that_cannot_be_read_is_named(
    amicopy: Run, pinned: Pinned, world: World, members: dict[str, str], words: str
) -> None:
    _, image = pinned()
    for name, value in members.items():
        setattr(world.snapshot(HOME, image.snapshot_ids[0]), name, value)
    ran = amicopy("scan", image.image_id)
    assert ran.code == 1
    assert words in ran.err.replace("\n         ", " ")


def test_instance_store_image_has_nothing_to_read(amicopy: Run, world: World) -> None:
    image = world.register(HOME, name="old", root_device_type="instance-store")
    ran = amicopy("scan", image.image_id)
    assert ran.code == 1
    assert "has no snapshots" in ran.err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "Say what to scan"),
        (["--snapshot", "vol-1"], "is not a valid snapshot id"),
        (["ami-12345678", "--image", "disk.img"], "cannot be used together with AMIs"),
    ],
)
def test_what_cannot_be_scanned_is_a_usage_error(amicopy: Run, argv: list[str], words: str) -> None:
    ran = amicopy("scan", *argv)
    assert ran.code == 2
    assert words in ran.err
