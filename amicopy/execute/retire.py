"""Retiring one image, and undoing that: each step is recorded before it is taken, so that a rerun finishes it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import partial

from amicopy.aws.ec2 import Ec2
from amicopy.aws.ssm import ParameterStore
from amicopy.core.clock import Clock
from amicopy.core.destination import Destination
from amicopy.core.ec2_rules import MAX_TAGS
from amicopy.core.errors import (
    AccessDenied,
    AmicopyError,
    NoRecord,
    NotFaithful,
    OperationNotPermitted,
    RequestRefused,
)
from amicopy.core.fast_launch import is_recorded as has_fast_launch
from amicopy.core.fast_launch import recorded_settings
from amicopy.core.fast_restore import recorded_zones
from amicopy.core.models import RETIRED_TAG, Image, ImageState
from amicopy.core.parallel import Stop
from amicopy.core.retirement import Retirement, record_in
from amicopy.core.retries import driven, flapping, not_read_back_yet, overloaded, persist, with_read_retries
from amicopy.core.steps import Work
from amicopy.execute.paced_write import paced_write
from amicopy.plan import retire as plan
from amicopy.plan.attributes.base import Difference
from amicopy.survey.copy_details import with_all_details
from amicopy.survey.release import Move


class RetireState(StrEnum):
    """What will be done with one image, or what was done."""

    RETIRE = "retire"  # in a plan: it will be
    RESTORE = "restore"  # in a plan: it will be
    KEEP = "keep"  # in a plan: it will not be changed, and ``reason`` says why
    UNCHANGED = "unchanged"  # there is nothing to do
    RETIRED = "retired"
    RESTORED = "restored"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetireTarget:
    """One image of a release."""

    image: Image  # as it was when it was looked for, with its permissions
    account: str = ""  # whose it is, if that is another than that of the credentials
    source: str  # ``REGION/AMI``
    state: RetireState
    reason: str
    moves: tuple[Move, ...] = ()
    used_by: tuple[str, ...] = ()
    record: Retirement | None = None
    is_left: bool = False  # it should have been changed, and cannot be yet
    notes: tuple[str, ...] = ()
    error: AmicopyError | None = None

    @property
    def region(self) -> str:
        """The image's region."""
        return self.image.region

    @property
    def destination(self) -> Destination:
        """Where it is."""
        return Destination(self.image.region, self.account)

    @property
    def place(self) -> str:
        """The same as people read it."""
        return str(self.destination)

    @property
    def image_id(self) -> str:
        """The image's id."""
        return self.image.image_id

    @property
    def is_source(self) -> bool:
        """Whether it is the source rather than a copy."""
        return self.source == self.image.reference

    @property
    def is_due(self) -> bool:
        """Whether something is still to be done with it."""
        return self.state in {RetireState.RETIRE, RetireState.RESTORE}

    def is_stuck(self, move: Move) -> bool:
        """Whether a parameter keeps this image from being retired: it has no other image, and may not keep this one."""
        return self.is_due and not move.after and not move.is_left


def carry_out(target: RetireTarget, ec2: Ec2, parameters: ParameterStore, clock: Clock, stop: Stop) -> RetireTarget:
    """Retire or restore one image; return it with what became of it. Once begun it is finished."""
    if not target.is_due or stop.is_set():
        return target
    work = _retire if target.state is RetireState.RETIRE else _restore
    try:
        return driven(clock, stop, work(target, ec2, parameters, clock), to_the_end=True)
    except AmicopyError as error:
        return replace(target, state=RetireState.FAILED, reason=error.what, error=error)


def _retire(target: RetireTarget, ec2: Ec2, parameters: ParameterStore, clock: Clock) -> Work[RetireTarget]:
    image = yield from _read(target, ec2, clock)
    check_known(image)
    moves = {move.path: move.after for move in target.moves if move.after}
    now = ec2.server_time(clock.now())
    record = record_checked(image, moves, now)
    for write in plan.recordings(image, record):
        yield from paced_write(ec2, clock, write)
    if zones := recorded_zones(image.tags, image.region):  # the tag stays: it says where to switch it on again
        from amicopy.execute.fast_restore import switch_off  # few copies have it

        yield from switch_off(ec2, clock, image.snapshot_ids, zones)
    if has_fast_launch(image.tags):  # likewise; EC2 removes its snapshots by itself
        from amicopy.execute.fast_launch import switch_off as fast_launch_off

        yield from fast_launch_off(ec2, clock, image.image_id, cleaned_up=False)
    for move in target.moves:
        if move.after:
            yield from _put(move.path, move.before, move.after, parameters, clock, data_type=move.data_type)
    for write in plan.takings(image, now):
        yield from paced_write(ec2, clock, write)
    left = yield from persist(not_read_back_yet(clock), partial(_not_retired, image.image_id, ec2))
    if left:
        raise NotFaithful(
            f"{image.image_id} in {image.region} is not retired.", why=left, next_step="Run the same command again."
        )
    return replace(target, state=RetireState.RETIRED, reason=str(RetireState.RETIRED), record=record)


def _not_retired(image_id: str, ec2: Ec2) -> str:
    """Return what EC2 still shows of an image that was retired."""
    image = ec2.describe_own_images([image_id]).get(image_id)
    if image is None or image.state is ImageState.DISABLED:
        return ""
    return f"EC2 still shows it as {image.state}."


def _restore(target: RetireTarget, ec2: Ec2, parameters: ParameterStore, clock: Clock) -> Work[RetireTarget]:
    image = yield from _read(target, ec2, clock)
    try:
        record = record_in(image.tags)
    except ValueError as error:
        raise unreadable(image) from error
    if record is None:
        return replace(target, state=RetireState.UNCHANGED, reason="it is not retired anymore")
    check_known(image)
    now = ec2.server_time(clock.now())
    for write in plan.restorings(image, record, now):
        yield from paced_write(ec2, clock, write)
    refusals: list[AmicopyError] = []
    for difference in plan.sharings(image, record):
        refusals += yield from _share(difference, ec2, clock)
    notes = []
    for path, after in record.parameters.items():
        data_type = yield from _data_type(path, parameters, clock)
        value = yield from _put(path, after, image.image_id, parameters, clock, data_type=data_type)
        if value not in {after, image.image_id}:
            notes.append(f"{path} in {target.place} has another value now, and is not changed: {value or 'nothing'}")
    if plan.has_lapsed(record, now) and record.deprecate_at != image.deprecate_at:
        notes.append(
            f"{image.image_id} was to be deprecated on {record.deprecate_at:%Y-%m-%d}, which has passed: it stays "
            "deprecated"
        )
    if refusals:
        raise AmicopyError.in_one(refusals)
    if zones := recorded_zones(image.tags, image.region):
        from amicopy.execute.fast_restore import switch_on

        yield from switch_on(ec2, clock, image.snapshot_ids, zones)
    if settings := recorded_settings(image.tags):
        from amicopy.execute.fast_launch import switch_on as fast_launch_on

        yield from fast_launch_on(ec2, clock, image.image_id, settings)
    for write in plan.forgettings(image):
        yield from paced_write(ec2, clock, write)
    return replace(
        target, state=RetireState.RESTORED, reason=str(RetireState.RESTORED), record=record, notes=tuple(notes)
    )


def _read(target: RetireTarget, ec2: Ec2, clock: Clock) -> Work[Image]:
    """Return the image as it is now: its permissions first, then its tags.

    Another run that takes permissions has recorded them before: in this order either they or the record are seen.
    """
    retry = partial(with_read_retries, clock, Stop())
    [detailed] = with_all_details(ec2, [target.image], Stop(), retry=retry)
    image = yield from persist(flapping(clock), partial(ec2.own_image, target.image_id))
    return replace(image, snapshots=detailed.snapshots, launch_permissions=detailed.launch_permissions)


def check_known(image: Image) -> None:
    """Check that everything that is taken can be recorded.

    Raises:
        AccessDenied: whom the image or a snapshot is shared with can't be read.
    """
    actions = []
    if image.launch_permissions is None:
        actions.append("ec2:DescribeImageAttribute")
    described = {one.snapshot_id for one in image.snapshots if one.volume_permissions is not None}
    if any(snapshot_id not in described for snapshot_id in image.snapshot_ids):
        actions.append("ec2:DescribeSnapshotAttribute")
    if actions:
        raise AccessDenied(
            f"The permissions of {image.image_id} in {image.region} cannot be read.",
            action=actions[0],
            why="Without reading them, amicopy could not restore them.",
            next_step=f"Allow {' and '.join(actions)}. See: amicopy iam-policy retire",
        )


def record_checked(image: Image, moves: Mapping[str, str], now: datetime) -> Retirement:
    """Return the record of what will be taken.

    Raises:
        NoRecord: there is no room for it among the image's tags, or an earlier record can't be read.
    """
    try:
        record = plan.record_of(image, moves, now)
    except ValueError as error:
        raise unreadable(image) from error
    if over := plan.missing_room(image, record):
        raise NoRecord(
            f"{image.image_id} in {image.region} has too many tags to be retired.",
            why=f"Changes are recorded in tags. A resource can have {MAX_TAGS}, and this would be {over} more.",
            next_step=f"Delete {over} of its tags, or of its snapshots', then run the same command again.",
        )
    return record


def unreadable(image: Image) -> NoRecord:
    """Return the error for an image whose record somebody has changed."""
    return NoRecord(
        f"The record of what retire changed on {image.image_id} in {image.region} is invalid.",
        why=f"Its tags {RETIRED_TAG} and {RETIRED_TAG}:1 … have been changed, or some are missing.",
        next_step="Restore those tags from your records, or enable and share the image by hand, then delete them.",
    )


def _share(difference: Difference, ec2: Ec2, clock: Clock) -> Work[list[AmicopyError]]:
    """Restore one permission, or those parts of it that EC2 accepts; return what it refuses."""
    try:
        for write in difference.writes:
            yield from paced_write(ec2, clock, write)
    except (RequestRefused, OperationNotPermitted) as error:
        refusals: list[AmicopyError] = [error]
        if len(difference.parts) > 1:
            refusals = []
            for part in difference.parts:
                refusals += yield from _share(part, ec2, clock)
        return refusals
    return []


def _put(
    path: str, expected: str, image_id: str, parameters: ParameterStore, clock: Clock, *, data_type: str
) -> Work[str]:
    """Let a parameter that still has the ``expected`` AMI have another one; return what it had."""
    value = yield from persist(overloaded(clock), partial(parameters.get, path))
    if value == expected:
        yield from persist(overloaded(clock), partial(parameters.put, path, image_id, data_type=data_type))
    return value


def _data_type(path: str, parameters: ParameterStore, clock: Clock) -> Work[str]:
    versions = yield from persist(overloaded(clock), partial(parameters.history, path))
    return (versions[0].data_type if versions else "") or "text"
