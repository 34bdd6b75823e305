"""Completing an available copy: write what is missing, in order, then read it back."""

from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import replace
from functools import partial
from typing import Any

from amicopy.aws.ec2 import Ec2
from amicopy.core.clock import Clock
from amicopy.core.destination import at
from amicopy.core.errors import AccessDenied, AmicopyError, NotFaithful, OperationNotPermitted, RequestRefused
from amicopy.core.events import AttributeWritten, NoteAdded
from amicopy.core.models import Image, Snapshot
from amicopy.core.retries import flapping, not_read_back_yet, persist
from amicopy.core.steps import Work
from amicopy.execute.paced_write import paced_write
from amicopy.plan.attributes.base import DesiredCopy, Difference
from amicopy.plan.attributes.deprecation import deprecation_date
from amicopy.plan.differences import differences
from amicopy.survey.copy_details import read_launch_permissions, read_volume_permissions


def _as_planned(desired: DesiredCopy) -> DesiredCopy:
    return desired


def complete(
    desired: DesiredCopy,
    copy: Image,
    ec2: Ec2,
    clock: Clock,
    narrowed: Callable[[DesiredCopy], DesiredCopy] = _as_planned,
) -> Work[None]:
    """Write what ``copy`` lacks; yield one event per thing written.

    Before anything is shared, ``narrowed`` returns what may still be shared.

    What EC2 refuses does not keep the rest from being written.

    Raises:
        NotFaithful: something differs that cannot be written, or that reads back wrong.
        OperationNotPermitted, AccessDenied, RequestRefused: EC2 refuses a write.
    """
    desired = yield from _without_past_date(desired, copy, clock)
    found = differences(desired, copy)
    if any(one.is_sharing for one in found):
        desired = yield from _still_shared(desired, copy, clock, narrowed)
        found = differences(desired, copy)
    written = [difference for difference in found if difference.repairable]
    refusals: list[AmicopyError] = []
    for difference in written:
        refusals += yield from _write(difference, desired, copy, ec2, clock)
    if refusals:
        raise AmicopyError.in_one(refusals)
    left: Sequence[Difference] = [difference for difference in found if not difference.repairable]
    if written:
        left = yield from persist(not_read_back_yet(clock), partial(_read_back, desired, copy, written, ec2))
    if left:
        raise _not_faithful(desired, copy, left)


def _write(
    difference: Difference, desired: DesiredCopy, copy: Image, ec2: Ec2, clock: Clock
) -> Work[list[AmicopyError]]:
    """Remove one difference, or the parts of it that EC2 accepts; return what EC2 refuses."""
    try:
        for write in difference.writes:
            yield from paced_write(ec2, clock, write)
    except RequestRefused as error:
        refusals: list[AmicopyError] = [error]
        if len(difference.parts) > 1:
            refusals = []
            for part in difference.parts:
                refusals += yield from _write(part, desired, copy, ec2, clock)
        return refusals
    except (AccessDenied, OperationNotPermitted) as error:
        return [error]
    yield AttributeWritten(
        **_about(desired, copy, clock),
        what=difference.done,
    )
    return []


def _still_shared(
    desired: DesiredCopy, copy: Image, clock: Clock, narrowed: Callable[[DesiredCopy], DesiredCopy]
) -> Work[DesiredCopy]:
    """Return what is desired without permissions that the source has lost since the plan was made."""
    now = yield from persist(flapping(clock), partial(narrowed, desired))
    lost = desired.launch_permissions - now.launch_permissions
    for device, who in desired.volume_permissions.items():
        lost |= who - now.volume_permissions.get(device, frozenset())
    if lost:
        yield NoteAdded(
            **_about(desired, copy, clock),
            text=f"the source is no longer shared with {', '.join(map(str, sorted(lost)))}, so the copy is not either",
        )
    return now


def _about(desired: DesiredCopy, copy: Image, clock: Clock) -> dict[str, Any]:
    """Return what every event has."""
    return {
        "at": clock.now(),
        "source": desired.source.reference,
        "destination": desired.destination,
        "image_id": copy.image_id,
    }


def _not_faithful(desired: DesiredCopy, copy: Image, left: Iterable[Difference]) -> NotFaithful:
    source = desired.source
    return NotFaithful(
        f"The copy {copy.image_id} in {desired.destination} differs from its source.",
        why="; ".join(map(str, left)),
        next_step=f"See what differs: amicopy verify {source.image_id} --from {source.region} "
        f"{at(desired.destination)}",
    )


def _without_past_date(desired: DesiredCopy, copy: Image, clock: Clock) -> Work[DesiredCopy]:
    """Return what is desired without a deprecation date that has passed meanwhile: EC2 accepts only future dates."""
    date = deprecation_date(desired, copy)
    if date is None or date > clock.now() or copy.deprecate_at is not None:
        return desired
    yield NoteAdded(
        **_about(desired, copy, clock),
        text=f"the deprecation date {date:%Y-%m-%d %H:%M} has passed meanwhile, so the copy gets none",
    )
    return replace(desired, deprecate_at=None, deprecate_after=None)


def _read_back(desired: DesiredCopy, copy: Image, written: Sequence[Difference], ec2: Ec2) -> tuple[Difference, ...]:
    """Return what still differs; what these credentials may write and not read counts as written.

    Only what shows something that was written is read again: each is a call of its own.
    """
    on_snapshots = [one for one in written if one.device]
    launch = [one for one in written if one.is_sharing and not one.device]
    read = copy
    if len(on_snapshots) + len(launch) < len(written):
        found = ec2.describe_own_images([copy.image_id]).get(copy.image_id)
        if found is None:
            return differences(desired, copy)
        read = replace(found, snapshots=copy.snapshots, launch_permissions=copy.launch_permissions)
    if on_snapshots:
        shared = {one.resource_id for one in on_snapshots if one.is_sharing}
        read = replace(read, snapshots=_snapshots(copy, shared, ec2))
    if launch:
        read = replace(read, launch_permissions=read_launch_permissions(ec2, copy.image_id))
    return differences(desired, _with_unreadable_permissions(desired, read))


def _snapshots(copy: Image, shared: Set[str], ec2: Ec2) -> tuple[Snapshot, ...]:
    """Return the copy's snapshots as they are now, with the permissions of those that were ``shared``."""
    before = {one.snapshot_id: one.volume_permissions for one in copy.snapshots}
    return tuple(
        replace(
            one,
            volume_permissions=read_volume_permissions(ec2, one.snapshot_id)
            if one.snapshot_id in shared
            else before.get(one.snapshot_id),
        )
        for one in ec2.describe_snapshots(copy.snapshot_ids).values()
    )


def _with_unreadable_permissions(desired: DesiredCopy, read: Image) -> Image:
    """Return the copy with the desired permissions wherever its own cannot be read."""
    launch = read.launch_permissions
    by_device = read.snapshot_ids_by_device
    expected = {by_device.get(device, ""): who for device, who in desired.volume_permissions.items()}
    return replace(
        read,
        launch_permissions=desired.launch_permissions if launch is None else launch,
        snapshots=tuple(
            replace(snapshot, volume_permissions=expected.get(snapshot.snapshot_id, frozenset()))
            if snapshot.volume_permissions is None
            else snapshot
            for snapshot in read.snapshots
        ),
    )
