"""The decision what to do for every source in every destination, with its reason."""

from dataclasses import replace

from amicopy.core.errors import AmicopyError, CopyFailed, ImageUnavailable, NotFaithful
from amicopy.core.lineage import NO_COPIES, Copies, copies_by_source, is_ours
from amicopy.core.models import Image, ImageState
from amicopy.core.request import CopyRequest
from amicopy.plan.attributes.base import DesiredCopy, Difference
from amicopy.plan.attributes.deprecation import deprecation_date
from amicopy.plan.attributes.structure import NameDiffers
from amicopy.plan.checks import copy_problems, public_problems
from amicopy.plan.cost import cost_notes, overloaded_regions
from amicopy.plan.desired import desired_copy
from amicopy.plan.differences import differences, extras
from amicopy.plan.findings import DestinationFindings, Survey
from amicopy.plan.plan import Action, Plan, Row, with_refusals


def plan_copies(request: CopyRequest, survey: Survey) -> Plan:
    """Return what has to be done so that every destination has one faithful copy of every source."""
    copies = {destination: copies_by_source(found.copies) for destination, found in survey.destinations.items()}
    rows = tuple(
        _plan_row(request, survey, source, found, copies[destination].get(source.reference, NO_COPIES))
        for source in survey.sources
        for destination, found in survey.destinations.items()
    )
    plan = Plan(rows=rows, notes=(*survey.notes, *cost_notes(request, rows)))
    return with_refusals(plan, overloaded_regions(request, rows)) if request.preflight else plan


def _plan_row(
    request: CopyRequest, survey: Survey, source: Image, destination: DestinationFindings, copies: Copies
) -> Row:
    desired = desired_copy(source, request, destination=destination.destination, now=survey.at)
    if destination.settings.key:
        desired = replace(desired, key_arn=destination.settings.key.arn)
    lacking = differences(desired, copies.available[0]) if copies.available else ()
    action, reason, copy, problem = _decide(source, desired, copies, destination, lacking)
    problems: tuple[AmicopyError, ...] = (problem,) if problem else ()
    if action in {Action.COPY, Action.REPLACE, Action.UPDATE}:
        found = [_wanted_problem(desired, destination.region)] if desired.problems else []
        if action.starts_a_copy and request.preflight:
            found += copy_problems(desired, destination.settings, destination.region)
        elif request.preflight and any(one.is_sharing for one in lacking):
            found += public_problems(desired, destination.settings, destination.region, copies.available[0])
        if problems := tuple(found):
            action, reason = Action.REFUSE, problems[0].what
    others = [image for image in (*copies.available, *copies.in_progress) if image is not copy]
    ours_failed = tuple(image for image in copies.failed if is_ours(source, image))
    return Row(
        source=source,
        destination=destination.destination,
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
    destination: DestinationFindings,
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
    if lasting and all(isinstance(one, NameDiffers) for one in lasting):
        problem = NotFaithful(
            f"The copy {copy.image_id} in {region} is named {copy.name!r}, not {desired.name!r}.",
            why="EC2 cannot rename an AMI, and a second copy beside it is nothing to make unasked.",
            next_step=f"Leave --name out, or use {copy.name!r}. To replace this copy, if nobody uses it, remove it first: "
            f"{_removal(copy)}",
        )
        return Action.REFUSE, problem.what, copy, problem
    if lasting:
        problem = NotFaithful(
            f"The copy {copy.image_id} in {region} is not like its source, and only a new copy can be.",
            why="; ".join(map(str, lasting)),
            next_step=f"If nobody uses this copy, remove it, then run the same command again: {_removal(copy)}",
        )
        return Action.REFUSE, problem.what, copy, problem
    if found:
        more = f"; and {len(found) - 2} more" if len(found) > 2 else ""
        return Action.UPDATE, f"{copy.image_id} is available; {'; '.join(map(str, found[:2]))}{more}", copy, None
    return Action.UNCHANGED, f"{copy.image_id} is up to date", copy, None


def _removal(copy: Image) -> str:
    """Return the command that removes this one copy and nothing else."""
    return f"amicopy cancel --copy {copy.image_id} --in {copy.region} --available"


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
