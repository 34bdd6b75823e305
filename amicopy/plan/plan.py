"""``plan_copies(request, survey)``: the decision, one row per source and destination, each with its reason.

Refuses to read or write AWS. The dry run prints the plan, the run executes it, JSON serialises it: one value.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import ceil

from amicopy.core.errors import AmicopyError, CopyFailed, ImageUnavailable, NotFaithful, PlanRefused
from amicopy.core.lineage import NO_COPIES, Copies, copies_by_source, is_ours
from amicopy.core.models import Image, ImageState
from amicopy.core.request import CopyRequest
from amicopy.plan.checks import REGION_THROUGHPUT, copy_problems, public_problems, surcharge_per_gib, too_fast
from amicopy.plan.desired import DesiredCopy, desired_copy
from amicopy.plan.differences import Difference, SharingLacks, StructureDiffers, deprecation_date, differences
from amicopy.plan.extras import extras
from amicopy.plan.findings import Destination, Survey


class Action(StrEnum):
    """What is to be done for one source in one destination."""

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
    region: str
    action: Action
    reason: str
    desired: DesiredCopy
    copy: Image | None = None  # the one that is there and will be used
    differences: tuple[Difference, ...] = ()
    failed: tuple[Image, ...] = ()  # earlier attempts of ours, to be removed once a copy is available
    dead_ids: frozenset[str] = frozenset()  # failed copies, whoever made them: no token of ours may bring one back
    best_effort: bool = False
    is_held: bool = False  # its sharing waits for the other destinations
    problems: tuple[AmicopyError, ...] = ()  # why it is refused
    notes: tuple[str, ...] = ()

    @property
    def problem(self) -> AmicopyError | None:
        """The first of its problems."""
        return next(iter(self.problems), None)

    @property
    def key(self) -> tuple[str, str]:
        """What every event of this row is known by: the source's reference and the destination."""
        return self.source.reference, self.region

    @property
    def name(self) -> str:
        """The name that the copy has or is to have."""
        return (self.copy and self.copy.name) or self.desired.name

    @property
    def writes(self) -> bool:
        """Executing it changes something in EC2."""
        return self.action in {Action.COPY, Action.REPLACE, Action.UPDATE, Action.JOIN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Every row, in the order asked: sources outside, destinations inside."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    @property
    def refused(self) -> tuple[Row, ...]:
        """The rows for which a person has to choose, best-effort ones left out: with any, nothing is started."""
        return tuple(row for row in self.rows if row.action is Action.REFUSE and not row.best_effort)

    @property
    def has_work(self) -> bool:
        """Something is to be written or waited for."""
        return any(row.writes for row in self.rows)

    def refusal(self) -> PlanRefused:
        """Return the error that says that nothing was started; each row carries its own reason."""
        count = len(self.refused)
        refused = PlanRefused(
            f"{count} of {len(self.rows)} {'copy' if len(self.rows) == 1 else 'copies'} "
            f"{'is' if count == 1 else 'are'} refused, so nothing was started.",
            why=" ".join(dict.fromkeys(problem.what for row in self.refused for problem in row.problems)),
            next_step="Fix the problems above, leave the region out with --exclude, or add it to --best-effort.",
        )
        codes = {problem.exit_code for row in self.refused for problem in row.problems}
        if len(codes) == 1:  # all for lack of access, say: then that is what the exit code tells
            refused.exit_code = codes.pop()
        return refused


def plan_copies(request: CopyRequest, survey: Survey) -> Plan:
    """Return what has to be done so that every destination holds one faithful copy of every source."""
    copies = {region: copies_by_source(one.copies) for region, one in survey.destinations.items()}
    rows = tuple(
        _plan_row(request, survey, source, survey.destinations[region], copies[region].get(source.reference, NO_COPIES))
        for source in survey.sources
        for region in survey.destinations
    )
    plan = Plan(rows=rows, notes=(*survey.notes, *_cost_notes(request, rows)))
    return with_refusals(plan, _overloaded(request, rows)) if request.preflight else plan


def _overloaded(request: CopyRequest, rows: Sequence[Row]) -> dict[str, AmicopyError]:
    """Return the destinations whose time-based copies together need more throughput than a region gives."""
    minutes = request.complete_within_minutes
    if not minutes:
        return {}
    gib = Counter[str]()
    for row in rows:
        if row.action.starts_a_copy:
            gib[row.region] += row.source.volume_gib
    return {
        region: too_fast(f"{total} GiB together", REGION_THROUGHPUT, minutes, region)
        for region, total in gib.items()
        if total * 1024 / (minutes * 60) > REGION_THROUGHPUT
    }


def _cost_notes(request: CopyRequest, rows: Sequence[Row]) -> list[str]:
    """Return how much is to be copied where, as an upper bound: EC2 copies less of what it has copied before."""
    starting = [row for row in rows if row.action.starts_a_copy and row.source.snapshot_ids]
    if not starting:
        return []
    per_region = Counter[str]()
    for row in starting:
        per_region[row.region] += ceil(row.source.full_gib or row.source.volume_gib)
    sizes = set(per_region.values())
    known = all(row.source.full_gib is not None for row in starting)
    basis = "the snapshots' full size" if known else "the volumes' size"
    regions = f"each of {len(per_region)} regions" if len(sizes) == 1 and len(per_region) > 1 else ""
    what = (
        f"{sizes.pop()} GiB to {regions or next(iter(per_region))}"
        if len(sizes) == 1
        else ", ".join(f"{gib} GiB to {region}" for region, gib in per_region.items())
    )
    notes = [f"at most {what} will be copied ({basis})"]
    if minutes := request.complete_within_minutes:
        total = sum(per_region.values())
        rate = surcharge_per_gib(minutes)
        notes.append(
            f"time-based within {minutes} minutes: about {rate:.3f} USD per GiB on top, at most {total * rate:.2f} USD "
            "(US prices of 2026; EBS User Guide, Time-based copies)"
        )
    return notes


def _plan_row(request: CopyRequest, survey: Survey, source: Image, destination: Destination, copies: Copies) -> Row:
    desired = desired_copy(source, request, region=destination.region, now=survey.at)
    if destination.settings.key:
        desired = replace(desired, key_arn=destination.settings.key.arn)
    lacking = differences(desired, copies.available[0]) if copies.available else ()
    action, reason, copy, problem = _decide(source, desired, copies, destination, lacking)
    problems: tuple[AmicopyError, ...] = (problem,) if problem else ()
    if action in {Action.COPY, Action.REPLACE, Action.UPDATE}:
        found = [_wanted_problem(desired, destination.region)] if desired.problems else []
        if action.starts_a_copy and request.preflight:
            found += copy_problems(desired, destination.settings, destination.region)
        elif request.preflight and any(isinstance(one, SharingLacks) for one in lacking):
            found += public_problems(desired, destination.settings, destination.region)
        if problems := tuple(found):
            action, reason = Action.REFUSE, problems[0].what
    others = [image for image in (*copies.available, *copies.in_progress) if image is not copy]
    ours_failed = tuple(image for image in copies.failed if is_ours(source, image))
    return Row(
        source=source,
        region=destination.region,
        action=Action.UPDATE if action is Action.UNCHANGED and ours_failed else action,
        reason=f"{reason}; a failed copy still has to be removed"
        if action is Action.UNCHANGED and ours_failed
        else reason,
        desired=desired,
        copy=copy,
        differences=lacking if action in {Action.UNCHANGED, Action.UPDATE} else (),
        failed=ours_failed,
        dead_ids=frozenset(image.image_id for image in copies.failed),
        best_effort=destination.region in request.best_effort,
        problems=problems,
        notes=(*desired.notes, *destination.settings.notes, *_notes(desired, copy, others, copies, ours_failed)),
    )


def _decide(
    source: Image,
    desired: DesiredCopy,
    copies: Copies,
    destination: Destination,
    lacking: tuple[Difference, ...],
) -> tuple[Action, str, Image | None, AmicopyError | None]:
    problem = destination.problem or _source_problem(source)
    if problem:
        return Action.REFUSE, problem.what, None, problem
    if copies.available:
        return _decide_available(desired, copies.available[0], destination.region, lacking)
    if copies.in_progress:
        copy = copies.in_progress[0]
        return Action.JOIN, f"{copy.image_id} is already being copied", copy, None
    if copies.disabled:
        copy = copies.disabled[0]
        refusal = ImageUnavailable(
            f"The copy {copy.image_id} in {destination.region} is disabled.",
            why="Somebody took it out of use (DisableImage); amicopy neither undoes that nor makes another beside it.",
            next_step="Enable it (aws ec2 enable-image), or deregister it, then run the same command again.",
        )
        return Action.REFUSE, refusal.what, copy, refusal
    if copies.failed:
        failed = copies.failed[0]
        return Action.REPLACE, f"{failed.image_id} failed: {failed.state_reason or 'EC2 gives no reason'}", None, None
    return Action.COPY, "no copy yet", None, None


def _decide_available(
    desired: DesiredCopy, copy: Image, region: str, found: tuple[Difference, ...]
) -> tuple[Action, str, Image | None, AmicopyError | None]:
    lasting = [difference for difference in found if not difference.repairable]
    if [one for one in lasting if isinstance(one, StructureDiffers) and one.aspect == "name"] == lasting and lasting:
        problem = NotFaithful(
            f"The copy {copy.image_id} in {region} is named {copy.name!r}, not {desired.name!r}.",
            why="EC2 cannot rename an AMI, and a second copy beside it is nothing to make unasked.",
            next_step=f"Leave --name out, or ask for {copy.name!r}. To have it made anew, remove it first: "
            f"amicopy cancel {desired.source.image_id} --in {region} --available",
        )
        return Action.REFUSE, problem.what, copy, problem
    if lasting:
        problem = NotFaithful(
            f"The copy {copy.image_id} in {region} is not like its source, and only a new copy can be.",
            why="; ".join(map(str, lasting)),
            next_step=f"Remove it, then run the same command again: amicopy cancel {desired.source.image_id} "
            f"--in {region} --available",
        )
        return Action.REFUSE, problem.what, copy, problem
    if found:
        more = f"; and {len(found) - 2} more" if len(found) > 2 else ""
        return Action.UPDATE, f"{copy.image_id} is available; {'; '.join(map(str, found[:2]))}{more}", copy, None
    return Action.UNCHANGED, f"{copy.image_id} is up to date", copy, None


def _source_problem(source: Image) -> AmicopyError | None:
    if source.state is ImageState.AVAILABLE:
        return None
    reason = f": {source.state_reason}" if source.state_reason else ""
    if source.state.in_progress:
        return ImageUnavailable(
            f"The source {source.image_id} in {source.region} is still {source.state}.",
            why="EC2 copies an AMI only once it is available.",
            next_step="Run the same command again later, or without --no-wait and --dry-run: then it waits.",
        )
    return ImageUnavailable(
        f"The source {source.image_id} in {source.region} is {source.state}{reason}.",
        why="Only an available AMI can be copied.",
        next_step="Enable it first (aws ec2 enable-image), or name another."
        if source.state is ImageState.DISABLED
        else "Name another source.",
    )


def _wanted_problem(desired: DesiredCopy, region: str) -> AmicopyError:
    return CopyFailed(
        f"EC2 would refuse the copy of {desired.source.image_id} to {region}.",
        why="; ".join(desired.problems),
        next_step="Ask for something else (--name, --description, --tag, --share, --encrypt), or leave things behind: "
        "--no-tags, --no-permissions.",
    )


def _notes(
    desired: DesiredCopy, copy: Image | None, others: list[Image], copies: Copies, ours_failed: tuple[Image, ...]
) -> list[str]:
    notes = []
    source = desired.source.image_id
    if copy is not None and others:
        ids = ", ".join(image.image_id for image in others)
        newest = "the newest available" if copy.state is ImageState.AVAILABLE else "the newest"
        notes.append(f"there are other copies of {source}: {ids}; {newest}, {copy.image_id}, is used")
    date = deprecation_date(desired, copy) if copy is not None else None
    if copy is not None and copy.deprecate_at is None and date and desired.as_of and date <= desired.as_of:
        notes.append(
            f"{copy.image_id} was to be deprecated from {date:%Y-%m-%d} on, which has passed; it stays without"
        )
    if copy is not None and (wider := [str(one) for one in extras(desired, copy) if one.is_wider]):
        notes.append(f"{'; '.join(wider)}; to take that away: amicopy verify {source} --repair --prune")
    if copy is not None and not desired.name_template and copy.name != desired.name:
        notes.append(f"{copy.image_id} is named {copy.name!r}, the source {desired.name!r}")
    notes += [
        f"{image.image_id} failed and was not made by amicopy; it is left alone"
        for image in copies.failed
        if image not in ours_failed
    ]
    return notes


def with_notes(plan: Plan, notes: Iterable[str]) -> Plan:
    """Return the plan with more to be said about it."""
    return replace(plan, notes=(*plan.notes, *notes))


def with_refusals(plan: Plan, refusals: Mapping[str, AmicopyError]) -> Plan:
    """Return the plan with every row that would write in a refused destination turned into a refusal."""
    return replace(
        plan,
        rows=tuple(
            replace(row, action=Action.REFUSE, reason=refusals[row.region].what, problems=(refusals[row.region],))
            if row.writes and row.region in refusals
            else row
            for row in plan.rows
        ),
    )


def rows_by_region(plan: Plan) -> Mapping[str, tuple[Row, ...]]:
    """Return the rows of each destination that are to be executed, in the plan's order."""
    regions: dict[str, list[Row]] = {}
    for row in plan.rows:
        regions.setdefault(row.region, [])
        if row.writes:
            regions[row.region].append(row)
    return {region: tuple(rows) for region, rows in regions.items() if rows}
