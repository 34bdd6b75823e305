"""The database of rpm: which digest each file had when its package was installed.

Since rpm 4.16 it is an SQLite database with one header for each package (rpm, lib/backend/sqlite.c; docs, "RPM Package
Headers"). It comes from an image, so it is not trusted: it is read from memory, one plain table only, in limited steps,
and every number in a header is checked.
"""

import re
import struct
from collections.abc import Iterator, Set

from amicopy.scan.packages import FileDigest

PATHS = ("/var/lib/rpm/rpmdb.sqlite", "/usr/lib/sysimage/rpm/rpmdb.sqlite")
OLDER = {
    "/var/lib/rpm/Packages": "Berkeley DB",
    "/var/lib/rpm/Packages.db": "ndb",
    "/usr/lib/sysimage/rpm/Packages.db": "ndb",
}
"""Databases of other rpm versions, which are not read."""
LARGEST = 64 * 1024 * 1024  # an installation of 2,000 packages has half of it
_LARGEST_HEADER = 32 * 1024 * 1024
_MOST_TAGS = 65_536
_MOST_PACKAGES = 100_000
_MOST_STEPS = 5_000  # of a thousand instructions of SQLite each
_MAGIC = b"SQLite format 3\0"
_INT32, _STRING, _STRING_ARRAY = 4, 6, 8
_NAME, _VENDOR = 1000, 1011
_DIGESTS, _DIR_INDEXES, _BASENAMES, _DIRNAMES, _ALGORITHM = 1035, 1116, 1117, 1118, 5011
_MD5, _SHA256 = 1, 8  # of RFC 4880, which rpm's numbers are
_ALGORITHMS = {_MD5: "md5", _SHA256: "sha256"}

# What SQLite may do (sqlite.org, "Authorizer Action Codes").
_OK, _DENY, _READ, _SELECT = 0, 1, 20, 21
_READABLE = {("Packages", "blob"), ("sqlite_master", "sql"), ("sqlite_master", "name")}
_TABLE = re.compile(r"CREATE TABLE '?Packages'? \(hnum INTEGER PRIMARY KEY(?: AUTOINCREMENT)?, ?blob BLOB NOT NULL\)")


class NotAnRpmDatabase(ValueError):
    """It is damaged, or not a database of rpm; the text is a clause that says so."""


def file_digests(database: bytes, wanted: Set[str]) -> Iterator[tuple[FileDigest, str]]:
    """Yield the digests of these files, as far as packages record them, each with its package's vendor.

    Raises:
        NotAnRpmDatabase: it cannot be read.
    """
    if len(database) > LARGEST:
        raise NotAnRpmDatabase("it is larger than 64 MiB")
    names = {path.rpartition("/")[2] for path in wanted}
    for header in _headers(database):
        try:
            yield from _files(header, wanted, names)
        except (struct.error, UnicodeDecodeError, _BadHeader):
            continue  # the other packages' may be good


def _headers(database: bytes) -> Iterator[bytes]:
    try:
        import sqlite3
    except ImportError as error:  # Python can be built without it
        raise NotAnRpmDatabase("this Python has no sqlite3") from error
    if not database.startswith(_MAGIC) or len(database) < 100:
        raise NotAnRpmDatabase("it is not an SQLite database")
    steps = iter(range(_MOST_STEPS))
    connection = sqlite3.connect(":memory:")
    try:
        # In memory there is no write-ahead log, whose mode the bytes 18 and 19 of the header say.
        connection.deserialize(database[:18] + b"\1\1" + database[20:])
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST_HEADER)
        connection.set_authorizer(_allowed)
        connection.set_progress_handler(lambda: next(steps, None) is None, 1000)
        schema = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'Packages'").fetchone()
        # A view or a computed column would run what the image says.
        if not schema or not _TABLE.fullmatch(str(schema[0])):
            raise NotAnRpmDatabase("it has no table Packages as rpm makes it")
        left = 2 * LARGEST  # rows of a damaged database can share their bytes
        for (header,) in connection.execute("SELECT blob FROM Packages LIMIT ?", (_MOST_PACKAGES,)):
            left -= len(header) if isinstance(header, bytes) else 0
            if left < 0:
                raise NotAnRpmDatabase("it holds more than it can")
            if isinstance(header, bytes):
                yield header
    except (sqlite3.Error, OverflowError, MemoryError) as error:
        raise NotAnRpmDatabase(f"it is damaged, or not rpm's: {error}") from error
    finally:
        connection.close()


def _allowed(action: int, table: str | None, column: str | None, _database: str | None, source: str | None) -> int:
    """Allow to read the table and the schema, and no view, trigger or function."""
    is_read = action == _READ and (table, column) in _READABLE
    return _OK if source is None and (action == _SELECT or is_read) else _DENY


class _BadHeader(Exception):
    """A number in a header is out of bounds."""


def _files(header: bytes, wanted: Set[str], names: Set[str]) -> Iterator[tuple[FileDigest, str]]:
    tags, size = struct.unpack_from(">II", header)
    start = 8 + 16 * tags
    if tags > _MOST_TAGS or start + size > len(header):
        raise _BadHeader
    data = header[start : start + size]
    found = {}
    for number in range(tags):
        tag, kind, offset, count = struct.unpack_from(">IIII", header, 8 + 16 * number)
        if tag in {_DIGESTS, _DIR_INDEXES, _BASENAMES, _DIRNAMES, _ALGORITHM, _NAME, _VENDOR}:
            found[tag] = (kind, offset, count)
    if not {_DIGESTS, _DIR_INDEXES, _BASENAMES, _DIRNAMES} <= found.keys():
        return  # a package without files, or with names in the way of rpm 3
    algorithm = _ALGORITHMS.get(_numbers(data, *found[_ALGORITHM])[0] if _ALGORITHM in found else _MD5)
    basenames = _strings(data, *found[_BASENAMES])
    if algorithm is None or names.isdisjoint(basenames):
        return
    folders, digests = _strings(data, *found[_DIRNAMES]), _strings(data, *found[_DIGESTS])
    indexes = _numbers(data, *found[_DIR_INDEXES])
    if not len(basenames) == len(digests) == len(indexes):
        raise _BadHeader
    package, vendor = (_strings(data, *found[tag])[0] if tag in found else "" for tag in (_NAME, _VENDOR))
    for name, digest, index in zip(basenames, digests, indexes, strict=True):
        if name in names and index < len(folders) and (path := folders[index] + name) in wanted and digest:
            yield FileDigest(path, algorithm, digest, f"rpm {package}"), vendor


def _numbers(data: bytes, kind: int, offset: int, count: int) -> tuple[int, ...]:
    if kind != _INT32 or not 0 < count <= len(data) // 4 or offset + 4 * count > len(data):
        raise _BadHeader
    return struct.unpack_from(f">{count}I", data, offset)


def _strings(data: bytes, kind: int, offset: int, count: int) -> list[str]:
    if kind not in {_STRING, _STRING_ARRAY} or not 0 < count <= len(data) or offset >= len(data):
        raise _BadHeader
    parts = data[offset:].split(b"\0", count)
    if len(parts) <= count:
        raise _BadHeader
    return [part.decode() for part in parts[:count]]
