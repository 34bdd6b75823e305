"""Reads LVM2: the text that describes a volume group, and where its linear logical volumes are."""

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from amicopy.scan.device import Device, Unreadable

_SECTOR = 512
_MOST_TEXT = 16 * 1024 * 1024
_DEEPEST = 16
_MOST_PIECES = 100_000
_TOKENS = re.compile(
    r"""\s+ | \#[^\n]* | (?P<word>[A-Za-z0-9_.+-]+) | (?P<text>"(?:[^"\\]|\\.)*") | (?P<sign>[={}\[\],])""", re.VERBOSE
)


@dataclass(frozen=True, slots=True)
class LogicalVolume:
    """A logical volume, by its name (``group/volume``)."""

    name: str
    pieces: tuple[tuple[str, int, int], ...] = ()  # id of the physical volume, offset on it, length
    problem: str = ""


def is_physical_volume(head: bytes) -> bool:
    """Return whether a device that begins so has LVM2's label, which is in one of its first four sectors."""
    return _label(head) is not None


def logical_volumes(device: Device) -> tuple[str, list[LogicalVolume]]:
    """Return the id of a physical volume, and all logical volumes of its group in their order, wherever they are.

    One that is not linear has a ``problem``.

    Raises:
        Unreadable: the description is damaged.
    """
    head = device.read(0, min(4 * _SECTOR, device.size))
    label = _label(head)
    if label is None:
        raise Unreadable("it has no LVM label")
    try:
        identity, areas = _header(device, label)
        return identity, _volumes(_parsed(_text(device, areas)))
    except (struct.error, KeyError, TypeError, ValueError, AttributeError, UnicodeDecodeError, IndexError) as error:
        raise Unreadable(f"its LVM description is damaged ({type(error).__name__})") from error


def _label(head: bytes) -> int | None:
    for position in range(0, 4 * _SECTOR, _SECTOR):
        if head[position : position + 8] == b"LABELONE" and head[position + 24 : position + 32] == b"LVM2 001":
            return position
    return None


def _header(device: Device, label: int) -> tuple[str, list[tuple[int, int]]]:
    """Return the id of the physical volume and its areas of metadata (offset, length)."""
    sector = device.read(label, _SECTOR)
    position = struct.unpack_from("<I", sector, 20)[0]
    identity = sector[position : position + 32].decode("ascii")
    position += 40
    lists: list[list[tuple[int, int]]] = [[], []]  # areas of data, areas of metadata
    for areas in lists:
        while position + 16 <= _SECTOR:
            offset, size = struct.unpack_from("<QQ", sector, position)
            position += 16
            if not offset:
                break
            areas.append((offset, size))
    return identity, lists[1]


def _text(device: Device, areas: Sequence[tuple[int, int]]) -> str:
    """Return the current description; an area is a ring, so that it may continue at the area's start."""
    for start, size in areas:
        header = device.read(start, _SECTOR)
        if header[4:20] != b" LVM2 x[5A%r0N*>":
            continue
        offset, length = struct.unpack_from("<QQ", header, 40)
        if not length:
            continue
        if length > min(size, _MOST_TEXT) or offset >= size:
            raise Unreadable("its LVM description is damaged: its size is impossible")
        first = min(length, size - offset)
        data = device.read(start + offset, first)
        if first < length:
            data += device.read(start + _SECTOR, length - first)
        return data.rstrip(b"\0").decode("utf-8")
    raise Unreadable("it has no LVM description: the volume group's metadata is on another disk")


def _parsed(text: str) -> Mapping[str, Any]:
    """Return the sections, texts, numbers and lists of a description."""
    tree: dict[str, Any] = {}
    sections = [tree]
    key, is_value = "", False
    items: list[str | int] | None = None
    position = 0
    while position < len(text):
        token = _TOKENS.match(text, position)
        if not token:
            raise Unreadable("its LVM description is damaged")
        position = token.end()
        word, quoted, sign = token["word"], token["text"], token["sign"]
        if sign == "{":
            if len(sections) >= _DEEPEST:
                raise Unreadable("its LVM description is damaged: it is too deep")
            inner: dict[str, Any] = {}
            sections[-1][key] = inner
            sections.append(inner)
        elif sign == "}":
            sections.pop()
            if not sections:
                raise Unreadable("its LVM description is damaged")
        elif sign == "[":
            items = []
            sections[-1][key] = items
        elif sign == "]":
            items, is_value = None, False
        elif sign == "=":
            is_value = True
        elif word or quoted:
            value: str | int = quoted[1:-1] if quoted else int(word) if word.lstrip("-").isdigit() else word
            if items is not None:
                items.append(value)
            elif is_value:
                sections[-1][key], is_value = value, False
            else:
                key = str(value)
    return tree


def _volumes(tree: Mapping[str, Any]) -> list[LogicalVolume]:
    group_name, group = next((name, one) for name, one in tree.items() if isinstance(one, dict))
    extent = group["extent_size"] * _SECTOR
    disks = {
        name: (str(one["id"]).replace("-", ""), one["pe_start"] * _SECTOR)
        for name, one in group["physical_volumes"].items()
    }
    found = []
    for name, one in group.get("logical_volumes", {}).items():
        if "VISIBLE" not in one["status"]:  # a part of another one
            continue
        found.append(_logical(f"{group_name}/{name}", one, disks, extent))
    return found


def _logical(name: str, one: Mapping[str, Any], disks: Mapping[str, tuple[str, int]], extent: int) -> LogicalVolume:
    count = one["segment_count"]
    if not 0 < count <= _MOST_PIECES:
        return LogicalVolume(name, problem="its LVM description is damaged")
    segments = [one[f"segment{number}"] for number in range(1, count + 1)]
    segments.sort(key=lambda segment: int(segment["start_extent"]))
    pieces: list[tuple[str, int, int]] = []
    extents = 0
    for segment in segments:
        if segment["type"] != "striped" or segment["stripe_count"] != 1:
            kind = "striped" if segment["type"] == "striped" else segment["type"]
            return LogicalVolume(name, problem=f"amicopy reads linear logical volumes only, and this one is {kind}")
        disk, first = segment["stripes"]
        if disk not in disks:
            return LogicalVolume(name, problem="its LVM description is damaged")
        identity, start = disks[disk]
        if segment["start_extent"] != extents or segment["extent_count"] <= 0 or first < 0:
            return LogicalVolume(name, problem="its LVM description is damaged")
        extents += segment["extent_count"]
        pieces.append((identity, start + first * extent, segment["extent_count"] * extent))
    return LogicalVolume(name, tuple(pieces))
