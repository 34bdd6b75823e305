"""Partitions, logical volumes, and what a volume holds."""

import lzma
import os
import struct
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from amicopy.scan.device import Mapped
from amicopy.scan.ext import Ext
from amicopy.scan.volumes import PhysicalVolumes, Volume, image_format, kind_of, volumes
from tests.support.disks import everything, gpt, make_ext, mbr, source_contents, tool, two_disks, write_tree
from tests.unit.scan.conftest import OpenDisk

FIXTURES = Path(__file__).parent / "fixtures"
MIB = 1 << 20

needs_mke2fs = pytest.mark.skipif(not tool("mke2fs"), reason="mke2fs (e2fsprogs) is not installed")


@pytest.fixture
def root(tmp_path: Path) -> bytes:
    """A small ext4 file system with one file."""
    tree = write_tree(tmp_path / "tree", {"etc/hostname": "web"})
    return make_ext(tmp_path / "root.img", tree, ("-t", "ext4"), size="4M").read_bytes()


def named(found: Sequence[Volume]) -> list[tuple[str, str, str]]:
    return [(volume.name, volume.kind, volume.problem) for volume in found]


@needs_mke2fs
def test_a_disk_without_a_table_is_one_volume(root: bytes, tmp_path: Path, disk: OpenDisk) -> None:
    (tmp_path / "d").write_bytes(root)
    assert named(list(volumes(disk(tmp_path / "d")))) == [("", "ext", "")]


@needs_mke2fs
@pytest.mark.parametrize("sector", [512, 4096])
def test_partitions_of_a_gpt_are_named_by_their_numbers(
    sector: int, root: bytes, tmp_path: Path, disk: OpenDisk
) -> None:
    parts = {1: (4 * MIB, root), 14: (MIB, b"\xeb\x63" + bytes(510)), 15: (2 * MIB, b"\xeb\x58\x90mkfs.fat")}
    roles = {14: "21686148-6449-6e6f-744e-656564454649", 15: "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"}
    image = gpt(tmp_path / "d", parts, roles, size=16 * MIB, sector=sector)
    found = list(volumes(disk(image)))
    assert named(found) == [("p1", "ext", ""), ("p14", "BIOS boot", ""), ("p15", "EFI system", "")]
    assert everything(Ext(found[0].device))["/etc/hostname"] == ("file", b"web")


@needs_mke2fs
def test_the_backup_of_a_gpt_serves_if_the_first_is_lost(root: bytes, tmp_path: Path, disk: OpenDisk) -> None:
    image = gpt(tmp_path / "d", {1: (4 * MIB, root)}, {}, size=16 * MIB)
    with image.open("r+b") as file:
        file.seek(512)
        file.write(bytes(512))
    assert named(list(volumes(disk(image)))) == [("p1", "ext", "")]


def test_a_gpt_without_headers_is_a_problem(tmp_path: Path, disk: OpenDisk) -> None:
    image = gpt(tmp_path / "d", {}, {}, size=8 * MIB)
    with image.open("r+b") as file:
        file.seek(512)
        file.write(bytes(4096 * 4))
        file.seek(-512, 2)
        file.write(bytes(512))
    assert named(list(volumes(disk(image)))) == [("", "", "its partition table (GPT) is damaged")]


@needs_mke2fs
def test_extended_partitions_are_a_chain(root: bytes, tmp_path: Path, disk: OpenDisk) -> None:
    image = mbr(tmp_path / "d", primary=[root, bytes(MIB)], logical=[root, root], size=32 * MIB)
    assert named(list(volumes(disk(image)))) == [
        ("p1", "ext", ""),
        ("p2", "empty", ""),
        ("p5", "ext", ""),
        ("p6", "ext", ""),
    ]


def test_a_chain_of_extended_partitions_that_is_a_loop_ends(tmp_path: Path, disk: OpenDisk) -> None:
    image = mbr(tmp_path / "d", primary=[], logical=[bytes(MIB)], size=8 * MIB)
    table = image.read_bytes().index(b"\x55\xaa", 512) - 510
    with image.open("r+b") as file:
        file.seek(table + 446 + 16)
        file.write(struct.pack("<4xB3xII", 5, 0, 9))
        file.seek(table + 446 + 16 + 8)
        file.write(struct.pack("<I", 1))  # from the first table on: one sector further, which holds none
    assert [volume.problem for volume in volumes(disk(image))] == [""]
    with image.open("r+b") as file:
        file.seek(table + 512)
        file.write(image.read_bytes()[table : table + 512])
    assert "loop" in [volume.problem for volume in volumes(disk(image))][-1]


def test_a_partition_beyond_the_disk_is_a_problem(tmp_path: Path, disk: OpenDisk) -> None:
    image = gpt(tmp_path / "d", {1: (MIB, b"x"), 2: (4 * MIB, b"y")}, {}, size=16 * MIB)
    with image.open("r+b") as file:
        file.truncate(2 * MIB)
    assert [problem for _, _, problem in named(list(volumes(disk(image))))] == [
        "",
        "the partition is beyond the end of the disk",
    ]


LVM_SIZE = 61 * MIB
EXTENT = 4 * MIB


@pytest.fixture
def physical_volume(tmp_path: Path, root: bytes) -> Path:
    """What LVM's own tools have written, with a file system in a volume of two pieces: extents 0 to 2, 5 to 8."""
    image = tmp_path / "pv"
    large = make_ext(tmp_path / "large", tmp_path / "tree", ("-t", "ext4"), size="28M").read_bytes()
    with image.open("wb") as file:
        file.write(lzma.decompress((FIXTURES / "lvm.xz").read_bytes()))
        file.write(large[: 3 * EXTENT])
        file.seek(MIB + 3 * EXTENT)
        file.write(root)
        file.seek(MIB + 5 * EXTENT)
        file.write(large[3 * EXTENT :])
        file.truncate(LVM_SIZE)
    return image


@needs_mke2fs
def test_logical_volumes_are_read_over_their_pieces(physical_volume: Path, disk: OpenDisk) -> None:
    found = list(volumes(disk(physical_volume)))
    assert named(found) == [
        ("vg0/root", "ext", ""),
        ("vg0/data", "ext", ""),
        ("vg0/fast", "LVM", "amicopy reads linear logical volumes only, and this one is striped"),
    ]
    for volume in found[:2]:
        files = Ext(volume.device)
        assert files.notes == ()
        assert everything(files)["/etc/hostname"] == ("file", b"web")


@needs_mke2fs
def test_logical_volumes_in_a_partition_bear_its_name(physical_volume: Path, tmp_path: Path, disk: OpenDisk) -> None:
    image = gpt(tmp_path / "d", {2: (LVM_SIZE, physical_volume.read_bytes())}, {}, size=80 * MIB)
    assert [volume.name for volume in volumes(disk(image))] == ["p2 vg0/root", "p2 vg0/data", "p2 vg0/fast"]


@needs_mke2fs
def test_a_volume_on_a_disk_that_is_not_described_is_a_problem(physical_volume: Path, disk: OpenDisk) -> None:
    data = physical_volume.read_bytes()
    physical_volume.write_bytes(data.replace(b'"pv0", 5', b'"pv1", 5'))
    assert named(list(volumes(disk(physical_volume))))[0][2] == "its LVM description is damaged"


@pytest.fixture
def group(tmp_path: Path) -> tuple[Path, Path]:
    """A volume group of two disks: `root` begins on the first one and ends on the second, `data` is on the second."""
    tree = write_tree(tmp_path / "files", {f"etc/{number}": os.urandom(40_000) for number in range(900)})
    return two_disks(tmp_path, tree)


@needs_mke2fs
def test_a_logical_volume_on_two_disks_is_read_where_it_begins(
    group: tuple[Path, Path], tmp_path: Path, disk: OpenDisk
) -> None:
    disks = [disk(path) for path in group]
    others = PhysicalVolumes(disks)
    [root], [data] = (list(volumes(one, others)) for one in disks)
    assert named([root, data]) == [("vg1/root", "ext", ""), ("vg1/data", "ext", "")]
    found = everything(Ext(root.device))
    source = source_contents(tmp_path / "files")
    assert {path: content for path, content in found.items() if path in source} == source


@needs_mke2fs
def test_without_the_other_disk_a_part_is_missing(group: tuple[Path, Path], disk: OpenDisk) -> None:
    missing = "a part of it is on a disk that is not scanned"
    first, second = map(disk, group)
    assert named(list(volumes(first))) == [("vg1/root", "LVM", missing), ("vg1/data", "LVM", missing)]
    assert named(list(volumes(second))) == [("vg1/root", "LVM", missing), ("vg1/data", "ext", "")]
    twice = PhysicalVolumes([first, second, disk(group[1])])  # which of the two it is cannot be known
    assert named(list(volumes(first, twice)))[0] == ("vg1/root", "LVM", missing)


@pytest.mark.parametrize("damage", [b"extent_size", b"physical_volumes", b"segment_count", b"logical_volumes {", b"="])
def test_a_damaged_description_is_a_problem(damage: bytes, tmp_path: Path, disk: OpenDisk) -> None:
    data = lzma.decompress((FIXTURES / "lvm.xz").read_bytes())
    (tmp_path / "pv").write_bytes(data.replace(damage, b"}" * len(damage)).ljust(LVM_SIZE, b"\0"))
    assert all("damaged" in volume.problem for volume in volumes(disk(tmp_path / "pv")))


def _made(command: Sequence[str]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        if not tool(command[0]):
            pytest.skip(f"{command[0]} is not installed")
        with path.open("wb") as file:
            file.truncate(400 * MIB)
        subprocess.run([tool(command[0]), *command[1:], str(path)], check=True, capture_output=True, input=b"")

    return make


def _written(*pieces: tuple[int, bytes]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(MIB)
            for offset, data in pieces:
                file.seek(offset)
                file.write(data)

    return make


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("swap", _made(["mkswap"])),
        ("FAT", _made(["mkfs.vfat"])),
        ("NTFS", _made(["mkfs.ntfs", "-F", "-Q", "-p", "0", "-H", "0", "-S", "0"])),
        ("Btrfs", _made(["mkfs.btrfs"])),
        ("xfs", _made(["mkfs.xfs", "-f"])),
        ("LUKS", _written((0, b"LUKS\xba\xbe\0\x02"))),
        ("BitLocker", _written((0, b"\xeb\x58\x90-FVE-FS-"))),
        ("RAID", _written((4096, b"\xfc\x4e\x2b\xa9\x01\0\0\0"))),
        ("RAID", _written((MIB - 8192, b"\xfc\x4e\x2b\xa9\x01\0\0\0"))),
        ("empty", _written()),
        ("", _written((100, b"something else"))),
    ],
)
def test_what_a_volume_holds_is_named(kind: str, make: Callable[[Path], None], tmp_path: Path, disk: OpenDisk) -> None:
    make(tmp_path / "d")
    assert [volume.kind for volume in volumes(disk(tmp_path / "d"))] == [kind]


@pytest.mark.parametrize(
    ("name", "head"), [("qcow2", b"QFI\xfb\0\0\0\3"), ("VMDK", b"KDMV"), ("gzip", b"\x1f\x8b\x08"), ("", b"\xebc\x90")]
)
def test_an_image_that_is_not_raw_is_recognized(name: str, head: bytes, tmp_path: Path, disk: OpenDisk) -> None:
    (tmp_path / "d").write_bytes(head.ljust(4096, b"\0"))
    assert image_format(disk(tmp_path / "d")) == name


@pytest.mark.parametrize("size", [0, 1, 511, 512, 1023, 5000])
def test_a_file_of_any_size_is_looked_at(size: int, tmp_path: Path, disk: OpenDisk) -> None:
    (tmp_path / "d").write_bytes(b"\x55\xaa" * (size // 2) + b"x" * (size % 2))
    device = disk(tmp_path / "d")
    assert image_format(device) == ""
    assert isinstance(kind_of(Mapped(device, [(0, size)])), str)
    assert len(list(volumes(device))) >= 1
