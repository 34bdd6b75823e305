"""Retiring an image and undoing that, as values: the record, and the calls in an order that can be interrupted.

What is taken is recorded first. So whatever happens, the record and the image together have everything that was there.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from amicopy.core.ec2_rules import MAX_TAGS
from amicopy.core.grants import without_temporary
from amicopy.core.models import RETIRED_TAG, Image, ImageState, Principal, user_tags
from amicopy.core.retirement import Retirement, mark_tags, record_in, record_keys, record_tags
from amicopy.core.write import Write, WriteOperation, tag_list
from amicopy.plan.attributes.base import Difference
from amicopy.plan.attributes.launch_permissions import ExtraLaunchPermissions, MissingLaunchPermissions
from amicopy.plan.attributes.snapshot_permissions import ExtraSnapshotPermissions, MissingSnapshotPermissions

# EC2 rounds to the minute and accepts no date in the past, so "now" is the minute after the next one.
_SOON = timedelta(minutes=2)


def record_of(image: Image, moves: Mapping[str, str], now: datetime) -> Retirement:
    """Return the record for an image with all its permissions: what an interrupted run has recorded, and what is left.

    What another account may use for the time of copying is taken, and never restored. ``moves`` has, by the path of
    each parameter with the image's id, the AMI that takes its place.

    Raises:
        ValueError: an earlier record can't be read.
    """
    lasting = without_temporary(image, now)
    found = Retirement(
        at=now,
        launch_permissions=lasting.launch_permissions or frozenset(),
        volume_permissions=_volume_permissions(lasting),
        deprecate_at=image.deprecate_at,
        was_disabled=image.state is ImageState.DISABLED,
        parameters=moves,
    )
    earlier = record_in(image.tags)
    return earlier.and_more(found) if earlier else found


def _volume_permissions(image: Image) -> dict[str, frozenset[Principal]]:
    return {one.snapshot_id: one.volume_permissions for one in image.snapshots if one.volume_permissions}


def missing_room(image: Image, record: Retirement) -> int:
    """Return how many tags too many the image or a snapshot would have with the record; 0 if there is room."""
    marked = [{**one.tags, **mark_tags(record)} for one in image.snapshots if one.volume_permissions]
    return max(0, *(len(user_tags(tags)) - MAX_TAGS for tags in ({**image.tags, **record_tags(record)}, *marked)))


def recordings(image: Image, record: Retirement) -> Iterator[Write]:
    """Yield the calls that record it: the image's record first, then a mark on each snapshot that loses permissions."""
    tags = record_tags(record)
    if any(image.tags.get(key) != value for key, value in tags.items()):
        yield _tag([image.image_id], tags)
    unmarked = [one.snapshot_id for one in image.snapshots if one.volume_permissions and RETIRED_TAG not in one.tags]
    if unmarked:
        yield _tag(unmarked, mark_tags(record))


def _tag(resource_ids: Sequence[str], tags: Mapping[str, str]) -> Write:
    return Write(WriteOperation.CREATE_TAGS, {"Resources": list(resource_ids), "Tags": tag_list(tags)})


def takings(image: Image, now: datetime) -> Iterator[Write]:
    """Yield the calls that retire the image: unshare it and its snapshots, deprecate it now, disable it."""
    for snapshot_id, who in _volume_permissions(image).items():
        yield from ExtraSnapshotPermissions(resource_id=snapshot_id, principals=tuple(sorted(who))).removals
    if image.launch_permissions:
        everyone = tuple(sorted(image.launch_permissions))
        yield from ExtraLaunchPermissions(resource_id=image.image_id, principals=everyone).removals
    soon = (now + _SOON).replace(second=0, microsecond=0)
    if image.deprecate_at is None or image.deprecate_at > soon:
        yield Write(WriteOperation.DEPRECATE, {"ImageId": image.image_id, "DeprecateAt": soon})
    if image.state is not ImageState.DISABLED:
        yield Write(WriteOperation.DISABLE, {"ImageId": image.image_id})


def restorings(image: Image, record: Retirement, now: datetime) -> Iterator[Write]:
    """Yield the calls that make the image usable as before; sharing comes after them."""
    if image.state is ImageState.DISABLED and not record.was_disabled:
        yield Write(WriteOperation.ENABLE, {"ImageId": image.image_id})
    if record.deprecate_at is None and image.deprecate_at is not None:
        yield Write(WriteOperation.UNDEPRECATE, {"ImageId": image.image_id})
    if record.deprecate_at not in {None, image.deprecate_at} and not has_lapsed(record, now):
        yield Write(WriteOperation.DEPRECATE, {"ImageId": image.image_id, "DeprecateAt": record.deprecate_at})


def has_lapsed(record: Retirement, now: datetime) -> bool:
    """Return whether the date from which the image was to be deprecated has passed, so that EC2 doesn't accept it."""
    return record.deprecate_at is not None and record.deprecate_at <= now + timedelta(minutes=1)


def sharings(image: Image, record: Retirement) -> Iterator[Difference]:
    """Yield the permissions to restore. The public one is apart: an account's settings may forbid that one alone."""
    by_id = {one.snapshot_id: one for one in image.snapshots}
    for snapshot_id, recorded in record.volume_permissions.items():
        if snapshot_id in by_id:
            for who in _public_apart(recorded - (by_id[snapshot_id].volume_permissions or frozenset())):
                yield MissingSnapshotPermissions(resource_id=snapshot_id, missing=who)
    for who in _public_apart(record.launch_permissions - (image.launch_permissions or frozenset())):
        yield MissingLaunchPermissions(resource_id=image.image_id, missing=who)


def _public_apart(principals: frozenset[Principal]) -> Iterator[tuple[Principal, ...]]:
    for is_public in (False, True):
        if some := tuple(sorted(one for one in principals if one.is_public is is_public)):
            yield some


def forgettings(image: Image) -> Iterator[Write]:
    """Yield the calls that delete the record, once everything is restored: the marks of the snapshots first."""
    marked = [one.snapshot_id for one in image.snapshots if RETIRED_TAG in one.tags]
    if marked:
        yield _untag(marked, [RETIRED_TAG])
    yield _untag([image.image_id], record_keys(image.tags))


def _untag(resource_ids: Sequence[str], keys: Sequence[str]) -> Write:
    return Write(WriteOperation.DELETE_TAGS, {"Resources": list(resource_ids), "Tags": [{"Key": key} for key in keys]})
