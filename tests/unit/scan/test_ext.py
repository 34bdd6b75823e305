"""ext2, ext3 and ext4: what is read is what was written, whatever the options of mke2fs."""

import struct
from pathlib import Path

import pytest

from amicopy.scan.device import Unreadable
from amicopy.scan.ext import Ext
from tests.support.disks import (
    Contents,
    everything,
    index_directories,
    make_ext,
    source_contents,
    tool,
    varied_tree,
    write_tree,
)
from tests.unit.scan.conftest import OpenDisk

pytestmark = pytest.mark.skipif(not tool("mke2fs"), reason="mke2fs (e2fsprogs) is not installed")

VARIANTS = {
    "ext2": ("-t", "ext2"),
    "ext2 1k": ("-t", "ext2", "-b", "1024"),
    "ext2 revision 0": ("-t", "ext2", "-r", "0", "-b", "1024"),
    "ext2 sparse_super2": ("-t", "ext2", "-O", "sparse_super2,^sparse_super,^resize_inode"),
    "ext3": ("-t", "ext3"),
    "ext4": ("-t", "ext4"),
    "ext4 1k": ("-t", "ext4", "-b", "1024"),
    "ext4 2k": ("-t", "ext4", "-b", "2048"),
    "ext4 64k": ("-t", "ext4", "-b", "65536"),
    "ext4 bigalloc": ("-t", "ext4", "-O", "bigalloc"),
    "ext4 bigalloc 1k": ("-t", "ext4", "-O", "bigalloc", "-b", "1024"),
    "ext4 32 bits": ("-t", "ext4", "-O", "^64bit"),
    "ext4 meta_bg": ("-t", "ext4", "-O", "meta_bg,^resize_inode"),
    "ext4 meta_bg 1k": ("-t", "ext4", "-O", "meta_bg,^resize_inode", "-b", "1024", "-g", "2048"),
    "ext4 meta_bg bigalloc 1k": ("-t", "ext4", "-O", "meta_bg,bigalloc,^resize_inode", "-b", "1024"),
    "ext4 inodes of 128": ("-t", "ext4", "-I", "128"),
    "ext4 inodes of 1024": ("-t", "ext4", "-I", "1024"),
    "ext4 no checksums": ("-t", "ext4", "-O", "^metadata_csum"),
    "ext4 no filetype": ("-t", "ext4", "-O", "^filetype"),
    "ext4 no flex_bg": ("-t", "ext4", "-O", "^flex_bg"),
    "ext4 no extents": ("-t", "ext4", "-O", "^extents,^64bit"),
    "ext4 inline_data": ("-t", "ext4", "-O", "inline_data"),
    "ext4 inline_data inodes of 512": ("-t", "ext4", "-O", "inline_data", "-I", "512"),
    "ext4 casefold": ("-t", "ext4", "-O", "casefold"),
    "ext4 large": ("-t", "ext4", "-O", "large_dir,ea_inode,mmp,project,quota,metadata_csum_seed"),
}


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Contents]:
    root = varied_tree(tmp_path_factory.mktemp("tree"))
    return root, source_contents(root)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_byte_is_read_back(name: str, tree: tuple[Path, Contents], tmp_path: Path, disk: OpenDisk) -> None:
    root, source = tree
    image = make_ext(tmp_path / "disk.img", root, VARIANTS[name], size="512M")
    files = Ext(disk(image))
    found = everything(files)
    assert found.pop("/lost+found") == ("directory", b"")
    assert found.keys() == source.keys()
    assert [path for path, content in found.items() if content != source[path]] == []
    assert files.kind == name.split()[0]
    assert files.notes == ()


@pytest.mark.parametrize("block", ["1024", "4096"])
def test_a_directory_with_a_hash_tree_is_read_whole(
    block: str, tree: tuple[Path, Contents], tmp_path: Path, disk: OpenDisk
) -> None:
    root, source = tree
    image = make_ext(tmp_path / "disk.img", root, ("-t", "ext4", "-b", block), size="512M")
    index_directories(image)
    found = everything(Ext(disk(image)))
    del found["/lost+found"]
    assert found == source


def _patched(image: Path, offset: int, kind: str, change: int) -> Path:
    """Set bits of a number in an image."""
    with image.open("r+b") as file:
        file.seek(offset)
        (value,) = struct.unpack(kind, file.read(struct.calcsize(kind)))
        file.seek(offset)
        file.write(struct.pack(kind, value | change))
    return image


@pytest.fixture
def small(tmp_path: Path) -> Path:
    root = write_tree(tmp_path / "tree", {"etc/fstab": "x"})
    return make_ext(tmp_path / "small.img", root, ("-t", "ext4"), size="4M")


@pytest.mark.parametrize(
    ("bit", "name"),
    [(0x1, "compression"), (0x1000, "dirdata"), (0x8, "journal_dev"), (0x80000000, "incompatible feature 0x80000000")],
)
def test_an_unknown_feature_is_refused_by_its_name(bit: int, name: str, small: Path, disk: OpenDisk) -> None:
    with pytest.raises(Unreadable, match=f"cannot read: {name}$"):
        Ext(disk(_patched(small, 1024 + 0x60, "<I", bit)))


def test_a_journal_that_was_not_replayed_is_said(small: Path, disk: OpenDisk) -> None:
    files = Ext(disk(_patched(small, 1024 + 0x60, "<I", 0x4)))
    assert [note.split(":")[0] for note in files.notes] == ["journal not replayed"]
    assert "/etc/fstab" in everything(files)


def test_recorded_errors_are_said(small: Path, disk: OpenDisk) -> None:
    assert Ext(disk(_patched(small, 1024 + 0x3A, "<H", 0x2))).notes == ("the file system recorded errors: run fsck",)


def test_an_encrypted_directory_is_not_taken_for_plain_names(small: Path, disk: OpenDisk) -> None:
    files = Ext(disk(small))
    (etc,) = (entry for entry in files.entries(files.inode(2)) if entry.name == b"etc")
    offset, _ = files.inode_range(etc.inode)
    files = Ext(disk(_patched(_patched(small, 1024 + 0x60, "<I", 0x10000), offset + 0x20, "<I", 0x800)))
    with pytest.raises(Unreadable, match="encrypted"):
        list(files.entries(files.inode(etc.inode)))


def test_of_a_file_system_that_is_cut_the_rest_is_read(small: Path, disk: OpenDisk) -> None:
    with small.open("r+b") as file:
        file.truncate(3 << 20)
    files = Ext(disk(small))
    assert files.size == 4 << 20
    assert [entry.name for entry in files.entries(files.inode(2))] == [b"lost+found", b"etc"]
