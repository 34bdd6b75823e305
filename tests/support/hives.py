"""Writes hives of the Windows registry, as small ones are: one bin, keys with ASCII names.

What it writes was read with libregf, regipy and python-registry.
"""

import struct
from collections.abc import Mapping
from typing import Any

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
    head = b"regf" + struct.pack("<IIQIIIIIII", 2, 1 if is_dirty else 2, 0, 1, 5, 0, 1, root, size, 1)
    head = head.ljust(508, b"\0")
    total = 0
    for (word,) in struct.iter_unpack("<I", head):
        total ^= word
    head += struct.pack("<I", {0: 1, 0xFFFFFFFF: 0xFFFFFFFE}.get(total, total))
    first = b"hbin" + struct.pack("<IIQQI", 0, size, 0, 0, 0)
    return (head.ljust(4096, b"\0") + first + bytes(writer.cells)).ljust(4096 + size, b"\0")
