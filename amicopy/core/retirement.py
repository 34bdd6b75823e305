"""What `retire` changes on an image, recorded in that image's tags so that `retire --undo` can restore it exactly.

A tag's value has 256 characters, and an AMI can be shared with 1000 accounts. So a record that does not fit into one
tag is compressed and cut into several; the first one says how many. Only letters, digits and ``+ - = . _ : / @`` are
used, which all AWS services accept in tags.
"""

import base64
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from amicopy.core.models import RETIRED_TAG, RETIRED_TAGS, Principal

_VALUE = 256  # characters in a tag's value (EC2 User Guide, "Tag restrictions")
_DISABLED, _DEPRECATION, _LAUNCH, _PARAMETER = "disabled", "deprecation", "launch", "parameter"
_WORDS = {_DISABLED, _DEPRECATION, _LAUNCH, _PARAMETER}
_SNAPSHOT = "snap-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retirement:
    """The state of an image before it was retired."""

    at: datetime
    launch_permissions: frozenset[Principal] = frozenset()
    volume_permissions: Mapping[str, frozenset[Principal]] = field(default_factory=dict)  # by snapshot id
    deprecate_at: datetime | None = None
    was_disabled: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)  # path: the AMI that took the image's place in it

    def and_more(self, other: "Retirement") -> "Retirement":
        """Return this record with what has been shared and published since; the first word on the rest stands.

        An interrupted run has taken some of it already, so that only the record knows.
        """
        snapshot_ids = {*self.volume_permissions, *other.volume_permissions}
        return replace(
            self,
            launch_permissions=self.launch_permissions | other.launch_permissions,
            volume_permissions={
                one: self.volume_permissions.get(one, frozenset()) | other.volume_permissions.get(one, frozenset())
                for one in snapshot_ids
            },
            parameters={**self.parameters, **other.parameters},
        )


def moment_of(tags: Mapping[str, str]) -> str:
    """Return when the resource with these tags was retired, as ISO 8601; empty if it was not."""
    return tags.get(RETIRED_TAG, "").partition(" ")[0]


def record_tags(record: Retirement) -> dict[str, str]:
    """Return the tags that hold the record."""
    at, text = _moment(record.at), " ".join(_words(record))
    if len(whole := f"{at} {text}".rstrip()) <= _VALUE:
        return {RETIRED_TAG: whole}
    packed = base64.b64encode(zlib.compress(text.encode(), 9)).decode()
    parts = [packed[start : start + _VALUE] for start in range(0, len(packed), _VALUE)]
    return {RETIRED_TAG: f"{at} {len(parts)}", **dict(zip(_part_keys(len(parts)), parts, strict=True))}


def mark_tags(record: Retirement) -> dict[str, str]:
    """Return the tag for a snapshot of the image: when it was retired."""
    return {RETIRED_TAG: _moment(record.at)}


def record_in(tags: Mapping[str, str]) -> Retirement | None:
    """Return the record in these tags, or None if there is none.

    Raises:
        ValueError: there is one and it cannot be read: somebody has changed or deleted a part of it.
    """
    if RETIRED_TAG not in tags:
        return None
    at, _, text = tags[RETIRED_TAG].partition(" ")
    if text.isdigit():
        try:
            packed = "".join(tags[key] for key in _part_keys(int(text)))
            text = zlib.decompress(base64.b64decode(packed, validate=True)).decode()
        except (KeyError, ValueError, zlib.error) as error:
            raise ValueError(f"a part of the record in the tags {RETIRED_TAG}:1 … is missing or was changed") from error
    return _record(datetime.fromisoformat(at), text.split())


def _part_keys(count: int) -> tuple[str, ...]:
    return tuple(f"{RETIRED_TAG}:{number}" for number in range(1, count + 1))


def record_keys(tags: Mapping[str, str]) -> tuple[str, ...]:
    """Return the keys of those of the tags that belong to a record."""
    return tuple(key for key in tags if key in RETIRED_TAGS)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _words(record: Retirement) -> Iterator[str]:
    if record.was_disabled:
        yield _DISABLED
    if record.deprecate_at is not None:
        yield from (_DEPRECATION, _moment(record.deprecate_at))
    for path, image_id in sorted(record.parameters.items()):
        yield from (_PARAMETER, path, image_id)
    if record.launch_permissions:
        yield from (_LAUNCH, *_names(record.launch_permissions))
    for snapshot_id, who in sorted(record.volume_permissions.items()):
        if who:
            yield from (snapshot_id, *_names(who))


def _names(principals: Iterable[Principal]) -> list[str]:
    return [str(one) for one in sorted(principals)]


def _record(at: datetime, words: list[str]) -> Retirement:
    deprecate_at, was_disabled = None, False
    parameters: dict[str, str] = {}
    sharing: dict[str, set[Principal]] = {}
    rest = iter(words)
    subject = ""
    for word in rest:
        if word == _DISABLED:
            was_disabled = True
        elif word == _DEPRECATION:
            deprecate_at = datetime.fromisoformat(next(rest, ""))
        elif word == _PARAMETER:
            path = next(rest, "")
            parameters[path] = next(rest, "")
        elif word in _WORDS or word.startswith(_SNAPSHOT):
            subject = word
        else:
            sharing.setdefault(subject, set()).add(Principal.parse(word))
    return Retirement(
        at=at,
        launch_permissions=frozenset(sharing.pop(_LAUNCH, ())),
        volume_permissions={snapshot_id: frozenset(who) for snapshot_id, who in sharing.items()},
        deprecate_at=deprecate_at,
        was_disabled=was_disabled,
        parameters=parameters,
    )
