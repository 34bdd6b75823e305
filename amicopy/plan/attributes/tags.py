"""Tags of the image and of its snapshots. EC2 CreateTags, DeleteTags; CopyImage sets those that it can."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from amicopy.core.ec2_rules import MAX_TAGS, tags_problem
from amicopy.core.grants import GRANT_TAG
from amicopy.core.models import HUB_TAG, MANIFEST_TAG, OWN_TAGS, SOURCE_TAG, Image, user_tags
from amicopy.core.write import Write, WriteOperation, tag_list
from amicopy.plan.attributes.base import Attribute, DesiredCopy, Difference, Draft, Extra


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingTags(Difference):
    """Tags that the image or one snapshot lacks, or has with another value."""

    missing: Mapping[str, str]
    changed: tuple[str, ...] = ()  # the keys of those that have another value

    @property
    def writes(self) -> tuple[Write, ...]:
        """CreateTags replaces the value of a key that exists."""
        return (_write(WriteOperation.CREATE_TAGS, self.resource_id, self.missing),)

    @property
    def parts(self) -> tuple[Difference, ...]:
        """One per tag, the user's own first: there may be room for some of them."""
        keys = sorted(self.missing, key=lambda key: key in OWN_TAGS)
        return tuple(replace(self, missing={key: self.missing[key]}) for key in keys)

    @property
    def done(self) -> str:
        """The keys that were written."""
        return f"tagged {self.subject}: {', '.join(sorted(self.missing))}"

    def __str__(self) -> str:
        absent = ", ".join(sorted(self.missing.keys() - {*self.changed}))
        changed = ", ".join(key for key in self.changed if key in self.missing)
        parts = [f"is missing tags {absent}"] * bool(absent) + [f"has other values for tags {changed}"] * bool(changed)
        return f"{self.subject} {' and '.join(parts)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraTags(Extra):
    """Tags that the source does not have."""

    tags: Mapping[str, str]

    @property
    def removals(self) -> tuple[Write, ...]:
        """DeleteTags with the values, so that a tag that somebody changes meanwhile stays."""
        return (_write(WriteOperation.DELETE_TAGS, self.resource_id, self.tags),)

    def __str__(self) -> str:
        return f"{self.subject} has tags that its source does not have: {', '.join(sorted(self.tags))}"


def _write(operation: WriteOperation, resource_id: str, tags: Mapping[str, str]) -> Write:
    return Write(operation, {"Resources": [resource_id], "Tags": tag_list(tags)})


_WITHOUT = {
    SOURCE_TAG: "it is recognized by the source that EC2 records",
    MANIFEST_TAG: "`keep` never removes it",
}


def image_tags(draft: Draft) -> dict[str, str]:
    """Return the tags that the copy should have."""
    return _tags(draft, draft.source.tags, draft.request.image_tags, f"image {draft.source.image_id}")


def snapshot_tags(draft: Draft) -> dict[str, dict[str, str]]:
    """Return the tags that the copy's snapshots should have, by device.

    A snapshot of the source that cannot be described still gets the tags of the request.
    """
    described = draft.source.snapshots_by_device
    tags = {
        device: _tags(draft, snapshot.tags, draft.request.snapshot_tags, f"snapshot {snapshot.snapshot_id}")
        for device, snapshot in described.items()
    }
    for device in draft.source.devices:
        if device.snapshot_id and device.device not in tags:
            tags[device.device] = _tags(draft, {}, draft.request.snapshot_tags, device.snapshot_id)
    return tags


def _tags(draft: Draft, carried: Mapping[str, str], own: Mapping[str, str], subject: str) -> dict[str, str]:
    """Return the tags of one copied resource: the source's, the request's, its ``own``, and ours if there is room."""
    request = draft.request
    tags = user_tags(carried) if request.carry_tags else {}
    if request.carry_tags and len(tags) < len(carried):
        draft.notes.append(f"tags of {subject} that begin with aws: are reserved by AWS and are not copied")
    tags = {key: value for key, value in tags.items() if not _is_own(key)}  # of a source that is a copy itself
    tags |= {**request.tags, **own}
    if problem := tags_problem(tags):
        draft.problems.append(f"{subject}: {problem}")
    for key, value in {SOURCE_TAG: draft.source.reference, **request.own_tags}.items():
        if len(tags) < MAX_TAGS:
            tags[key] = value
        else:
            draft.notes.append(
                f"the copy of {subject} has {MAX_TAGS} tags already, so it cannot be tagged {key}; {_WITHOUT[key]}"
            )
    return tags


def _differences(desired: DesiredCopy, copy: Image) -> Iterator[Difference]:
    """Yield the tags that the copy and its snapshots lack."""
    if missing := _missing(desired.tags, copy.tags):
        yield MissingTags(resource_id=copy.image_id, missing=missing, changed=_changed(missing, copy.tags))
    described = copy.snapshots_by_device
    for device, snapshot_id in copy.snapshot_ids_by_device.items():
        found = described[device].tags if device in described else {}  # not visible yet
        if missing := _missing(desired.snapshot_tags.get(device, {}), found):
            yield MissingTags(resource_id=snapshot_id, device=device, missing=missing, changed=_changed(missing, found))


def _missing(desired: Mapping[str, str], found: Mapping[str, str]) -> dict[str, str]:
    # The manifest's tag allows `keep` to remove a copy, so it is never put on a copy that somebody else made. That
    # others are made from a copy is said when that happens.
    left_out = {MANIFEST_TAG, HUB_TAG}
    return {key: value for key, value in desired.items() if found.get(key) != value and key not in left_out}


def _changed(missing: Mapping[str, str], found: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted(key for key in missing if key in found))


def _extras(desired: DesiredCopy, copy: Image) -> Iterator[Extra]:
    """Yield tags that are not desired, except those of AWS and our own."""
    if more := _more(copy.tags, desired.tags):
        yield ExtraTags(resource_id=copy.image_id, tags=more)
    for device, snapshot in copy.snapshots_by_device.items():
        if more := _more(snapshot.tags, desired.snapshot_tags.get(device, {})):
            yield ExtraTags(resource_id=snapshot.snapshot_id, device=device, tags=more)


def _more(found: Mapping[str, str], desired: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in user_tags(found).items() if key not in desired and not _is_own(key)}


def _is_own(key: str) -> bool:
    """Return whether amicopy itself sets and deletes the tag."""
    return key in OWN_TAGS or key.startswith(GRANT_TAG)


def _iam_check(desired: DesiredCopy) -> Write | None:
    """Return a CreateTags call if CopyImage cannot set every snapshot's tags itself."""
    source = desired.source
    if all(tags == desired.creation_snapshot_tags for tags in desired.snapshot_tags.values()):
        return None
    return _write(WriteOperation.CREATE_TAGS, source.any_snapshot_id, {SOURCE_TAG: source.reference})


ATTRIBUTE = Attribute(
    differences=_differences,
    extras=_extras,
    iam_check=_iam_check,
    purposes={
        WriteOperation.CREATE_TAGS: "tags, at creation and after",
        WriteOperation.DELETE_TAGS: "`verify --repair --prune`",
    },
)
