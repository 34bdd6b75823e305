"""The work on one copy, as sequential code: start it, wait until it is available, complete it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from amicopy.aws.ec2 import Ec2
from amicopy.aws.known_failures import advice_for
from amicopy.core.clock import Clock
from amicopy.core.destination import as_account
from amicopy.core.durations import length_text
from amicopy.core.errors import (
    AccessDenied,
    AmicopyError,
    CheckFailed,
    CopyFailed,
    CopyVanished,
    CredentialsExpired,
    ImageNotFound,
    ImageUnavailable,
    NoRoom,
    NotChecked,
    NotOwner,
    RequestRefused,
    StorageNotShared,
    Throttled,
    TokenMismatch,
)
from amicopy.core.events import (
    CopyAvailable,
    CopyDone,
    CopyJoined,
    CopyQueued,
    CopyRequested,
    CopyStarted,
    DestinationFailed,
    DestinationLeft,
    Event,
    FailedCopyRemoved,
    LeftBecause,
    NoteAdded,
    OriginChosen,
    SharingDeferred,
)
from amicopy.core.lineage import may_serve
from amicopy.core.models import CHECKED_TAG, Image, ImageState, Snapshot
from amicopy.core.retries import (
    GONE_AFTER,
    VISIBLE_WITHIN,
    flapping,
    no_room,
    not_answered,
    not_shared_yet,
    not_shown_yet,
    persist,
    persist_work,
)
from amicopy.core.run_options import RunOptions
from amicopy.core.steps import Look, Sleep, Work
from amicopy.execute.access import Access
from amicopy.execute.complete import complete
from amicopy.execute.copy_image import DeadImage, NeverShown, ask_for_copy, check_alive, client_token, earlier_copies
from amicopy.execute.deregister import Removal, remove_completely
from amicopy.execute.gate import Gate
from amicopy.execute.hubs import Hub, Hubs
from amicopy.execute.source_permissions import SourcePermissions
from amicopy.plan.checked import awaited_check, not_checked
from amicopy.plan.differences import differences, extras
from amicopy.plan.plan import Action, Row
from amicopy.survey.copy_details import with_details

# A token can hand back images that failed or were deregistered since; each is one more dead attempt.
_MOST_ATTEMPTS = 50
_NO_WAIT_PATIENCE = timedelta(seconds=30)
_LOOK_AGAIN_SECONDS = 5.0
_BRIEF_PATIENCE = timedelta(minutes=1)
# A copy that waits its turn is looked for again before it is asked for: another run may have made it.
_LOOK_AGAIN_AFTER = timedelta(minutes=1)


class _MadeMeanwhile(Exception):
    """Another run has made the copy since the plan was made."""

    def __init__(self, image_id: str) -> None:
        super().__init__(image_id)
        self.image_id = image_id


class CopyTask:
    """One row of the plan, being executed in one region."""

    def __init__(
        self,
        row: Row,
        ec2: Ec2,
        clock: Clock,
        options: RunOptions,
        permissions: SourcePermissions,
        gate: Gate,
        hubs: Hubs,
        access: Access | None = None,
    ) -> None:
        self.row = row
        self._access = access
        self._gate = gate
        self._hubs = hubs
        self._permissions = permissions
        self._ec2 = ec2
        self._clock = clock
        self._options = options
        self.image_id = row.copy.image_id if row.copy else ""
        self._started = False  # by this run: only that is ever removed on failure
        self._queued = False  # and said so
        self._joined_another = False  # another run's, found by its tag or lineage
        self._was_seen = False
        self._was_cancelled = False
        self._asked_at = clock.now()
        self._looked_at = row.desired.as_of or clock.now()
        self._unconfirmed = row.unconfirmed
        self._failed_attempts = {image.image_id: image.snapshot_ids for image in row.failed}

    def run(self) -> Work[None]:
        """Yield what happens to this copy; ends with exactly one of CopyDone, CopyHeld, RowFailed, RowLeft."""
        try:
            copy = yield from self._obtain()
            if copy is not None:
                yield from self._finished(copy)
                yield from self._remove_failed()
                yield self._event(SharingDeferred if self.row.is_held else CopyDone)
        except CredentialsExpired:
            yield self.leave(LeftBecause.EXPIRED)
        except AmicopyError as error:
            if isinstance(error, NoRoom | Throttled) and not self._options.wait:
                yield self.leave(LeftBecause.NO_WAIT)
            else:
                # A vanished copy may be flapping, alive and healthy; one that failed its check is kept to be looked at.
                if not (
                    (self._was_seen and isinstance(error, CopyVanished)) or isinstance(error, CheckFailed | NotChecked)
                ):
                    yield from self._cancel()
                yield self.fail(error)

    @property
    def is_waiting(self) -> bool:
        """The copy that it is made from is still being made, in another destination."""
        return self._hubs.is_open(self.row)

    def waiting(self) -> CopyQueued:
        """Return the event that says so."""
        where = self.row.waits_for
        return CopyQueued(**self._about(), reason=f"it will be made from the copy in {where}, once that is available")

    def _finished(self, copy: Image) -> Work[None]:
        """Complete the copy; where it has to pass a check first, share it only after that.

        Raises:
            CheckFailed: it did not pass.
            NotChecked: another run has made it to be checked, and this one has no check.
            CopyVanished: somebody has removed it while it was checked.
        """
        desired, check = self.row.desired, self.row.check
        awaited = awaited_check(self.row.source, copy)
        if check is None and awaited and self.row.action is not Action.UPDATE:  # that one the plan has looked at
            raise not_checked(copy, awaited, self.row.destination)
        if check is not None and copy.tags.get(CHECKED_TAG) != check.digest:
            has_to_be_shared = any(one.is_sharing for one in differences(desired, copy))
            yield from complete(desired.private, copy, self._ec2, self._clock)
            yield from self._gate.check(self.row, copy, self._ec2, self._clock)
            if not has_to_be_shared:
                return
            look = partial(self._ec2.describe_own_images, [copy.image_id])
            found = yield from persist(not_shown_yet(self._clock), lambda: look().get(copy.image_id))
            if found is None or found.state.is_dead:
                raise self._vanished()
            copy = yield from self._read(found)
        yield from complete(desired, copy, self._ec2, self._clock, self._permissions.narrowed)

    def leave(self, because: LeftBecause) -> DestinationLeft:
        """Return the event that says that this run does not wait for the copy any longer."""
        self._hubs.report(self.row.key, Hub(left=because))
        return DestinationLeft(**self._about(), because=because)

    def fail(self, error: AmicopyError) -> DestinationFailed:
        """Return the event that says that the copy has failed."""
        self._hubs.report(self.row.key, Hub(reason=f"the copy in {self.row.destination} has failed"))
        if self._was_cancelled:  # its advice about the copy's snapshots no longer applies
            error = error.with_next_step(
                "Run the same command again to make a new copy and remove what is left of this one."
            )
        return DestinationFailed(**self._about(), error=error)

    def _obtain(self) -> Work[Image | None]:
        """Return the available copy with all that a comparison needs; None where it was left pending."""
        match self.row.action:
            case Action.UPDATE:
                assert self.row.copy is not None  # such a row always has a copy
                return self.row.copy
            case Action.JOIN:
                return (yield from self._joined())
            case _:
                return (yield from self._copied())

    def _joined(self) -> Work[Image | None]:
        self._joined_another = True
        yield self._event(CopyJoined)
        if not self._options.wait:
            yield self.leave(LeftBecause.NO_WAIT)
            return None
        try:
            copy = yield from self._available()
        except DeadImage as error:
            raise self._vanished() from error
        return (yield from self._read(copy))

    def _read(self, copy: Image) -> Work[Image]:
        """Return a copy with all that a comparison needs; say who else can use it."""
        read = partial(with_details, self._ec2, copy, self.row.desired, every_permission=True)
        detailed = yield from persist(flapping(self._clock), read)
        for extra in extras(self.row.desired, detailed):
            if extra.is_wider:
                text = f"{extra}; if that is not intended: {self.row.prune_command}"
                yield NoteAdded(**self._about(), text=text)
        return detailed

    def _copied(self) -> Work[Image | None]:
        """Ask for the copy with one token after the other until one stands for an image that lives.

        Always from the first on: two runs that see different things meet at the same token.
        """
        if self.row.waits and (yield from self._left_with_its_hub()):
            return None
        if self.row.waits_for:
            yield self._origin_chosen()
        never_shown = ""
        for attempt in range(_MOST_ATTEMPTS):
            token = client_token(self.row.desired, self.row.region, attempt)
            self._asked_at, self._started = self._ec2.server_time(self._clock.now()), False
            yield self._requested(token)
            try:
                self.image_id = yield from persist_work(
                    no_room(self._clock, None if self._options.wait else _NO_WAIT_PATIENCE),
                    partial(self._ask, token),
                )
                if self.image_id in self.row.dead_ids:  # the token proves that this failed one was our own attempt
                    self._failed_attempts.setdefault(self.image_id, ())
                    continue
                self._started = True
                yield self._event(CopyStarted)
                if not self._options.wait:
                    check_alive(self._ec2, self.image_id)
                    yield self.leave(LeftBecause.NO_WAIT)
                    return None
                copy = yield from self._available()
                if self._started and self.row.desired.tags.items() <= copy.tags.items():
                    return self._as_created(copy)
                # Another run has started it; or moto has, which ignores the tags that CopyImage is to set.
                return (yield from self._read(copy))
            except _MadeMeanwhile as made:
                self.image_id = made.image_id
                return (yield from self._joined())
            except TokenMismatch:
                # A failed attempt of ours stands for a token before any that can live; but it may be another one.
                known_failures = len(self._failed_attempts)
                is_failed = attempt < known_failures
                if (yield from self._earlier_request(is_failed=is_failed)):
                    return (yield from self._joined())
                if is_failed or len(self._failed_attempts) > known_failures:
                    continue
                if not self._options.wait:
                    yield self.leave(LeftBecause.NO_WAIT)
                    return None
            except NeverShown:
                if never_shown:  # not a third copy: EC2 may still show the first two
                    raise self._never_shown(never_shown, self.image_id) from None
                never_shown = self.image_id
            except DeadImage:
                pass
            yield NoteAdded(
                **self._about(), text="EC2 knows this request from a copy that was deregistered; requesting a new one"
            )
        raise self._vanished()

    def _left_with_its_hub(self) -> Work[bool]:
        """Take what has become of the copy that this one waited for; return whether this run leaves both."""
        hub = self._hubs.of(self.row)
        if hub.left:
            yield self.leave(hub.left)
            return True
        reason = hub.reason
        if hub.image is not None:
            encrypts = self.row.desired.encrypt
            if may_serve(self.row.source, hub.image, encrypts=encrypts):
                self.row = replace(self.row, waits_for=None, copied_from=hub.image)
                yield self._origin_chosen()
                return False
            reason = f"EC2 does not show {hub.image.image_id} as a copy with the source's content and encryption"
        yield from self._directly(reason)
        return False

    def _directly(self, why: str) -> Iterator[Event]:
        """Let the copy be made from the source after all; yield the events that say so."""
        planned = self.row
        self.row = replace(planned, waits_for=None, copied_from=None)
        yield self._origin_chosen()
        cost = self._hubs.cost_words(self.row, planned)
        yield NoteAdded(**self._about(), text=f"{why}, so this copy is made from the source: {cost}")

    def _without_origin(self, error: AmicopyError) -> Iterator[Event]:
        yield from self._directly(f"{self.row.origin.reference} cannot be copied ({error.what} {error.why})")

    def _origin_chosen(self) -> OriginChosen:
        origin = self.row.origin
        return OriginChosen(**self._about(), from_region=origin.region, from_id=origin.image_id)

    def _ask(self, token: str) -> Work[str]:
        if self._access is None:
            return (yield from self._answered(token))
        return (yield from persist_work(not_shared_yet(self._clock), partial(self._with_access, token, self._access)))

    def _with_access(self, token: str, access: Access) -> Work[str]:
        """Ask for a copy of what is shared for a while: EC2 may see that late, or another run may have ended it."""
        try:
            return (yield from self._answered(token))
        except (StorageNotShared, ImageNotFound, NotOwner):
            made, _ = earlier_copies(self.row.source, self._ec2)
            if made:
                raise _MadeMeanwhile(made) from None
            origin = self.row.origin
            yield from access.give(origin.region, origin.image_id, (self.row.destination.account,))
            raise

    def _answered(self, token: str) -> Work[str]:
        return (yield from persist_work(not_answered(self._clock), partial(self._copy_image, token)))

    def _copy_image(self, token: str) -> Work[str]:
        now = self._clock.now()
        if now - self._looked_at >= _LOOK_AGAIN_AFTER:
            made, _ = earlier_copies(self.row.source, self._ec2)
            if made:
                raise _MadeMeanwhile(made)
            self._looked_at = now
        if self._queued:
            yield self._requested(token)
        if self.row.is_routed and (error := self._hubs.use(self.row.source, self.row.origin)):
            yield from self._without_origin(error)
        try:
            try:
                return ask_for_copy(self.row, self._ec2, token)
            except (AccessDenied, ImageNotFound, ImageUnavailable, RequestRefused, StorageNotShared) as error:
                if not self.row.is_routed:
                    raise
                yield from self._without_origin(error)
                return ask_for_copy(self.row, self._ec2, token)
        except (NoRoom, Throttled) as error:
            yield CopyQueued(**self._about(), reason=error.why or error.what, is_repeated=self._queued)
            self._queued = True
            raise

    def _requested(self, token: str) -> CopyRequested:
        name = self.row.desired.name
        return CopyRequested(**self._about(), name=name, client_token=token, is_repeated=self._queued)

    def _earlier_request(self, *, is_failed: bool) -> Work[bool]:
        """Find the copy that an earlier run started with this token, once it is visible.

        ``is_failed``: it is probably the failed attempt that the survey has found. Return False if none appears in
        time, or at once with ``--no-wait``.
        """
        if is_failed:
            patience = _BRIEF_PATIENCE if self._options.wait else _NO_WAIT_PATIENCE
        else:
            patience = VISIBLE_WITHIN if self._options.wait else timedelta(0)
        then = (
            f"waiting up to {length_text(patience)} for it to appear, to avoid a duplicate (if it was just removed, "
            "the run then continues)"
        )
        if not patience:
            then = "if it was cancelled, only a run without --no-wait creates it again"
        yield NoteAdded(
            **self._about(),
            text=f"an earlier run started this copy with another name, description, key, tags or route; {then}",
        )
        give_up = self._clock.now() + patience
        while True:
            looked_at = self._clock.now()
            image_id, failed = yield from persist(
                flapping(self._clock), partial(earlier_copies, self.row.source, self._ec2)
            )
            if image_id:
                self.image_id = image_id
                return True
            has_failed = not failed.keys() <= self._failed_attempts.keys()  # since the survey
            self._failed_attempts |= failed
            if has_failed or looked_at >= give_up:
                return False
            yield Sleep(_LOOK_AGAIN_SECONDS)

    def _available(self) -> Work[Image]:
        """Return the image once it is available.

        Raises:
            DeadImage: it never became visible.
            CopyFailed: EC2 gave up on it.
            CopyVanished: it existed and was removed.
        """
        # Spelled out, where `retries` could say it: it is gone through for every copy at every tick.
        self._was_seen = False
        extended, give_up = False, self._clock.now() + VISIBLE_WITHIN
        while True:
            looked_at = self._clock.now()
            copy = yield Look(self.image_id)
            if copy is None:
                if not self._was_seen:
                    check_alive(self._ec2, self.image_id)
                if looked_at >= give_up:
                    if self._was_seen:
                        raise self._vanished()
                    snapshots = self._snapshots()
                    if not any(one.state == "pending" for one in snapshots) and (extended or not snapshots):
                        raise NeverShown(self.image_id)
                    if not extended:
                        text = "EC2 has snapshots for it, but does not show the image yet; waiting"
                        yield NoteAdded(**self._about(), text=text)
                    extended, give_up = True, self._clock.now() + VISIBLE_WITHIN
                continue
            if self._unconfirmed and copy.state.in_progress:
                yield from self._ask_again(copy)
            if not self._was_seen and self._started and copy.is_older_than(self._asked_at):
                self._started = False  # the token returned a copy that another run has started
                yield self._event(CopyJoined)
            self._was_seen, give_up = True, self._clock.now() + GONE_AFTER
            if not copy.state.in_progress:
                break
        if copy.state is not ImageState.AVAILABLE:
            raise self._why_it_failed(copy)
        yield self._event(CopyAvailable)
        self._hubs.report(self.row.key, Hub(copy, is_joined=self._joined_another))
        return copy

    def _ask_again(self, copy: Image) -> Iterator[Event]:
        """Say which later writes IAM denies, as soon as there is an image or a snapshot with our tag to ask about.

        They can be allowed while EC2 copies: only the write itself decides.
        """
        stand_in = self.row.source.image_id
        on_snapshots = any(write.resource_id != stand_in for write in self._unconfirmed)
        snapshot_id = next(iter(copy.snapshot_ids or self._made_so_far()), "") if on_snapshots else ""
        for write in self._unconfirmed:
            resource_id = copy.image_id if write.resource_id == stand_in else snapshot_id
            if not resource_id:
                continue  # EC2 has made no snapshot yet
            self._unconfirmed = tuple(one for one in self._unconfirmed if one is not write)
            if error := self._ec2.forbidden(write.on(resource_id)):
                text = f"{error.action} is denied for {resource_id}: allow it before the copy is available"
                yield NoteAdded(**self._about(), text=text)

    def _made_so_far(self) -> tuple[str, ...]:
        try:
            return tuple(one.snapshot_id for one in self._snapshots())
        except AmicopyError:  # it is only for a note
            return ()

    def _snapshots(self) -> tuple[Snapshot, ...]:
        """Return the snapshots that EC2 has for an image that it does not show: then it may only be late."""
        return tuple(self._ec2.find_snapshots_of_copies([self.image_id]).values())

    def _never_shown(self, *image_ids: str) -> CopyVanished:
        return CopyVanished(
            f"EC2 started {' and '.join(image_ids)} in {self.row.place}, but shows none of them.",
            why="It accepted both requests, but has not shown the images for minutes, so amicopy did not request a "
            "third copy.",
            next_step="Check the region's health, then run the same command again. To look for "
            f"them{as_account(self.row.destination.account)}: aws ec2 describe-images "
            f"--image-ids {' '.join(image_ids)} --region {self.row.region}",
        )

    def _as_created(self, copy: Image) -> Image:
        """Return the new copy with what need not be read: the tags that CopyImage has set, and no permissions."""
        tags = self.row.desired.creation_snapshot_tags
        snapshots = tuple(
            Snapshot(snapshot_id=snapshot_id, region=copy.region, tags=tags, volume_permissions=frozenset())
            for snapshot_id in copy.snapshot_ids
        )
        return replace(copy, launch_permissions=frozenset(), snapshots=snapshots)

    def _why_it_failed(self, copy: Image) -> CopyFailed:
        reasons = [copy.state_reason or f"EC2 gives no reason; its state is {copy.state}"]
        try:
            snapshots = self._ec2.find_snapshots_of_copies([copy.image_id])
        except AmicopyError:
            snapshots = {}
        reasons += [f"{one.snapshot_id}: {one.state_message}" for one in snapshots.values() if one.state_message]
        left = ", ".join(sorted({*snapshots, *copy.snapshot_ids}))
        why = f"EC2 reports for {copy.image_id}: {'; '.join(reasons)}."
        again = "Rerunning the same command makes a new copy, and removes this one once the new copy is available."
        advice = advice_for(" ".join(reasons))
        words = "has failed" if copy.state is ImageState.FAILED else f"is {copy.state}"
        return CopyFailed(
            f"The copy {copy.image_id} in {self.row.place} {words}.",
            why=f"{why} {advice.why}" if advice else why,
            next_step=f"{advice.next_step if advice else 'Run the same command again.'} {again}"
            + (f" Its snapshots are there until then: {left}." if left else ""),
        )

    def _vanished(self) -> CopyVanished:
        return CopyVanished(
            f"The copy {self.image_id} in {self.row.place} is no longer there.",
            why="Somebody deregistered it while it was being copied, or EC2 never made it.",
            next_step="Run the same command again to make a new one.",
        )

    def _cancel(self) -> Work[None]:
        """Remove the copy that failed, if this run has started it and ``--on-failure cancel`` is set."""
        if self._options.cancel_failed and self._started and self.image_id:
            if self._hubs.is_used(self.row.region, self.image_id):
                text = f"{self.image_id} is left there, because other copies are being made from it"
                yield NoteAdded(**self._about(), text=text)
                return
            expected = len(self.row.source.snapshot_ids)
            work = remove_completely(self._ec2, self._clock, self.image_id, was_seen=False, expected_snapshots=expected)
            yield from self._removed(self.image_id, work)

    def _remove_failed(self) -> Work[None]:
        for image_id, snapshot_ids in self._failed_attempts.items():
            work = remove_completely(self._ec2, self._clock, image_id, snapshot_ids)
            yield from self._removed(image_id, work)

    def _removed(self, image_id: str, work: Work[Removal]) -> Work[None]:
        """Remove a failed attempt; that it cannot be removed fails nothing else."""
        try:
            words = yield from work
        except AmicopyError as error:
            yield NoteAdded(**self._about(), text=f"the failed {image_id} is left behind: {error.what} {error.why}")
        else:
            self._was_cancelled = image_id == self.image_id
            yield FailedCopyRemoved(**self._about(), what=f"{image_id} {words}")

    def _about(self) -> dict[str, Any]:
        return {
            "at": self._clock.now(),
            "source": self.row.source.reference,
            "destination": self.row.destination,
            "image_id": self.image_id,
        }

    def _event(self, kind: type[Event]) -> Event:
        return kind(**self._about())
