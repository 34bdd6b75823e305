"""Which files are as a package of the distribution delivered them: dpkg, rpm and pip record digests of them.

Only packages that a distribution made, by what their manager records of their maintainer or vendor: what an in-house
package delivers is what a scan looks for.
"""

import base64
import binascii
import csv
import hashlib
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

DPKG_STATUS = "/var/lib/dpkg/status"
NEVER_PACKAGED = ("/home/", "/opt/", "/root/", "/srv/", "/usr/local/")
"""No distribution has files there (FHS 3.0), so that what a package has put there counts."""

_CONFFILE = re.compile(r"^ (/\S+) ([0-9a-f]{32})(?: obsolete)?$", re.MULTILINE)
_FIELD = re.compile(r"^(Package|Maintainer): *(.+?) *$", re.MULTILINE)
# Debian's packages are also maintained by people with addresses of their own: those are taken for anybody's.
_MAINTAINERS = re.compile(r"@(?:[\w-]+\.)*(?:debian\.(?:org|net)|ubuntu\.com|canonical\.com)>?$")
_VENDORS = re.compile(
    r"(?:Amazon Linux|Fedora Project|Red Hat, Inc\.|CentOS|Rocky Enterprise Software Foundation|Rocky|AlmaLinux"
    r"|Oracle America|SUSE LLC(?: <https://www\.suse\.com/>)?|openSUSE)"
)
# What everybody installs from PyPI, and has a list of regions by its nature.
_PYPI = {"awscli", "awscrt", "aws_sam_translator", "boto", "boto3", "botocore", "cfn_lint", "moto", "s3transfer"}


@dataclass(frozen=True, slots=True)
class FileDigest:
    """The digest of a file that a package delivered: by ``md5`` or ``sha256``, in hexadecimal digits."""

    path: str
    algorithm: str
    digest: str
    package: str


class Packages:
    """Digests of the files of packages, by path, collected from what the package managers record."""

    def __init__(self) -> None:
        self._files: dict[tuple[str, str], tuple[str, str]] = {}  # path and algorithm: digest and package
        self._of_distribution: set[str] = set()

    def learn(self, path: str, content: bytes) -> None:
        """Take the digests that a file records, if it is one that does."""
        if path.startswith("/var/lib/dpkg/info/") and path.endswith(".md5sums"):
            self._add_all(_md5sums(posixpath.basename(path).removesuffix(".md5sums").partition(":")[0], content))
        elif path.endswith(".dist-info/RECORD"):
            self._add_all(_record(path, content))
        elif path == DPKG_STATUS:
            for stanza in content.decode("utf-8", "replace").split("\n\n"):
                fields = dict(_FIELD.findall(stanza))
                package = fields.get("Package", "")
                if _MAINTAINERS.search(fields.get("Maintainer", "")):
                    self._of_distribution.add(f"dpkg {package}")
                self._add_all(
                    FileDigest(name, "md5", digest, f"dpkg {package}") for name, digest in _CONFFILE.findall(stanza)
                )

    def add_rpm(self, file: FileDigest, vendor: str) -> None:
        """Take one digest from the database of rpm, and who made the package."""
        if _VENDORS.fullmatch(vendor):
            self._of_distribution.add(file.package)
            self._add_all((file,))

    def owner(self, path: str, digests: tuple[str, str]) -> str:
        """Return the distribution's package that delivered the file with these digests (`digests`) just as it is.

        It is empty if the file was changed, or is no distribution's.
        """
        if path.startswith(NEVER_PACKAGED):
            return ""
        for algorithm, digest in zip(("md5", "sha256"), digests, strict=True):
            recorded, package = self._files.get((path, algorithm), ("", ""))
            if recorded == digest and package in self._of_distribution:
                return package.partition(" ")[2]
        return ""

    def _add_all(self, files: Iterator[FileDigest] | tuple[FileDigest, ...]) -> None:
        for file in files:
            if file.package.startswith("pip ") and file.package[4:] in _PYPI:
                self._of_distribution.add(file.package)
            self._files[file.path, file.algorithm] = file.digest, file.package


def digests(content: bytes) -> tuple[str, str]:
    """Return MD5 and SHA-256 of a file."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest(), hashlib.sha256(content).hexdigest()


def _md5sums(package: str, content: bytes) -> Iterator[FileDigest]:
    for line in content.decode("utf-8", "replace").splitlines():
        digest, _, name = line.partition("  ")
        if name:
            yield FileDigest(f"/{name}", "md5", digest, f"dpkg {package}")
            if name.startswith(("bin/", "sbin/", "lib/", "lib32/", "lib64/")):  # links to /usr since Debian 12
                yield FileDigest(f"/usr/{name}", "md5", digest, f"dpkg {package}")


def _record(path: str, content: bytes) -> Iterator[FileDigest]:
    folder = posixpath.dirname(path)
    package = posixpath.basename(folder).partition("-")[0].lower()
    try:
        for row in csv.reader(content.decode("utf-8", "replace").splitlines()):
            if len(row) == 3 and row[1].startswith("sha256="):
                digest = base64.urlsafe_b64decode(row[1][7:] + "=").hex()
                name = posixpath.normpath(f"{posixpath.dirname(folder)}/{row[0]}")
                yield FileDigest(name, "sha256", digest, f"pip {package}")
    except (csv.Error, binascii.Error):
        return  # what it says so far holds
