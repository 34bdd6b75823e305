"""Reads ext2, ext3 and ext4.

The layout is documented at kernel.org: "ext4 Data Structures and Algorithms".
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

_SUPERBLOCK = 1024
_MAGIC = 0xEF53
_DEEPEST = 5  # levels of an extent tree
_LONGEST_EXTENT = 1 << 15  # blocks; a longer one is allocated and was never written
_UNTOUCHED = 0xFFFFFFFF


class Incompatible(IntFlag):
    """Features that a reader must know; what is not listed here is refused by its bit."""

    COMPRESSION = 0x1
    FILETYPE = 0x2
    RECOVER = 0x4
    JOURNAL_DEVICE = 0x8
    META_BG = 0x10
    EXTENTS = 0x40
    BITS_64 = 0x80
    MMP = 0x100
    FLEX_BG = 0x200
    EA_INODE = 0x400
    DIRDATA = 0x1000
    CSUM_SEED = 0x2000
    LARGEDIR = 0x4000
    INLINE_DATA = 0x8000
    ENCRYPT = 0x10000
    CASEFOLD = 0x20000


_REFUSED: dict[int, str] = {
    Incompatible.COMPRESSION: "compression",
    Incompatible.JOURNAL_DEVICE: "journal_dev",
    Incompatible.DIRDATA: "dirdata",
}
_KNOWN = sum(Incompatible)
_HAS_JOURNAL = 0x4
_SPARSE_SUPER_2 = 0x200
_SPARSE_SUPER = 0x1
_BIGALLOC = 0x200

_INODE_ENCRYPTED = 0x800
_INODE_EXTENTS = 0x80000
_INODE_INLINE = 0x10000000


def is_ext(head: bytes) -> bool:
    """Return whether a volume that begins so has an ext2, ext3 or ext4 file system."""
    return head[_SUPERBLOCK + 0x38 : _SUPERBLOCK + 0x3A] == b"\x53\xef"


class Ext:
    """An ext2, ext3 or ext4 file system."""

    root = 2

    def __init__(self, device: Device) -> None:
        """Read superblock and group descriptors; raises Unreadable if there is a feature that this does not know."""
        self._device = device
        data = device.read(_SUPERBLOCK, 1024)
        if struct.unpack_from("<H", data, 0x38)[0] != _MAGIC:
            raise Unreadable("it has no ext superblock")
        inodes, blocks = struct.unpack_from("<II", data, 0)
        first_block, log_block = struct.unpack_from("<II", data, 0x14)
        blocks_per_group, _, self._inodes_per_group = struct.unpack_from("<III", data, 0x20)
        revision = struct.unpack_from("<I", data, 0x4C)[0]
        compatible, incompatible, read_only = struct.unpack_from("<III", data, 0x5C) if revision else (0, 0, 0)
        check_features(incompatible, _KNOWN & ~sum(_REFUSED), _REFUSED)
        self._features = Incompatible(incompatible)
        self._inode_size = struct.unpack_from("<H", data, 0x58)[0] if revision else 128
        if log_block > 6 or not blocks_per_group or not self._inodes_per_group:
            raise Unreadable("its superblock is damaged: the geometry is impossible")
        self._block = 1024 << log_block
        if self._inode_size not in {128 << shift for shift in range(10)} or self._inode_size > self._block:
            raise Unreadable(f"its superblock is damaged: inodes of {self._inode_size} bytes")
        if Incompatible.BITS_64 in self._features:
            blocks |= struct.unpack_from("<I", data, 0x150)[0] << 32
        self.size = blocks * self._block
        self._inodes = inodes
        groups = -(-(blocks - first_block) // blocks_per_group)
        if not 0 < groups <= 1 << 24 or inodes > groups * self._inodes_per_group:
            raise Unreadable("its superblock is damaged: the number of groups is impossible")
        self.kind = _version(compatible, self._features, read_only)
        self.notes = tuple(_notes(data, self._features))
        descriptor = struct.unpack_from("<H", data, 0xFE)[0] if Incompatible.BITS_64 in self._features else 32
        if not 32 <= descriptor <= self._block:
            raise Unreadable(f"its superblock is damaged: group descriptors of {descriptor} bytes")
        self._tables = _InodeTables(
            device,
            block=self._block,
            groups=groups,
            descriptor=descriptor,
            first_block=first_block,
            blocks_per_group=blocks_per_group,
            first_meta_bg=struct.unpack_from("<I", data, 0x104)[0] if Incompatible.META_BG in self._features else None,
            backups=_backups(data, compatible, read_only),
        )

    def inode_range(self, number: int) -> tuple[int, int]:
        """Return where an inode is: offset and length."""
        if not 1 <= number <= self._inodes:
            raise Unreadable(f"there is no inode {number}")
        group, index = divmod(number - 1, self._inodes_per_group)
        return self._tables.block_of(group) * self._block + index * self._inode_size, self._inode_size

    def inode(self, number: int) -> Inode:
        """Return an inode."""
        body = self._device.read(*self.inode_range(number))
        mode = struct.unpack_from("<H", body, 0)[0]
        kind = KIND_OF_MODE.get(mode & 0xF000, FileKind.OTHER)
        size = struct.unpack_from("<I", body, 4)[0]
        if kind in {FileKind.FILE, FileKind.DIRECTORY}:
            size |= struct.unpack_from("<I", body, 0x6C)[0] << 32
        return Inode(number, kind, checked_size(size), body)

    def map_ranges(self, inode: Inode) -> Sequence[tuple[int, int]]:
        """Return the first blocks of the extent tree, or the indirect blocks, that are outside of the inode."""
        flags = _flags(inode)
        if flags & _INODE_INLINE or self._is_short_link(inode):
            return ()
        root = inode.body[0x28:0x64]
        if flags & _INODE_EXTENTS:
            depth = struct.unpack_from("<H", root, 6)[0]
            blocks = [block for _, block in _index(root, 60)] if depth else []
        else:
            blocks = [block for block in struct.unpack_from("<3I", root, 48) if block]
        return [(block * self._block, self._block) for block in blocks]

    def extents(self, inode: Inode) -> Sequence[Extent]:
        """Return where the bytes of a file, directory or long link are."""
        flags = _flags(inode)
        if flags & _INODE_INLINE or self._is_short_link(inode):
            return ()
        root = inode.body[0x28:0x64]
        steps = Steps()
        if flags & _INODE_EXTENTS:
            return list(self._tree(root, 60, _DEEPEST, steps))
        return list(self._indirect(root, -(-inode.size // self._block), steps))

    def entries(self, inode: Inode) -> Iterator[Entry]:
        """Yield the names in a directory. The nodes of a hashed one look like unused entries, so that it is a list."""
        check_directory(inode)
        _check_encryption(inode)
        check_directory_size(inode)
        if _flags(inode) & _INODE_INLINE:
            here, more = _inline(inode)
            yield from self._names(here[4:])  # the parent's number, then entries
            yield from self._names(more)
            return
        for block in blocks_at(self._device, self.extents(inode), inode.size, self._block):
            yield from self._names(block)

    def content(self, inode: Inode, limit: int) -> bytes:
        """Return the content of a file, at most its first ``limit`` bytes."""
        _check_encryption(inode)
        length = min(inode.size, limit)
        if _flags(inode) & _INODE_INLINE:
            return b"".join(_inline(inode))[:length].ljust(length, b"\0")
        return bytes_at(self._device, self.extents(inode), length)

    def link(self, inode: Inode) -> bytes:
        """Return the target of a symbolic link."""
        check_link(inode)
        if self._is_short_link(inode):
            _check_encryption(inode)
            return inode.body[0x28 : 0x28 + inode.size]
        return self.content(inode, LARGEST_LINK)

    def _is_short_link(self, inode: Inode) -> bool:
        flags = _flags(inode)
        is_mapped = flags & (_INODE_EXTENTS | _INODE_INLINE)
        return inode.kind is FileKind.LINK and inode.size < 60 and not is_mapped

    def _tree(self, node: bytes, room: int, depth: int, steps: Steps) -> Iterator[Extent]:
        """Yield the extents below a node of an extent tree that takes ``room`` bytes and is at most so deep."""
        magic, count, _, level = struct.unpack_from("<4H", node, 0)
        if magic != 0xF30A or 12 + 12 * count > room or level > depth:
            raise Unreadable("its extent tree is damaged")
        if level:
            children = _index(node, room)
            self._device.prefetch((block * self._block, self._block) for _, block in children)
            for _, block in children:
                steps.spend()
                child = self._device.read(block * self._block, self._block)
                yield from self._tree(child, self._block, level - 1, steps)
            return
        for position in range(12, 12 + 12 * count, 12):
            steps.spend()
            start, length, high, low = struct.unpack_from("<IHHI", node, position)
            if length <= _LONGEST_EXTENT:  # else allocated, and zeros
                offset = (high << 32 | low) * self._block
                yield Extent(start * self._block, offset, length * self._block)

    def _indirect(self, root: bytes, blocks: int, steps: Steps) -> Iterator[Extent]:
        """Yield the extents of a file whose inode lists blocks, and blocks that list blocks, up to three deep."""
        run: Extent | None = None
        for number, block in self._listed(root, blocks, steps):
            start, offset = number * self._block, block * self._block
            if run and run.start + run.length == start and run.offset + run.length == offset:
                run = Extent(run.start, run.offset, run.length + self._block)
                continue
            if run:
                yield run
            run = Extent(start, offset, self._block)
        if run:
            yield run

    def _listed(self, root: bytes, blocks: int, steps: Steps) -> Iterator[tuple[int, int]]:
        """Yield number in the file and on the volume of each block, without holes."""
        pointers = struct.unpack_from("<15I", root, 0)
        for number, block in enumerate(pointers[:12]):
            if block and number < blocks:
                yield number, block
        each = self._block // 4
        first = 12
        for depth, block in enumerate(pointers[12:], start=1):
            if block and first < blocks:
                yield from self._below(block, depth, first, blocks, steps)
            first += each**depth

    def _below(self, block: int, depth: int, first: int, blocks: int, steps: Steps) -> Iterator[tuple[int, int]]:
        steps.spend()
        each = self._block // 4
        pointers = struct.unpack(f"<{each}I", self._device.read(block * self._block, self._block))
        span = each ** (depth - 1)
        used = pointers[: max(0, -(-(blocks - first) // span))]
        if depth > 1:
            self._device.prefetch((pointer * self._block, self._block) for pointer in used if pointer)
        for number, pointer in enumerate(used):
            if not pointer:
                continue
            if depth == 1:
                steps.spend()
                yield first + number, pointer
            else:
                yield from self._below(pointer, depth - 1, first + number * span, blocks, steps)

    def _names(self, data: bytes) -> Iterator[Entry]:
        """Yield the entries in one block of a directory."""
        typed = Incompatible.FILETYPE in self._features
        position = 0
        while position + 8 <= len(data):
            number, length, name_length, kind = struct.unpack_from("<IHBB", data, position)
            if length in {0, 0xFFFF} and self._block == 65536:
                length = 65536
            if length < 8 or length % 4 or position + length > len(data) or 8 + name_length > length:
                raise Unreadable("its directory is damaged")
            name = data[position + 8 : position + 8 + name_length]
            if number and name not in {b".", b".."}:
                yield entry_of(name, number, kind if typed else 0)
            position += length


class _InodeTables:
    """Where each group's inodes are; a descriptor is read when the first inode of its group is."""

    def __init__(
        self,
        device: Device,
        *,
        block: int,
        groups: int,
        descriptor: int,
        first_block: int,
        blocks_per_group: int,
        first_meta_bg: int | None,
        backups: "frozenset[int] | None",
    ) -> None:
        self._device = device
        self._block = block
        self._groups = groups
        self._descriptor = descriptor
        self._first_block = first_block
        self._blocks_per_group = blocks_per_group
        self._first_meta_bg = first_meta_bg
        self._backups = backups
        self._found: dict[int, int] = {}

    def block_of(self, group: int) -> int:
        """Return the block in which a group's inodes begin."""
        if group not in self._found:
            if group >= self._groups:
                raise Unreadable(f"there is no group {group}")
            each = self._block // self._descriptor
            block, index = self._descriptor_block(group // each), group % each
            data = self._device.read(block * self._block + index * self._descriptor, self._descriptor)
            self._found[group] = struct.unpack_from("<I", data, 8)[0]
            if self._descriptor >= 64:
                self._found[group] |= struct.unpack_from("<I", data, 0x28)[0] << 32
        return self._found[group]

    def _descriptor_block(self, number: int) -> int:
        """Return where the block of group descriptors with this number is."""
        first = (1 if self._block == 1024 else 0) + 1
        if self._first_meta_bg is None or number < self._first_meta_bg:
            return first + number
        group = number * (self._block // self._descriptor)
        block = self._first_block + group * self._blocks_per_group
        # With blocks of 1024 bytes that are counted from 0 (bigalloc), the superblock of group 0 is the second one.
        shifted = self._block == 1024 and self._first_block == 0 and group == 0
        return block + (1 if self._has_superblock(group) else 0) + shifted

    def _has_superblock(self, group: int) -> bool:
        return self._backups is None or group in self._backups


def _backups(data: bytes, compatible: int, read_only: int) -> frozenset[int] | None:
    """Return the groups that have a copy of the superblock; None: all."""
    if compatible & _SPARSE_SUPER_2:
        return frozenset({0, *struct.unpack_from("<2I", data, 0x24C)})
    if not read_only & _SPARSE_SUPER:
        return None
    return frozenset({0, 1, *(base**power for base in (3, 5, 7) for power in range(1, 21))})


def _version(compatible: int, features: Incompatible, read_only: int) -> str:
    newer = Incompatible.EXTENTS | Incompatible.BITS_64 | Incompatible.FLEX_BG | Incompatible.INLINE_DATA
    if features & newer or read_only & ~0x7:  # ext3 has sparse_super, large_file and btree_dir at most
        return "ext4"
    return "ext3" if compatible & _HAS_JOURNAL else "ext2"


def _notes(data: bytes, features: Incompatible) -> Iterator[str]:
    if Incompatible.RECOVER in features:
        yield NOT_REPLAYED
    if struct.unpack_from("<H", data, 0x3A)[0] & 2:
        yield "the file system recorded errors: run fsck"


def _flags(inode: Inode) -> int:
    flags: int = struct.unpack_from("<I", inode.body, 0x20)[0]
    return flags


def _check_encryption(inode: Inode) -> None:
    if _flags(inode) & _INODE_ENCRYPTED:
        raise Unreadable("it is encrypted (fscrypt)")


def _index(node: bytes, room: int) -> list[tuple[int, int]]:
    """Return first block in the file, and block of the child, for each child of an inner node of an extent tree."""
    count = min(struct.unpack_from("<H", node, 2)[0], (room - 12) // 12)
    found = (struct.unpack_from("<IIH", node, 12 + 12 * number) for number in range(count))
    return [(start, high << 32 | low) for start, low, high in found]


def _inline(inode: Inode) -> tuple[bytes, bytes]:
    """Return the two parts of what is stored in an inode: where blocks are listed otherwise, and in an attribute."""
    here, body = inode.body[0x28:0x64], inode.body
    if len(body) < 0x84:
        return here, b""
    first = 128 + struct.unpack_from("<H", body, 0x80)[0] + 4
    if first > len(body) or struct.unpack_from("<I", body, first - 4)[0] != 0xEA020000:
        return here, b""
    position = first
    while position + 16 <= len(body) and body[position : position + 4] != bytes(4):
        name_length, index, offset, value_inode, size = struct.unpack_from("<BBHII", body, position)
        name = body[position + 16 : position + 16 + name_length]
        if (index, name) == (7, b"data"):
            if value_inode or first + offset + size > len(body):
                raise Unreadable("its inline data is damaged")
            return here, body[first + offset : first + offset + size]
        position += 16 + (name_length + 3) // 4 * 4
    return here, b""
