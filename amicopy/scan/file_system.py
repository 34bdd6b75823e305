"""What every reader of a file system offers, and the limits that keep a broken or hostile one in bounds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from amicopy.scan.device import Device, Unreadable

LARGEST_DIRECTORY = 256 * 1024 * 1024
"""The size of a directory's data, in bytes, beyond which it is taken for damage."""
LARGEST_LINK = 4096
"""Linux's limit for the target of a symbolic link, in bytes."""
NOT_REPLAYED = "journal not replayed: the image was made from a running system, and its last changes may be missing"
"""The note about a journal or log with changes that are not in the file system yet."""
_LARGEST_SIZE = 1 << 62
_MOST_EXTENTS = 1_000_000


class FileKind(StrEnum):
    """What a directory entry names."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    OTHER = "other"


KIND_OF_MODE = {0x8000: FileKind.FILE, 0x4000: FileKind.DIRECTORY, 0xA000: FileKind.LINK}
"""The kind, by the upper four bits of an inode's mode."""


_KIND_OF_TYPE = {1: FileKind.FILE, 2: FileKind.DIRECTORY, 7: FileKind.LINK}


class Extent(NamedTuple):
    """A run of bytes of a file: where it is in the file and on the volume. What no extent covers is zeros."""

    start: int
    offset: int
    length: int


class Entry(NamedTuple):
    """A name in a directory; without a kind, the inode has to be asked."""

    name: bytes
    inode: int
    kind: FileKind | None


@dataclass(frozen=True, slots=True)
class Inode:
    """A file, directory or link. ``body`` is the inode as it is on the disk."""

    number: int
    kind: FileKind
    size: int
    body: bytes


def entry_of(name: bytes, number: int, kind: int) -> Entry:
    """Return a directory's entry; ``kind`` is numbered as ext and XFS do, 0 if it is not said.

    Raises Unreadable if no file can have such a name.
    """
    if not name or b"/" in name or b"\0" in name:
        raise Unreadable("its directory is damaged: a name is impossible")
    return Entry(name, number, _KIND_OF_TYPE.get(kind, FileKind.OTHER) if kind else None)


def check_directory(inode: Inode) -> None:
    """Raise Unreadable unless an inode is that of a directory."""
    if inode.kind is not FileKind.DIRECTORY:
        raise Unreadable("it is not a directory")


def check_directory_size(inode: Inode) -> None:
    """Raise Unreadable if a directory that is not in its inode is too large to be one."""
    if inode.size > LARGEST_DIRECTORY:
        raise Unreadable(f"it is a directory of {inode.size} bytes")


def check_link(inode: Inode) -> None:
    """Raise Unreadable unless an inode is that of a symbolic link."""
    if inode.kind is not FileKind.LINK or inode.size > LARGEST_LINK:
        raise Unreadable("it is not a symbolic link")


def check_features(bits: int, readable: int, names: Mapping[int, str]) -> None:
    """Raise Unreadable if a file system has an incompatible feature that is not ``readable``, by name."""
    unreadable = [1 << bit for bit in range(32) if bits & ~readable & 1 << bit]
    if unreadable:
        words = ", ".join(names.get(bit, f"incompatible feature {bit:#x}") for bit in unreadable)
        raise Unreadable(f"it uses features that amicopy cannot read: {words}")


class FileSystem(Protocol):
    """A file system on a volume. Each method raises Unreadable, and nothing else, if the disk makes no sense.

    A reader fetches what it needs by itself; who needs many inodes or files prefetches what `inode_range`,
    `map_ranges` and `extents` name, so that the blocks are fetched together.
    """

    @property
    def kind(self) -> str:
        """The name of the file system, such as ``ext4``."""

    @property
    def root(self) -> int:
        """The number of the root directory's inode."""

    @property
    def size(self) -> int:
        """The size in bytes that it takes for itself; the volume may have been cut."""

    @property
    def notes(self) -> Sequence[str]:
        """What a reader of the result has to know, such as a journal that was not replayed."""

    def inode_range(self, number: int) -> tuple[int, int]:
        """Return where an inode is on the volume: offset and length."""

    def inode(self, number: int) -> Inode:
        """Return an inode."""

    def map_ranges(self, inode: Inode) -> Sequence[tuple[int, int]]:
        """Return what has to be read to know the extents: nothing, for a file in few pieces."""

    def extents(self, inode: Inode) -> Sequence[Extent]:
        """Return where the bytes are, in the file's order; empty if they are in the inode itself."""

    def entries(self, inode: Inode) -> Iterator[Entry]:
        """Yield the names in a directory, without ``.`` and ``..``."""

    def content(self, inode: Inode, limit: int) -> bytes:
        """Return the content of a file, at most its first ``limit`` bytes."""

    def link(self, inode: Inode) -> bytes:
        """Return the target of a symbolic link."""


class TooComplicated(Unreadable):
    """The budget of one piece of work is spent: the rest of it cannot be read either."""


class Steps:
    """A budget of steps for one piece of work: what a damaged disk would make endless ends when it is spent.

    Counted, not timed: the same disk gives the same result on a slow machine.
    """

    def __init__(self, most: int = _MOST_EXTENTS) -> None:
        self._left = most

    def spend(self, steps: int = 1) -> None:
        """Take some; raises TooComplicated when there are none left."""
        self._left -= steps
        if self._left < 0:
            raise TooComplicated("it is too complicated: damaged, or made to be endless")


def bytes_at(device: Device, extents: Sequence[Extent], length: int) -> bytes:
    """Return the first ``length`` bytes of a file with these extents, with zeros where there is none."""
    pieces: list[bytes] = []
    position = 0
    for extent in extents:
        if extent.start >= length:
            break
        if extent.start < position:
            raise Unreadable("its extents overlap")
        pieces.append(bytes(extent.start - position))
        count = min(extent.length, length - extent.start)
        pieces.append(device.read(extent.offset, count))
        position = extent.start + count
    pieces.append(bytes(length - position))
    return b"".join(pieces)


def checked_size(size: int) -> int:
    """Return the size of a file; raises Unreadable if no file can be so large."""
    if not 0 <= size <= _LARGEST_SIZE:
        raise Unreadable(f"its size is {size} bytes")
    return size


def blocks_at(device: Device, extents: Sequence[Extent], size: int, block: int) -> Iterator[bytes]:
    """Yield the blocks of a directory of ``size`` bytes, without its holes; a block may lie in several extents."""
    number, buffer = -1, bytearray()
    for extent in extents:
        position, end = extent.start, min(extent.start + extent.length, size)
        while position < end:
            index, inside = divmod(position, block)
            count = min(block - inside, end - position)
            if index < number:
                raise Unreadable("its extents overlap")
            if index > number:
                if number >= 0:
                    yield bytes(buffer)
                number, buffer = index, bytearray(block)
            buffer[inside : inside + count] = device.read(extent.offset + position - extent.start, count)
            position += count
    if number >= 0:
        yield bytes(buffer)
