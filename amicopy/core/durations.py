"""Durations as people write them: 90s, 45m, 4h, 1d12h; and the limits that EC2 sets for some."""

import re
from datetime import UTC, datetime, timedelta

_LENGTH = re.compile(r"(?:(?P<days>\d+)d)?(?:(?P<hours>\d+)h)?(?:(?P<minutes>\d+)m)?(?:(?P<seconds>\d+)s)?")


def length_from(text: str) -> timedelta:
    """Return the length that ``text`` stands for.

    Raises:
        ValueError: it stands for none, or for nothing.
    """
    match = _LENGTH.fullmatch(text.strip()) if text.strip() else None
    parts = {unit: int(number) for unit, number in match.groupdict().items() if number} if match else {}
    try:
        length = timedelta(**parts)
    except OverflowError:
        length = timedelta(0)
    if not length:
        raise ValueError(f"{text!r} is not a valid duration (examples: 90s, 45m, 4h, 1d12h)")
    return length


MAX_PUBLIC_DEPRECATION = timedelta(days=731)
"""EnableImageDeprecation: "except for public AMIs, where the upper limit is 2 years from the creation date"."""


def deprecation_from(text: str) -> timedelta:
    """Return how long after its creation an AMI is deprecated.

    Raises:
        ValueError: it is more than EC2 takes (EnableImageDeprecation: "The limit is 10 years").
    """
    length = length_from(text)
    if problem := deprecation_problem(length):
        raise ValueError(f"{text!r} {problem}")
    return length


def release_age_from(text: str) -> timedelta:
    """Return how old a release is that is taken back because of its age.

    Raises:
        ValueError: it is less than a day, which would be nearly all; who writes ``1m`` may mean a month.
    """
    length = length_from(text)
    if length < timedelta(days=1):
        raise ValueError(f"{text!r} is less than a day (m stands for minutes; a month is 30d)")
    return length


def date_from(text: str) -> datetime:
    """Return the moment that ``text`` stands for: a date, or a date and a time, in UTC unless it says otherwise.

    Raises:
        ValueError: it stands for none.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise ValueError(f"{text!r} is not a valid date (examples: 2027-11-30, 2027-11-30T12:00Z)") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def deprecation_problem(length: timedelta) -> str:
    """Return why EC2 would refuse to deprecate an AMI this long after its creation, or an empty string."""
    if length <= timedelta(0):
        return "is not a time after the copy's creation"
    return "is longer than EC2's limit of 10 years (3650d)" if length > timedelta(days=3650) else ""


def completion_from(text: str) -> timedelta:
    """Return how long a time-based copy may take.

    Raises:
        ValueError: it is none of EC2's steps (CopyImage, SnapshotCopyCompletionDurationMinutes).
    """
    length = length_from(text)
    if problem := completion_problem(length):
        raise ValueError(f"{text!r} {problem}")
    return length


def completion_problem(length: timedelta) -> str:
    """Return why EC2 would refuse this time limit for a copy, or an empty string."""
    minutes = length.total_seconds() / 60
    if minutes % 15 or not 15 <= minutes <= 2880:
        return "is not allowed: use 15m to 48h in steps of 15 minutes, e.g. 45m"
    return ""


def length_text(length: timedelta) -> str:
    """Return a duration as a person writes it, in the largest unit that fits: 90s, 45m, 4h, 30d."""
    seconds = int(length.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
