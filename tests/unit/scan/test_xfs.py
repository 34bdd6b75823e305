"""XFS: what is read is what was written, by mkfs.xfs in all its variants and by the kernel (`fixtures/`)."""

import struct
from pathlib import Path

import pytest

from amicopy.scan.device import Unreadable
from amicopy.scan.xfs import Xfs
from tests.support.disks import (
    Contents,
    everything,
    make_xfs,
    source_contents,
    tool,
    unpack,
    varied_tree,
    write_tree,
)
from tests.unit.scan.conftest import OpenDisk

FIXTURES = Path(__file__).parent / "fixtures"

needs_mkfs = pytest.mark.skipif(not tool("mkfs.xfs"), reason="mkfs.xfs (xfsprogs) is not installed")

VARIANTS = {
    "version 5": (),
    "blocks of 1k": ("-b", "size=1024"),
    "blocks of 64k": ("-b", "size=65536"),
    "directory blocks of 16k": ("-n", "size=16384"),
    "inodes of 2k": ("-i", "size=2048"),
    "many extents": ("-i", "nrext64=1"),
    "no bigtime, no reflink": ("-m", "bigtime=0,reflink=0,rmapbt=0,finobt=0", "-i", "sparse=0"),
    "sectors of 4k": ("-s", "size=4096"),
    "two groups": ("-d", "agcount=2"),
    "version 4 with file types": ("-m", "crc=0", "-n", "ftype=1"),
    "version 4 without file types": ("-m", "crc=0", "-n", "ftype=0"),
    "version 4 blocks of 1k": ("-m", "crc=0", "-b", "size=1024", "-n", "ftype=0"),
    "version 4 inodes of 256": ("-m", "crc=0", "-i", "size=256"),
}


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Contents]:
    root = varied_tree(tmp_path_factory.mktemp("tree"))
    for path in (root / "names").iterdir():
        if set(path.name) & set(" \t\n"):
            path.unlink()  # a prototype has no way to write it
    (root / "far").unlink()  # and writes holes as zeros
    return root, source_contents(root)


@needs_mkfs
@pytest.mark.parametrize("name", VARIANTS)
def test_every_byte_is_read_back(name: str, tree: tuple[Path, Contents], tmp_path: Path, disk: OpenDisk) -> None:
    root, source = tree
    files = Xfs(disk(make_xfs(tmp_path / "disk.img", root, VARIANTS[name])))
    found = everything(files)
    assert found.keys() == source.keys()
    assert [path for path, content in found.items() if content != source[path]] == []
    assert files.notes == ()


@pytest.mark.parametrize(("name", "block", "pieces"), [("xfs-4k", 4096, 400), ("xfs-1k", 1024, 1500)])
def test_what_the_kernel_wrote_is_read(name: str, block: int, pieces: int, tmp_path: Path, disk: OpenDisk) -> None:
    """A file and a directory in a B-tree; directories with a leaf and in one block; a link of 1,000 bytes.

    Of 6,000 names every third was deleted. Made by mkfs.xfs and the kernel's own XFS.
    """
    files = Xfs(disk(unpack(FIXTURES / f"{name}.xz", tmp_path / "disk.img")))
    inodes = {entry.name: files.inode(entry.inode) for entry in files.entries(files.inode(files.root))}
    assert [inodes[form].body[5] for form in (b"pieces", b"wide", b"leaf", b"block")] == [3, 3, 2, 2]
    content = files.content(inodes[b"pieces"], 1 << 30)
    assert len(files.extents(inodes[b"pieces"])) == pieces
    assert content == b"".join((b"%04d" % number).ljust(2 * block, b"\0") for number in range(pieces)).rstrip(b"\0")
    names = {entry.name for entry in files.entries(inodes[b"wide"])}
    assert names == {b"entry-%05d-with-a-name-of-some-length" % number for number in range(6000) if number % 3}
    assert sorted(int(entry.name) for entry in files.entries(inodes[b"leaf"])) == list(range(300))
    assert sorted(int(entry.name) for entry in files.entries(inodes[b"block"])) == list(range(40))
    assert files.link(inodes[b"link"]) == b"t" * 1000
    assert files.notes == ()


def test_a_log_that_was_not_replayed_is_said(tmp_path: Path, disk: OpenDisk) -> None:
    files = Xfs(disk(unpack(FIXTURES / "xfs-dirty.xz", tmp_path / "disk.img")))
    assert [note.split(":")[0] for note in files.notes] == ["journal not replayed"]
    assert everything(files)["/hostname"] == ("file", b"web\n")


def _patched(image: Path, offset: int, kind: str, change: int) -> Path:
    with image.open("r+b") as file:
        file.seek(offset)
        (value,) = struct.unpack(kind, file.read(struct.calcsize(kind)))
        file.seek(offset)
        file.write(struct.pack(kind, value | change))
    return image


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return make_xfs(tmp_path / "small.img", write_tree(tmp_path / "tree", {"etc/fstab": "x"}), ())


@needs_mkfs
@pytest.mark.parametrize(
    ("offset", "bit", "name"),
    [(216, 0x100, "metadir"), (216, 0x80000000, "incompatible feature 0x80000000"), (216, 0x200, "zoned")],
)
def test_an_unknown_feature_is_refused_by_its_name(
    offset: int, bit: int, name: str, small: Path, disk: OpenDisk
) -> None:
    with pytest.raises(Unreadable, match=f"cannot read: {name}$"):
        Xfs(disk(_patched(small, offset, ">I", bit)))


@needs_mkfs
def test_a_file_system_that_needs_repair_says_so(small: Path, disk: OpenDisk) -> None:
    assert Xfs(disk(_patched(small, 216, ">I", 0x10))).notes == (
        "the file system is marked as damaged: run xfs_repair",
    )


@needs_mkfs
def test_a_file_in_the_realtime_section_is_not_read_as_something_else(small: Path, disk: OpenDisk) -> None:
    files = Xfs(disk(small))
    (etc,) = files.entries(files.inode(files.root))
    (fstab,) = files.entries(files.inode(etc.inode))
    files = Xfs(disk(_patched(small, files.inode_range(fstab.inode)[0] + 90, ">H", 1)))
    with pytest.raises(Unreadable, match="realtime"):
        files.content(files.inode(fstab.inode), 10)
