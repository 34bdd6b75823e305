"""How a request scans its sources before they are copied, and what the scan found."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from amicopy.core.errors import AmicopyError

if TYPE_CHECKING:  # most requests scan nothing
    from amicopy.core.ignored_findings import Ignored

SEVERITIES = ("critical", "high", "medium", "low")
"""Severities of findings, the most severe first."""
_REFUSED = SEVERITIES[:2]
_COUNTS = (*SEVERITIES, "secrets")
_VALUE = r"(?P<digest>[0-9a-f]{32}) " + " ".join(rf"{word}=(?P<{word}>\d{{1,6}})" for word in _COUNTS)


class ScanMode(StrEnum):
    """What to do with a source that points to its own region."""

    WARN = "warn"  # it is copied, with a note
    REFUSE = "refuse"  # it is not copied, nor is one that could not be read


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRequest:
    """Scan the content of each source before the first copy starts.

    ``allow_secrets``: share a source with others although it holds secrets. ``ignored``: findings that are known and
    do not count.
    """

    mode: ScanMode = ScanMode.WARN
    allow_secrets: bool = False
    ignored: "tuple[Ignored, ...]" = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannedLine:
    """One finding: where it is, what it is, and what matched; never the value of a secret. Untrusted text."""

    place: str  # path and line, after the device if there are several
    rule: str
    severity: str
    message: str
    excerpt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageScan:
    """The findings of a scan of a source, or those that an earlier scan recorded in a tag of the source.

    ``digest`` stands for the rules and the snapshots: with the same one, the same is found. The lines of a recorded
    scan are not known, only how many there were.
    """

    region: str
    image_id: str
    digest: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)  # of findings but secrets, by severity
    secrets: int = 0
    lines: tuple[ScannedLine, ...] = ()  # the most severe first
    secret_lines: tuple[ScannedLine, ...] = ()
    not_read: tuple[str, ...] = ()  # what should have been read, and why it was not
    files: int = 0
    blocks: int = 0
    is_recorded: bool = False
    error: AmicopyError | None = None  # why nothing of it could be read

    @property
    def reference(self) -> str:
        """``REGION/AMI`` of the source."""
        return f"{self.region}/{self.image_id}"

    @property
    def is_complete(self) -> bool:
        """Everything was read that should have been."""
        return not self.error and not self.not_read

    @property
    def pins(self) -> int:
        """How many findings keep a source from being copied with `ScanMode.REFUSE`."""
        return sum(self.counts.get(word, 0) for word in _REFUSED)

    @property
    def tag_value(self) -> str:
        """The value of `SCANNED_TAG` that records it."""
        counts = " ".join(f"{word}={self.counts.get(word, 0)}" for word in SEVERITIES)
        return f"{self.digest} {counts} secrets={self.secrets}"


def recorded_scan(region: str, image_id: str, value: str, digest: str) -> ImageScan | None:
    """Return the scan that a tag's value records; None if it is of other rules or snapshots, or cannot be read."""
    match = re.fullmatch(_VALUE, value)
    if match is None or match["digest"] != digest:
        return None
    return ImageScan(
        region=region,
        image_id=image_id,
        digest=digest,
        counts={word: int(match[word]) for word in SEVERITIES},
        secrets=int(match["secrets"]),
        is_recorded=True,
    )


def counted_severities(counts: Mapping[str, int]) -> str:
    """Return how many findings of each severity there are, in words; empty if there are none."""
    return ", ".join(f"{counts[word]} {word}" for word in SEVERITIES if counts.get(word))


def places(lines: Iterable[ScannedLine], most: int) -> str:
    """Return the places of the first findings, each with its rule."""
    listed = list(lines)
    named = ", ".join(f"{one.place} ({one.rule})" for one in listed[:most])
    return f"{named} and {len(listed) - most} more" if len(listed) > most else named
