"""Reads a hive of the Windows registry: keys and their values that are text.

The layout is that of the project libregf's documentation of the format.
"""

import struct
from collections.abc import Iterator, Sequence
from functools import reduce
from operator import xor
from typing import NamedTuple

from amicopy.scan.device import Device, Unreadable
from amicopy.scan.file_system import Steps

CELLS = 4096
"""Where in a hive the cells begin, in bytes."""
SECTOR = 512
_MAGIC = b"regf"
_NONE = 0xFFFFFFFF
_ASCII_KEY, _ASCII_VALUE = 0x20, 1
_HANDLE_KEY = 0x40  # where the number of values would be is a handle
_LEAST = 24  # bytes that the cell of a key or a value has at least
_PAGE = 4096  # what it begins with is in one block, as the clusters of a file system are
_USUAL = 256  # bytes that most cells have at most
_FEW = 4  # cells that are seldom in several blocks
_INLINE = 0x80000000
_SEVERAL = 7  # REG_MULTI_SZ
_TEXTS = {1, 2, _SEVERAL}  # REG_SZ, REG_EXPAND_SZ
_SEGMENT = 16344  # bytes of a value that is in several cells
_LARGEST = 65536  # bytes of a value that is read
MOST_STEPS = 20_000_000
"""What the hives of a volume may take together; one of 65 MiB takes two million."""


class BaseBlock(NamedTuple):
    """The first sector of a hive, or of a log of it."""

    first: int  # a number that is raised before the hive is written to
    second: int  # the same number, raised after that
    written: int  # the time of that, in units of 100 nanoseconds
    root: int
    size: int  # of the bins of cells, which are all but the first page
    is_whole: bool  # it is what it should be, with the right checksum

    @property
    def is_dirty(self) -> bool:
        """Whether the last changes of a hive are in its log, as those of a running system may be."""
        return not self.is_whole or self.first != self.second


class Key(NamedTuple):
    """A key: its name, how many keys and values it has, and where the lists of them are."""

    name: str
    key_count: int
    keys_at: int
    value_count: int
    values_at: int


class Hive:
    """A hive. Each method raises Unreadable, and nothing else, if it makes no sense."""

    def __init__(self, device: Device, steps: Steps | None = None) -> None:
        """Read the first page; ``steps`` is what may be spent, together with other hives."""
        self._device = device
        self._steps = steps or Steps(MOST_STEPS)
        self._seen: set[int] = set()  # the keys, so that none is read twice
        if device.read(0, 4) != _MAGIC:
            raise Unreadable("it is no hive of a registry")
        self.root = base_block(device).root

    def key(self, offset: int) -> Key:
        """Return the key in a cell; each is returned once."""
        if offset in self._seen:
            raise Unreadable("a key of the registry is below two others")
        self._seen.add(offset)
        cell = self._cell(offset)
        if cell[:2] != b"nk" or len(cell) < 76:
            raise Unreadable("a key of the registry is damaged")
        flags = struct.unpack_from("<H", cell, 2)[0]
        key_count, keys_at = struct.unpack_from("<I4xI", cell, 20)
        value_count, values_at = struct.unpack_from("<II", cell, 36)
        if flags & _HANDLE_KEY:
            value_count = 0
        name = cell[76 : 76 + struct.unpack_from("<H", cell, 72)[0]]
        return Key(_name(name, is_ascii=bool(flags & _ASCII_KEY)), key_count, keys_at, value_count, values_at)

    def keys(self, key: Key) -> Iterator[int]:
        """Yield where the keys below a key are, for `key`."""
        if key.key_count:
            yield from self._offsets(key.keys_at, deeper=True)

    def values(self, key: Key) -> Iterator[int]:
        """Yield where the values of a key are, for `text`."""
        if key.value_count:
            cell = self._cell(key.values_at)
            yield from self._together(struct.unpack_from(f"<{min(key.value_count, len(cell) // 4)}I", cell))

    def text(self, offset: int) -> tuple[str, str] | None:
        """Return name and text of a value, None if it is not text; the name of a key's default value is empty."""
        value = self._cell(offset)
        if value[:2] != b"vk" or len(value) < 20:
            raise Unreadable("a value of the registry is damaged")
        name_length, size, at, kind, flags = struct.unpack_from("<HIIIH", value, 2)
        if kind not in _TEXTS:
            return None
        data = value[8 : 8 + min(size & ~_INLINE, 4)] if size & _INLINE else self._data(at, min(size, _LARGEST))
        return _name(value[20 : 20 + name_length], is_ascii=bool(flags & _ASCII_VALUE)), _text(data, kind)

    def _offsets(self, at: int, *, deeper: bool) -> Iterator[int]:
        """Yield where the keys of a list are; a list may be one of lists."""
        cell = self._cell(at)
        kind, count = cell[:2], struct.unpack_from("<H", cell, 2)[0]
        size = {b"lf": 8, b"lh": 8, b"li": 4, b"ri": 4}.get(kind)
        if size is None or 4 + count * size > len(cell) or (kind == b"ri" and not deeper):
            raise Unreadable("a list of the registry's keys is damaged")
        offsets = self._together(struct.unpack_from(f"<{count * size // 4}I", cell, 4)[:: size // 4])
        if kind != b"ri":
            yield from offsets
            return
        for offset in offsets:
            yield from self._offsets(offset, deeper=False)

    def _together(self, offsets: Sequence[int]) -> Iterator[int]:
        """Yield these offsets, after what is there has been fetched together."""
        if len(offsets) > _FEW:
            self._device.prefetch((CELLS + offset, _LEAST) for offset in offsets)
        for offset in offsets:
            self._steps.spend()
            yield offset

    def _data(self, at: int, size: int) -> bytes:
        cell = self._cell(at)
        if size <= _SEGMENT or cell[:2] != b"db":
            return cell[:size]
        count, listed = struct.unpack_from("<HI", cell, 2)
        places = self._cell(listed)
        data = b""
        for number in range(min(count, len(places) // 4, -(-size // _SEGMENT))):
            data += self._cell(struct.unpack_from("<I", places, 4 * number)[0])[:_SEGMENT]
        return data[:size]

    def _cell(self, offset: int) -> bytes:
        """Return what is in a cell, at most so much of it as is ever needed."""
        self._steps.spend()
        if offset == _NONE:
            raise Unreadable("the registry is damaged")
        start = CELLS + offset
        data = self._device.read(start, max(4, min(_USUAL, _PAGE - start % _PAGE, self._device.size - start)))
        size = -int.from_bytes(data[:4], "little", signed=True)
        if not 8 <= size <= 1 << 26:
            raise Unreadable("the registry is damaged: a cell is not in use")
        size = min(size, 1 << 20)
        self._steps.spend(size // 64)
        if size > len(data):
            data += self._device.read(start + len(data), size - len(data))
        return data[4:size]


def base_block(device: Device) -> BaseBlock:
    """Return the first sector of a hive or of a log; raises Unreadable if there is none, not if it is damaged."""
    data = device.read(0, SECTOR)
    first, second, written = struct.unpack_from("<IIQ", data, 4)
    root, size = struct.unpack_from("<II", data, 36)
    *words, checksum = struct.unpack_from("<128I", data)
    expected = reduce(xor, words)
    expected = {0: 1, 0xFFFFFFFF: 0xFFFFFFFE}.get(expected, expected)
    is_whole = data[:4] == _MAGIC and checksum == expected
    return BaseBlock(first, second, written, root, size, is_whole)


def _name(data: bytes, *, is_ascii: bool) -> str:
    return data.decode("latin-1") if is_ascii else data.decode("utf-16-le", "replace")


def _text(data: bytes, kind: int) -> str:
    """Return a value's text in one line; several texts are separated by spaces.

    A single text ends at its null: some programs store what was behind it in their memory, too.
    """
    text = data[: len(data) & ~1].decode("utf-16-le", "replace")
    text = text.replace("\0", " ") if kind == _SEVERAL else text.partition("\0")[0]
    return " ".join(text.split())
