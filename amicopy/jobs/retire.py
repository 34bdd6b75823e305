"""Taking a release back: `find` looks, `carry_out` retires or restores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from amicopy.core.accounts import TargetAccount
from amicopy.core.destination import Destination, at
from amicopy.core.errors import AmicopyError, ExitCode, ImageNotFound, UsageError
from amicopy.core.lineage import is_service_copy, source_of
from amicopy.core.models import Image, ImageState, Region
from amicopy.core.parallel import Stop, all_at_once, most_at_once
from amicopy.core.parameter_choices import ParameterChoices
from amicopy.core.references import users_text
from amicopy.core.regions import regions_text
from amicopy.core.retirement import Retirement, moment_of, record_in
from amicopy.execute.retire import RetireState, RetireTarget, carry_out, check_known, record_checked, unreadable
from amicopy.jobs.accounts import enter_accounts
from amicopy.jobs.context import Context
from amicopy.jobs.retire_parameters import refusals
from amicopy.plan.retire import takings
from amicopy.survey.closed_regions import look_everywhere
from amicopy.survey.destinations import survey_regions
from amicopy.survey.release import Release, ReleaseImage, find_release


@dataclass(frozen=True, slots=True, kw_only=True)
class RetireResult:
    """What will be retired or restored, or what became of it, and why regions could not be read."""

    targets: tuple[RetireTarget, ...]
    unread: tuple[AmicopyError, ...] = ()
    notes: tuple[str, ...] = ()
    refused: tuple[AmicopyError, ...] = ()  # why nothing is changed
    stopped: ExitCode | None = None  # the exit code for a signal that arrived while images were worked on

    def with_more(self, other: "RetireResult") -> "RetireResult":
        """Return both in one."""
        return RetireResult(
            targets=(*self.targets, *other.targets),
            unread=tuple({str(error): error for error in (*self.unread, *other.unread)}.values()),
            notes=tuple(dict.fromkeys((*self.notes, *other.notes))),
            refused=(*self.refused, *other.refused),
            stopped=self.stopped or other.stopped,
        )

    @property
    def due(self) -> tuple[RetireTarget, ...]:
        """What is still to be done."""
        return tuple(target for target in self.targets if target.is_due)

    @property
    def accounts(self) -> tuple[str, ...]:
        """The accounts whose images will be changed."""
        return tuple(sorted({target.image.owner_id for target in self.due}))

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the process."""
        if self.stopped is not None:
            return self.stopped
        if self.refused:
            return self.refused[0].exit_code
        failed = [target for target in self.targets if target.error or target.is_left]
        if not failed and not self.unread:
            return ExitCode.OK
        if any(target.state not in {RetireState.KEEP, RetireState.FAILED} for target in self.targets):
            return ExitCode.PARTIAL
        codes = {target.error.exit_code for target in failed if target.error} | {one.exit_code for one in self.unread}
        return codes.pop() if len(codes) == 1 and not any(target.is_left for target in failed) else ExitCode.FAILED


class RetireJob:
    """Retires sources and the copies that amicopy made of them, or with ``undo`` restores them.

    With ``restored``, that release, which was retired, is restored first, so that parameters can go back to it.
    """

    def __init__(
        self,
        context: Context,
        image_ids: Sequence[str],
        regions: Sequence[str] = ("all",),
        *,
        source_region: str | None = None,
        exclude: Sequence[str] = (),
        accounts: Sequence[TargetAccount] = (),
        parameters: bool = True,
        choices: ParameterChoices | None = None,
        undo: bool = False,
        restored: Sequence[str] = (),
    ) -> None:
        """Resolve the regions. ``choices`` are about parameters; undo needs none.

        Raises:
            UsageError: a region does not exist, or none that is enabled matches; an AMI should be restored and retired.
            RoleNotAssumed: one of ``accounts``, in which these regions are looked at too, cannot be worked in.
        """
        self._context = context
        self._image_ids = tuple(dict.fromkeys(image_ids))
        if restored and undo:
            raise UsageError("restore and undo cannot be used together: undo restores the AMIs themselves.")
        if both := sorted({*restored} & {*image_ids}):
            raise UsageError(f"{', '.join(both)} cannot be restored and retired at the same time.")
        self._restoring = (
            RetireJob(
                context, restored, regions, source_region=source_region, exclude=exclude, accounts=accounts, undo=True
            )
            if restored
            else None
        )
        self.source_region = context.source_region(source_region)
        named = context.named_regions(self.source_region, regions=regions, exclude=exclude)
        self._spelled_out = named.spelled_out("regions")
        entered = enter_accounts(context, [tuple(accounts)], self.source_region)
        others = [target.account for target in entered.targets[0]]
        self.destinations = tuple(
            Destination(region, account)
            for account in ("", *others)
            for region in named.resolve("regions", partial(self._regions_of, account))
        )
        self.regions = tuple(dict.fromkeys(one.region for one in self.destinations))
        self._parameters = parameters
        self._choices = choices or ParameterChoices()
        self._undo = undo

    def find(self) -> RetireResult:
        """Return what would be done, and what would not and why; reads only.

        Raises:
            ImageNotFound: an image is not there, and no copy of it is.
        """
        restoring = self._restoring.find() if self._restoring else RetireResult(targets=())
        again = frozenset(target.image_id for target in restoring.targets if target.state is not RetireState.KEEP)
        self._choices = replace(self._choices, restored=again)
        return restoring.with_more(self._find())

    def _find(self) -> RetireResult:
        looks = ((where, partial(self._look, where)) for where in self.destinations)
        looked = look_everywhere(looks, self._context.stop, self._spelled_out)
        targets = [self._target(one, where) for where, release in looked.found.items() for one in release.images]
        self._check_found(targets, is_complete=not looked.unread)
        notes = [note for release in looked.found.values() for note in release.notes]
        return RetireResult(
            targets=tuple(sorted(targets, key=lambda one: not one.is_source)),
            unread=looked.unread,
            notes=(*notes, *self._notes(targets), *looked.notes),
            refused=tuple(
                refusals(
                    self._choices,
                    self.regions,
                    tuple(looked.found.values()),
                    targets,
                    is_complete=not looked.unread,
                )
            )
            if self._parameters and not self._undo
            else (),
        )

    def _regions_of(self, account: str) -> Mapping[str, Region] | None:
        ask = partial(survey_regions, self._context.clients[Destination(self.source_region, account)])
        return self._context.with_retries(ask)[0]

    def _look(self, destination: Destination) -> Release:
        """Return what is in one destination."""
        context = self._context
        looks_up = self._parameters and not self._undo
        with context.clients.borrowed(destination) as ec2:
            return find_release(
                self.source_region,
                self._image_ids,
                ec2,
                context.clients.parameters(destination) if looks_up else None,
                context.stop,
                context.with_retries,
                account=destination.account,
                choices=self._choices,
                uses=not self._undo,
            )

    def _check_found(self, targets: Sequence[RetireTarget], *, is_complete: bool) -> None:
        known = {target.source for target in targets}
        missing = tuple(one for one in self._image_ids if f"{self.source_region}/{one}" not in known)
        if missing and is_complete:
            raise ImageNotFound(
                f"{', '.join(missing)} is not an AMI of this account in {self.source_region}, and there is no copy of "
                f"it in {regions_text(self.regions)}.",
                image_ids=missing,
                why="It was never there, it was deregistered, or another account owns it.",
                next_step="Check the id, and give its region with --from.",
            )

    def _notes(self, targets: Sequence[RetireTarget]) -> list[str]:
        notes = []
        sources = {target.source for target in targets if target.is_source}
        for image_id in self._image_ids:
            if f"{self.source_region}/{image_id}" in sources:
                continue
            if self.source_region in self.regions:
                notes.append(f"{image_id} is not this account's AMI in {self.source_region}: only copies are changed")
            else:
                notes.append(f"{image_id} itself stays as it is: its region {self.source_region} is not among --in")
        for target in targets:
            origin = source_of(target.image) if target.is_source else ""
            if origin:
                notes.append(
                    f"{target.image_id} is a copy of {origin}, which is not changed; to take the whole release back, "
                    "give that AMI"
                )
        return notes

    def _target(self, one: ReleaseImage, where: Destination) -> RetireTarget:
        target = RetireTarget(
            image=one.image,
            account=where.account,
            source=one.source,
            state=RetireState.KEEP,
            reason="",
            moves=one.moves,
            used_by=one.used_by,
        )
        image = one.image
        if not one.is_ours:
            manager = "an AWS service manages it" if is_service_copy(image) else "amicopy did not make it"
            return replace(target, reason=manager)
        try:
            record = record_in(image.tags)
        except ValueError:
            error = unreadable(image)
            return replace(target, state=RetireState.FAILED, reason=error.what, error=error)
        if self._undo:
            return _to_restore(target, record)
        if image.state.in_progress:
            stop = f"amicopy cancel --copy {image.image_id} {at(where)}"
            return replace(target, is_left=True, reason=f"it is still being copied; to stop it: {stop}")
        if image.state not in {ImageState.AVAILABLE, ImageState.DISABLED}:
            return replace(target, reason=f"it is {image.state}")
        return self._to_retire(target)

    def _to_retire(self, target: RetireTarget) -> RetireTarget:
        image, now = target.image, self._context.clock.now()
        try:
            check_known(image)
            record = record_checked(image, {move.path: move.after for move in target.moves if move.after}, now)
        except AmicopyError as error:
            return replace(target, state=RetireState.FAILED, reason=error.what, error=error)
        target = replace(target, record=record)
        moves = any(move.after for move in target.moves)
        if image.is_retired and not moves and not list(takings(image, now)):
            state, reason = RetireState.UNCHANGED, f"it was retired on {moment_of(image.tags)}"
        else:
            state, reason = RetireState.RETIRE, _to_take(image, now)
        target = replace(target, state=state, reason=reason)
        return replace(target, notes=tuple(_notes_on(target)))

    def carry_out(self, found: RetireResult) -> RetireResult:
        """Restore what is due, then retire; return what became of each.

        What is refused is not changed. If something cannot be restored, nothing is retired: a parameter could get it.
        """
        if found.refused:
            return found
        restored = self._carried_out(found, RetireState.RESTORE)
        if any(target.error for target in restored.targets) or restored.stopped is not None:
            return restored
        return self._carried_out(restored, RetireState.RETIRE)

    def _carried_out(self, found: RetireResult, state: RetireState) -> RetireResult:
        """Do what is due in one state."""
        context = self._context

        def do(target: RetireTarget) -> RetireTarget:
            clients, where = context.clients, target.destination
            with clients.borrowed(where) as ec2:
                return carry_out(target, ec2, clients.parameters(where), context.clock, context.stop)

        due = {
            (target.destination, target.image_id): partial(do, target)
            for target in found.targets
            if target.state is state
        }
        most = most_at_once(where.account for where, _ in due)
        # Not interrupted: an image that was begun is finished, and what was done has to be reported.
        done = all_at_once(due, Stop(), most=most)
        targets = tuple(done.get((target.destination, target.image_id), target) for target in found.targets)
        return replace(found, targets=targets, stopped=context.stop.exit_code)


def _to_take(image: Image, now: datetime) -> str:
    """Return what will be taken from an image, in words."""
    words = []
    shared = {one for snapshot in image.snapshots for one in snapshot.volume_permissions or ()}
    if everyone := shared | (image.launch_permissions or frozenset()):
        names = ", ".join(map(str, sorted(everyone)[:3])) + (", …" if len(everyone) > 3 else "")
        words.append(f"unshare from {names}")
    operations = {str(write.operation) for write in takings(image, now)}
    words += ["deprecate now"] if "EnableImageDeprecation" in operations else []
    words += ["disable"] if "DisableImage" in operations else []
    return ", ".join(words) or "finish what an interrupted run started"


def _to_restore(target: RetireTarget, record: Retirement | None) -> RetireTarget:
    if record is None:
        return replace(target, state=RetireState.UNCHANGED, reason="it is not retired")
    words = ["enable"] if target.image.state is ImageState.DISABLED and not record.was_disabled else []
    who = record.launch_permissions.union(*record.volume_permissions.values())
    if who:
        words.append("share with " + ", ".join(map(str, sorted(who)[:3])) + (", …" if len(who) > 3 else ""))
    words.append(f"deprecate on {record.deprecate_at:%Y-%m-%d}" if record.deprecate_at else "no deprecation date")
    return replace(target, state=RetireState.RESTORE, reason=", ".join(words), record=record)


def _notes_on(target: RetireTarget) -> list[str]:
    notes = [
        f"{move.path} in {target.place} keeps {move.before}, from which nothing can be launched anymore"
        for move in target.moves
        if not move.after and not target.is_stuck(move)
    ]
    if target.used_by:
        notes.append(f"{users_text(target.used_by)} {target.image_id}, from which nothing can be launched anymore")
    return notes
