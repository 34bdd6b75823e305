"""Events turned into the outcome of each destination, in the plan's order, and into the exit code."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from amicopy.core.check import CheckResult
from amicopy.core.destination import Key
from amicopy.core.errors import AmicopyError, ExitCode
from amicopy.core.events import (
    AccessGiven,
    AccessTaken,
    AttributeWritten,
    CheckEnded,
    CheckStarted,
    CopyAvailable,
    CopyDone,
    CopyJoined,
    CopyProgressed,
    CopyQueued,
    CopyRequested,
    CopyRolledBack,
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
from amicopy.core.models import Image
from amicopy.plan.plan import Action, Plan, Row

Progress = tuple[tuple[datetime, int], ...]
"""Moments, and the percentage that was reached at each."""


class State(StrEnum):
    """What became of one row; the words are part of the JSON."""

    PLANNED = "planned"  # nothing has happened yet, or nothing was to be done in this run
    REQUESTED = "requested"  # CopyImage was called and its answer is not known
    QUEUED = "queued"  # EC2 has no room for it or throttles: it is requested again
    COPYING = "copying"
    COMPLETING = "completing"
    CHECKING = "checking"  # complete; it has to pass its check before it is shared
    SHARING_DEFERRED = "sharing-deferred"  # available; not shared before the others are available too
    DONE = "done"
    UNCHANGED = "unchanged"  # it was up to date before the run
    FAILED = "failed"
    REFUSED = "refused"
    ROLLED_BACK = "rolled-back"  # this run had started it, and removed it when it was interrupted


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One row and what has become of it so far."""

    row: Row
    state: State
    image_id: str = ""
    percent: int | None = None
    error: AmicopyError | None = None
    left: LeftBecause | None = None
    changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    check_result: CheckResult | None = None
    client_token: str = ""  # of this run's own CopyImage
    requested_at: datetime | None = None
    copying_since: datetime | None = None  # EC2 had named the copy, or an earlier run's was found
    progress: Progress = ()  # percentages on the way, so far apart that they stay few
    available_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def region(self) -> str:
        """The destination region."""
        return self.row.region

    @property
    def place(self) -> str:
        """The destination as people read it: its region, after its account if that is another one."""
        return self.row.place

    @property
    def source_id(self) -> str:
        """The id of the source AMI."""
        return self.row.source.image_id

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to it in this run."""
        return self.ended_at is not None or self.state in {State.UNCHANGED, State.REFUSED}

    @property
    def is_well(self) -> bool:
        """Whether the destination is up to date."""
        return self.state in {State.DONE, State.UNCHANGED}

    @property
    def is_copying(self) -> bool:
        """Whether EC2 is copying it, as far as this run has seen."""
        return self.copying_since is not None and self.available_at is None

    @property
    def has_failed(self) -> bool:
        """Whether it failed or was refused."""
        return self.state in {State.FAILED, State.REFUSED}

    @property
    def is_lost(self) -> bool:
        """Whether it failed, was refused, or stopped without a known reason."""
        return self.has_failed or not (self.is_well or self.left or self.ended)


@dataclass(slots=True, kw_only=True)
class Report:
    """The result of a run so far; events are added as they happen, so that it can be written at any time."""

    plan: Plan
    started_at: datetime
    by_key: dict[Key, Outcome] = field(default_factory=dict)
    refused: bool = False  # nothing was started
    signal: int = 0
    error: AmicopyError | None = None  # what ended the run as a whole
    open_access: dict[str, set[str]] = field(default_factory=dict)  # accounts that may copy an image, by its reference

    def __post_init__(self) -> None:
        for grant in (grant for row in self.plan.rows for grant in row.grants):
            self.open_access.setdefault(f"{grant.region}/{grant.image_id}", set()).add(grant.account)
        for row in self.plan.rows:
            failed = row.is_unreachable and not self.refused
            self.by_key[row.key] = Outcome(
                row=row,
                state=State.FAILED if failed else _FIRST_STATE.get(row.action, State.PLANNED),
                image_id=row.copy.image_id if row.copy else "",
                error=row.problem,
                notes=row.notes,
                ended_at=self.started_at if failed else None,
            )

    def add(self, event: Event) -> Outcome:
        """Record one event; return its row's new outcome."""
        old = self.by_key[event.key]
        new = _after(old, event)
        self.by_key[event.key] = new
        if isinstance(event, AccessGiven) and not event.stays:
            self.open_access.setdefault(event.origin, set()).add(event.destination.account)
        elif isinstance(event, AccessTaken):
            self.open_access.get(event.origin, set()).discard(event.destination.account)
        return new

    def ended_by(self, error: AmicopyError | None) -> None:
        """Record what ended the run as a whole; the first error stays."""
        self.error = self.error or error

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """Every outcome, in the plan's order."""
        return tuple(self.by_key.values())

    @property
    def executed_plan(self) -> Plan:
        """The plan with what its copies were really made from, as far as that is known."""
        return replace(self.plan, rows=tuple(outcome.row for outcome in self.outcomes))

    @property
    def left_behind(self) -> tuple[Outcome, ...]:
        """The outcomes that this run has not finished."""
        return tuple(
            outcome
            for outcome in self.outcomes
            if not outcome.is_well and outcome.state not in {State.FAILED, State.REFUSED, State.ROLLED_BACK}
        )

    def exit_code(self) -> ExitCode:
        """Return the exit code of the process (README, "Exit codes")."""
        if self.error is not None:
            return self.error.exit_code
        if self.signal:
            return ExitCode.of_signal(self.signal)
        if self.refused:
            return self.plan.refusal().exit_code
        counted = [outcome for outcome in self.outcomes if not outcome.row.best_effort]
        lost = [outcome for outcome in counted if outcome.is_lost]
        if lost and not any(
            outcome.is_well or outcome.left in {LeftBecause.NO_WAIT, LeftBecause.OTHERS} for outcome in counted
        ):
            codes = {outcome.error.exit_code for outcome in lost if outcome.error}
            return codes.pop() if len(codes) == 1 else ExitCode.FAILED
        if lost:
            return ExitCode.PARTIAL
        if any(outcome.left in {LeftBecause.TIME_OUT, LeftBecause.EXPIRED} for outcome in counted):
            return ExitCode.TIME_OUT
        if any(outcome.row.wider for outcome in counted):
            return ExitCode.DRIFT
        return ExitCode.OK


_FIRST_STATE: Mapping[Action, State] = {Action.UNCHANGED: State.UNCHANGED, Action.REFUSE: State.REFUSED}


def _after(old: Outcome, event: Event) -> Outcome:
    """Return the outcome once ``event`` has happened."""
    new = replace(old, image_id=event.image_id or old.image_id)
    match event:
        case CopyRequested(at=at, client_token=token):
            # An image id that an earlier token returned was that of a dead image.
            requested_at = old.requested_at or at
            return replace(new, state=State.REQUESTED, image_id="", client_token=token, requested_at=requested_at)
        case OriginChosen(from_region=region, from_id=image_id):
            return replace(new, row=_made_from(old.row, Image(image_id=image_id, region=region)))
        case CopyQueued():
            return replace(new, state=State.QUEUED, client_token="")
        case CopyStarted(at=at):
            return replace(new, state=State.COPYING, copying_since=at, progress=())
        case CopyJoined(at=at):  # another run's copy: not ours to roll back
            return replace(new, state=State.COPYING, client_token="", copying_since=at)
        case CopyProgressed(at=at, percent=percent):
            return replace(new, percent=percent, progress=_and_later(old.progress, at, percent))
        case CopyAvailable(at=at):
            return replace(new, state=State.COMPLETING, percent=100, available_at=at)
        case AttributeWritten(what=what) | FailedCopyRemoved(what=what):
            state = State.COMPLETING if old.state is State.PLANNED else old.state
            return replace(new, state=state, changes=(*old.changes, what))
        case AccessGiven(what=what) | AccessTaken(what=what):
            return replace(new, changes=(*old.changes, what))
        case CopyRolledBack(at=at, what=what):
            return replace(new, state=State.ROLLED_BACK, changes=(*old.changes, what), ended_at=at)
        case CheckStarted():
            return replace(new, state=State.CHECKING)
        case CheckEnded(result=result):
            return replace(new, state=State.COMPLETING, check_result=result)
        case SharingDeferred():
            return replace(new, state=State.SHARING_DEFERRED)
        case CopyDone(at=at):
            return replace(new, state=State.DONE, ended_at=at)
        case DestinationFailed(at=at, error=error):
            return replace(new, state=State.FAILED, error=error, ended_at=at)
        case DestinationLeft(at=at, because=because):
            return replace(new, left=because, ended_at=at)
        case NoteAdded(text=text):
            return replace(new, notes=(*old.notes, text))
    return new


def _made_from(row: Row, origin: Image) -> Row:
    """Return the row as it is executed, given what EC2 copies."""
    return replace(row, waits_for=None, copied_from=None if origin.reference == row.source.reference else origin)


def _and_later(progress: Progress, at: datetime, percent: int) -> Progress:
    """Return the progress with one more percentage, if it is far enough from the last: twenty steps at most."""
    last = progress[-1][1] if progress else 0
    return (*progress, (at, percent)) if percent >= last + 5 else progress
