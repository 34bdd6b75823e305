"""Applies the logs of a hive of the Windows registry: what was changed, and is not in the hive itself yet.

The layout is that of Maxim Suhanov's specification of the format (github.com/msuhanov/regf). Nothing is written: the
changes are kept in memory.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from amicopy.scan.device import Device, Unreadable
from amicopy.scan.file_system import Steps
from amicopy.scan.marvin32 import marvin32
from amicopy.scan.regf import CELLS, SECTOR, BaseBlock, base_block

_SEED = 0x82EF4D887A4E55C5  # the specification has its bytes the other way round; logs of Windows agree with this
_HEADER = 40  # bytes of an entry before its list of pages
_PAGE = 4096
_MOST = 32 << 20  # bytes of one change, and of all that are kept
_TOO_MANY = f"it has more than {_MOST >> 20} MiB of changes"
_ELSEWHERE = "it does not continue the hive"
_AHEAD = 4  # blocks of a log that are fetched together


class Replayed(NamedTuple):
    """A hive with the changes in its logs; ``problem`` is a clause that says why not all could be applied."""

    device: Device
    problem: str


class _Log(NamedTuple):
    device: Device
    base: BaseBlock
    magic: bytes  # of what follows the first sector


class _Damaged(Exception):
    """A part of a log is not as it was written; the text is a clause that says how."""


def replayed(hive: Device, logs: Sequence[Device], steps: Steps) -> Replayed:
    """Return a hive as Windows would have it after a start, given its logs (``.LOG1``, ``.LOG2``, ``.LOG``).

    As Windows does, it applies one change after the other, up to the first that is missing or damaged.

    Raises:
        Unreadable: a block cannot be fetched, or there are too many changes.
    """
    base = base_block(hive)
    whole = list(_whole(logs))
    if newer := [log for log in whole if log.magic == b"HvLE"]:
        return _with_entries(hive, base, newer, steps)
    if older := [log for log in whole if log.magic == b"DIRT"]:
        return _with_sectors(hive, base, older, steps)
    if whole:
        return _unchanged(hive, "there is no change in it")
    return _unchanged(hive, "it is damaged" if any(log.size for log in logs) else "it is not there")


def _unchanged(hive: Device, reason: str) -> Replayed:
    return Replayed(hive, f"its log could not be applied: {reason}")


def _whole(logs: Iterable[Device]) -> Iterator[_Log]:
    """Yield the logs whose first sector is as it should be."""
    for log in logs:
        if log.size >= 2 * SECTOR:
            base = base_block(log)
            if not base.is_dirty:
                yield _Log(log, base, log.read(SECTOR, 4))


def _with_entries(hive: Device, base: BaseBlock, logs: Sequence[_Log], steps: Steps) -> Replayed:
    """Apply logs as Windows 8.1 and later write them: entries, each with the next number, in one log or in two."""
    logs = sorted(logs, key=lambda log: log.base.first)
    fitting = [log for log in logs if log.base.first >= base.second] if base.is_whole else logs[-1:]
    if not fitting:
        return _unchanged(hive, _ELSEWHERE)
    first = number = fitting[0].base.first
    sectors, size = {0: fitting[0].device.read(0, SECTOR)}, hive.size
    problem = ""
    for log in fitting:
        if log.base.first != number:
            break
        try:
            for bins, changed in _entries(log, steps):
                problem = ""
                sectors |= changed
                if len(sectors) * SECTOR > _MOST:
                    raise Unreadable(_TOO_MANY)
                size = max(size, CELLS + bins)
                number += 1
        except _Damaged as damage:
            problem = str(damage)
    if number == first:
        problem = problem or "there is no change in it"
    if problem:
        what = "its log" if number == first else "the rest of its log"
        problem = f"{what} could not be applied: {problem}"
    return Replayed(_Patched(hive, sectors, size), problem)


def _entries(log: _Log, steps: Steps) -> Iterator[tuple[int, dict[int, bytes]]]:
    """Yield what each entry of a log changes, up to what is left from an earlier round."""
    device, position, fetched, number = log.device, SECTOR, 0, log.base.first
    while position + _HEADER <= device.size:
        if position >= fetched:
            device.prefetch([(position, _AHEAD * device.block_size)])
            fetched = position + _AHEAD * device.block_size
        header = device.read(position, _HEADER)
        size, found = struct.unpack_from("<I4xI", header, 4)
        if header[:4] != b"HvLE" or found != number or _hash(header[:32], steps) != header[32:]:
            return
        if size % SECTOR or not 0 < size <= device.size - position:
            raise _Damaged("a change in it was not written whole")
        if size > _MOST:
            raise Unreadable(_TOO_MANY)
        yield _changed(device.read(position, size), steps)
        position, number = position + size, number + 1


def _changed(entry: bytes, steps: Steps) -> tuple[int, dict[int, bytes]]:
    """Return what an entry changes: the size of the bins of cells then, and sectors of the hive by number."""
    bins, count = struct.unpack_from("<II", entry, 16)
    if _hash(entry[_HEADER:], steps) != entry[24:32]:
        raise _Damaged("a change in it was not written whole")
    position = _HEADER + 8 * count
    if bins % _PAGE or position > len(entry):
        raise _Damaged("a change in it makes no sense")
    sectors: dict[int, bytes] = {}
    for start, length in struct.iter_unpack("<II", entry[_HEADER:position]):
        if start % SECTOR or length % SECTOR or start + length > bins or position + length > len(entry):
            raise _Damaged("a change in it makes no sense")
        for offset in range(0, length, SECTOR):
            sectors[(CELLS + start + offset) // SECTOR] = entry[position + offset : position + offset + SECTOR]
        position += length
    return bins, sectors


def _with_sectors(hive: Device, base: BaseBlock, logs: Sequence[_Log], steps: Steps) -> Replayed:
    """Apply a log as older versions of Windows write it: the sectors that were to be written to the hive together."""
    written = base.written if base.is_whole else int.from_bytes(hive.read(CELLS + 20, 8), "little")
    log = max(logs, key=lambda log: log.base.written)
    if log.base.written < written:
        return _unchanged(hive, _ELSEWHERE)
    try:
        sectors = _dirty_sectors(log, steps)
    except _Damaged as damage:
        return _unchanged(hive, str(damage))
    sectors[0] = log.device.read(0, SECTOR)
    return Replayed(_Patched(hive, sectors, max(hive.size, CELLS + log.base.size)), "")


def _dirty_sectors(log: _Log, steps: Steps) -> dict[int, bytes]:
    """Return the sectors in a log, by their numbers in the hive: there is a bit for each that the hive has."""
    count = -(-log.base.size // SECTOR // 8)
    start = SECTOR + 4
    position = -(-(start + count) // SECTOR) * SECTOR
    if position > log.device.size:
        raise _Damaged("it was not written whole")
    bits = log.device.read(start, count)
    steps.spend(count)
    numbers = [8 * index + bit for index, byte in enumerate(bits) if byte for bit in range(8) if byte >> bit & 1]
    if len(numbers) * SECTOR > _MOST:
        raise Unreadable(_TOO_MANY)
    if position + len(numbers) * SECTOR > log.device.size:
        raise _Damaged("it was not written whole")
    log.device.prefetch([(position, len(numbers) * SECTOR)])
    sectors: dict[int, bytes] = {}
    for number in numbers:
        steps.spend()
        sector = log.device.read(position, SECTOR)
        if sector[:4] == b"hbin" and int.from_bytes(sector[4:8], "little") != number * SECTOR:
            raise _Damaged("what it changes is elsewhere in the hive")
        sectors[CELLS // SECTOR + number] = sector
        position += SECTOR
    return sectors


def _hash(data: bytes, steps: Steps) -> bytes:
    steps.spend(1 + len(data) // 8)
    return marvin32(data, _SEED).to_bytes(8, "little")


class _Patched:
    """A hive in which some sectors are those of its log; it can have grown."""

    def __init__(self, hive: Device, sectors: Mapping[int, bytes], size: int) -> None:
        self._hive = hive
        self._sectors = sectors
        self.size = size
        self.block_size = hive.block_size

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise Unreadable(f"byte {max(offset, 0) + max(length, 0)} is beyond the end of the hive")
        numbers = range(offset // SECTOR, -(-(offset + length) // SECTOR))
        if offset + length <= self._hive.size and self._sectors.keys().isdisjoint(numbers):
            return self._hive.read(offset, length)
        held = min(length, max(0, self._hive.size - offset))
        data = bytearray(self._hive.read(offset, held) if held else b"") + bytes(length - held)
        for number in numbers:
            if (sector := self._sectors.get(number)) is not None:
                start = number * SECTOR - offset
                data[max(start, 0) : start + SECTOR] = sector[max(-start, 0) : length - start]
        return bytes(data)

    def prefetch(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Fetch what these ranges need."""
        self._hive.prefetch(ranges)

    def is_in_memory(self, ranges: Iterable[tuple[int, int]]) -> bool:
        """Return whether reading these ranges fetches nothing."""
        return self._hive.is_in_memory(ranges)
