"""Reads NTFS, the file system of Windows: by file records, which are what inodes are elsewhere.

Microsoft documents little of it; the layout is that of the Linux-NTFS project's documentation. What it cannot read is
said: files that are encrypted (EFS), and those whose data is elsewhere (deduplicated, compressed for CompactOS).
"""

import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from amicopy.scan.device import Device, Unreadable
from amicopy.scan.file_system import (
    NOT_REPLAYED,
    Entry,
    Extent,
    FileKind,
    Inode,
    Steps,
    bytes_at,
    check_directory,
    check_link,
    checked_size,
    entry_of,
)
from amicopy.scan.lznt1 import decompressed

_ROOT = 5
_VOLUME = 3
_FIRST_OWN = 24  # the records before are those of the file system itself
_LIST, _INFORMATION, _DATA, _INDEX, _BLOCKS, _BITMAP, _ELSEWHERE = 0x20, 0x70, 0x80, 0x90, 0xA0, 0xB0, 0xC0
_END = 0xFFFFFFFF
_INDEX_NAME = "$I30".encode("utf-16-le")
_IN_USE, _IS_DIRECTORY = 1, 2
_COMPRESSED, _ENCRYPTED = 0xFF, 0x4000
_SHORT_NAMES = 2  # those of DOS, each of which is there beside a long one
_DIRECTORY_FLAG, _ELSEWHERE_FLAG = 0x10000000, 0x400
_LINK_TAGS = {0xA000000C, 0xA0000003}  # symbolic link, mount point
_KIND_FILE, _KIND_DIRECTORY, _KIND_LINK = 1, 2, 7  # as `entry_of` numbers them
_RECORD_NUMBER = (1 << 48) - 1
_MOST_LISTED = 16 << 20  # bytes of a list of attributes, and of the records that it names
_LARGEST = 32 << 20  # bytes of a directory; it has hundreds of thousands of names then


@dataclass(frozen=True, slots=True)
class _Attribute:
    """A part of a file record: its value, or where that is."""

    kind: int
    name: bytes  # in UTF-16
    flags: int
    value: bytes | None  # None: it is in clusters
    first: int = 0  # the first of its clusters that `runs` says
    unit: int = 0  # clusters that are compressed together, as a power of two; 0: none are
    size: int = 0
    written: int = 0  # bytes after which there are only zeros
    runs: bytes = b""


class Ntfs:
    """An NTFS volume."""

    kind = "NTFS"
    root = _ROOT

    def __init__(self, device: Device) -> None:
        """Read the boot sector and where the file records are."""
        self._device = device
        boot = device.read(0, 512)
        sector, per_cluster = struct.unpack_from("<HB", boot, 11)
        sectors, table = struct.unpack_from("<QQ", boot, 40)
        cluster = sector * (per_cluster if per_cluster <= 0x80 else 1 << min(256 - per_cluster, 31))
        if boot[3:11] != b"NTFS    " or sector not in {512, 1024, 2048, 4096} or not 512 <= cluster <= 2 << 20:
            raise Unreadable("its boot sector is damaged")
        self._cluster = cluster
        self._record = _record_size(boot[64], cluster)
        self.size = checked_size(sectors * sector)
        self._table = [Extent(0, table * cluster, self._record)]  # enough for the first record
        self._starts = [0]
        self._read_table()
        self.notes = tuple(self._notes())

    def _read_table(self) -> None:
        """Learn where all file records are; those that say so are in the part that is known by then."""
        own = self._attributes(self._read_record(0))
        self._use_table(_of(own, _DATA))
        if lists := _of(own, _LIST):
            self._use_table(_of([*own, *self._attributes(self._continuing(lists[0], 0))], _DATA))

    def _use_table(self, parts: Sequence[_Attribute]) -> None:
        self._table = self._places(parts)
        self._starts = [extent.start for extent in self._table]
        if not self._table:
            raise Unreadable("its table of files is damaged")

    def _notes(self) -> Iterator[str]:
        information = _of(self._attributes(self._read_record(_VOLUME)), _INFORMATION)
        value = information[0].value if information else None
        if value is not None and len(value) >= 12 and value[10] & 1:
            yield NOT_REPLAYED

    def inode_range(self, number: int) -> tuple[int, int]:
        """Return where a file record is: offset and length."""
        start = number * self._record
        extent = self._table[max(0, bisect_right(self._starts, start) - 1)]
        if not extent.start <= start <= extent.start + extent.length - self._record:
            raise Unreadable(f"there is no file record {number}")
        return extent.offset + start - extent.start, self._record

    def inode(self, number: int) -> Inode:
        """Return a file record, with those that continue it."""
        body = self._read_record(number)
        found = self._attributes(body)
        if struct.unpack_from("<Q", body, 32)[0] & _RECORD_NUMBER:
            raise Unreadable(f"file record {number} is a part of another")
        if lists := _of(found, _LIST):
            body += self._continuing(lists[0], number)
            found = self._attributes(body)
        is_directory = struct.unpack_from("<H", body, 22)[0] & _IS_DIRECTORY
        kind = FileKind.DIRECTORY if is_directory else FileKind.FILE
        if _elsewhere(found) in _LINK_TAGS:
            kind = FileKind.LINK
        held = _of(found, _BLOCKS, _INDEX_NAME) if is_directory else _of(found, _DATA)
        return Inode(number, kind, checked_size(_size(held)), body)

    def map_ranges(self, inode: Inode) -> Sequence[tuple[int, int]]:
        """Return nothing: where a file is, is said in its records."""
        return ()

    def extents(self, inode: Inode) -> Sequence[Extent]:
        """Return where the bytes of a file or the blocks of a directory are, compressed or not."""
        found = self._attributes(inode.body)
        if inode.kind is FileKind.DIRECTORY:
            return self._places(_of(found, _BLOCKS, _INDEX_NAME))
        data = _of(found, _DATA)
        _check_data(data, found)
        return self._places(data)

    def entries(self, inode: Inode) -> Iterator[Entry]:
        """Yield the names in a directory, in long form where there is a short one, too."""
        check_directory(inode)
        found = self._attributes(inode.body)
        roots = _of(found, _INDEX, _INDEX_NAME)
        root = roots[0].value if roots else None
        if root is None or len(root) < 32:
            raise Unreadable("its directory is damaged")
        yield from _names(root, 16)
        blocks = _of(found, _BLOCKS, _INDEX_NAME)
        if not blocks:
            return
        size = struct.unpack_from("<I", root, 8)[0]
        if not 512 <= size <= 65536 or size % 512:
            raise Unreadable("its directory is damaged")
        if inode.size > _LARGEST:
            raise Unreadable(f"it is a directory of {inode.size} bytes")
        used = self._value(_of(found, _BITMAP, _INDEX_NAME), _LARGEST // 512)
        data = self._value(blocks, _LARGEST)
        for number in range(min(len(data) // size, len(used) * 8)):
            if used[number // 8] >> number % 8 & 1:
                yield from _names(_fixed(data[number * size : (number + 1) * size], b"INDX"), 24)

    def content(self, inode: Inode, limit: int) -> bytes:
        """Return the content of a file, at most its first ``limit`` bytes."""
        found = self._attributes(inode.body)
        data = _of(found, _DATA)
        _check_data(data, found)
        return self._value(data, limit)

    def link(self, inode: Inode) -> bytes:
        """Return where a symbolic link or a mount point leads, as Windows writes it."""
        check_link(inode)
        value = _of(self._attributes(inode.body), _ELSEWHERE)[0].value or b""
        if len(value) < 16:
            raise Unreadable("its target is damaged")
        tag, start, length = struct.unpack_from("<I4xHH", value)
        names = 20 if tag == 0xA000000C else 16
        return value[names + start : names + start + length].decode("utf-16-le", "replace").encode()

    def _read_record(self, number: int) -> bytes:
        record = _fixed(self._device.read(*self.inode_range(number)), b"FILE")
        if not struct.unpack_from("<H", record, 22)[0] & _IN_USE:
            raise Unreadable(f"there is no file record {number}")
        return record

    def _attributes(self, records: bytes) -> list[_Attribute]:
        """Return the attributes in file records that follow one another."""
        starts = range(0, len(records), self._record)
        return [one for start in starts for one in _parsed(records[start : start + self._record])]

    def _continuing(self, listed: _Attribute, number: int) -> bytes:
        """Return the other records of a file whose attributes are in several, by the list of them."""
        data = self._value([listed], _MOST_LISTED)
        others: dict[int, None] = {}
        position = 0
        while position + 26 <= len(data):
            length = struct.unpack_from("<H", data, position + 4)[0]
            other = struct.unpack_from("<Q", data, position + 16)[0] & _RECORD_NUMBER
            if length < 26:
                raise Unreadable("its list of attributes is damaged")
            if other != number:
                others[other] = None
            position += length
        if len(others) * self._record > _MOST_LISTED:
            raise Unreadable("its list of attributes is damaged")
        return b"".join(map(self._read_record, others))

    def _places(self, parts: Sequence[_Attribute]) -> list[Extent]:
        """Return where the clusters of an attribute are, given its parts; nothing if it is in its record."""
        written = _written(parts)
        return [
            Extent(start, place, min(length, written - start))
            for start, place, length in self._runs(parts, Steps())
            if start < written
        ]

    def _runs(self, parts: Sequence[_Attribute], steps: Steps) -> Iterator[Extent]:
        """Yield the runs of clusters of an attribute, given its parts; what is between them is zeros."""
        for part in sorted(parts, key=lambda one: one.first):
            for start, place, count in _runs(part.runs, part.first, steps):
                if place is not None:
                    yield Extent(start * self._cluster, place * self._cluster, count * self._cluster)

    def _value(self, parts: Sequence[_Attribute], limit: int) -> bytes:
        """Return the value of an attribute, at most its first ``limit`` bytes."""
        first = _first(parts)
        if first is None:
            return b""
        if first.value is not None:
            return first.value[:limit]
        length = min(first.size, limit)
        if first.flags & _COMPRESSED and first.unit:
            return self._expanded(parts, first, length)
        return bytes_at(self._device, self._places(parts), length)

    def _expanded(self, parts: Sequence[_Attribute], first: _Attribute, length: int) -> bytes:
        """Return the beginning of a compressed value: unit by unit, each compressed, stored as it is, or zeros."""
        if first.unit > 8:
            raise Unreadable("its compression is damaged")
        unit = self._cluster << first.unit
        steps, pieces = Steps(), dict[int, list[tuple[int, int]]]()  # by unit: where, and how many bytes
        for start, place, size in self._runs(parts, steps):
            begin, end = start, start + size
            while begin < min(end, length):
                upto = min(end, (begin // unit + 1) * unit)
                pieces.setdefault(begin // unit, []).append((place + begin - start, upto - begin))
                begin = upto
                steps.spend()
        found = bytearray(length)
        for number, some in pieces.items():
            if sum(count for _, count in some) > unit:
                raise Unreadable("its extents overlap")
            data = b"".join(self._device.read(where, count) for where, count in some)
            plain = data if len(data) >= unit else decompressed(data, unit)
            start = number * unit
            found[start : start + len(plain)] = plain[: length - start]
        return bytes(found[: first.written]).ljust(length, b"\0")


def _record_size(value: int, cluster: int) -> int:
    """Return the size of a record; above 127 the value is a negative power of two, else it counts clusters."""
    size = value * cluster if value < 0x80 else 1 << min(256 - value, 31)
    if not 512 <= size <= 65536 or size % 512:
        raise Unreadable("its boot sector is damaged")
    return size


def _fixed(record: bytes, magic: bytes) -> bytes:
    """Return a record with the ends of its sectors in place: on the disk they show whether it was written whole."""
    start, count = struct.unpack_from("<HH", record, 4)
    if record[:4] != magic or start + 2 * count > len(record) or count != len(record) // 512 + 1:
        raise Unreadable(f"a record is damaged ({magic.decode()})")
    fixed = bytearray(record)
    for sector in range(1, count):
        end = sector * 512 - 2
        if record[end : end + 2] != record[start : start + 2]:
            raise Unreadable(f"a record was not written whole ({magic.decode()})")
        fixed[end : end + 2] = record[start + 2 * sector : start + 2 * sector + 2]
    return bytes(fixed)


def _parsed(record: bytes) -> Iterator[_Attribute]:
    """Yield the attributes in one file record."""
    position = struct.unpack_from("<H", record, 20)[0]
    while position + 16 <= len(record):
        kind, length, is_away, name_length, name_at, flags = struct.unpack_from("<IIBBHH", record, position)
        if kind == _END:
            return
        if length < 24 or position + length > len(record):
            raise Unreadable("its file record is damaged")
        part = record[position : position + length]
        name = part[name_at : name_at + 2 * name_length]
        if not is_away:
            size, start = struct.unpack_from("<IH", part, 16)
            if start + size > length:
                raise Unreadable("its file record is damaged")
            yield _Attribute(kind, name, flags, part[start : start + size], size=size)
        elif length < 64:
            raise Unreadable("its file record is damaged")
        else:
            first, _, start, unit = struct.unpack_from("<QQHH", part, 16)
            size, written = struct.unpack_from("<QQ", part, 48)
            yield _Attribute(kind, name, flags, None, first, unit, size, written, part[start:])
        position += length


def _runs(data: bytes, first: int, steps: Steps) -> Iterator[tuple[int, int | None, int]]:
    """Yield runs of clusters: the first one's number in the file, its place (None: zeros), and how many they are."""
    position, place = 0, 0
    while position < len(data) and data[position]:
        steps.spend()
        sizes = data[position]
        count_size, place_size = sizes & 15, sizes >> 4
        end = position + 1 + count_size + place_size
        if not 1 <= count_size <= 8 or place_size > 8 or end > len(data):
            raise Unreadable("its extents are damaged")
        count = int.from_bytes(data[position + 1 : position + 1 + count_size], "little")
        if not count or count >> 48 or first >> 48:
            raise Unreadable("its extents are damaged")
        if place_size:
            place += int.from_bytes(data[position + 1 + count_size : end], "little", signed=True)
            if place < 0:
                raise Unreadable("its extents are damaged")
        yield first, place if place_size else None, count
        first += count
        position = end


def _of(attributes: Sequence[_Attribute], kind: int, name: bytes = b"") -> list[_Attribute]:
    """Return the parts of one attribute: those with this type and name."""
    return [one for one in attributes if one.kind == kind and one.name == name]


def _first(parts: Sequence[_Attribute]) -> _Attribute | None:
    return min(parts, key=lambda one: one.first, default=None)


def _size(parts: Sequence[_Attribute]) -> int:
    first = _first(parts)
    return first.size if first else 0


def _written(parts: Sequence[_Attribute]) -> int:
    """Return after how many bytes there are only zeros; of what is compressed, where its clusters end."""
    first = _first(parts)
    if first is None:
        return 0
    return 1 << 62 if first.flags & _COMPRESSED else min(first.written, first.size)


def _check_data(data: Sequence[_Attribute], found: Sequence[_Attribute]) -> None:
    if any(one.flags & _ENCRYPTED for one in data):
        raise Unreadable("it is encrypted (EFS), and only its owner's key opens it")
    if (tag := _elsewhere(found)) is not None:
        raise Unreadable(f"its data is elsewhere (reparse point {tag:#x})")


def _elsewhere(found: Sequence[_Attribute]) -> int | None:
    """Return the kind of a reparse point, which says where else the data is; None if these attributes have none."""
    points = _of(found, _ELSEWHERE)
    return int.from_bytes((points[0].value or b"")[:4], "little") if points else None


def _names(node: bytes, header: int) -> Iterator[Entry]:
    """Yield the names in one node of a directory."""
    start, used = struct.unpack_from("<II", node, header)
    position, end = header + start, min(header + used, len(node))
    while position + 16 <= end:
        number, length, key_length, flags = struct.unpack_from("<QHHI", node, position)
        if flags & 2:  # the last one has no name
            return
        key = node[position + 16 : position + 16 + key_length]
        if length < 16 + key_length or position + length > end or key_length < 66:
            raise Unreadable("its directory is damaged")
        position += length
        kinds, tag, name_length, namespace = struct.unpack_from("<IIBB", key, 56)
        name = key[66 : 66 + 2 * name_length].decode("utf-16-le", "replace").encode()
        if namespace == _SHORT_NAMES or number & _RECORD_NUMBER < _FIRST_OWN:
            continue
        kind = _KIND_DIRECTORY if kinds & _DIRECTORY_FLAG else _KIND_FILE
        if kinds & _ELSEWHERE_FLAG and tag in _LINK_TAGS:
            kind = _KIND_LINK
        yield entry_of(name, number & _RECORD_NUMBER, kind)
