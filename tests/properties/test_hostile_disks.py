"""Damaged and hostile disk images: a scan always ends, within bounded work and memory, and raises nothing.

A short search in the suite; `make torture` searches longer. Work is counted, not timed: bytes that were read.
"""

import os
import random
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from amicopy.scan.device import BLOCK_SIZE, BlockUnreadable, Disk
from amicopy.scan.result import ScanOptions, ScanResult
from amicopy.scan.scan import scan_device
from tests.support.disks import gpt, index_directories, make_ext, make_xfs, tool, unpack, write_tree

FIXTURES = Path(__file__).parents[1] / "unit" / "scan" / "fixtures"
RUNS = 1000 if int(os.environ.get("AMICOPY_TORTURE", "0")) else 10
MOST_READS = 400_000
MOST_MEMORY = 300 * 1024 * 1024
OPTIONS = ScanOptions(region="us-east-1", rules=("region", "account", "secrets", "left"), deep=True)

needs_mke2fs = pytest.mark.skipif(not tool("mke2fs"), reason="mke2fs (e2fsprogs) is not installed")


class Memory:
    """An image in memory as a source of blocks; it remembers what is read, so that damage can be done there."""

    block_size = BLOCK_SIZE
    allocated = None

    def __init__(self, chunks: dict[int, bytes], size: int) -> None:
        self.chunks = chunks
        self.size = size

    @classmethod
    def of(cls, image: Path) -> "Memory":
        chunks: dict[int, bytes] = {}
        with image.open("rb") as file:
            for index in range(-(-image.stat().st_size // BLOCK_SIZE)):
                chunk = file.read(BLOCK_SIZE)
                if chunk.count(0) != len(chunk):
                    chunks[index] = chunk.ljust(BLOCK_SIZE, b"\0")
        return cls(chunks, image.stat().st_size)

    def copy(self) -> "Memory":
        return Memory(dict(self.chunks), self.size)

    def holds(self, index: int) -> bool:
        return index in self.chunks

    def holds_any(self, first: int, end: int) -> bool:
        return any(map(self.holds, range(first, end)))

    def fetch(self, indexes: Sequence[int]) -> Iterator[tuple[int, bytes | BlockUnreadable]]:
        for index in indexes:
            yield index, self.chunks[index]

    def write(self, offset: int, data: bytes) -> None:
        index, start = divmod(offset, BLOCK_SIZE)
        if index in self.chunks:
            chunk, data = self.chunks[index], data[: BLOCK_SIZE - start]
            self.chunks[index] = chunk[:start] + data + chunk[start + len(data) :]


class Watched(Disk):
    """A disk that counts and remembers what is read of it, and refuses to be read without end."""

    def __init__(self, source: Memory) -> None:
        super().__init__(source)
        self.ranges: set[tuple[int, int]] = set()
        self.reads = 0

    def read(self, offset: int, length: int) -> bytes:
        self.reads += 1
        assert self.reads < MOST_READS, "the work is not bounded"
        if length <= 65536:
            self.ranges.add((offset, length))
        return super().read(offset, length)


def _tree(root: Path) -> Path:
    files: dict[str, str | bytes] = {f"etc/many/{number}": f"region=us-east-1 {number}\n" for number in range(300)}
    write_tree(root, {**files, "etc/fstab": "fs-0a12b34c56d78e90f:/ /x efs _netdev 0 0\n", "var/a/b/c/d": "x" * 5000})
    (root / "etc/link").symlink_to("many")
    with (root / "etc/pieces").open("wb") as file:
        for number in range(100):
            file.seek(number * 16384)
            file.write(b"us-east-1\n" * 100)
    return root


def _ext(*options: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        image = make_ext(folder / "d", _tree(folder / "tree"), options, size="8M")
        index_directories(image)
        return image

    return make


def _xfs(*options: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        if not tool("mkfs.xfs"):
            pytest.skip("mkfs.xfs (xfsprogs) is not installed")
        return make_xfs(folder / "d", _tree(folder / "tree"), options)

    return make


def _lvm_in_gpt(folder: Path) -> Path:
    physical = unpack(FIXTURES / "lvm.xz", folder / "pv").read_bytes()
    root = make_ext(folder / "root", _tree(folder / "tree"), ("-t", "ext4"), size="8M").read_bytes()
    return gpt(folder / "d", {1: (62 << 20, physical + root)}, {}, size=64 << 20)


MAKERS: dict[str, Callable[[Path], Path]] = {
    "ext4": _ext("-t", "ext4"),
    "ext4 1k inline": _ext("-t", "ext4", "-b", "1024", "-O", "inline_data"),
    "ext2": _ext("-t", "ext2", "-b", "1024"),
    "xfs": _xfs(),
    "xfs 4": _xfs("-m", "crc=0", "-n", "ftype=0"),
    "xfs B-trees": lambda folder: unpack(FIXTURES / "xfs-1k.xz", folder / "d"),
    "LVM in GPT": _lvm_in_gpt,
    "NTFS": lambda folder: unpack(FIXTURES / "ntfs.xz", folder / "d"),
    "NTFS with Windows": lambda folder: unpack(FIXTURES / "ntfs-windows.xz", folder / "d"),
}
_INCOMPLETE = {"LVM in GPT", "NTFS"}  # a part on another disk; a file with more findings than are listed


def _scan(source: Memory) -> tuple[ScanResult, Watched]:
    disk = Watched(source)
    return scan_device(disk, OPTIONS), disk


@needs_mke2fs
@pytest.mark.parametrize("name", MAKERS)
def test_a_damaged_image_ends_and_raises_nothing(name: str, tmp_path: Path) -> None:
    source = Memory.of(MAKERS[name](tmp_path))
    whole, disk = _scan(source)
    assert whole.coverage.is_complete == (name not in _INCOMPLETE)
    ranges = sorted(disk.ranges)
    worst = 0
    for seed in range(RUNS):
        draw = random.Random(seed)
        damaged = source.copy()
        for _ in range(draw.choice((1, 3, 10, 40))):
            offset, length = draw.choice(ranges)
            at = offset + draw.randrange(length)
            value = draw.choice((draw.randbytes(draw.choice((1, 2, 4, 8))), b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff"))
            damaged.write(at, value)
        result, watched = _scan(damaged)
        worst = max(worst, watched.reads)
        assert result.coverage.volumes or not result.coverage.is_complete, f"seed {seed}"
    assert worst < MOST_READS


@needs_mke2fs
def test_a_damaged_image_takes_bounded_memory(tmp_path: Path) -> None:
    source = Memory.of(MAKERS["ext4"](tmp_path))
    _, disk = _scan(source)
    ranges = sorted(disk.ranges)
    tracemalloc.start()
    try:
        for seed in range(RUNS // 4):
            draw = random.Random(1000 + seed)
            damaged = source.copy()
            for _ in range(10):
                offset, length = draw.choice(ranges)
                damaged.write(offset + draw.randrange(length), b"\xff\xff\xff\x7f")
            _scan(damaged)
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
    finally:
        tracemalloc.stop()


@needs_mke2fs
def test_a_loop_of_directories_ends(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"etc/a/b/x": "region=us-east-1\n", "var/x": ""})
    source = Memory.of(make_ext(tmp_path / "d", tree, ("-t", "ext2"), size="4M"))
    for index, chunk in tuple(source.chunks.items()):  # a/b becomes an entry for the root directory
        at = chunk.find(b"\x01\x02b\0\0\0")
        if at >= 0:
            source.write(index * BLOCK_SIZE + at - 6, (2).to_bytes(4, "little"))
    result, _ = _scan(source)
    assert result.findings == ()
    assert result.coverage.is_complete


@needs_mke2fs
def test_a_file_of_an_absurd_size_is_left_out(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"etc/x": "region=us-east-1\n", "var/x": ""})
    image = make_ext(tmp_path / "d", tree, ("-t", "ext4"), size="4M")
    source = Memory.of(image)
    _, disk = _scan(source)
    inodes = [offset for offset, length in disk.ranges if length == 256]
    for offset in inodes:
        source.write(offset + 0x6C, b"\xff\xff\xff\x7f")  # the upper half of the size
    result, watched = _scan(source)
    assert watched.reads < 1000
    assert not result.coverage.is_complete
