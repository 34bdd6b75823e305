"""Disk images made from a folder without root: by mke2fs -d and mkfs.xfs -p, and what a reader finds in them."""

import lzma
import os
import shutil
import struct
import subprocess
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from uuid import UUID

from amicopy.scan.file_system import FileKind, FileSystem

Contents = dict[str, tuple[str, bytes]]
"""Kind and content (target of a link, nothing for a folder) of everything, by path."""


def tool(name: str) -> str:
    """Return the path of a program of the system, or an empty text; those for file systems are often not on PATH."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or ""


def make_ext(image: Path, tree: Path, options: Sequence[str], *, size: str = "64M") -> Path:
    """Make a file system of ``size`` with the content of ``tree``."""
    image.unlink(missing_ok=True)
    quiet = [tool("mke2fs"), "-q", "-F", "-E", "root_owner=0:0,lazy_itable_init=1", "-d", str(tree)]
    subprocess.run([*quiet, *options, str(image), size], check=True, capture_output=True)
    return image


def index_directories(image: Path) -> None:
    """Give large directories a hash tree, as the kernel does and mke2fs does not."""
    ran = subprocess.run([tool("e2fsck"), "-fyD", str(image)], capture_output=True, check=False)
    assert ran.returncode in {0, 1}, ran.stdout


def everything(files: FileSystem) -> Contents:
    """Return all that a reader finds, from the root on."""
    return dict(_below(files, files.root, ""))


def _below(files: FileSystem, number: int, path: str) -> Iterator[tuple[str, tuple[str, bytes]]]:
    for entry in files.entries(files.inode(number)):
        inode = files.inode(entry.inode)
        assert entry.kind in {None, inode.kind}
        name = f"{path}/{os.fsdecode(entry.name)}"
        if inode.kind is FileKind.DIRECTORY:
            yield name, ("directory", b"")
            yield from _below(files, entry.inode, name)
        elif inode.kind is FileKind.LINK:
            yield name, ("link", files.link(inode))
        else:
            yield name, (str(inode.kind), files.content(inode, inode.size))


def source_contents(tree: Path) -> Contents:
    """Return what is in a folder of this machine."""
    found: Contents = {}
    for path in tree.rglob("*"):
        name = "/" + str(path.relative_to(tree))
        if path.is_symlink():
            found[name] = ("link", os.fsencode(path.readlink()))
        elif path.is_dir():
            found[name] = ("directory", b"")
        else:
            found[name] = ("file", path.read_bytes())
    return found


def write_tree(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write these files below ``root``."""
    for name, content in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def varied_tree(root: Path) -> Path:
    """Write files of every shape that a reader can get wrong, below ``root``; a few megabytes."""
    write_tree(root, {f"many/file-{number:05}": f"{number}\n" for number in range(1500)})
    for entries in range(30):
        folder = root / f"short/{entries}"
        folder.mkdir(parents=True)
        for number in range(entries):
            (folder / f"n{number}").write_bytes(b"x" * number)
    sizes = [0, 1, 59, 60, 61, 100, 140, 150, 160, 200, 1023, 1024, 1025, 4095, 4096, 4097, 70_000, 300_000]
    write_tree(root, {f"sizes/{size}": os.urandom(size) for size in sizes})
    write_tree(root, {"names/ümläut-\u65e5\u672c": "u", "names/" + "l" * 250: "long", "names/a b\tc\nd": "odd"})
    links = root / "links"
    links.mkdir()
    for length in (1, 58, 59, 60, 61, 150, 400, 1000):
        (links / f"to-{length}").symlink_to("t" * length)
    with (root / "in-pieces").open("wb") as file:  # 400 pieces with holes between them
        for number in range(400):
            file.seek(number * 16384)
            file.write(b"%05d" % number * 800)
    with (root / "far").open("wb") as file:  # three levels of indirect blocks, where blocks have 1024 bytes
        for position in (0, 11 << 10, 12 << 10, 267 << 10, 268 << 10, 70_000 << 10):
            file.seek(position)
            file.write(b"far" * 400)
    return root


def gpt(
    path: Path, partitions: Mapping[int, tuple[int, bytes]], roles: Mapping[int, str], *, size: int, sector: int = 512
) -> Path:
    """Write a disk with a GPT: size and first bytes of each partition by its number, and a type other than Linux's."""
    table = bytearray(128 * 128)
    placed, start = [], 1 << 20
    for number, (length, content) in partitions.items():
        kind = UUID(roles.get(number, "0fc63daf-8483-4772-8e79-3d69d8477de4"))
        last = (start + length) // sector - 1
        entry = kind.bytes_le + UUID(int=number).bytes_le + struct.pack("<QQQ", start // sector, last, 0)
        table[128 * (number - 1) : 128 * (number - 1) + len(entry)] = entry
        placed.append((start, content))
        start += length
    protective = bytearray(512)
    protective[446:462] = struct.pack("<4xB3xII", 0xEE, 1, size // 512 - 1)
    protective[510:] = b"\x55\xaa"
    with path.open("wb") as file:
        file.truncate(size)
        file.write(protective)
        backup = size // sector - 1
        for here, other, entries in ((1, backup, 2), (backup, 1, backup - 128 * 128 // sector)):
            file.seek(here * sector)
            file.write(_gpt_header(here, other, entries, bytes(table), size // sector))
            file.seek(entries * sector)
            file.write(table)
        for offset, content in placed:
            file.seek(offset)
            file.write(content)
    return path


def _gpt_header(here: int, other: int, entries: int, table: bytes, sectors: int) -> bytes:
    def header(checksum: int) -> bytes:
        start = struct.pack("<8sIIIIQQQQ", b"EFI PART", 0x10000, 92, checksum, 0, here, other, 34, sectors - 34)
        return start + UUID(int=7).bytes_le + struct.pack("<QIII", entries, 128, 128, zlib.crc32(table))

    return header(zlib.crc32(header(0)))


def mbr(path: Path, *, primary: Sequence[bytes], logical: Sequence[bytes], size: int) -> Path:
    """Write a disk with an MBR: primary partitions, then logical ones in an extended partition."""
    places: list[tuple[int, bytes]] = []
    start = 2048
    entries = []
    for content in primary:
        count = -(-len(content) // 512)
        entries.append((0x83, start, count))
        places.append((start * 512, content))
        start += count
    if logical:
        entries.append((0x05, start, size // 512 - start))
    places.append((0, _mbr_table(entries)))
    first = table = start
    for number, content in enumerate(logical):
        count = -(-len(content) // 512)
        after = table + 8 + count
        more = [(0x05, after - first, 8)] if number + 1 < len(logical) else []
        places += [(table * 512, _mbr_table([(0x83, 8, count), *more])), ((table + 8) * 512, content)]
        table = after
    with path.open("wb") as file:
        file.truncate(size)
        for offset, content in places:
            file.seek(offset)
            file.write(content)
    return path


def _mbr_table(entries: Sequence[tuple[int, int, int]]) -> bytes:
    packed = b"".join(struct.pack("<4xB3xII", *entry) for entry in entries)
    return bytes(446) + packed.ljust(64, b"\0") + b"\x55\xaa"


def make_xfs(image: Path, tree: Path, options: Sequence[str], *, size: int = 320 << 20) -> Path:
    """Make an XFS file system with the content of ``tree``, whose names must have no white space."""
    image.unlink(missing_ok=True)
    with image.open("wb") as file:
        file.truncate(size)
    prototype = image.with_suffix(".proto")
    prototype.write_bytes(b"/\n0 0\nd--755 0 0\n" + b"".join(_prototype(tree)) + b"$\n")
    command = [tool("mkfs.xfs"), "-q", "-f", "-p", str(prototype), *options, str(image)]
    subprocess.run(command, check=True, capture_output=True)
    return image


def _prototype(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.iterdir()):
        name = os.fsencode(path.name)
        if path.is_symlink():
            yield b"%s l--777 0 0 %s\n" % (name, os.fsencode(path.readlink()))
        elif path.is_dir():
            yield b"%s d--755 0 0\n" % name
            yield from _prototype(path)
            yield b"$\n"
        else:
            yield b"%s ---644 0 0 %s\n" % (name, os.fsencode(path))


def unpack(fixture: Path, image: Path) -> Path:
    """Write a compressed image as a file with holes."""
    with lzma.open(fixture) as packed, image.open("wb") as file:
        while chunk := packed.read(1 << 20):
            if chunk.count(0) == len(chunk):
                file.seek(len(chunk), os.SEEK_CUR)
            else:
                file.write(chunk)
        file.truncate(file.tell())
    return image


def two_disks(folder: Path, tree: Path) -> tuple[Path, Path]:
    """Write the disks of a volume group that LVM's own tools have described: 48 MiB with the tree, 8 MiB without."""
    mib, fixtures = 1 << 20, Path(__file__).parents[1] / "unit" / "scan" / "fixtures"
    root = make_ext(folder / "root", tree, ("-t", "ext4"), size="48M").read_bytes()
    empty = folder / "empty"
    empty.mkdir(exist_ok=True)
    data = make_ext(folder / "data", empty, ("-t", "ext4"), size="8M").read_bytes()
    disks = folder / "first.img", folder / "second.img"
    pieces = [(0, root[: 32 * mib])], [(0, root[32 * mib :]), (16 * mib, data)]
    for path, name, parts, size in zip(disks, ("lvm-first", "lvm-second"), pieces, (41 * mib, 29 * mib), strict=True):
        with path.open("wb") as file:
            file.write(lzma.decompress((fixtures / f"{name}.xz").read_bytes()))
            for offset, part in parts:
                file.seek(mib + offset)
                file.write(part)
            file.truncate(size)
    return disks
