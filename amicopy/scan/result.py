"""What a scan looks for, what it found, and what it has and has not read."""

from dataclasses import dataclass, field
from enum import IntEnum

from amicopy.core.ignored_findings import Ignored


class Severity(IntEnum):
    """How much a finding matters for a copy in another region."""

    INFO = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    @property
    def word(self) -> str:
        """The name in lower case, as it is typed and printed."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOptions:
    """What one scan looks for, and where.

    ``region`` is the one that findings point to: the source's. ``account`` is the account that owns the image; ARNs of
    it are reported only with ``to_other_account``. ``to_accounts`` are the accounts that the copy goes to, if they are
    known. ``rules`` are groups of rules (`rules.GROUPS`). ``include`` reads paths that are left out by default,
    ``exclude`` leaves paths out; both are patterns as of a shell. ``ignored`` are entries of an ignore file.
    """

    region: str
    to_regions: tuple[str, ...] = ()
    account: str = ""
    to_other_account: bool = False
    to_accounts: tuple[str, ...] = ()
    deep: bool = False
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    min_severity: Severity = Severity.LOW


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of a file that points to the region, or holds a secret; a secret's value is never in it."""

    volume: str
    path: str
    line: int  # 0: the file itself
    rule: str
    severity: Severity
    message: str
    excerpt: str
    advice: str
    in_destination: str = ""  # what to write in the one region that the image goes to, where that can be derived


@dataclass(frozen=True, slots=True, kw_only=True)
class NotRead:
    """Something that was not read; ``is_gap`` if it should have been, so that the scan is not complete."""

    volume: str
    path: str
    reason: str
    is_gap: bool
    files: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeCoverage:
    """One partition or logical volume: what it holds, and how much of it was read."""

    name: str
    kind: str  # ext4, xfs, swap, …
    size: int
    directories: int = 0
    files: int = 0
    bytes: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What of one disk was read, and what was not, and why."""

    volumes: tuple[VolumeCoverage, ...] = ()
    not_read: tuple[NotRead, ...] = ()
    blocks_read: int = 0
    blocks_allocated: int | None = None

    @property
    def is_complete(self) -> bool:
        """Nothing is missing that should have been read."""
        return not any(one.is_gap for one in self.not_read)

    @property
    def has_files(self) -> bool:
        """Some file system was read."""
        return any(volume.directories for volume in self.volumes)

    @property
    def files(self) -> int:
        """How many files were read, on all volumes."""
        return sum(volume.files for volume in self.volumes)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanResult:
    """The findings on one disk, the most severe first, and what they are based on."""

    findings: tuple[Finding, ...] = ()
    ignored: int = 0  # findings that an ignore file names
    used: frozenset[Ignored] = frozenset()  # the entries of it that do
    coverage: Coverage = field(default_factory=Coverage)
