"""Walks a file system level by level, so that the blocks of each level are fetched together.

A file whose blocks are in memory when it is found is read at once, the others in the order of the disk at the end: a
block is seldom fetched twice, however large the disk is.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from amicopy.scan.device import BlockLimitReached, Device, Mapped, Unreadable
from amicopy.scan.file_system import LARGEST_DIRECTORY, FileKind, FileSystem, Inode, Steps
from amicopy.scan.result import NotRead
from amicopy.scan.select import LARGEST_FILE, LARGEST_INCLUDED, Selection

_MOST_ENTRIES = 5_000_000
_MOST_DEPTH = 500
_BLOCKS_TOGETHER = 64  # that are fetched together: several for each call in flight, and few enough to be kept
_MOST_TOGETHER = 8192  # inodes or files that share them
_Item = TypeVar("_Item")
_MOST_NAMED = 200  # parts that could not be read; the others are counted


@dataclass(slots=True)
class Walked:
    """What a walk has seen so far, and what it has left out."""

    directories: int = 0
    files: int = 0
    bytes: int = 0
    left_out: Counter[str] = field(default_factory=Counter)  # by reason
    parts_left_out: list[NotRead] = field(default_factory=list)
    gaps: list[NotRead] = field(default_factory=list)
    more_gaps: int = 0


class Walk:
    """One walk over one volume."""

    def __init__(self, volume: str, device: Device, files: FileSystem, check: Callable[[], None]) -> None:
        self._volume = volume
        self._device = device
        self._files = files
        self.check = check  # called often; it raises Interrupted if the scan is to end
        self._steps = Steps(_MOST_ENTRIES)
        self._large: set[int] = set()  # inodes of files that are read although they are large
        self.seen = Walked()

    def root_names(self) -> list[str]:
        """Return the names in the root directory; raises Unreadable if it cannot be read."""
        root = self._files.inode(self._files.root)
        return [_text(entry.name) for entry in self._files.entries(root)]

    def contents(self, selection: Selection) -> Iterator[tuple[str, bytes]]:
        """Yield path and content of every selected file.

        Raises:
            BlockLimitReached: no more blocks may be fetched.
        """
        for path, inode in self._readable(selection):
            try:
                content = self._files.content(inode, self._most(inode))
            except BlockLimitReached:
                raise
            except Unreadable as error:
                self.gap(path, str(error))
                continue
            self.seen.files += 1
            self.seen.bytes += len(content)
            yield path, content

    def was_not_text(self, content: bytes) -> None:
        """Note that a file whose content `contents` has yielded was not looked into."""
        self.seen.files -= 1
        self.seen.bytes -= len(content)
        self.seen.left_out["files with null bytes"] += 1

    def size_of(self, path: str) -> int:
        """Return the size of one file; 0 if it is not there or cannot be read."""
        inode = self._inode_of(path)
        return inode.size if inode else 0

    def content_of(self, path: str, limit: int) -> bytes:
        """Return the first ``limit`` bytes of one file; nothing if it is not there or cannot be read."""
        inode = self._inode_of(path)
        if inode is None:
            return b""
        try:
            self._device.prefetch(self._maps((path, inode)))
            self._device.prefetch(
                (extent.offset, min(extent.length, limit - extent.start))
                for extent in self._files.extents(inode)
                if extent.start < limit
            )
            return self._files.content(inode, limit)
        except BlockLimitReached:
            raise
        except Unreadable:
            return b""

    def device_of(self, path: str) -> Device | None:
        """Return one file as a device, to read a part of it; None if it is not there.

        Raises:
            Unreadable: it cannot be read, or not in parts.
        """
        inode = self._inode_of(path)
        if inode is None:
            return None
        pieces: list[tuple[int, int]] = []
        position = 0
        for extent in self._files.extents(inode):
            if extent.start != position:
                raise Unreadable("it has holes, or is compressed")
            pieces.append((extent.offset, extent.length))
            position += extent.length
        return Mapped(self._device, pieces)

    def names_in(self, path: str) -> list[str]:
        """Return the names in one directory; none if it is not there or cannot be read."""
        inode = self._inode_of(path, FileKind.DIRECTORY)
        try:
            return [_text(entry.name) for entry in self._files.entries(inode)] if inode else []
        except BlockLimitReached:
            raise
        except Unreadable:
            return []

    def _inode_of(self, path: str, kind: FileKind = FileKind.FILE) -> Inode | None:
        """Return the inode of a file; None if it is not there, not of the kind, or cannot be read."""
        try:
            inode = self._files.inode(self._files.root)
            for name in map(self._folded, path.strip("/").split("/")):
                entries = self._files.entries(inode)
                number = next((one.inode for one in entries if self._folded(_text(one.name)) == name), None)
                if number is None:
                    return None
                inode = self._files.inode(number)
        except BlockLimitReached:
            raise
        except Unreadable:
            return None
        return inode if inode.kind is kind else None

    def _folded(self, name: str) -> str:
        """Return a name as the file system compares it."""
        return name.lower() if self._files.kind == "NTFS" else name

    def _found(self, selection: Selection) -> Iterator[dict[int, str]]:
        """Yield the selected files of some directories: path by inode; of several names of a file the first one."""
        known: set[int] = set()
        level = {self._files.root: ""}
        visited = set(level)
        for _ in range(_MOST_DEPTH):
            below: dict[int, str] = {}
            for entries in self._entries(level):
                found: dict[int, str] = {}
                for path, number, kind in self._with_kinds(entries):
                    if kind is FileKind.DIRECTORY:
                        if number not in visited and self._is_wanted(selection.why_not_entered(path)):
                            below.setdefault(number, path)
                    elif kind is FileKind.FILE and self._is_wanted(selection.why_not_read(path)):
                        found.setdefault(number, path)
                yield {number: path for number, path in found.items() if number not in known}
                known |= found.keys()
            visited |= below.keys()
            level = below
            if not level:
                return
        self.gap(next(iter(level.values())), "it is too deep")

    def _is_wanted(self, reason: str) -> bool:
        if reason:
            self.seen.left_out[reason] += 1
        return not reason

    def _entries(self, directories: dict[int, str]) -> Iterator[list[tuple[str, int, FileKind | None]]]:
        """Yield path, inode and kind of everything in these directories, some directories at a time."""
        for mapped in self._together(self._inodes(directories), self._with_data):
            self._device.prefetch(block for pair in mapped for block in self._maps(pair))
            for batch in self._together(mapped, lambda pair: self._ranges(self._data, pair[1])):
                self._device.prefetch(block for _, inode in batch for block in self._ranges(self._data, inode))
                yield [entry for path, inode in batch for entry in self._entries_of(path, inode)]

    def _entries_of(self, path: str, inode: Inode) -> Iterator[tuple[str, int, FileKind | None]]:
        """Yield path, inode and kind of everything in one directory; what cannot be read is a gap."""
        self.check()
        try:
            for entry in self._files.entries(inode):
                self._steps.spend()
                yield f"{path}/{_text(entry.name)}", entry.inode, entry.kind
        except BlockLimitReached:
            raise
        except Unreadable as error:
            self.gap(path or "/", str(error))
        else:
            self.seen.directories += 1

    def _with_kinds(self, entries: Sequence[tuple[str, int, FileKind | None]]) -> Iterator[tuple[str, int, FileKind]]:
        """Yield the entries with their kinds, which some file systems keep in the inodes only."""
        unknown = {number: path for path, number, kind in entries if kind is None}
        kinds = {inode.number: inode.kind for _, inode in self._inodes(unknown)}
        for path, number, kind in entries:
            yield path, number, kind or kinds.get(number, FileKind.OTHER)

    def _inodes(self, paths: dict[int, str]) -> Iterator[tuple[str, Inode]]:
        """Yield the inodes, in the order of their numbers; one that cannot be read is a gap."""
        for numbers in self._together(sorted(paths), lambda number: self._inode_ranges((number,))):
            self.check()
            self._device.prefetch(self._inode_ranges(numbers))
            for number in numbers:
                try:
                    yield paths[number], self._files.inode(number)
                except BlockLimitReached:
                    raise
                except Unreadable as error:
                    self.gap(paths[number] or "/", str(error))

    def _inode_ranges(self, numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
        for number in numbers:
            try:
                yield self._files.inode_range(number)
            except BlockLimitReached:
                raise
            except Unreadable:
                continue  # reading it says so

    def _maps(self, pair: tuple[str, Inode]) -> Sequence[tuple[int, int]]:
        """Return what has to be read to know where the data of a file or directory is."""
        return self._ranges(self._files.map_ranges, pair[1])

    def _with_maps(self, pair: tuple[str, Inode]) -> Iterator[tuple[int, int]]:
        yield self._files.inode_range(pair[1].number)
        yield from self._maps(pair)

    def _with_data(self, pair: tuple[str, Inode]) -> Iterator[tuple[int, int]]:
        yield self._files.inode_range(pair[1].number)
        yield from self._maps(pair) or self._ranges(self._data, pair[1])

    def _ranges(self, ranges: Callable[[Inode], Sequence[tuple[int, int]]], inode: Inode) -> Sequence[tuple[int, int]]:
        """Return what is to be fetched for an inode; nothing if that is damaged, which reading it says."""
        try:
            return ranges(inode)
        except BlockLimitReached:
            raise
        except Unreadable:
            return ()

    def _data(self, inode: Inode) -> Sequence[tuple[int, int]]:
        """Return where the data of a file or directory is, as far as it is read."""
        most = min(inode.size, self._most(inode) if inode.kind is FileKind.FILE else LARGEST_DIRECTORY)
        return [
            (extent.offset, min(extent.length, most - extent.start))
            for extent in self._files.extents(inode)
            if extent.start < most
        ]

    def _readable(self, selection: Selection) -> Iterator[tuple[str, Inode]]:
        """Yield the files of a size that is read: those whose blocks are in memory, then the others in disk order."""
        unseen: dict[int, str] = {}
        later: list[tuple[int, str, Inode, Sequence[tuple[int, int]]]] = []  # by their first bytes on the disk
        for found in self._found(selection):
            near = {one: path for one, path in found.items() if self._device.is_in_memory(self._inode_ranges((one,)))}
            yield from self._near(near, later, selection)
            unseen |= {number: path for number, path in found.items() if number not in near}
        yield from self._near(unseen, later, selection)
        later.sort(key=lambda file: file[:2])
        for group in self._together(later, lambda file: file[3]):
            self.check()
            self._device.prefetch(block for *_, data in group for block in data)
            yield from ((path, inode) for _, path, inode, _ in group)

    def _near(
        self,
        found: dict[int, str],
        later: list[tuple[int, str, Inode, Sequence[tuple[int, int]]]],
        selection: Selection,
    ) -> Iterator[tuple[str, Inode]]:
        """Yield those of the files whose data is in memory once their inodes are; add the others to ``later``."""
        for batch in self._together(self._inodes(found), self._with_maps):
            readable = [(path, inode) for path, inode in batch if self._is_readable(path, inode, selection)]
            maps = [block for _, inode in readable for block in self._ranges(self._files.map_ranges, inode)]
            self._device.prefetch(maps)
            for path, inode in readable:
                data = self._ranges(self._data, inode)
                if self._device.is_in_memory(data):
                    yield path, inode
                else:
                    later.append((data[0][0], path, inode, data))

    def _together(
        self, items: Iterable[_Item], ranges: Callable[[_Item], Iterable[tuple[int, int]]]
    ) -> Iterator[list[_Item]]:
        """Yield the items in lists whose ranges are in so many blocks that fetching them together pays."""
        batch: list[_Item] = []
        blocks: set[int] = set()
        size = self._device.block_size
        for item in items:
            batch.append(item)
            for offset, length in ranges(item):
                blocks.update(range(offset // size, (offset + max(1, length) - 1) // size + 1))
            if len(blocks) >= _BLOCKS_TOGETHER or len(batch) >= _MOST_TOGETHER:
                yield batch
                batch, blocks = [], set()
        if batch:
            yield batch

    def _is_readable(self, path: str, inode: Inode, selection: Selection) -> bool:
        if inode.kind is not FileKind.FILE or not inode.size:
            return False
        if inode.size <= LARGEST_FILE:
            return True
        if not selection.is_included(path):
            return self._is_wanted("larger than 1 MiB")
        if inode.size > LARGEST_INCLUDED:
            return self._is_wanted("larger than 32 MiB, though included")
        self._large.add(inode.number)
        return True

    def _most(self, inode: Inode) -> int:
        """Return how many bytes of a file are read at most."""
        return LARGEST_INCLUDED if inode.number in self._large else LARGEST_FILE

    def gap(self, path: str, reason: str) -> None:
        """Note what could not be read; the first ones by name."""
        if len(self.seen.gaps) < _MOST_NAMED:
            self.seen.gaps.append(NotRead(volume=self._volume, path=path, reason=reason, is_gap=True))
        else:
            self.seen.more_gaps += 1

    def leave_out(self, path: str, reason: str) -> None:
        """Note what is left out of one file; of the first ones by name."""
        if len(self.seen.parts_left_out) < _MOST_NAMED:
            left_out = NotRead(volume=self._volume, path=path, reason=reason, is_gap=False)
            self.seen.parts_left_out.append(left_out)
        else:
            self.seen.left_out[reason] += 1


def _text(name: bytes) -> str:
    """Return a name as text; bytes that are not UTF-8 are escaped."""
    return name.decode("utf-8", "backslashreplace")
