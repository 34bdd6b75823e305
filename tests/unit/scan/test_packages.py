"""Which files count though a package delivered them: all but a distribution's, and secrets in those too."""

import base64
import hashlib
from pathlib import Path

import pytest

from amicopy.scan.device import Disk, RawFile
from amicopy.scan.result import ScanOptions, ScanResult
from amicopy.scan.scan import scan_device
from tests.support.disks import make_ext, tool, write_tree
from tests.support.planted import SECRETS

pytestmark = pytest.mark.skipif(not tool("mke2fs"), reason="mke2fs (e2fsprogs) is not installed")

PIN = "host = prod.c9akciq32.us-east-1.rds.amazonaws.com\n"
SECRET = SECRETS[0][0]
DEBIAN = "Debian Foo Team <pkg-foo@lists.alioth.debian.org>"
UBUNTU = "Ubuntu Developers <ubuntu-devel-discuss@lists.ubuntu.com>"


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def status(maintainer: str, **conffiles: str) -> str:
    """Return a package that dpkg has installed, and one before it that has nothing."""
    files = "".join(f" /{path} {md5(content)}\n" for path, content in conffiles.items())
    return (
        f"Package: base\nStatus: install ok installed\nMaintainer: {UBUNTU}\nVersion: 1\n\n"
        f"Package: acme-app\nStatus: install ok installed\nMaintainer: {maintainer}\nConffiles:\n{files}\n"
    )


def scanned(folder: Path, files: dict[str, str | bytes], *, deep: bool = False) -> ScanResult:
    tree = write_tree(folder / "tree", {"usr/x": "", "var/x": "", **files})
    with RawFile(make_ext(folder / "disk.img", tree, ("-t", "ext4"), size="16M")) as source:
        return scan_device(Disk(source), ScanOptions(region="us-east-1", deep=deep))


def conffile(folder: Path, content: str, maintainer: str, path: str = "etc/acme/app.conf") -> ScanResult:
    """Return what is found in an unchanged conffile of a package."""
    return scanned(folder, {path: content, "var/lib/dpkg/status": status(maintainer, **{path: content})})


@pytest.mark.parametrize(
    "maintainer",
    ["ops@acme.example", "<root@build-7>", "", "Acme <debian.org@acme.example>", "Acme <ops@notdebian.org>"],
)
def test_an_unchanged_file_of_an_in_house_package_counts(tmp_path: Path, maintainer: str) -> None:
    result = conffile(tmp_path, PIN, maintainer)
    assert [(one.path, one.rule) for one in result.findings] == [("/etc/acme/app.conf", "endpoint")]


@pytest.mark.parametrize("maintainer", [DEBIAN, UBUNTU, "Jane <jane@debian.org>"])
def test_an_unchanged_file_of_the_distribution_is_left_out_by_name(tmp_path: Path, maintainer: str) -> None:
    result = conffile(tmp_path, PIN, maintainer)
    assert result.findings == ()
    [left_out] = [one for one in result.coverage.not_read if one.path]
    assert (left_out.path, left_out.is_gap) == ("/etc/acme/app.conf", False)
    assert left_out.reason == "a finding: unchanged since the distribution's package acme-app was installed"


def test_a_secret_counts_whoever_delivers_it(tmp_path: Path) -> None:
    result = conffile(tmp_path, PIN + SECRET, DEBIAN)
    assert [one.rule for one in result.findings] == ["secret-aws-key"]


@pytest.mark.parametrize("path", ["opt/acme/app.conf", "srv/app.conf", "usr/local/etc/app.conf"])
def test_no_distribution_has_files_where_others_put_theirs(tmp_path: Path, path: str) -> None:
    assert [one.path for one in conffile(tmp_path, PIN, DEBIAN, path).findings] == [f"/{path}"]


def test_deep_reports_files_of_in_house_packages(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "usr/lib/acme/app.conf": PIN,
        "opt/acme/app.conf": PIN,
        "usr/lib/base/app.conf": PIN,
        "var/lib/dpkg/status": status("ops@acme.example"),
        "var/lib/dpkg/info/acme-app.md5sums": f"{md5(PIN)}  usr/lib/acme/app.conf\n{md5(PIN)}  opt/acme/app.conf\n",
        "var/lib/dpkg/info/base:amd64.md5sums": f"{md5(PIN)}  usr/lib/base/app.conf\n",
    }
    found = [one.path for one in scanned(tmp_path, files, deep=True).findings]
    assert found == ["/opt/acme/app.conf", "/usr/lib/acme/app.conf"]


@pytest.mark.parametrize(("package", "counts"), [("botocore", False), ("acme_settings", True)])
def test_deep_leaves_out_sdks_from_pypi_only(tmp_path: Path, package: str, counts: bool) -> None:
    digest = base64.urlsafe_b64encode(hashlib.sha256(PIN.encode()).digest()).decode().rstrip("=")
    place = "usr/lib/python3/site-packages"
    files: dict[str, str | bytes] = {
        f"{place}/{package}/x.py": PIN,
        f"{place}/{package}-1.0.dist-info/RECORD": f"{package}/x.py,sha256={digest},9\n",
    }
    assert bool(scanned(tmp_path, files, deep=True).findings) is counts
