"""Reads XFS, versions 4 and 5.

The layout is documented at kernel.org: "XFS Algorithms & Data Structures". Numbers on the disk are big-endian.
"""

import struct
from collections.abc import Iterator, Sequence
from enum import IntFlag

from amicopy.scan.device import Device, Unreadable
from amicopy.scan.file_system import (
    KIND_OF_MODE,
    LARGEST_LINK,
    NOT_REPLAYED,
    Entry,
    Extent,
    FileKind,
    Inode,
    Steps,
    blocks_at,
    bytes_at,
    check_directory,
    check_directory_size,
    check_features,
    check_link,
    checked_size,
    entry_of,
)
from amicopy.scan.xfs_log import is_dirty

_DEEPEST = 9  # levels of a B-tree
_LEAF_OFFSET = 1 << 35  # where the index of a directory begins, in bytes: only before it are there names

_IN_INODE, _IN_EXTENTS, _IN_BTREE = 1, 2, 3

_VERSION_DIR2 = 0x2000
_VERSION_MORE = 0x8000
_FEATURES2_FTYPE = 0x200

_FLAG_REALTIME = 0x1
_FLAG2_MANY_EXTENTS = 0x10


class Incompatible(IntFlag):
    """Features of version 5 that a reader must know; what is not listed here is refused by its bit."""

    FTYPE = 0x1
    SPARSE_INODES = 0x2
    META_UUID = 0x4
    BIGTIME = 0x8
    NEEDS_REPAIR = 0x10
    NREXT64 = 0x20
    EXCHANGE_RANGE = 0x40
    PARENT = 0x80


_KNOWN = sum(Incompatible)
_REFUSED = {0x100: "metadir", 0x200: "zoned"}


def is_xfs(head: bytes) -> bool:
    """Return whether a volume that begins so has an XFS file system."""
    return head[:4] == b"XFSB"


class Xfs:
    """An XFS file system."""

    kind = "xfs"

    def __init__(self, device: Device) -> None:
        """Read the superblock; raises Unreadable if there is a feature that this does not know."""
        self._device = device
        data = device.read(0, 512)
        if not is_xfs(data):
            raise Unreadable("it has no XFS superblock")
        self._block, blocks = struct.unpack_from(">IQ", data, 4)
        log_start, self.root = struct.unpack_from(">QQ", data, 48)
        self._group_blocks, self._groups = struct.unpack_from(">II", data, 84)
        log_blocks, version, _, self._inode_size = struct.unpack_from(">IHHH", data, 96)
        block_log, _, inode_log, self._inodes_log, self._group_log = struct.unpack_from(">5B", data, 120)
        directory_log = data[192]
        if self._block not in {1 << shift for shift in range(9, 17)} or self._block != 1 << block_log:
            raise Unreadable(f"its superblock is damaged: blocks of {self._block} bytes")
        if self._inode_size not in {256, 512, 1024, 2048} or self._inode_size != 1 << inode_log:
            raise Unreadable(f"its superblock is damaged: inodes of {self._inode_size} bytes")
        if self._inodes_log != block_log - inode_log or not 1 <= self._group_log <= 32:
            raise Unreadable("its superblock is damaged: the geometry is impossible")
        if not 0 < self._group_blocks <= 1 << self._group_log or not 0 < self._groups <= 1 << 24:
            raise Unreadable("its superblock is damaged: the geometry is impossible")
        self._directory_block = self._block << directory_log
        if directory_log > 7 or self._directory_block > 65536:
            raise Unreadable("its superblock is damaged: the size of directory blocks is impossible")
        self.size = blocks * self._block
        self._is_v5 = version & 0xF == 5
        self._written = struct.unpack_from(">Q", data, 240)[0] if self._is_v5 else 0  # when the superblock was
        incompatible = self._features(data, version)
        self.notes = tuple(self._notes(incompatible, log_start, log_blocks))

    def _features(self, data: bytes, version: int) -> int:
        """Return the incompatible features, having set what depends on them; raises Unreadable for unknown ones."""
        if version & 0xF not in {4, 5}:
            raise Unreadable(f"it is version {version & 0xF} of XFS, and amicopy reads 4 and 5")
        if not self._is_v5:
            if not version & _VERSION_DIR2:
                raise Unreadable("it uses features that amicopy cannot read: version 1 directories")
            features2 = struct.unpack_from(">I", data, 200)[0] if version & _VERSION_MORE else 0
            self._has_kinds = bool(features2 & _FEATURES2_FTYPE)
            return 0
        incompatible: int = struct.unpack_from(">I", data, 216)[0]
        check_features(incompatible, _KNOWN, _REFUSED)
        self._has_kinds = bool(incompatible & Incompatible.FTYPE)
        return incompatible

    def _notes(self, incompatible: int, log_start: int, log_blocks: int) -> Iterator[str]:
        if incompatible & Incompatible.NEEDS_REPAIR:
            yield "the file system is marked as damaged: run xfs_repair"
        try:
            # An external log (log_start 0) is on another disk.
            hint = self._written & 0xFFFFFFFF  # the lower half of a log sequence number is a block of 512 bytes
            size = log_blocks * self._block
            dirty = bool(log_start) and is_dirty(self._device, self._offset(log_start), size, hint)
        except Unreadable as error:
            yield f"the log cannot be read ({error}): whether the last changes are missing is not known"
            dirty = False
        if dirty:
            yield NOT_REPLAYED

    def inode_range(self, number: int) -> tuple[int, int]:
        """Return where an inode is: offset and length."""
        block, index = number >> self._inodes_log, number & ((1 << self._inodes_log) - 1)
        return self._offset(block) + index * self._inode_size, self._inode_size

    def inode(self, number: int) -> Inode:
        """Return an inode."""
        body = self._device.read(*self.inode_range(number))
        magic, mode, version = struct.unpack_from(">HHB", body, 0)
        if magic != 0x494E or version not in {1, 2, 3}:
            raise Unreadable(f"there is no inode {number}")
        size = checked_size(struct.unpack_from(">Q", body, 56)[0])
        return Inode(number, KIND_OF_MODE.get(mode & 0xF000, FileKind.OTHER), size, body)

    def map_ranges(self, inode: Inode) -> Sequence[tuple[int, int]]:
        """Return the first blocks of the B-tree that lists the extents, if there is one."""
        if inode.body[5] != _IN_BTREE:
            return ()
        return [(self._offset(block), self._block) for block in self._root_pointers(_fork(inode))[1]]

    def extents(self, inode: Inode) -> Sequence[Extent]:
        """Return where the bytes of a file, a directory or a long link are."""
        if inode.kind is FileKind.FILE and struct.unpack_from(">H", inode.body, 90)[0] & _FLAG_REALTIME:
            raise Unreadable("it is in the realtime section, which is on another disk")
        fork, form = _fork(inode), inode.body[5]
        steps = Steps()
        if form == _IN_EXTENTS:
            count = _extent_count(inode)
            if count * 16 > len(fork):
                raise Unreadable("its extents are damaged")
            return list(self._records(fork, count, steps))
        if form == _IN_BTREE:
            level, pointers = self._root_pointers(fork)
            return list(self._below(pointers, level - 1, steps))
        return ()

    def entries(self, inode: Inode) -> Iterator[Entry]:
        """Yield the names in a directory."""
        check_directory(inode)
        if inode.body[5] == _IN_INODE:
            yield from self._short_names(_fork(inode)[: inode.size])
            return
        check_directory_size(inode)
        data = [extent for extent in self.extents(inode) if extent.start < _LEAF_OFFSET]
        for block in blocks_at(self._device, data, inode.size, self._directory_block):
            yield from self._names(block)

    def content(self, inode: Inode, limit: int) -> bytes:
        """Return the content of a file, at most its first ``limit`` bytes."""
        return bytes_at(self._device, self.extents(inode), min(inode.size, limit))

    def link(self, inode: Inode) -> bytes:
        """Return the target of a symbolic link."""
        check_link(inode)
        if inode.body[5] == _IN_INODE:
            return _fork(inode)[: inode.size]
        if not self._is_v5:
            return self.content(inode, LARGEST_LINK)
        target = b""
        for extent in self.extents(inode):  # the kernel begins each with a header of 56 bytes, mkfs.xfs -p does not
            data = self._device.read(extent.offset, min(extent.length, 65536))
            data = data[56:] if data.startswith(b"XSLM") else data
            target += data[: inode.size - len(target)]
        if len(target) != inode.size:
            raise Unreadable("its target is damaged")
        return target

    def _offset(self, block: int) -> int:
        """Return where a block is; its number has the allocation group in the upper bits."""
        group, index = block >> self._group_log, block & ((1 << self._group_log) - 1)
        if group >= self._groups or index >= self._group_blocks:
            raise Unreadable(f"there is no block {block:#x}")
        offset: int = (group * self._group_blocks + index) * self._block
        return offset

    def _records(self, data: bytes, count: int, steps: Steps) -> Iterator[Extent]:
        """Yield the extents in a list of records of 128 bits: 1 unwritten, 54 start, 52 block, 21 length."""
        for number in range(count):
            steps.spend()
            high, low = struct.unpack_from(">QQ", data, 16 * number)
            start, block, length = high >> 9 & (1 << 54) - 1, (high & 0x1FF) << 43 | low >> 21, low & (1 << 21) - 1
            if not high >> 63:  # else allocated, and zeros
                yield Extent(start * self._block, self._offset(block), length * self._block)

    def _root_pointers(self, fork: bytes) -> tuple[int, list[int]]:
        """Return the level of a B-tree's root, which is in the inode, and the blocks below it."""
        if len(fork) < 4:
            raise Unreadable("its B-tree is damaged")
        level, count = struct.unpack_from(">HH", fork, 0)
        room = (len(fork) - 4) // 16
        if not 1 <= level <= _DEEPEST or count > room:
            raise Unreadable("its B-tree is damaged")
        return level, list(struct.unpack_from(f">{count}Q", fork, 4 + 8 * room))

    def _below(self, blocks: Sequence[int], level: int, steps: Steps) -> Iterator[Extent]:
        """Yield the extents below these nodes of a B-tree."""
        self._device.prefetch((self._offset(block), self._block) for block in blocks)
        header = 72 if self._is_v5 else 24
        room = (self._block - header) // 16
        for block in blocks:
            steps.spend()
            node = self._device.read(self._offset(block), self._block)
            magic, depth, count = struct.unpack_from(">4sHH", node, 0)
            if magic != (b"BMA3" if self._is_v5 else b"BMAP") or depth != level or count > room:
                raise Unreadable("its B-tree is damaged")
            if level:
                yield from self._below(struct.unpack_from(f">{count}Q", node, header + 8 * room), level - 1, steps)
            else:
                yield from self._records(node[header:], count, steps)

    def _short_names(self, data: bytes) -> Iterator[Entry]:
        """Yield the entries of a directory that is in its inode."""
        if len(data) < 6:
            raise Unreadable("its directory is damaged")
        wide = data[1] > 0  # some number needs 64 bits
        count = data[1] if wide and data[1] > data[0] else data[0]
        width = 8 if wide else 4
        position = 2 + width
        for _ in range(count):
            if position + 3 > len(data):
                raise Unreadable("its directory is damaged")
            length = data[position]
            name = data[position + 3 : position + 3 + length]
            position += 3 + length
            kind = data[position] if self._has_kinds and position < len(data) else 0
            position += self._has_kinds
            number = data[position : position + width]
            position += width
            if len(number) < width:
                raise Unreadable("its directory is damaged")
            yield entry_of(name, int.from_bytes(number, "big"), kind)

    def _names(self, block: bytes) -> Iterator[Entry]:
        """Yield the entries of one block of a directory; blocks of its index have none."""
        magic = block[:4]
        if magic not in {b"XD2B", b"XD2D", b"XDB3", b"XDD3"}:
            raise Unreadable("its directory is damaged: a block is not one of names")
        position, end = 64 if magic in {b"XDB3", b"XDD3"} else 16, len(block)
        if magic in {b"XD2B", b"XDB3"}:  # the only block: its index is at its end
            (count,) = struct.unpack_from(">I", block, end - 8)
            end -= 8 + 8 * count
        while position + 12 <= end:
            tag, length = struct.unpack_from(">HH", block, position)
            if tag == 0xFFFF:  # unused
                if length < 8 or length % 8:
                    raise Unreadable("its directory is damaged")
                position += length
                continue
            number, name_length = struct.unpack_from(">QB", block, position)
            after = position + 9 + name_length
            if after + 3 > end:
                raise Unreadable("its directory is damaged")
            name = block[position + 9 : after]
            kind = block[after] if self._has_kinds else 0
            if name not in {b".", b".."}:
                yield entry_of(name, number, kind)
            position += (9 + name_length + self._has_kinds + 2 + 7) // 8 * 8


def _fork(inode: Inode) -> bytes:
    """Return the part of the inode that has the file's data or says where it is."""
    start = 176 if inode.body[4] == 3 else 100
    attributes = inode.body[82] * 8  # where the extended attributes begin, from the same start
    end = start + attributes if attributes else len(inode.body)
    if end > len(inode.body):
        raise Unreadable("its inode is damaged")
    return inode.body[start:end]


def _extent_count(inode: Inode) -> int:
    has_many = inode.body[4] == 3 and struct.unpack_from(">Q", inode.body, 120)[0] & _FLAG2_MANY_EXTENTS
    return int.from_bytes(inode.body[24:32] if has_many else inode.body[76:80], "big")
