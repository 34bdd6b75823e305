"""NTFS: what is read is what ntfs-3g wrote (`fixtures/`), in all sizes that mkntfs makes; damage is refused by name."""

import struct
import subprocess
from pathlib import Path

import pytest

from amicopy.scan.device import Unreadable
from amicopy.scan.file_system import FileKind
from amicopy.scan.lznt1 import decompressed
from amicopy.scan.ntfs import Ntfs
from tests.support.disks import everything, tool, unpack
from tests.unit.scan.conftest import OpenDisk

FIXTURE = Path(__file__).parent / "fixtures" / "ntfs.xz"
needs_mkntfs = pytest.mark.skipif(not tool("mkntfs"), reason="mkntfs (ntfs-3g) is not installed")

LARGE = b"".join(b"%d\n" % number for number in range(40000))
WRITTEN = {
    "/empty": b"",
    "/small": b"region=us-east-1\n",
    "/large": LARGE,
    "/Ünïcode ☃ 名前.txt": b"x" * 5000,
    "/sparse": bytes(700_000) + b"end",
    **{f"/pieces{number}": b"".join((b"%04d" % part) * 1024 for part in range(120)) for number in range(2)},
    **{f"/name-{number:02d}-{'n' * 60}": LARGE for number in range(60)},
    **{f"/wide/entry-{number:05d}-with-a-name-of-some-length": b"%d" % number for number in range(1200) if number % 3},
    "/compressed/text": b"".join(b"line %d of some text us-east-1\n" % number for number in range(5000)),
    "/compressed/zeros": bytes(300_000),
    "/compressed/mixed": b"abc" * 30000 + bytes(200_000) + b"end",
    "/compressed/tiny": b"hello",
    "/compressed/runs": b"".join(bytes([number % 256]) * (number % 300) for number in range(1000)),
}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return unpack(FIXTURE, tmp_path / "disk.img")


def test_every_byte_is_read_back(image: Path, disk: OpenDisk) -> None:
    """Compressed, sparse and fragmented files, one with sixty names, and a directory without a third of its files."""
    files = Ntfs(disk(image))
    found = everything(files)
    contents = {path: content for path, (kind, content) in found.items() if kind == "file"}
    assert contents.keys() == WRITTEN.keys()
    assert [path for path in WRITTEN if contents[path] != WRITTEN[path]] == []
    assert found.keys() - contents.keys() == {"/wide", "/compressed"}
    assert (files.notes, files.kind) == ((), "NTFS")


def test_the_fixture_has_what_is_difficult(image: Path, disk: OpenDisk) -> None:
    files = Ntfs(disk(image))
    inodes = {entry.name: files.inode(entry.inode) for entry in files.entries(files.inode(files.root))}
    assert len(files.extents(inodes[b"pieces0"])) > 20
    assert len(inodes[b"large"].body) > len(inodes[b"small"].body)  # it is continued in other records
    assert inodes[b"wide"].size > 65536


def test_the_first_bytes_can_be_read_alone(image: Path, disk: OpenDisk) -> None:
    files = Ntfs(disk(image))
    directory = next(one for one in files.entries(files.inode(files.root)) if one.name == b"compressed")
    inodes = [files.inode(entry.inode) for entry in files.entries(files.inode(directory.inode))]
    for inode in inodes:
        whole = files.content(inode, 1 << 30)
        assert len(whole) == inode.size
        for limit in (0, 1, 4096, 65536, 65537, 100_000):
            assert files.content(inode, limit) == whole[:limit]


VARIANTS = {
    "clusters of 512": ("-c", "512"),
    "clusters of 1k": ("-c", "1024"),
    "clusters of 64k": ("-c", "65536"),
    "clusters of 2M": ("-c", "2097152"),
    "sectors of 4k": ("-s", "4096", "-c", "4096"),
}


@needs_mkntfs
@pytest.mark.parametrize("name", VARIANTS)
def test_every_size_of_clusters_and_sectors_is_read(name: str, tmp_path: Path, disk: OpenDisk) -> None:
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(200 << 20)
    fixed = ("-p", "0", "-H", "0", "-S", "0")
    subprocess.run([tool("mkntfs"), "-F", "-Q", *fixed, *VARIANTS[name], str(image)], check=True, capture_output=True)
    for path in ("small", "large"):
        (tmp_path / path).write_bytes(WRITTEN[f"/{path}"])
        subprocess.run([tool("ntfscp"), "-f", str(image), str(tmp_path / path), path], check=True, capture_output=True)
    found = everything(Ntfs(disk(image)))
    assert found == {path: ("file", WRITTEN[path]) for path in ("/small", "/large")}


def _record(files: Ntfs, name: bytes) -> int:
    """Return where the file record of a name in the root is."""
    number = next(one.inode for one in files.entries(files.inode(files.root)) if one.name == name)
    return files.inode_range(number)[0]


def _patched(image: Path, offset: int, data: bytes) -> Path:
    with image.open("r+b") as file:
        file.seek(offset)
        file.write(data)
    return image


def _attribute(record: bytes, wanted: int) -> int:
    position = struct.unpack_from("<H", record, 20)[0]
    while (kind := struct.unpack_from("<I", record, position)[0]) != wanted:
        assert kind != 0xFFFFFFFF
        position += struct.unpack_from("<I", record, position + 4)[0]
    return int(position)


def test_a_volume_that_is_in_use_says_so(image: Path, disk: OpenDisk) -> None:
    start, length = Ntfs(disk(image)).inode_range(3)
    record = image.read_bytes()[start : start + length]
    at = _attribute(record, 0x70)
    value = at + struct.unpack_from("<H", record, at + 20)[0]
    files = Ntfs(disk(_patched(image, start + value + 10, b"\1\0")))
    assert [note.split(":")[0] for note in files.notes] == ["journal not replayed"]
    assert everything(files)["/small"] == ("file", WRITTEN["/small"])


def test_an_encrypted_file_is_named(image: Path, disk: OpenDisk) -> None:
    start = _record(Ntfs(disk(image)), b"small")
    record = image.read_bytes()[start : start + 1024]
    files = Ntfs(disk(_patched(image, start + _attribute(record, 0x80) + 12, b"\0\x40")))
    inode = files.inode(next(one.inode for one in files.entries(files.inode(files.root)) if one.name == b"small"))
    with pytest.raises(Unreadable, match="encrypted"):
        files.content(inode, 100)


@pytest.mark.parametrize(
    ("tag", "kind"), [(0xA000000C, FileKind.LINK), (0xA0000003, FileKind.LINK), (0x80000013, FileKind.FILE)]
)
def test_data_that_is_elsewhere_is_named(tag: int, kind: FileKind, image: Path, disk: OpenDisk) -> None:
    """The record of a small file whose data becomes a reparse point of the same length: "region=us-east-1\\n"."""
    start = _record(Ntfs(disk(image)), b"small")
    record = image.read_bytes()[start : start + 1024]
    at = _attribute(record, 0x80)
    value = start + at + struct.unpack_from("<H", record, at + 20)[0]
    _patched(image, start + at, struct.pack("<I", 0xC0))
    files = Ntfs(disk(_patched(image, value, struct.pack("<I", tag))))
    inode = files.inode(next(one.inode for one in files.entries(files.inode(files.root)) if one.name == b"small"))
    assert inode.kind is kind
    with pytest.raises(Unreadable, match=f"its data is elsewhere \\(reparse point {tag:#x}\\)"):
        files.content(inode, 100)


def test_a_record_that_was_not_written_whole_is_a_gap(image: Path, disk: OpenDisk) -> None:
    start = _record(Ntfs(disk(image)), b"large")
    files = Ntfs(disk(_patched(image, start + 510, b"\xff\xff")))
    number = next(one.inode for one in files.entries(files.inode(files.root)) if one.name == b"large")
    with pytest.raises(Unreadable, match="not written whole"):
        files.inode(number)


@pytest.mark.parametrize("offset", [11, 13, 48, 64])
def test_a_damaged_boot_sector_is_refused(offset: int, image: Path, disk: OpenDisk) -> None:
    with pytest.raises(Unreadable):
        Ntfs(disk(_patched(image, offset, b"\x7f\x7f")))


@pytest.mark.parametrize(
    ("data", "plain"),
    [
        (b"", b""),
        (b"\0\0", b""),
        (struct.pack("<H", 0x3000 | 4) + b"hello", b"hello"),
        (struct.pack("<H", 0xB000 | 3) + b"\x02a\xfc\x0f", b"a" * 4096),
    ],
)
def test_what_is_compressed_is_expanded(data: bytes, plain: bytes) -> None:
    assert decompressed(data, 4096) == plain


@pytest.mark.parametrize(
    "data", [b"\x05\xb0a", struct.pack("<H", 0xB000 | 2) + b"\x01\x00\x00", b"\x03\xb0\x02a\xff\x1f"]
)
def test_damaged_compression_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable, match="compressed"):
        decompressed(data, 65536)
