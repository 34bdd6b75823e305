"""Making an available copy faithful: write what differs, in order, then read it back.

Refuses to remove what the copy has beyond its source.
"""

from collections.abc import Sequence, Set
from dataclasses import replace
from functools import partial

from amicopy.aws.ec2 import Ec2
from amicopy.core.clock import Clock
from amicopy.core.errors import NotFaithful
from amicopy.core.events import AttributeWritten, NoteAdded
from amicopy.core.models import Image, Snapshot
from amicopy.core.retries import flapping, not_read_back_yet, persist
from amicopy.core.steps import Work
from amicopy.plan.differences import (
    DeprecationDiffers,
    DescriptionDiffers,
    Difference,
    ProtectionDiffers,
    SharingLacks,
    StructureDiffers,
    TagsDiffer,
    deprecation_date,
    differences,
    subject,
)
from amicopy.plan.plan import Row
from amicopy.survey.copy_details import read_launch_permissions, read_volume_permissions


def complete(row: Row, copy: Image, ec2: Ec2, clock: Clock) -> Work[None]:
    """Write what ``copy`` lacks; yield one event per thing written.

    Raises:
        NotFaithful: something differs that cannot be written, or that reads back wrong.
        OperationNotPermitted, AccessDenied, …: EC2 refuses a write.
    """
    row = yield from _without_a_past_date(row, copy, clock)
    found = differences(row.desired, copy)
    written = [difference for difference in found if difference.repairable]
    for difference in written:
        yield from persist(flapping(clock), partial(_write, difference, ec2))
        yield AttributeWritten(
            at=clock.now(),
            source=row.source.reference,
            region=row.region,
            image_id=copy.image_id,
            what=_done(difference),
        )
    left = [difference for difference in found if not difference.repairable]
    if written:
        left = yield from persist(not_read_back_yet(clock), partial(_read_back, row, copy, written, ec2))
    if left:
        raise NotFaithful(
            f"The copy {copy.image_id} in {row.region} differs from its source.",
            why="; ".join(map(str, left)),
            next_step="Look at it: amicopy status "
            f"{row.source.image_id}. Where only a new copy helps: amicopy cancel {row.source.image_id} "
            f"--in {row.region} --available, then copy again.",
        )


def _without_a_past_date(row: Row, copy: Image, clock: Clock) -> Work[Row]:
    """Return the row without a deprecation date that has passed while EC2 was copying: EC2 takes none such."""
    date = deprecation_date(row.desired, copy)
    if date is None or date > clock.now() or copy.deprecate_at is not None:
        return row
    text = f"the deprecation date {date:%Y-%m-%d %H:%M} has passed meanwhile, so the copy gets none"
    yield NoteAdded(at=clock.now(), source=row.source.reference, region=row.region, image_id=copy.image_id, text=text)
    return replace(row, desired=replace(row.desired, deprecate_at=None, deprecate_after=None))


def _write(difference: Difference, ec2: Ec2) -> Work[None]:
    match difference:
        case TagsDiffer():
            ec2.create_tags(difference.resource_id, difference.missing)
        case DescriptionDiffers():
            ec2.describe_as(difference.image_id, difference.desired)
        case DeprecationDiffers():
            ec2.deprecate_image(difference.image_id, difference.desired)
        case ProtectionDiffers():
            ec2.protect_image(difference.image_id, with_cooldown="with-cooldown" in difference.desired)
        case SharingLacks(device=""):
            ec2.share_image(difference.resource_id, difference.missing)
        case SharingLacks():
            ec2.share_snapshot(difference.resource_id, difference.missing)
        case StructureDiffers():
            raise AssertionError(difference)
    yield from ()


def _read_back(row: Row, copy: Image, written: Sequence[Difference], ec2: Ec2) -> Work[list[Difference]]:
    """Return what still differs; what these credentials may write and not read counts as written.

    Only what shows something that was written is read again: each is a call of its own.
    """
    yield from ()
    on_snapshots = [one for one in written if isinstance(one, TagsDiffer | SharingLacks) and one.device]
    launch = [one for one in written if isinstance(one, SharingLacks) and not one.device]
    read = copy
    if len(on_snapshots) + len(launch) < len(written):
        found = ec2.describe_own_images([copy.image_id]).get(copy.image_id)
        if found is None:
            return list(differences(row.desired, copy))
        read = replace(found, snapshots=copy.snapshots, launch_permissions=copy.launch_permissions)
    if on_snapshots:
        shared = {one.resource_id for one in on_snapshots if isinstance(one, SharingLacks)}
        read = replace(read, snapshots=_snapshots(copy, shared, ec2))
    if launch:
        read = replace(read, launch_permissions=read_launch_permissions(ec2, copy.image_id))
    return list(differences(row.desired, _trusting(row, read)))


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


def _trusting(row: Row, read: Image) -> Image:
    launch = read.launch_permissions
    by_device = {device.device: device.snapshot_id for device in read.devices}
    desired = {by_device.get(device, ""): who for device, who in row.desired.volume_permissions.items()}
    return replace(
        read,
        launch_permissions=row.desired.launch_permissions if launch is None else launch,
        snapshots=tuple(
            replace(snapshot, volume_permissions=desired.get(snapshot.snapshot_id, frozenset()))
            if snapshot.volume_permissions is None
            else snapshot
            for snapshot in read.snapshots
        ),
    )


def _done(difference: Difference) -> str:
    match difference:
        case TagsDiffer():
            return (
                f"tagged {subject(difference.resource_id, difference.device)}: {', '.join(sorted(difference.missing))}"
            )
        case DescriptionDiffers():
            return "description updated"
        case DeprecationDiffers():
            return f"will be deprecated on {difference.desired:%Y-%m-%d}"
        case ProtectionDiffers():
            return f"protected from deregistration ({difference.desired})"
        case SharingLacks():
            who = ", ".join(map(str, difference.missing))
            return f"shared {subject(difference.resource_id, difference.device)} with {who}"
        case StructureDiffers():
            return str(difference)
