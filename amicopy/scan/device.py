"""Disks as bytes: what the readers ask for, and the blocks behind it, each fetched once."""

import errno
import os
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol, Self

BLOCK_SIZE = 512 * 1024
"""The size of a snapshot's blocks in the EBS direct APIs, in bytes; a raw file is read in the same blocks."""

_CACHE_BYTES = 256 * 1024 * 1024


class Unreadable(Exception):
    """A part of a disk cannot be read; the text is a clause that says why. Readers raise nothing else."""


class BlockUnreadable(Unreadable):
    """One block cannot be fetched, or its checksum is wrong."""

    def __init__(self, index: int, why: str) -> None:
        super().__init__(f"block {index} cannot be read: {why}")
        self.index = index
        self.why = why


class BlockLimitReached(Unreadable):
    """The scan has fetched as many blocks as it may."""


class BlockSource(Protocol):
    """Where a disk's blocks come from: a raw file here, a snapshot behind the EBS direct APIs elsewhere."""

    @property
    def size(self) -> int:
        """The size of the disk in bytes."""

    @property
    def block_size(self) -> int:
        """The size of a block in bytes."""

    @property
    def allocated(self) -> int | None:
        """How many blocks have ever been written, if that is known."""

    def holds(self, index: int) -> bool:
        """Return whether this block was ever written; one that was not is zeros and is never fetched."""

    def holds_any(self, first: int, end: int) -> bool:
        """Return whether any block from ``first`` to before ``end`` was ever written."""

    def fetch(self, indexes: Sequence[int]) -> Iterator[tuple[int, bytes | BlockUnreadable]]:
        """Yield each of these blocks as it arrives, in any order, or why it cannot be read.

        All were written (`holds`), are inside the disk, and differ from each other. How many are fetched at the same
        time is up to the source. What makes going on pointless, such as a denied permission, is raised as an
        AmicopyError.
        """


class Device(Protocol):
    """Bytes to read at random: a disk, a partition, a logical volume."""

    @property
    def size(self) -> int:
        """The size in bytes."""

    @property
    def block_size(self) -> int:
        """The size of the blocks that are fetched, in bytes."""

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``; what was never written reads as zeros.

        Raises:
            Unreadable: the range is outside, or a block cannot be fetched.
        """

    def prefetch(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Fetch what these ranges (offset, length) need, together; errors wait until it is read.

        Raises:
            BlockLimitReached: the scan may not fetch so many blocks.
        """

    def is_in_memory(self, ranges: Iterable[tuple[int, int]]) -> bool:
        """Return whether reading these ranges (offset, length) fetches nothing."""


class Disk:
    """A disk whose blocks are fetched from a source when they are first needed, and kept while memory allows.

    ``blocks_fetched`` counts every fetch, ``blocks_read`` the different blocks among them.
    """

    def __init__(self, source: BlockSource, *, max_blocks: int | None = None, cache_bytes: int = _CACHE_BYTES) -> None:
        self.source = source
        self.size = source.size
        self.block_size = source.block_size
        self.blocks_fetched = 0
        self._max_blocks = max_blocks
        self._room = max(2, cache_bytes // source.block_size)
        self._cache: OrderedDict[int, bytes] = OrderedDict()
        self._failed: dict[int, BlockUnreadable] = {}
        self._seen: set[int] = set()

    @property
    def blocks_read(self) -> int:
        """How many different blocks were fetched."""
        return len(self._seen)

    @property
    def cache_blocks(self) -> int:
        """How many blocks are kept; to prefetch more at once is a waste."""
        return self._room

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise Unreadable(
                f"byte {max(offset, 0) + max(length, 0)} is beyond the end of the disk ({self.size} bytes)"
            )
        first = offset // self.block_size
        start = offset - first * self.block_size
        if start + length <= self.block_size:  # nearly always
            return self._block(first)[start : start + length] if length else b""
        last = (offset + length - 1) // self.block_size
        data = b"".join(map(self._block, range(first, last + 1)))
        return data[start : start + length]

    def prefetch(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Fetch the blocks of these ranges that are not in memory, as many as it keeps; what is outside is ignored."""
        wanted: dict[int, None] = {}
        for offset, length in ranges:
            if offset < 0 or length <= 0 or offset >= self.size:
                continue
            first = offset // self.block_size
            last = min((min(offset + length, self.size) - 1) // self.block_size, first + self._room)
            wanted.update(dict.fromkeys(range(first, last + 1)))
            if len(wanted) >= self._room:
                break
        missing = [index for index in wanted if self._is_missing(index)]
        for index in wanted.keys() & self._cache.keys():
            self._cache.move_to_end(index)  # needed soon: not to be dropped for what is fetched now
        self._fetch(missing[: self._room])

    def is_in_memory(self, ranges: Iterable[tuple[int, int]]) -> bool:
        """Return whether reading these ranges fetches nothing."""
        return not any(
            self._is_missing(index)
            for offset, length in ranges
            if offset >= 0 and length > 0
            for index in range(offset // self.block_size, (min(offset + length, self.size) - 1) // self.block_size + 1)
        )

    def is_blank(self, offset: int, length: int) -> bool:
        """Return whether nothing was ever written there."""
        end = min(offset + length, self.size)
        if offset >= end:
            return True
        first, last = -(-offset // self.block_size), end // self.block_size  # blocks that are there as a whole
        if first >= last:
            return not any(self.read(offset, end - offset))
        if self.source.holds_any(first, last):
            return False
        before, after = first * self.block_size - offset, end - last * self.block_size
        return not any(self.read(offset, before)) and not any(self.read(end - after, after))

    def forget(self) -> None:
        """Drop the blocks that are kept: nothing more is expected to be read."""
        self._cache.clear()

    def _is_missing(self, index: int) -> bool:
        return index not in self._cache and index not in self._failed and self.source.holds(index)

    def _block(self, index: int) -> bytes:
        if (block := self._cache.get(index)) is not None:
            self._cache.move_to_end(index)
            return block
        if index not in self._failed:
            if not self.source.holds(index):
                return bytes(self.block_size)
            self._fetch([index])
        if error := self._failed.get(index):
            raise error
        return self._cache[index]

    def _fetch(self, indexes: Sequence[int]) -> None:
        if not indexes:
            return
        new = sum(index not in self._seen for index in indexes)
        if self._max_blocks is not None and len(self._seen) + new > self._max_blocks:
            raise BlockLimitReached(f"more than {self._max_blocks} blocks would have been read")
        answered = set()
        for index, block in self.source.fetch(indexes):
            answered.add(index)
            self.blocks_fetched += 1
            self._seen.add(index)
            if isinstance(block, BlockUnreadable):
                self._failed[index] = block
                continue
            self._cache[index] = block.ljust(self.block_size, b"\0")  # the last one of a file may be short
            while len(self._cache) > max(self._room, len(indexes)):
                self._cache.popitem(last=False)
        for index in set(indexes) - answered:
            self._failed[index] = BlockUnreadable(index, "it was not delivered")


class Joined:
    """Parts of other devices, one after the other, as a device: a logical volume that is on several disks."""

    def __init__(self, pieces: Sequence[tuple[Device, int, int]]) -> None:
        """Take the pieces (device, offset on it, length) in their order."""
        self._pieces: list[tuple[int, Device, int, int]] = []  # start here, device, offset there, length
        self.size = 0
        for device, offset, length in pieces:
            self._pieces.append((self.size, device, offset, length))
            self.size += length
        self._starts = [start for start, *_ in self._pieces]
        self.block_size = pieces[0][0].block_size if pieces else BLOCK_SIZE

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise Unreadable(
                f"byte {max(offset, 0) + max(length, 0)} is beyond the end of the volume ({self.size} bytes)"
            )
        pieces = self.behind(offset, length)
        if len(pieces) == 1:  # nearly always
            device, start, count = pieces[0]
            return device.read(start, count)
        return b"".join(device.read(start, count) for device, start, count in pieces)

    def prefetch(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Fetch what these ranges need, together for each device."""
        wanted: dict[int, tuple[Device, list[tuple[int, int]]]] = {}
        for offset, length in ranges:
            for device, start, count in self.behind(offset, length):
                wanted.setdefault(id(device), (device, []))[1].append((start, count))
        for device, some in wanted.values():
            device.prefetch(some)

    def is_in_memory(self, ranges: Iterable[tuple[int, int]]) -> bool:
        """Return whether reading these ranges fetches nothing."""
        pieces = (piece for offset, length in ranges for piece in self.behind(offset, length))
        return all(device.is_in_memory([(start, count)]) for device, start, count in pieces)

    def behind(self, offset: int, length: int) -> list[tuple[Device, int, int]]:
        """Return where a range is: device, offset on it, length."""
        end = offset + length
        found: list[tuple[Device, int, int]] = []
        for index in range(max(0, bisect_right(self._starts, offset) - 1), len(self._pieces)):
            start, device, there, size = self._pieces[index]
            if start >= end:
                break
            first, last = max(offset, start), min(end, start + size)
            if first < last:
                found.append((device, there + first - start, last - first))
        return found


class Mapped(Joined):
    """Parts of one other device, as a device: a partition, or a logical volume on one disk."""

    def __init__(self, device: Device, pieces: Sequence[tuple[int, int]]) -> None:
        """Take the pieces (offset on ``device``, length) in their order."""
        super().__init__([(device, offset, length) for offset, length in pieces])
        self.block_size = device.block_size


def is_blank(device: Device, offset: int, length: int) -> bool:
    """Return whether nothing was ever written to a part of a disk, as far as that can be known without reading it.

    Raises:
        Unreadable: a block that is in the part only partly cannot be fetched.
    """
    if isinstance(device, Joined):
        return all(is_blank(behind, start, count) for behind, start, count in device.behind(offset, length))
    return isinstance(device, Disk) and device.is_blank(offset, length)


class RawFile:
    """A raw disk image in a file (not qcow2, VMDK or VHD), as a source of blocks. Its holes are not read."""

    block_size = BLOCK_SIZE

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open the file; raises OSError if that fails."""
        self._file: BinaryIO = Path(path).open("rb")  # noqa: SIM115 - it is open as long as this is
        self.size = self._file.seek(0, os.SEEK_END)
        self._held = self._blocks_with_data()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def allocated(self) -> int:
        """How many blocks the file holds data for; the others are holes."""
        return sum(last - first for first, last in self._held)

    def holds(self, index: int) -> bool:
        """Return whether the block is more than a hole of the file."""
        return any(first <= index < last for first, last in self._held)

    def holds_any(self, first: int, end: int) -> bool:
        """Return whether one of these blocks is more than a hole of the file."""
        return any(start < end and first < stop for start, stop in self._held)

    def fetch(self, indexes: Sequence[int]) -> Iterator[tuple[int, bytes | BlockUnreadable]]:
        """Yield the blocks in the order of the file."""
        for index in sorted(indexes):
            try:
                self._file.seek(index * self.block_size)
                yield index, self._file.read(self.block_size)
            except OSError as error:
                yield index, BlockUnreadable(index, error.strerror or str(error))

    def _blocks_with_data(self) -> list[tuple[int, int]]:
        """Return the ranges of blocks that the file system says hold data: all of them where it cannot say."""
        end = -(-self.size // self.block_size)
        if not hasattr(os, "SEEK_DATA"):
            return [(0, end)]
        held: list[tuple[int, int]] = []
        position = 0
        try:
            while position < self.size:
                data = os.lseek(self._file.fileno(), position, os.SEEK_DATA)
                position = os.lseek(self._file.fileno(), data, os.SEEK_HOLE)
                first, last = data // self.block_size, -(-position // self.block_size)
                if held and first <= held[-1][1]:
                    held[-1] = (held[-1][0], last)
                else:
                    held.append((first, last))
        except OSError as error:
            if error.errno != errno.ENXIO:  # not "only a hole is left": it cannot say
                return [(0, end)]
        return held
