"""Cancelling copies: which images can be deregistered, doing it, and the result for each image and snapshot.

`execute.boot_leftovers` has the same for instances.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from amicopy.aws.ec2 import Ec2
from amicopy.core.clock import Clock
from amicopy.core.destination import Destination, as_account, at, in_account
from amicopy.core.errors import (
    AccessDenied,
    AmicopyError,
    CopyFinished,
    Interrupted,
    OperationNotPermitted,
    RequestRefused,
)
from amicopy.core.fast_launch import is_recorded as has_fast_launch
from amicopy.core.fast_restore import recorded_zones
from amicopy.core.grants import OpenGrant, open_grants
from amicopy.core.lineage import is_service_copy, is_tagged, source_of
from amicopy.core.models import HUB_TAG, SOURCE_TAG, Image, ImageState, Snapshot
from amicopy.core.parallel import Stop
from amicopy.core.progress import by_destination, destination_of
from amicopy.core.retirement import moment_of
from amicopy.core.retries import VISIBLE_WITHIN, driven
from amicopy.execute.deregister import DELETED, Removal, remove_completely, remove_snapshot

_FINISHED = {ImageState.AVAILABLE, ImageState.DISABLED}
_COMPLETED = "completed"  # of a snapshot
_REMOVABLE = {"pending", "error", _COMPLETED}


class TargetState(StrEnum):
    """What will be done with one image or orphaned snapshot, or what was done."""

    CANCEL = "cancel"  # in a plan: it will be
    KEEP = "keep"  # in a plan: it will not be, and ``reason`` says why
    CANCELLED = "cancelled"
    GONE = "gone"  # removed by someone else meanwhile
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One image, one snapshot that no image owns, or one instance of a boot test, in one region."""

    region: str
    resource_id: str
    source: str  # ``REGION/AMI``, where known
    account: str = ""  # whose it is, where known
    other_account: str = ""  # the same, if it is another than that of the credentials
    state: TargetState
    reason: str
    was_seen: bool = True  # False: it was just requested, and EC2 may not show it yet
    expected_snapshots: int = 0
    created_at: str = ""  # of an image that has failed: EC2 may list its snapshots late
    volume_gib: int = 0  # of its volumes that have a snapshot
    snapshot_ids: tuple[str, ...] = ()
    snapshots: Mapping[str, str] = field(default_factory=dict)  # a verdict each, once it has happened
    fast_restore: frozenset[str] = frozenset()  # zones in which we switched that on for its snapshots
    fast_launch: bool = False  # we switched EC2 Fast Launch on for it
    is_hub: bool = False  # copies in other regions may have been made from it
    is_named: bool = False  # by its own id, not as a copy of a named source
    is_finished: bool = False  # it is a copy that is available, or was before it was disabled
    spares_finished: bool = False  # it is looked at again before it is removed, and stays if it is available by then
    is_protected: bool = False  # it would be cancelled, but for its deregistration protection
    error: AmicopyError | None = None  # why it was not removed, or not completely

    @property
    def destination(self) -> Destination:
        """Where it is."""
        return Destination(self.region, self.other_account)

    @property
    def place(self) -> str:
        """The same as people read it."""
        return str(self.destination)

    @property
    def is_snapshot(self) -> bool:
        """It is a leftover snapshot, not an image."""
        return self.resource_id.startswith("snap-")

    @property
    def is_image(self) -> bool:
        """It is an image."""
        return self.resource_id.startswith("ami-")

    @property
    def is_instance(self) -> bool:
        """It is an instance of a boot test."""
        return self.resource_id.startswith("i-")

    @property
    def remaining_snapshots(self) -> tuple[str, ...]:
        """Its snapshots that are still there."""
        return tuple(snapshot_id for snapshot_id, verdict in self.snapshots.items() if verdict != DELETED)


@dataclass(frozen=True, slots=True)
class Found:
    """What is in one region: images, orphaned snapshots, instances, and temporary permissions on sources and copies."""

    targets: tuple[Target, ...]
    grants: tuple[OpenGrant, ...] = ()
    notes: tuple[str, ...] = ()


def find_targets(
    image_ids: Sequence[str],
    source_region: str,
    ec2: Ec2,
    *,
    available: bool,
    copy_ids: Sequence[str] = (),
    account: str = "",
    checked: Callable[[Mapping[str, Image]], Mapping[str, Image]] = dict,
) -> Found:
    """Return what these AMI ids mean in one region: copies made from them, the AMIs themselves, orphaned snapshots.

    An id of ``image_ids`` is that of a source in ``source_region``, or of a copy in another region; one of ``copy_ids``
    is always that of a copy, or of one that is gone and has left snapshots. An image in the source region that is named
    by ``image_ids`` is a source, and stays. ``account`` is that of ``ec2``, if it is another than that of the
    credentials. ``checked`` looks at copies that were made from copies (`survey.relays`).
    Reads only.
    """
    references = [f"{source_region}/{image_id}" for image_id in image_ids]
    recorded = ec2.find_lineage_copies(source_region, image_ids)
    tagged, named_images = ec2.find_tagged_copies(references), ec2.describe_own_images([*image_ids, *copy_ids])
    images = checked({**tagged, **recorded, **named_images})
    snapshots = ec2.find_tagged_snapshots(references)
    if gone := [copy_id for copy_id in copy_ids if copy_id not in images]:
        snapshots = {**snapshots, **ec2.find_snapshots_of_copies(gone)}
    named = {*image_ids, *copy_ids}
    sources = frozenset(image_ids) - frozenset(copy_ids) if ec2.region == source_region else frozenset()
    where = Destination(ec2.region, account)
    targets = _targets(images, snapshots, named, references, ec2, where, available=available, source_ids=sources)
    about = [one for one in images.values() if {one.reference, source_of(one)} & set(references)]
    return Found(targets, tuple(grant for one in about for grant in open_grants(_with_snapshots(one, snapshots))))


def _with_snapshots(image: Image, snapshots: Mapping[str, Snapshot]) -> Image:
    return replace(image, snapshots=tuple(snapshots[one] for one in image.snapshot_ids if one in snapshots))


def find_all_pending(
    ec2: Ec2, *, account: str = "", checked: Callable[[Mapping[str, Image]], Mapping[str, Image]] = dict
) -> Found:
    """Return every pending copy in one region that amicopy made, and every orphaned snapshot. Reads only.

    The source that EC2 records has to be the one in our tag: a copy of our copy can have our tag, too. So can a backup
    service's copy.
    """
    images = {
        image_id: image
        for image_id, image in checked(ec2.find_all_pending_copies()).items()
        if source_of(image) == image.tags.get(SOURCE_TAG) and not is_service_copy(image)
    }
    snapshots = ec2.find_all_tagged_snapshots()
    where = Destination(ec2.region, account)
    return Found(_targets(images, snapshots, tuple(images), (), ec2, where, available=False))


def has_copies(image_id: str, region: str, ec2: Ec2) -> bool:
    """Return whether one region has copies of this image, which is then a source."""
    reference = f"{region}/{image_id}"
    found = {**ec2.find_lineage_copies(region, [image_id]), **ec2.find_tagged_copies([reference])}
    return any(source_of(image) == reference for image in found.values())


def _targets(
    images: Mapping[str, Image],
    snapshots: Mapping[str, Snapshot],
    named_ids: Iterable[str],
    references: Iterable[str],
    ec2: Ec2,
    where: Destination,
    *,
    available: bool,
    source_ids: frozenset[str] = frozenset(),
) -> tuple[Target, ...]:
    named, sources = frozenset(named_ids), frozenset(references)
    by_image = by_destination(snapshots.values())  # a target may not list its snapshots yet
    made_for = {image_id: {one.snapshot_id for one in some} for image_id, some in by_image.items()}
    found = (
        _source_target(image)
        if image.image_id in source_ids
        else _target(image, where, named, sources, available=available, has_our_snapshots=image.image_id in made_for)
        for image in images.values()
    )
    targets = [
        replace(one, snapshot_ids=tuple(sorted({*one.snapshot_ids, *made_for.get(one.resource_id, ())})))
        for one in found
        if one is not None
    ]
    return (
        *sorted(targets, key=lambda target: target.resource_id),
        *_orphans(snapshots, images, ec2, available=available),
    )


def _source_target(image: Image) -> Target | None:
    """Return a named image of the source region: it stays, and that is worth saying only if it is a copy itself."""
    if not source_of(image):
        return None
    return Target(
        region=image.region,
        resource_id=image.image_id,
        source=source_of(image),
        account=image.owner_id,
        state=TargetState.KEEP,
        reason="you gave it as a source; to remove this copy itself: "
        f"amicopy cancel --copy {image.image_id} --in {image.region}{_also(image)}",
        snapshot_ids=image.snapshot_ids,
    )


def _target(
    image: Image,
    where: Destination,
    named_ids: frozenset[str],
    sources: frozenset[str],
    *,
    available: bool,
    has_our_snapshots: bool,
) -> Target | None:
    """Return what will be done with one image; None if it has nothing to do with the named ids."""
    source = made_from if (made_from := source_of(image)) in sources else ""
    named = image.image_id in named_ids
    if not source and not named:
        return None
    is_finished = image.state in _FINISHED
    origin = source or image.tags.get(SOURCE_TAG) or _lineage(image)
    state, is_protected = TargetState.CANCEL, False
    reason = "it has failed" if image.state is ImageState.FAILED else f"it is {image.state}"
    if not source and (not origin or image.source_instance_id):
        state, reason = (
            TargetState.KEEP,
            "it is not a copy: EC2 records no source for it, and it has no amicopy tag",
        )
    elif not named and (is_service_copy(image) or not (has_our_snapshots or is_tagged(source, image))):
        state = TargetState.KEEP
        command = f"amicopy cancel --copy {image.image_id} {at(where)}{_also(image)}"
        reason = f"amicopy did not make it; to remove it: {command}"
    elif image.state is ImageState.AVAILABLE and not image.source_image_id:
        state, reason = TargetState.KEEP, "EC2 records no source for it, so it was not made by CopyImage"
    elif image.is_retired:
        # A record of what was taken from it would be lost, and with it the way back.
        state, is_protected, reason = TargetState.KEEP, True, _retired(image, where)
    elif is_finished and not available:
        state, reason = TargetState.KEEP, _finished(image)
    elif image.protection.startswith("enabled"):
        state, is_protected = TargetState.KEEP, True
        reason = (
            f"deregistration protection is on ({image.protection}); to lift it{as_account(where.account)}: aws ec2 "
            f"disable-image-deregistration-protection --image-id {image.image_id} --region {image.region}"
        )
    return Target(
        region=image.region,
        resource_id=image.image_id,
        source=origin,
        account=image.owner_id,
        state=state,
        reason=reason,
        is_hub=HUB_TAG in image.tags,
        is_named=not source,
        is_finished=is_finished,
        spares_finished=not available,
        is_protected=is_protected,
        expected_snapshots=0 if is_finished else sum(device.ebs for device in image.devices),
        created_at="" if is_finished or image.state.in_progress else image.created_at,
        snapshot_ids=image.snapshot_ids,
        fast_restore=recorded_zones(image.tags, image.region),
        fast_launch=has_fast_launch(image.tags),
    )


def _also(image: Image) -> str:
    """Return the option without which a finished copy stays, for a command that removes this one."""
    return " --available" if image.state in _FINISHED else ""


def _finished(image: Image) -> str:
    return f"it is {image.state}; finished copies are removed only with --available"


def _retired(image: Image, where: Destination) -> str:
    source = source_of(image).partition("/")
    account = in_account(where.account)
    undo = f"amicopy retire {source[2]} --from {source[0]}{account} --undo" if source[2] else "amicopy retire --undo"
    return f"it is held for inspection since it was retired on {moment_of(image.tags)[:10]}; to restore it: {undo}"


def _lineage(image: Image) -> str:
    return f"{image.source_region}/{image.source_image_id}" if image.source_image_id else ""


def _orphans(
    snapshots: Mapping[str, Snapshot], images: Mapping[str, Image], ec2: Ec2, *, available: bool
) -> Iterable[Target]:
    """Yield the snapshots with our tag whose image is gone: leftovers of a copy that was stopped or killed."""
    owners = {one.snapshot_id: destination_of(one) for one in snapshots.values()}
    unknown = sorted({owner for owner in owners.values() if owner} - images.keys())
    living = set(ec2.describe_own_images(unknown)) if unknown else set()
    orphans = [snapshot_id for snapshot_id, owner in sorted(owners.items()) if owner in {*unknown} - living]
    completed = any(snapshots[snapshot_id].state == _COMPLETED for snapshot_id in orphans)
    spared = _spared_owners(ec2, {owners[snapshot_id] for snapshot_id in orphans}) if available and completed else {}
    for snapshot_id in orphans:
        snapshot, owner = snapshots[snapshot_id], owners[snapshot_id]
        reason = f"it was made for {owner}, which is gone"
        keep = ""
        if snapshot.state not in _REMOVABLE:  # recovering, recoverable: in the Recycle Bin itself
            keep = f"it is {snapshot.state}"
        elif snapshot.state == _COMPLETED and not available:
            # It may be all that a person has kept of a finished copy.
            keep = f"{reason}; completed snapshots are removed only with --available"
        elif snapshot.state == _COMPLETED and owner in spared:
            keep = f"it was made for {owner}, {spared[owner]}"
        yield Target(
            region=ec2.region,
            resource_id=snapshot_id,
            source=snapshot.tags.get(SOURCE_TAG, ""),
            account=snapshot.owner_id,
            state=TargetState.KEEP if keep else TargetState.CANCEL,
            reason=keep or reason,
        )


def _spared_owners(ec2: Ec2, owners: Set[str]) -> dict[str, str]:
    """Return those of the images that are gone which could be restored, with the reason in words."""
    try:
        restorable = ec2.images_in_recycle_bin()
    except AccessDenied as error:
        return dict.fromkeys(owners, f"which may be in the Recycle Bin: {error.action} is not allowed")
    except RequestRefused:  # an endpoint without a Recycle Bin
        return {}
    return dict.fromkeys(owners & restorable, "which is in the Recycle Bin: without it, it could not be restored")


def _may_list_late(target: Target, ec2: Ec2, clock: Clock) -> bool:
    """Return whether EC2 may list snapshots of the image after it is gone: not those of one that failed long ago."""
    if not target.created_at:
        return True
    return ec2.server_time(clock.now()) - datetime.fromisoformat(target.created_at) < VISIBLE_WITHIN


def cancel_target(target: Target, ec2: Ec2, clock: Clock, stop: Stop) -> Target:
    """Do what one target's state says; return it with the result for it and its snapshots."""
    if target.state is not TargetState.CANCEL:
        return target
    if target.is_snapshot:
        work = remove_snapshot(ec2, clock, target.resource_id)
        verdict = driven(clock, stop, work, to_the_end=True)
        state = TargetState.CANCELLED if verdict == DELETED else TargetState.FAILED
        return replace(target, state=state, reason=verdict, snapshots={target.resource_id: verdict})
    try:
        if target.spares_finished:
            image = ec2.describe_own_images([target.resource_id]).get(target.resource_id)
            if image is not None and image.state in _FINISHED:
                return replace(target, state=TargetState.KEEP, reason=_finished(image), error=_too_late(target, image))
        if target.fast_restore:
            from amicopy.execute.fast_restore import switch_off  # few copies have it

            off = switch_off(ec2, clock, target.snapshot_ids, target.fast_restore)
            driven(clock, stop, off, to_the_end=True)
        if target.fast_launch:
            from amicopy.execute.fast_launch import switch_off as fast_launch_off

            # EC2 removes its snapshots, which takes minutes: that may be interrupted, and the copy stays then.
            driven(clock, stop, fast_launch_off(ec2, clock, target.resource_id, cleaned_up=True))
        removing = remove_completely(
            ec2,
            clock,
            target.resource_id,
            target.snapshot_ids,
            was_seen=target.was_seen,
            expected_snapshots=target.expected_snapshots if _may_list_late(target, ec2, clock) else 0,
            in_a_hurry=stop.is_set,
        )
        removal = driven(clock, stop, removing, to_the_end=True)
    except OperationNotPermitted as error:
        ours = OperationNotPermitted(
            f"EC2 does not let {target.resource_id} in {target.place} be deregistered.",
            why=error.why,
            next_step=f"Remove its protection, if you are allowed to{as_account(target.other_account)}: aws ec2 "
            f"disable-image-deregistration-protection --image-id {target.resource_id} --region {target.region} "
            "(with a cooldown it lasts 24 hours more).",
        )
        return replace(target, state=TargetState.FAILED, reason=ours.what, error=ours)
    except AmicopyError as error:
        return replace(target, state=TargetState.FAILED, reason=error.what, error=error)
    state = TargetState.GONE if removal.was_gone else TargetState.CANCELLED
    done = replace(target, state=state, reason=str(state), snapshots=removal.snapshots)
    return replace(done, error=_unlisted(target, removal)) if removal.unlisted else done


def _too_late(target: Target, image: Image) -> CopyFinished:
    return CopyFinished(
        f"{target.resource_id} in {target.place} was not removed.",
        why=f"It became {image.state} before it could be cancelled.",
        next_step=f"To remove it anyway: amicopy cancel --copy {target.resource_id} {at(target.destination)} "
        "--available",
    )


def _unlisted(target: Target, removal: Removal) -> Interrupted:
    """Return the error for an interrupted search for snapshots that EC2 lists late."""
    return Interrupted(
        f"Interrupted after {target.resource_id} in {target.place} was deregistered, but before EC2 listed "
        f"{removal.unlisted} of its {target.expected_snapshots} snapshots.",
        why="EC2 may list the snapshots of a stopped copy after the copy itself is gone, and you pay for each of them.",
        next_step=f"To remove them, in a minute: amicopy cancel --copy {target.resource_id} {at(target.destination)} "
        "--available",
    )
