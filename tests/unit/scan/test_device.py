"""Disks as bytes: each block is fetched once, holes are zeros, and what cannot be read says so."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from amicopy.scan.device import BlockLimitReached, BlockUnreadable, Disk, Mapped, RawFile, Unreadable


class Blocks:
    """A source of blocks of four bytes: block 1 is ``1111``; those in ``holes`` were never written."""

    block_size = 4
    allocated = None

    def __init__(self, count: int, *, holes: Sequence[int] = (), broken: Sequence[int] = ()) -> None:
        self.size = count * 4
        self.holes, self.broken = holes, broken
        self.fetches: list[tuple[int, ...]] = []

    def holds(self, index: int) -> bool:
        return index not in self.holes

    def holds_any(self, first: int, end: int) -> bool:
        return any(map(self.holds, range(first, end)))

    def fetch(self, indexes: Sequence[int]) -> Iterator[tuple[int, bytes | BlockUnreadable]]:
        self.fetches.append(tuple(indexes))
        for index in reversed(indexes):
            yield index, BlockUnreadable(index, "it is broken") if index in self.broken else f"{index}".encode() * 4


def test_each_block_is_fetched_once() -> None:
    source = Blocks(8)
    disk = Disk(source)
    disk.prefetch([(0, 6), (20, 1)])
    assert disk.read(2, 5) == b"00111"
    assert disk.read(20, 4) == b"5555"
    assert source.fetches == [(0, 1, 5)]
    assert (disk.blocks_read, disk.blocks_fetched) == (3, 3)


def test_a_block_that_was_never_written_is_zeros_and_not_fetched() -> None:
    source = Blocks(3, holes=[1])
    disk = Disk(source)
    disk.prefetch([(0, 12)])
    assert disk.read(0, 12) == b"0000" + bytes(4) + b"2222"
    assert source.fetches == [(0, 2)]


def test_a_broken_block_is_no_trouble_for_its_neighbors() -> None:
    disk = Disk(Blocks(3, broken=[1]))
    disk.prefetch([(0, 12)])
    assert disk.read(8, 4) == b"2222"
    with pytest.raises(BlockUnreadable, match="block 1 cannot be read: it is broken"):
        disk.read(3, 2)


def test_memory_is_bounded() -> None:
    source = Blocks(100)
    disk = Disk(source, cache_bytes=16)
    disk.prefetch([(0, 400)])
    assert sum(map(len, source.fetches)) == 4
    for index in range(100):
        assert disk.read(4 * index, 1) == f"{index}"[:1].encode()
    assert len(disk._cache) == 4


def test_what_is_prefetched_stays_until_it_is_read() -> None:
    source = Blocks(10)
    disk = Disk(source, cache_bytes=16)
    disk.prefetch([(0, 4), (4, 4), (8, 4)])
    disk.prefetch([(0, 4), (12, 4), (16, 4)])
    disk.read(0, 1)
    assert source.fetches == [(0, 1, 2), (3, 4)]


def test_the_limit_counts_different_blocks() -> None:
    disk = Disk(Blocks(10), max_blocks=2)
    disk.read(0, 8)
    with pytest.raises(BlockLimitReached, match="more than 2 blocks"):
        disk.read(8, 1)
    assert disk.read(0, 8) == b"00001111"


@pytest.mark.parametrize(("offset", "length"), [(-1, 2), (11, 2), (1 << 70, 1), (0, 1 << 70), (4, -1)])
def test_a_range_outside_is_refused(offset: int, length: int) -> None:
    disk = Disk(Blocks(3))
    disk.prefetch([(offset, length)])
    with pytest.raises(Unreadable, match="beyond the end"):
        disk.read(offset, length)


def test_pieces_of_a_disk_are_a_device() -> None:
    source = Blocks(10)
    volume = Mapped(Disk(source), [(20, 6), (3, 3)])
    assert volume.size == 9
    volume.prefetch([(0, 9)])
    assert volume.read(0, 9) == b"555566011"
    assert volume.read(5, 2) == b"60"
    assert len(source.fetches) == 1
    with pytest.raises(Unreadable, match="beyond the end of the volume"):
        volume.read(8, 2)


def test_any_range_of_many_pieces_is_what_the_pieces_are() -> None:
    draw = random.Random(5)
    disk = Disk(Blocks(10))
    pieces = [(draw.randrange(disk.size - 9), draw.choice((0, 0, 1, 3, 9))) for _ in range(200)]
    expected = b"".join(disk.read(start, length) for start, length in pieces)
    volume = Mapped(disk, pieces)
    assert volume.size == len(expected)
    for _ in range(2000):
        start = draw.randrange(volume.size + 1)
        length = draw.randrange(min(40, volume.size - start) + 1)
        assert volume.read(start, length) == expected[start : start + length]


def test_holes_of_a_file_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        file.seek(10 * RawFile.block_size)
        file.write(b"data")
    with RawFile(path) as source:
        disk = Disk(source)
        assert disk.size == 10 * RawFile.block_size + 4
        assert disk.read(0, 8) == bytes(8)
        assert disk.read(disk.size - 4, 4) == b"data"
        assert (source.allocated, disk.blocks_read) == (1, 1)
