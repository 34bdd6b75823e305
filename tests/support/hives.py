"""Writes hives of the Windows registry, as small ones are: one bin, keys with ASCII names; and logs of changes to them.

What it writes was read with libregf, regipy and python-registry, the logs with regipy.
"""

import struct
from collections.abc import Mapping
from typing import Any

from amicopy.scan.marvin32 import marvin32

_NONE = 0xFFFFFFFF
SZ, EXPAND_SZ, BINARY, DWORD, MULTI_SZ = 1, 2, 3, 4, 7
_SEGMENT = 16344


class _Writer:
    def __init__(self, lists: str) -> None:
        self.cells = bytearray()
        self._lists = lists

    def cell(self, data: bytes) -> int:
        """Add a cell; return its offset."""
        offset = 32 + len(self.cells)
        size = -(-(len(data) + 4) // 8) * 8
        self.cells += struct.pack("<i", -size) + data.ljust(size - 4, b"\0")
        return offset

    def key(self, name: str, content: Mapping[str, Any], parent: int, flags: int = 0x20) -> int:
        """Add a key with what is below it; return its offset."""
        values = {key: value for key, value in content.items() if not isinstance(value, Mapping)}
        keys = {key: value for key, value in content.items() if isinstance(value, Mapping)}
        offset = self.cell(bytes(76 + len(name)))
        below = [(self.key(one, keys[one], offset), one) for one in sorted(keys, key=str.upper)]
        values_at = [self._value(one, value) for one, value in values.items()]
        listed = self.cell(struct.pack(f"<{len(values_at)}I", *values_at)) if values_at else _NONE
        data = b"nk" + struct.pack("<HQII", flags, 0, 0, parent)
        data += struct.pack("<IIII", len(below), 0, self._list(below) if below else _NONE, _NONE)
        data += struct.pack("<IIIIIIIII", len(values_at), listed, self._security, _NONE, 0, 0, 0, 0, 0)
        data += struct.pack("<HH", len(name), 0) + name.encode("latin-1")
        at = offset - 32 + 4
        self.cells[at : at + len(data)] = data
        return offset

    _security = _NONE

    def _list(self, below: list[tuple[int, str]]) -> int:
        if self._lists == "ri":
            half = (len(below) + 1) // 2
            parts = [self._leaf(part, "lh") for part in (below[:half], below[half:]) if part]
            return self.cell(b"ri" + struct.pack(f"<H{len(parts)}I", len(parts), *parts))
        return self._leaf(below, self._lists)

    def _leaf(self, below: list[tuple[int, str]], kind: str) -> int:
        data = kind.encode() + struct.pack("<H", len(below))
        for offset, name in below:
            data += struct.pack("<I", offset)
            if kind == "lf":
                data += name.encode("latin-1")[:4].ljust(4, b"\0")
            elif kind == "lh":
                hashed = 0
                for letter in name.upper():
                    hashed = (hashed * 37 + ord(letter)) & 0xFFFFFFFF
                data += struct.pack("<I", hashed)
        return self.cell(data)

    def _value(self, name: str, value: Any) -> int:
        kind, data = value if isinstance(value, tuple) else (SZ, value)
        if isinstance(data, list):
            data = "\0".join([*data, ""])
        raw = data if isinstance(data, bytes) else (data + "\0").encode("utf-16-le")
        if len(raw) <= 4:
            size, at = len(raw) | 0x80000000, int.from_bytes(raw.ljust(4, b"\0"), "little")
        elif len(raw) > _SEGMENT:
            parts = [self.cell(raw[start : start + _SEGMENT]) for start in range(0, len(raw), _SEGMENT)]
            places = self.cell(struct.pack(f"<{len(parts)}I", *parts))
            size, at = len(raw), self.cell(b"db" + struct.pack("<HI", len(parts), places))
        else:
            size, at = len(raw), self.cell(raw)
        text = name.encode("latin-1")
        return self.cell(b"vk" + struct.pack("<HIIIHH", len(text), size, at, kind, 1, 0) + text)


def hive(content: Mapping[str, Any], *, lists: str = "lh", is_dirty: bool = False) -> bytes:
    """Return a hive: keys are mappings, values are texts or pairs of type and data. ``lists``: lf, lh, li or ri."""
    writer = _Writer(lists)
    root = writer.key("ROOT", content, _NONE, flags=0x2C)
    used = len(writer.cells) + 32
    size = -(-used // 4096) * 4096
    if size - used >= 8:
        writer.cells += struct.pack("<i", size - used).ljust(size - used, b"\0")
    head = b"regf" + struct.pack("<IIQIIIIIIII", 2, 1 if is_dirty else 2, 0, 1, 5, 0, 1, root, size, 1, 0)
    first = b"hbin" + struct.pack("<IIQQI", 0, size, 0, 0, 0)
    return with_checksum(head.ljust(4096, b"\0")) + (first + bytes(writer.cells)).ljust(size, b"\0")


def with_checksum(data: bytes) -> bytes:
    """Return a hive, or the beginning of one, with the right checksum in its first sector."""
    total = 0
    for (word,) in struct.iter_unpack("<I", data[:508]):
        total ^= word
    return data[:508] + struct.pack("<I", {0: 1, 0xFFFFFFFF: 0xFFFFFFFE}.get(total, total)) + data[512:]


def numbered(data: bytes, first: int, second: int, *, kind: int = 0) -> bytes:
    """Return a hive with these sequence numbers: it is dirty if they differ. ``kind`` is 1 or 6 in logs."""
    head = data[:4] + struct.pack("<II", first, second) + data[12:28] + struct.pack("<I", kind) + data[32:]
    return with_checksum(head)


def entry(old: bytes, new: bytes, number: int) -> bytes:
    """Return an entry of a log as Windows 8.1 and later write it: what makes one hive another."""
    pages = [start for start in range(4096, len(new), 4096) if new[start : start + 4096] != old[start : start + 4096]]
    data = b"".join(struct.pack("<II", start - 4096, 4096) for start in pages)
    data += b"".join(new[start : start + 4096] for start in pages)
    size = -(-(40 + len(data)) // 512) * 512
    data = data.ljust(size - 40, b"\0")
    head = b"HvLE" + struct.pack("<IIIII", size, 0, number, len(new) - 4096, len(pages)) + _hash(data)
    return head + _hash(head) + data


def _hash(data: bytes) -> bytes:
    return marvin32(data, 0x82EF4D887A4E55C5).to_bytes(8, "little")


def log(data: bytes, number: int, *entries: bytes) -> bytes:
    """Return a log of entries; its first sector is that of the hive when the log was begun, with the number then."""
    return numbered(data[:512], number, number, kind=6) + b"".join(entries)


def old_log(old: bytes, new: bytes, number: int) -> bytes:
    """Return a log as Windows before 8.1 writes it: a bit for each sector, and the sectors that have changed."""
    starts = range(4096, len(new), 512)
    dirty = [start for start in starts if new[start : start + 512] != old[start : start + 512]]
    bits = sum(1 << (start - 4096) // 512 for start in dirty).to_bytes(len(starts) // 8, "little")
    vector = b"DIRT" + bits
    vector += bytes(-len(vector) % 512)
    return numbered(new[:512], number, number, kind=1) + vector + b"".join(new[start : start + 512] for start in dirty)
