"""What is written in a snapshot: blocks that are made up, come from a raw disk image, or differ from another content.

No content is kept in memory: each block is made or read when a client asks for it.
"""

import functools
import hashlib
import os
import struct
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Protocol

BLOCK_BYTES = 512 * 1024
BLOCKS_PER_GIB = 2**30 // BLOCK_BYTES
_ZEROS = bytes(BLOCK_BYTES)
_INDEX = struct.Struct("<I")


class Content(Protocol):
    """The content of a snapshot. It never changes, so that copies share it."""

    @property
    def blocks(self) -> Sequence[int]:
        """The indexes of the blocks that have been written, in ascending order."""

    def read(self, index: int) -> bytes:
        """Return the block with this index, one of `blocks`."""


@dataclass(frozen=True, slots=True)
class MadeUp:
    """As many blocks as ``count``, from the first one on; the same for the same seed."""

    seed: str
    count: int

    @property
    def blocks(self) -> Sequence[int]:
        """All of them."""
        return range(self.count)

    def read(self, index: int) -> bytes:
        """Return bytes that no other block has."""
        digest = hashlib.blake2b(f"{self.seed}/{index}".encode()).digest()
        return digest * (BLOCK_BYTES // len(digest))


@dataclass(frozen=True, slots=True)
class DiskImage:
    """A raw disk image; blocks of zeros count as never written."""

    path: Path
    blocks: Sequence[int]

    @classmethod
    def open(cls, path: Path) -> "DiskImage":
        """Find the blocks of a file that hold data; holes of a sparse file aren't read.

        Raises:
            OSError: the file can't be read.
            ValueError: it is empty; the message is for the user.
        """
        with path.open("rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if not size:
                raise ValueError(f"{path} is empty.")
            blocks = [index for index in _candidates(file, size) if not _is_zero(_block(file, index))]
        return cls(path, blocks)

    @property
    def gib(self) -> int:
        """The size of a volume that the image fits into, in GiB."""
        return max(1, -(-self.path.stat().st_size // 2**30))

    def read(self, index: int) -> bytes:
        """Return a block; the last one of the file is filled with zeros."""
        with self.path.open("rb", buffering=0) as file:
            return _block(file, index).ljust(BLOCK_BYTES, b"\0")


def _block(file: FileIO, index: int) -> bytes:
    file.seek(index * BLOCK_BYTES)
    return file.read(BLOCK_BYTES)


def _is_zero(block: bytes) -> bool:
    return block == _ZEROS[: len(block)]


def _candidates(file: FileIO, size: int) -> Iterator[int]:
    """Yield the blocks that aren't inside a hole of the file."""
    seek_data, seek_hole = getattr(os, "SEEK_DATA", None), getattr(os, "SEEK_HOLE", None)
    if seek_data is None or seek_hole is None:
        yield from range(-(-size // BLOCK_BYTES))
        return
    at = following = 0
    while at < size:
        try:
            begin = os.lseek(file.fileno(), at, seek_data)
        except OSError:  # nothing but a hole up to the end
            return
        at = os.lseek(file.fileno(), begin, seek_hole)
        first = max(following, begin // BLOCK_BYTES)
        following = max(first, -(-at // BLOCK_BYTES))
        yield from range(first, following)


@dataclass(frozen=True)
class Packed:
    """The written blocks of a disk in one compressed file, as `pack` makes it; unpacked when the first one is read."""

    path: Path

    @functools.cached_property
    def _data(self) -> dict[int, bytes]:
        import lzma

        data = lzma.decompress(self.path.read_bytes())
        step = _INDEX.size + BLOCK_BYTES
        starts = range(0, len(data), step)
        return {_INDEX.unpack_from(data, start)[0]: data[start + _INDEX.size : start + step] for start in starts}

    @property
    def blocks(self) -> Sequence[int]:
        """Those that were packed."""
        return tuple(self._data)

    def read(self, index: int) -> bytes:
        """Return a block as it was packed."""
        return self._data[index]


def pack(content: Content) -> bytes:
    """Return the written blocks of a content, each after its index, compressed."""
    import lzma

    return lzma.compress(b"".join(_INDEX.pack(index) + content.read(index) for index in content.blocks), preset=9)


@dataclass(frozen=True, slots=True)
class Stored:
    """Blocks that a client has written with PutSnapshotBlock."""

    data: Mapping[int, bytes]

    @property
    def blocks(self) -> Sequence[int]:
        """Those that were put."""
        return sorted(self.data)

    def read(self, index: int) -> bytes:
        """Return the block as it was put."""
        return self.data[index]


@dataclass(frozen=True, slots=True)
class Damaged:
    """Another content, of which some blocks are missing and others have one byte changed."""

    content: Content
    changed: frozenset[int] = frozenset()
    missing: frozenset[int] = frozenset()
    blocks: Sequence[int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", [index for index in self.content.blocks if index not in self.missing])

    def read(self, index: int) -> bytes:
        """Return the block, with its first byte inverted if it is a changed one."""
        block = self.content.read(index)
        return bytes([block[0] ^ 0xFF]) + block[1:] if index in self.changed else block


def damaged(content: Content, *, changed: int, lost: int) -> Damaged:
    """Return the content with this many blocks changed and this many lost, spread evenly."""
    missing = _spread(content.blocks, lost)
    kept = [index for index in content.blocks if index not in missing]
    return Damaged(content, changed=_spread(kept, changed), missing=missing)


def _spread(blocks: Sequence[int], count: int) -> frozenset[int]:
    count = min(count, len(blocks))
    return frozenset(blocks[(2 * number + 1) * len(blocks) // (2 * count)] for number in range(count))


def has_block(content: Content, index: int) -> bool:
    """Return True if the block has been written."""
    blocks = content.blocks
    at = bisect_left(blocks, index)
    return at < len(blocks) and blocks[at] == index
