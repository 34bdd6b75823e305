"""What a tag of a copy says about the check that it has to pass: it passed, it failed, or neither yet.

The tag is there from the moment the copy is made, so that a run that is killed in between leaves no copy that looks as
if no check was asked for.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from amicopy.core.check import DIGEST_LETTERS, Check
from amicopy.core.models import CHECKED_TAG

_FAILED = re.compile(r"failed (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) ?(.*)")
_WAITING = re.compile(r"waiting ?(.*)")
_PASSED = re.compile(rf"[0-9a-f]{{{DIGEST_LETTERS}}}")
# What all AWS services accept in tags; and a program's name is enough to know it by.
_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9+\-=._:/@ ]")
_NAME_LETTERS = 100


class CheckState(StrEnum):
    """How far a copy has come with its check."""

    WAITING = "waiting"  # it has not been run, or did not come to an end
    PASSED = "passed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRecord:
    """What the tag says."""

    state: CheckState
    name: str = ""  # of the program, or of the built-in check; empty if the tag does not say
    at: datetime | None = None  # when it failed

    @property
    def words(self) -> str:
        """How the copy stands, after its id: ``failed its check (boot) on 2026-11-30 at 03:14 (UTC)``."""
        named = f" ({self.name})" if self.name else ""
        match self.state:
            case CheckState.FAILED:
                return f"failed its check{named}" + (f" on {self.at:%Y-%m-%d at %H:%M} (UTC)" if self.at else "")
            case CheckState.PASSED:
                return "has passed its check"
            case CheckState.WAITING:
                return f"has not passed its check{named} yet"


def record_of(tags: Mapping[str, str]) -> CheckRecord | None:
    """Return what these tags of an image say; None if they say nothing. A value that cannot be read is no pass."""
    value = tags.get(CHECKED_TAG)
    if value is None:
        return None
    if _PASSED.fullmatch(value):
        return CheckRecord(state=CheckState.PASSED)
    if failed := _FAILED.fullmatch(value):
        with suppress(ValueError):  # the 31st of February
            return CheckRecord(state=CheckState.FAILED, at=datetime.fromisoformat(failed[1]), name=failed[2])
    waiting = _WAITING.fullmatch(value)
    return CheckRecord(state=CheckState.WAITING, name=waiting[1] if waiting else "")


def waiting_tags(check: Check) -> dict[str, str]:
    """Return the tag of a copy that is still to be checked; always the same, because CopyImage sets it."""
    return {CHECKED_TAG: f"waiting {_name(check)}".rstrip()}


def passed_tags(check: Check) -> dict[str, str]:
    """Return the tag of a copy that has passed."""
    return {CHECKED_TAG: check.digest}


def failed_tags(check: Check, at: datetime) -> dict[str, str]:
    """Return the tag of a copy that has failed."""
    return {CHECKED_TAG: f"failed {at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} {_name(check)}".rstrip()}


def _name(check: Check) -> str:
    """Return the program's name without its arguments, which can hold secrets."""
    program = check.words[0].replace("\\", "/").rstrip("/").rpartition("/")[2]
    return _NOT_IN_TAGS.sub("", program)[:_NAME_LETTERS].strip()
