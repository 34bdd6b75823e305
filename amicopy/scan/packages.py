"""Which files are as their package delivered them: dpkg, rpm and pip record digests of them."""

import base64
import binascii
import csv
import hashlib
import posixpath
import re
from collections.abc import Iterator

_CONFFILE = re.compile(r"^ (/\S+) ([0-9a-f]{32})(?: obsolete)?$", re.MULTILINE)
DPKG_STATUS = "/var/lib/dpkg/status"


class Packages:
    """Digests of the files of packages, by path, collected from what the package managers record."""

    def __init__(self) -> None:
        self._md5: dict[str, str] = {}
        self._sha256: dict[str, str] = {}

    def learn(self, path: str, content: bytes) -> None:
        """Take the digests that a file records, if it is one that does."""
        if path.startswith("/var/lib/dpkg/info/") and path.endswith(".md5sums"):
            self._md5.update(_md5sums(content))
        elif path.endswith(".dist-info/RECORD"):
            self._sha256.update(_record(path, content))
        elif path == DPKG_STATUS:
            self._md5.update(_CONFFILE.findall(content.decode("utf-8", "replace")))

    def add(self, path: str, algorithm: str, digest: str) -> None:
        """Take one digest, by ``md5`` or ``sha256``."""
        (self._md5 if algorithm == "md5" else self._sha256)[path] = digest

    def own(self, path: str, digests: tuple[str, str]) -> bool:
        """Return whether the file with these digests (`digests`) is as its package delivered it."""
        md5, sha256 = digests
        return self._md5.get(path) == md5 or self._sha256.get(path) == sha256


def digests(content: bytes) -> tuple[str, str]:
    """Return MD5 and SHA-256 of a file."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest(), hashlib.sha256(content).hexdigest()


def _md5sums(content: bytes) -> Iterator[tuple[str, str]]:
    for line in content.decode("utf-8", "replace").splitlines():
        digest, _, name = line.partition("  ")
        if name:
            yield f"/{name}", digest
            if name.startswith(("bin/", "sbin/", "lib/", "lib32/", "lib64/")):  # links to /usr since Debian 12
                yield f"/usr/{name}", digest


def _record(path: str, content: bytes) -> Iterator[tuple[str, str]]:
    root = posixpath.dirname(posixpath.dirname(path))
    try:
        for row in csv.reader(content.decode("utf-8", "replace").splitlines()):
            if len(row) == 3 and row[1].startswith("sha256="):
                digest = base64.urlsafe_b64decode(row[1][7:] + "=").hex()
                yield posixpath.normpath(f"{root}/{row[0]}"), digest
    except (csv.Error, binascii.Error):
        return  # what it says so far holds
