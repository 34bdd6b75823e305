"""Amazon Inspector's findings in an AMI (EC2's ScanResults), and what a request may require of them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from amicopy.core.durations import length_from, length_text

SEVERITIES = ("none", "informational", "low", "medium", "high", "critical")
"""Amazon Inspector's severities in their order, after ``none``: no finding at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanResults:
    """The newest scan of an AMI; falsy if there was none."""

    severity: str = ""  # the highest of all findings; empty if there are none
    scanned_at: datetime | None = None

    def __bool__(self) -> bool:
        return self.scanned_at is not None or bool(self.severity)


NOT_SCANNED = ScanResults()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRequirement:
    """The highest severity that an AMI may have a finding of, and how long ago it may have been scanned."""

    severity: str
    scanned_within: timedelta | None = None  # None: any time

    def __post_init__(self) -> None:
        """Check the severity.

        Raises:
            ValueError: there is no such severity.
        """
        if self.severity not in SEVERITIES:
            raise ValueError(
                f"{self.severity!r} is not a severity: use {', '.join(SEVERITIES[:-1])} or {SEVERITIES[-1]}"
            )

    @classmethod
    def parse(cls, text: str) -> "ScanRequirement":
        """Return the requirement that a user wrote as SEVERITY or SEVERITY:AGE.

        Raises:
            ValueError: one of them is invalid; the message shows the valid values.
        """
        severity, colon, age = text.strip().partition(":")
        return cls(severity=severity, scanned_within=length_from(age) if colon else None)

    def unmet(self, results: ScanResults, now: datetime) -> str:
        """Return why an AMI with these results does not meet it, as a sentence; empty if it does."""
        if not results:
            return "Amazon Inspector has not scanned it."
        if results.severity and self._rank(results.severity) > self._rank(self.severity):
            allowed = f"at most {self.severity}" if self.severity != "none" else "no finding"
            return f"Amazon Inspector has findings of severity {results.severity} in it, and {allowed} is allowed."
        if self.scanned_within is None:
            return ""
        if results.scanned_at is None:
            return "EC2 does not show when Amazon Inspector scanned it."
        if now - results.scanned_at > self.scanned_within:
            return (
                f"Amazon Inspector scanned it on {results.scanned_at:%Y-%m-%d %H:%M} (UTC), which is more than "
                f"{length_text(self.scanned_within)} ago."
            )
        return ""

    @staticmethod
    def _rank(severity: str) -> int:
        return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)  # unknown: the worst
