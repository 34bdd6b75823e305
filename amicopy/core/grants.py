"""Permissions on an image for other accounts to copy it: the records of them, which are tags.

A record is on each image and snapshot that an account was given a permission for, from before that until after it is
taken away; of one that is kept (``--grants keep``), for good. So it is known at any moment which permissions are not
the user's own.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from amicopy.core.ec2_rules import MAX_TAG_VALUE, MAX_TAGS
from amicopy.core.models import Image, Principal, PrincipalKind

GRANT_TAG = "amicopy:grant:"
"""The beginning of a record's key; the account follows. Its value is the time, in UTC, and what was given then."""

KEY_GRANT_TAG = f"{GRANT_TAG}kms:"
"""The same for a grant on the KMS keys of the image's snapshots; on each of those."""

KEPT_TAG = f"{GRANT_TAG}kept:"
"""The same for a permission that stays (``--grants keep``): it is never carried to copies, and never taken away."""

KEY_GRANT_OPERATIONS = ("DescribeKey", "Decrypt", "ReEncryptFrom", "CreateGrant")
"""What such a grant allows: what EC2 does with the key of an encrypted snapshot in the name of who copies it.

EBS User Guide, "Share the KMS key used to encrypt a shared Amazon EBS snapshot".
"""

STALE_AFTER = timedelta(hours=24)  # by then no run is still working with what it has recorded
_SURVEY = timedelta(minutes=2)  # a survey that reads tags and permissions one after the other takes less
_SPARE_TAGS = 2
_TAIL = 6  # characters of an id, enough to tell one image's snapshots from each other
_PARTS = 3  # of a record's value: time, suffix, what was given


class Grants(StrEnum):
    """How to handle the permissions on a source that other accounts need to copy it."""

    TEMPORARY = "temporary"  # given when they are missing, and taken away again
    KEEP = "keep"  # given when they are missing
    NONE = "none"  # not given


def record_value(now: datetime, suffix: str, resource_ids: Iterable[str]) -> str:
    """Return the value of a new record: the time, something that makes it different from any other's, what was given.

    ``resource_ids`` are those of the image and snapshots that get a permission; all of them get this record.
    """
    value = f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} {suffix}"
    named = f"{value} {','.join(sorted(map(_tail, resource_ids)))}"
    return named if len(named) <= MAX_TAG_VALUE else value


def _time_of(record: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(record.split(" ")[0])
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _tail(resource_id: str) -> str:
    return resource_id[-_TAIL:]


def _covers(record: str, resource_id: str) -> bool:
    """Return whether a record, read on one resource, may be of a permission on another; a shorter one may, on any."""
    parts = record.split(" ")
    return len(parts) < _PARTS or _tail(resource_id) in parts[2].split(",")


@dataclass(frozen=True, slots=True, order=True)
class OpenGrant:
    """An account's temporary permission on an image or on some of its snapshots."""

    region: str
    image_id: str
    account: str
    since: str  # the record's value
    snapshot_ids: tuple[str, ...] = ()  # of the image, whether or not each has a record
    key_ids: tuple[str, ...] = ()  # the KMS keys that a grant for the account is recorded for

    @property
    def at(self) -> datetime | None:
        """When it was recorded; None for a value that nobody but a person can have written."""
        return _time_of(self.since)

    def is_stale(self, now: datetime) -> bool:
        """Return whether no run can be working with it anymore."""
        return self.at is None or now - self.at > STALE_AFTER


def grants_in(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the records of permissions among some tags: the value by account."""
    found = {key.removeprefix(GRANT_TAG): value for key, value in tags.items() if key.startswith(GRANT_TAG)}
    return {account: value for account, value in found.items() if ":" not in account}


def kept_in(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the records of permissions that stay among some tags: the value by account."""
    return {key.removeprefix(KEPT_TAG): value for key, value in tags.items() if key.startswith(KEPT_TAG)}


def key_grants_in(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the records of grants on KMS keys among some tags: the value by account."""
    return {key.removeprefix(KEY_GRANT_TAG): value for key, value in tags.items() if key.startswith(KEY_GRANT_TAG)}


def key_grant_name(image_id: str, account: str) -> str:
    """Return the name by which a grant on a KMS key is found again: for copying this image into that account."""
    return f"amicopy:{image_id}:{account}"


def open_grants(image: Image) -> tuple[OpenGrant, ...]:
    """Return the temporary permissions on an image and on those of its snapshots that were described."""
    found: dict[str, str] = {}
    keys: dict[str, set[str]] = {}
    for snapshot in image.snapshots:
        for account, since in key_grants_in(snapshot.tags).items():
            found[account] = since
            keys.setdefault(account, set()).add(snapshot.kms_key_id)
    for tags in (image.tags, *(snapshot.tags for snapshot in image.snapshots)):
        found |= grants_in(tags)
    return tuple(
        OpenGrant(
            image.region, image.image_id, account, since, image.snapshot_ids, tuple(sorted(keys.get(account, ())))
        )
        for account, since in sorted(found.items())
    )


def without_temporary(image: Image, now: datetime) -> Image:
    """Return the image without the permissions that accounts have for the time of copying."""
    return _without_recorded(image, now, grants_in)


def without_guests(image: Image, now: datetime) -> Image:
    """Return the image without the permissions that it has only for being copied: those are never carried.

    Both those that are taken away again and those that stay are not the user's.
    """
    return _without_recorded(image, now, lambda tags: {**kept_in(tags), **grants_in(tags)})


def _without_recorded(image: Image, now: datetime, recorded: Callable[[Mapping[str, str]], dict[str, str]]) -> Image:
    """Return the image without the permissions that have a record.

    Tags and permissions are read by different calls. So where a record is so young that another call may have come
    before it, it counts on all that it names, wherever it was read.
    """
    found = {one for tags in (image.tags, *(one.tags for one in image.snapshots)) for one in recorded(tags).items()}
    if not found:
        return image
    young = [(account, value) for account, value in found if (at := _time_of(value)) is None or now - at < _SURVEY]

    def accounts(resource_id: str, tags: Mapping[str, str]) -> set[str]:
        return {account for account, value in young if _covers(value, resource_id)} | recorded(tags).keys()

    return replace(
        image,
        launch_permissions=_without(image.launch_permissions, accounts(image.image_id, image.tags)),
        snapshots=tuple(
            replace(one, volume_permissions=_without(one.volume_permissions, accounts(one.snapshot_id, one.tags)))
            for one in image.snapshots
        ),
    )


def _without(principals: frozenset[Principal] | None, accounts: set[str]) -> frozenset[Principal] | None:
    if principals is None:
        return None
    return principals - {Principal(PrincipalKind.ACCOUNT, account) for account in accounts}


def room_for_records(image: Image, *, of_keys: bool = False) -> int:
    """Return for how many accounts there is room on an image and its snapshots, with some tags to spare for others.

    ``of_keys``: grants on KMS keys are recorded, too.
    """
    tagged = (image.tags, *(snapshot.tags for snapshot in image.snapshots))
    used = max(sum(key.startswith(KEPT_TAG) or not key.startswith(GRANT_TAG) for key in tags) for tags in tagged)
    room = MAX_TAGS - _SPARE_TAGS - used
    return room // 2 if of_keys else room
