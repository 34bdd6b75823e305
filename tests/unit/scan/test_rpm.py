"""The database of rpm: a real one is read as rpm wrote it, and a hostile one neither crashes nor keeps a scan busy.

`fixtures/rpmdb.sqlite.xz` was made by rpm 4.18 (``rpm --root … -i``): one package with SHA-256 and one with MD5, 404
files each.
"""

import hashlib
import lzma
import random
import sqlite3
import struct
import time
from pathlib import Path

import pytest

from amicopy.scan.device import Disk, RawFile
from amicopy.scan.packages import FileDigest
from amicopy.scan.result import ScanOptions, ScanResult
from amicopy.scan.rpm import NotAnRpmDatabase, file_digests
from amicopy.scan.scan import scan_device
from tests.support.disks import make_ext, tool, write_tree

DATABASE = lzma.decompress((Path(__file__).parent / "fixtures" / "rpmdb.sqlite.xz").read_bytes())
CONF = "region = us-east-1\n"
WANTED = {"/etc/example.conf", "/etc/old-example.conf", "/usr/share/example/file-7", "/etc/example-link", "/etc/no"}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


TABLE = "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB NOT NULL)"
WITHOUT_END = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS blob FROM n"


def database(*headers: bytes, sql: str = TABLE) -> bytes:
    """Return a database with these headers, or with something else in the place of its table."""
    connection = sqlite3.connect(":memory:")
    connection.executescript(sql)
    if headers:
        connection.executemany("INSERT INTO Packages (blob) VALUES (?)", [(header,) for header in headers])
    connection.commit()
    data = connection.serialize()
    connection.close()
    return data


def header(*tags: tuple[int, int, int, int], data: bytes = b"") -> bytes:
    """Return a package's header with these tags: number, kind, offset and count."""
    return struct.pack(">II", len(tags), len(data)) + b"".join(struct.pack(">IIII", *tag) for tag in tags) + data


def headers() -> list[bytes]:
    """Return the headers of the database that rpm made."""
    stored = sqlite3.connect(":memory:")
    stored.deserialize(DATABASE[:18] + b"\1\1" + DATABASE[20:])
    found = [row[0] for row in stored.execute("SELECT blob FROM Packages")]
    stored.close()
    return found


def made_by(vendor: str) -> bytes:
    """Return the database with a vendor in each header, as distributions set it."""
    changed = []
    for one in headers():
        tags, size = struct.unpack_from(">II", one)
        start = 8 + 16 * tags
        tag = struct.pack(">IIII", 1011, 6, size, 1)
        text = vendor.encode() + b"\0"
        changed.append(
            struct.pack(">II", tags + 1, size + len(text)) + one[8:start] + tag + one[start : start + size] + text
        )
    return database(*changed)


def test_digests_are_those_that_rpm_recorded() -> None:
    old = hashlib.md5(CONF.encode(), usedforsecurity=False).hexdigest()
    files = {
        FileDigest("/etc/example.conf", "sha256", sha256(CONF), "rpm amicopy-example-base"),
        FileDigest("/etc/old-example.conf", "md5", old, "rpm amicopy-example-old"),
        FileDigest("/usr/share/example/file-7", "sha256", sha256("us-east-1 7\n"), "rpm amicopy-example-base"),
    }
    assert set(file_digests(DATABASE, WANTED)) == {(file, "") for file in files}
    assert set(file_digests(made_by("Fedora Project"), WANTED)) == {(file, "Fedora Project") for file in files}


@pytest.mark.parametrize("seed", range(60))
def test_damage_is_one_error_and_takes_no_time(seed: int) -> None:
    """Bytes are changed anywhere, most often in the pages with the schema and with the tables' roots."""
    draw = random.Random(seed)
    damaged = bytearray(DATABASE)
    for _ in range(draw.choice([1, 10, 300])):
        damaged[draw.randrange(draw.choice([100, 4096, len(damaged)]))] = draw.randrange(256)
    started = time.process_time()
    try:
        found = set(file_digests(bytes(damaged), WANTED))
    except NotAnRpmDatabase:
        found = set()
    assert {file.path for file, _ in found} <= WANTED
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    "data", [b"", b"SQLite format 3\0", DATABASE[:5000], b"x" * 5000, DATABASE[:4096] + bytes(len(DATABASE) - 4096)]
)
def test_what_is_no_database_is_said(data: bytes) -> None:
    with pytest.raises(NotAnRpmDatabase):
        list(file_digests(data, WANTED))


@pytest.mark.parametrize(
    "sql",
    [
        f"CREATE VIEW Packages AS {WITHOUT_END}",
        "CREATE VIEW Packages AS SELECT zeroblob(30000000) AS blob",
        "CREATE TABLE Other (x)",
        "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob AS (zeroblob(30000000)));"
        "INSERT INTO Packages (hnum) VALUES (1)",
    ],
)
def test_a_view_in_the_place_of_the_table_is_not_run(sql: str) -> None:
    started = time.process_time()
    with pytest.raises(NotAnRpmDatabase):
        list(file_digests(database(sql=sql), WANTED))
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        struct.pack(">II", 0xFFFFFFFF, 0xFFFFFFFF),
        header((1117, 8, 0, 1), (1118, 8, 0, 1), (1035, 8, 0, 1), (1116, 4, 0, 1), data=b""),
        header((1117, 8, 0, 0xFFFFFFFF), (1118, 8, 0, 1), (1035, 8, 0, 1), (1116, 4, 0, 1), data=b"a\0" * 8),
        header((1117, 8, 0xFFFFFFF0, 1), (1118, 8, 0, 1), (1035, 8, 0, 1), (1116, 4, 0, 1), data=b"a\0" * 8),
        header((1117, 4, 0, 1), (1118, 8, 0, 1), (1035, 8, 0, 1), (1116, 8, 0, 1), data=b"a\0" * 8),
        header((1117, 8, 0, 2), (1118, 8, 0, 1), (1035, 8, 0, 1), (1116, 4, 0, 1), data=b"example.conf\0" * 8),
        header((1117, 8, 0, 1), (1118, 8, 0, 1), (1035, 8, 0, 1), (1116, 4, 0, 1), data=b"\xff\0" * 8),
        header(
            (5011, 4, 0xFFFF, 1), (1117, 8, 0, 1), (1118, 8, 0, 1), (1035, 8, 0, 1), (1116, 4, 0, 1), data=b"a\0" * 8
        ),
    ],
)
def test_a_hostile_header_hides_no_other_package(hostile: bytes) -> None:
    assert len(list(file_digests(database(hostile, *headers()), WANTED))) == 3


def scanned(folder: Path, files: dict[str, str | bytes]) -> ScanResult:
    tree = write_tree(folder / "tree", {"usr/x": "", "var/x": "", **files})
    with RawFile(make_ext(folder / "disk.img", tree, ("-t", "ext4"), size="16M")) as source:
        return scan_device(Disk(source), ScanOptions(region="us-east-1"))


@pytest.mark.skipif(not tool("mke2fs"), reason="mke2fs (e2fsprogs) is not installed")
@pytest.mark.parametrize("place", ["var/lib/rpm/rpmdb.sqlite", "usr/lib/sysimage/rpm/rpmdb.sqlite"])
def test_unchanged_files_of_the_distribution_do_not_count_and_are_named(tmp_path: Path, place: str) -> None:
    files: dict[str, str | bytes] = {
        place: made_by("Amazon Linux"),
        "etc/example.conf": CONF,
        "etc/old-example.conf": CONF,
        "etc/example.d/queue.conf": "endpoint = https://sqs.us-east-1.amazonaws.com/changed\n",
        "opt/example.conf": CONF,
    }
    result = scanned(tmp_path, files)
    assert {one.path for one in result.findings} == {"/etc/example.d/queue.conf", "/opt/example.conf"}
    left_out = {one.path: one.reason for one in result.coverage.not_read if one.path}
    assert left_out == {
        f"/etc/{name}.conf": "a finding: unchanged since the distribution's package amicopy-example-"
        f"{package} was installed"
        for name, package in (("example", "base"), ("old-example", "old"))
    }


@pytest.mark.skipif(not tool("mke2fs"), reason="mke2fs (e2fsprogs) is not installed")
@pytest.mark.parametrize("vendor", ["", "Example Corp", "Amazon Linux of Example Corp"])
def test_files_of_other_packages_count(tmp_path: Path, vendor: str) -> None:
    rpms = made_by(vendor) if vendor else DATABASE
    result = scanned(tmp_path, {"var/lib/rpm/rpmdb.sqlite": rpms, "etc/example.conf": CONF})
    assert [one.path for one in result.findings] == ["/etc/example.conf"]


@pytest.mark.skipif(not tool("mke2fs"), reason="mke2fs (e2fsprogs) is not installed")
@pytest.mark.parametrize(
    ("place", "content", "words"),
    [
        ("var/lib/rpm/Packages", b"x", "Berkeley DB is not read"),
        ("usr/lib/sysimage/rpm/Packages.db", b"x", "ndb is not read"),
        ("var/lib/rpm/rpmdb.sqlite", DATABASE[:3000], "it is damaged"),
    ],
)
def test_a_database_that_is_not_read_is_named(tmp_path: Path, place: str, content: bytes, words: str) -> None:
    result = scanned(tmp_path, {place: content, "etc/example.conf": CONF})
    assert len(result.findings) == 1
    assert any(words in one.reason for one in result.coverage.not_read)
    assert result.coverage.is_complete
    (tmp_path / "tree" / "etc/example.conf").unlink()
    assert not any("rpm" in one.reason for one in scanned(tmp_path, {"opt/x": CONF}).coverage.not_read)
