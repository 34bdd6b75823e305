"""The plan: one row per source and destination. A dry run prints it, a run executes it, JSON serializes it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from amicopy.core.check import Check
from amicopy.core.check_record import waiting_tags
from amicopy.core.destination import Destination, Key
from amicopy.core.errors import AmicopyError, ExitCode, PlanRefused, Unreachable
from amicopy.core.grants import OpenGrant
from amicopy.core.image_scan import ImageScan
from amicopy.core.models import VIA_TAG, Image
from amicopy.core.write import Write
from amicopy.plan.attributes.base import DesiredCopy, Difference, Extra

if TYPE_CHECKING:  # loaded when a price is asked for
    from amicopy.core.prices import Prices


class Action(StrEnum):
    """What will be done for one source in one destination."""

    COPY = "copy"
    JOIN = "join"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    REPLACE = "replace"
    REFUSE = "refuse"

    @property
    def starts_a_copy(self) -> bool:
        """CopyImage will be called."""
        return self in {Action.COPY, Action.REPLACE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One copy to make, to complete, or to leave as it is."""

    source: Image
    destination: Destination
    action: Action
    reason: str
    desired: DesiredCopy
    label: str = ""  # by which outputs name the source; empty: by its id
    copy: Image | None = None  # the one that is there and will be used
    copied_from: Image | None = None  # the copy of the source that EC2 is to copy; None: the source itself
    waits_for: Destination | None = None  # where that copy is still to be made
    origin_keys: tuple[str, ...] = ()  # ARNs of what encrypts it, if another account copies it; "": not known yet
    grants: tuple[OpenGrant, ...] = ()  # temporary permissions that an earlier run has given for this copy
    differences: tuple[Difference, ...] = ()
    wider: tuple[Extra, ...] = ()  # by which more people can use the copy than desired
    prune_command: str = ""  # the command that removes what is wider
    failed: tuple[Image, ...] = ()  # earlier attempts of ours, to be removed once a copy is available
    dead_ids: frozenset[str] = frozenset()  # failed copies of any tool: a token of ours must not return one of them
    best_effort: bool = False
    is_only_hub: bool = False  # it is not a destination: others are copied from it
    is_ours: bool = True  # the copy was or will be made by amicopy, or is adopted: it may be written
    check: Check | None = None  # what the copy has to pass before it is shared; None if it has passed it already
    is_held: bool = False  # its sharing waits for the other destinations
    unconfirmed: tuple[Write, ...] = ()  # writes of the destination to ask IAM about once the copy can be named
    problems: tuple[AmicopyError, ...] = ()  # why it is refused
    notes: tuple[str, ...] = ()

    @property
    def problem(self) -> AmicopyError | None:
        """The first of its problems."""
        return next(iter(self.problems), None)

    @property
    def is_unreachable(self) -> bool:
        """It is refused only because the destination's region does not answer."""
        return bool(self.problems) and all(isinstance(problem, Unreachable) for problem in self.problems)

    @property
    def region(self) -> str:
        """The destination's region."""
        return self.destination.region

    @property
    def place(self) -> str:
        """The destination as people read it: its region, after its account if that is another one."""
        return str(self.destination)

    def refused(self, *problems: AmicopyError) -> "Row":
        """Return the row with these problems beside those that it has; what it was refused for first is its reason."""
        reason = self.reason if self.action is Action.REFUSE else problems[0].what
        return replace(self, action=Action.REFUSE, reason=reason, problems=(*self.problems, *problems))

    @property
    def is_standing(self) -> bool:
        """Whether its copy is available already."""
        return self.action in {Action.UNCHANGED, Action.UPDATE}

    @property
    def origin(self) -> Image:
        """What EC2 is to copy: the source, or a copy of it."""
        return self.copied_from or self.source

    @property
    def origin_region(self) -> str:
        """The region of what EC2 is to copy."""
        return self.waits_for.region if self.waits_for else self.origin.region

    @property
    def is_relayed(self) -> bool:
        """Whether it is copied within its region, from another account's copy: that transfers nothing."""
        return bool(self.destination.account) and self.origin_region == self.region

    @property
    def is_routed(self) -> bool:
        """Whether it is copied from a copy in another region, because that costs less."""
        is_from_copy = self.waits_for is not None or self.copied_from is not None
        return is_from_copy and self.action.starts_a_copy and not self.destination.account

    @property
    def waits(self) -> bool:
        """Executing it begins only when the copy in another region is available."""
        return self.is_routed and self.waits_for is not None

    @property
    def image_tags(self) -> dict[str, str]:
        """The tags that CopyImage puts on the image."""
        via = {VIA_TAG: self.copied_from.reference} if self.copied_from else {}
        tags = {**self.desired.tags, **via}
        return tags | waiting_tags(self.check) if self.check else tags

    @property
    def key(self) -> Key:
        """The identity of the row and of its events."""
        return self.source.reference, self.destination

    @property
    def name(self) -> str:
        """The name that the copy has or will have."""
        return (self.copy and self.copy.name) or self.desired.name

    @property
    def makes_public(self) -> bool:
        """Executing it shares the copy, or a snapshot of it, with everyone who does not have it already."""
        copy = self.copy
        public = {one for one in self.desired.shared_with if one.is_public}
        launch, volumes = self.desired.launch_permissions, self.desired.volume_permissions.values()
        has_launch = copy is not None and public <= (copy.launch_permissions or frozenset())
        has_volumes = copy is not None and all(public <= (one.volume_permissions or set()) for one in copy.snapshots)
        return (bool(public & launch) and not has_launch) or (any(public & who for who in volumes) and not has_volumes)

    @property
    def writes(self) -> bool:
        """Executing it changes something in EC2."""
        return self.action in {Action.COPY, Action.REPLACE, Action.UPDATE, Action.JOIN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Every row, in the order asked: sources outside, destinations inside."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    grants_to_take: tuple[OpenGrant, ...] = ()  # temporary permissions that no copy needs anymore
    scans: tuple[ImageScan, ...] = ()  # what was found in the sources, if the request wants to know
    prices: "Prices | None" = None  # for its estimate; None: those that come with amicopy

    @property
    def refused(self) -> tuple[Row, ...]:
        """The refused rows, best-effort ones left out, if they keep the whole plan from being executed.

        A person has to choose what becomes of them. A region that does not answer is that region's failure alone,
        unless no other row is left.
        """
        refused = self.not_startable
        others_go_on = all(row.is_unreachable for row in refused) and len(refused) < len(self.rows)
        return () if others_go_on else refused

    @property
    def not_startable(self) -> tuple[Row, ...]:
        """The rows that cannot be executed, best-effort ones left out."""
        return tuple(row for row in self.rows if row.action is Action.REFUSE and not row.best_effort)

    @property
    def exit_code(self) -> ExitCode:
        """What a run that only shows the plan ends with, changes left out."""
        if self.refused:
            return self.refusal().exit_code
        return ExitCode.PARTIAL if self.not_startable else ExitCode.OK

    @property
    def has_work(self) -> bool:
        """Whether there is something to write or to wait for."""
        return any(row.writes for row in self.rows) or bool(self.grants_to_take)

    @property
    def is_wider(self) -> bool:
        """Whether more people can use a copy than requested: the run then ends as it does if something differs."""
        return any(row.wider for row in self.rows)

    @property
    def _leave_out(self) -> str:
        """What else can be done if only copies of other accounts are refused: the rest need not wait for them."""
        accounts = sorted({row.destination.account for row in self.refused})
        return f"leave {', '.join(accounts)} out of --account, " if "" not in accounts and len(accounts) <= 3 else ""

    def refusal(self) -> PlanRefused:
        """Return the error that says that nothing was started; each row carries its own reason."""
        count, total = len(self.refused), len(self.rows)
        beside = sum(row.action is Action.REFUSE and row.best_effort for row in self.rows)
        more = f" ({beside} more as best effort)" if beside else ""
        codes = {problem.exit_code for row in self.refused for problem in row.problems}
        return PlanRefused(
            "The copy is refused, so nothing was started."
            if total == 1
            else f"{count} of {total} copies {'is' if count == 1 else 'are'} refused{more}, so nothing was started.",
            exit_code=codes.pop() if len(codes) == 1 else ExitCode.FAILED,
            why=" ".join(dict.fromkeys(problem.what for row in self.refused for problem in row.problems)),
            next_step=f"Fix the problems above, {self._leave_out}exclude the region, or let it fail as best effort "
            "(--exclude and --best-effort; in a manifest, exclude and best_effort).",
        )


def with_only_hub(plan: Plan, region: str) -> Plan:
    """Return the plan; its copies in this region are there only for others to be copied from."""
    rows = (replace(row, is_only_hub=row.destination == Destination(region)) for row in plan.rows)
    return replace(plan, rows=tuple(rows))


def with_notes(plan: Plan, notes: Iterable[str]) -> Plan:
    """Return the plan with more to be said about it."""
    return replace(plan, notes=(*plan.notes, *notes))


def with_unconfirmed(plan: Plan, writes: Mapping[Destination, tuple[Write, ...]]) -> Plan:
    """Return the plan in which the first new copy of each destination has the writes that are still to be checked."""
    left = dict(writes)

    def asking(row: Row) -> Row:
        is_new = row.action in {Action.COPY, Action.REPLACE, Action.JOIN}
        return replace(row, unconfirmed=left.pop(row.destination, ())) if is_new else row

    return replace(plan, rows=tuple(map(asking, plan.rows)))


def with_refusals(plan: Plan, refusals: Mapping[Destination, AmicopyError]) -> Plan:
    """Return the plan with every row that would write in a refused destination turned into a refusal."""

    def refused(row: Row) -> Row:
        problem = refusals.get(row.destination) if row.writes else None
        return row.refused(problem) if problem else row

    return replace(plan, rows=tuple(map(refused, plan.rows)))


def with_refused_rows(plan: Plan, refusals: Mapping[Key, AmicopyError]) -> Plan:
    """Return the plan with these rows refused."""
    rows = (row.refused(refusals[row.key]) if row.key in refusals else row for row in plan.rows)
    return replace(plan, rows=tuple(rows))


def with_notes_of_rows(plan: Plan, notes: Mapping[Key, str]) -> Plan:
    """Return the plan with one more note on these rows."""
    rows = (replace(row, notes=(*row.notes, notes[row.key])) if row.key in notes else row for row in plan.rows)
    return replace(plan, rows=tuple(rows))


def rows_by_destination(plan: Plan) -> Mapping[Destination, tuple[Row, ...]]:
    """Return the rows of each destination that have to be executed, in the plan's order."""
    found: dict[Destination, list[Row]] = {}
    for row in plan.rows:
        found.setdefault(row.destination, [])
        if row.writes:
            found[row.destination].append(row)
    return {destination: tuple(rows) for destination, rows in found.items() if rows}
