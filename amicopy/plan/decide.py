"""The decision for every source in every destination, with its reason."""

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from amicopy.core.check import Check
from amicopy.core.destination import Destination, as_account, at, in_account
from amicopy.core.ec2_rules import MAX_TAGS
from amicopy.core.errors import AmicopyError, CopyFailed, ImageRetired, ImageUnavailable, NotFaithful, NotShareable
from amicopy.core.lineage import NO_COPIES, Copies, copies_by_source, is_ours
from amicopy.core.models import CHECKED_TAG, Image, ImageState
from amicopy.core.request import CopyRequest, comparing_options
from amicopy.core.retirement import moment_of
from amicopy.plan.account_rows import with_origins
from amicopy.plan.attributes.base import DesiredCopy
from amicopy.plan.attributes.deprecation import deprecation_date
from amicopy.plan.attributes.structure import NameDiffers
from amicopy.plan.checked import awaited_check, no_room_for_check, not_checked
from amicopy.plan.checks import copy_problems, public_problems, scan_problem
from amicopy.plan.choose import Compared, choose, compare, may_write, pending_copies
from amicopy.plan.cost import overloaded_regions, size_notes
from amicopy.plan.desired import desired_copy
from amicopy.plan.findings import DestinationFindings, Survey
from amicopy.plan.open_grants import with_open_grants
from amicopy.plan.plan import Action, Plan, Row, with_refusals
from amicopy.plan.relays import with_routes
from amicopy.plan.routes import Rate, unknown_rate


def plan_copies(request: CopyRequest, survey: Survey, rate: Rate = unknown_rate) -> Plan:
    """Return what has to be done so that every destination has one faithful copy of every source.

    ``rate`` is what a GB costs from one region to another: it decides on a route.
    """
    copies = {destination: copies_by_source(found.copies) for destination, found in survey.destinations.items()}
    rows = tuple(
        _plan_row(request, survey, source, found, copies[destination].get(source.reference, NO_COPIES))
        for source in survey.sources
        for destination, found in survey.destinations.items()
    )
    rows = with_routes(request, survey, rows, rate)
    if request.accounts:
        rows = with_origins(request, rows, survey)
    notes = (*survey.notes, *size_notes(rows), *_name_notes(rows), *_check_notes(rows))
    plan = with_open_grants(request, Plan(rows=rows, notes=notes), survey)
    return with_refusals(plan, overloaded_regions(request, rows)) if request.preflight else plan


def _check_notes(rows: Sequence[Row]) -> Iterator[str]:
    """Yield which command is run before a copy is shared."""
    for command in dict.fromkeys(row.check.command for row in rows if row.check):
        checked = [row for row in rows if row.check]
        what = "the copy is" if len(checked) == 1 else f"each of {len(checked)} copies is"
        shared = sum(_is_shared_already(row) for row in checked)
        if not shared:
            yield f"before it is shared, {what} checked with: {command}"
        elif shared == len(checked):
            yield f"{what} checked with: {command}; it is shared already, and stays so if it fails"
        else:
            already = f"{shared} {'is' if shared == 1 else 'are'} shared already"
            yield f"before it is shared, {what} checked with: {command}; {already}"


def _is_shared_already(row: Row) -> bool:
    """Return whether others can use the copy before it is checked."""
    return row.copy is not None and not row.action.starts_a_copy and bool(row.copy.launch_permissions)


def _plan_row(request: CopyRequest, survey: Survey, source: Image, found: DestinationFindings, copies: Copies) -> Row:
    desired = desired_copy(source, request, destination=found.destination, now=survey.at)
    if found.settings.key:
        desired = replace(desired, key_arn=found.settings.key.arn)
    compared = [compare(source, copy, desired, adopt=request.adopt) for copy in copies.available]
    chosen = choose(compared)
    decision = _decide(request, source, desired, copies, found, chosen)
    problems: tuple[AmicopyError, ...] = (decision.problem,) if decision.problem else ()
    if decision.action in {Action.COPY, Action.REPLACE, Action.UPDATE}:
        problems = tuple(_problems(request, desired, found, decision.action, chosen))
    if found.settings.key_problem and not problems:  # no copy can have been encrypted with it
        problems = (found.settings.key_problem,)
    unmet = None if decision.action is Action.REFUSE else scan_problem(request, source, survey.at)
    if unmet and decision.action is not Action.UNCHANGED:
        problems = (unmet, *problems)
    if problems and decision.action is not Action.REFUSE:
        decision = replace(decision, action=Action.REFUSE, reason=problems[0].what)
    ours_failed = tuple(image for image in copies.failed if is_ours(source, image))
    if decision.action is Action.UNCHANGED and ours_failed:
        reason = f"{decision.reason}; a failed copy remains to be removed"
        decision = replace(decision, action=Action.UPDATE, reason=reason)
    is_compared = chosen is not None and decision.copy is chosen.copy
    check = _check(request, decision)
    if check is not None and decision.copy is not None:
        awaited = awaited_check(source, decision.copy)
        if decision.action is Action.UNCHANGED:
            reason = f"{decision.reason}, but {awaited.words if awaited else 'has not passed its check'}"
            decision = replace(decision, action=Action.UPDATE, reason=reason)
        elif awaited and decision.action is Action.UPDATE:
            decision = replace(decision, reason=f"{decision.reason}; it {awaited.words}")
    notes = [*_notes(request, desired, decision.copy, compared, copies, ours_failed)]
    if unmet and decision.action is Action.UNCHANGED:
        notes.append(f"{unmet.what} {unmet.why} Its copies are left as they are")
    return Row(
        source=source,
        destination=found.destination,
        action=decision.action,
        reason=decision.reason,
        desired=chosen.desired if chosen is not None and is_compared else desired,
        copy=decision.copy,
        differences=chosen.missing
        if chosen is not None and is_compared and decision.action in {Action.UNCHANGED, Action.UPDATE}
        else (),
        wider=chosen.wider if chosen is not None and is_compared else (),
        label=request.label,
        is_ours=chosen.is_ours if chosen is not None and is_compared else True,
        check=check,
        prune_command=_prune_command(request, source, found.destination),
        failed=ours_failed,
        dead_ids=frozenset(image.image_id for image in copies.failed),
        best_effort=found.region in request.best_effort,
        problems=problems,
        notes=(*desired.notes, *found.settings.notes, *notes),
    )


@dataclass(frozen=True, slots=True)
class _Decision:
    """What will be done in one destination, and why."""

    action: Action
    reason: str
    copy: Image | None = None
    problem: AmicopyError | None = None


def _check(request: CopyRequest, decision: _Decision) -> Check | None:
    """Return what the copy still has to pass; None if that is nothing, or if it has passed it."""
    check = request.check
    if check is None or decision.action is Action.REFUSE:
        return None
    return None if decision.copy and decision.copy.tags.get(CHECKED_TAG) == check.digest else check


def _refusal(problem: AmicopyError, copy: Image | None = None) -> _Decision:
    return _Decision(Action.REFUSE, problem.what, copy, problem)


def _problems(
    request: CopyRequest, desired: DesiredCopy, found: DestinationFindings, action: Action, chosen: Compared | None
) -> Iterator[AmicopyError]:
    """Yield the problems of a decision that writes."""
    if action.starts_a_copy and request.check is not None and len(desired.tags) >= MAX_TAGS:
        yield no_room_for_check(desired.source.image_id, found.destination)
    if desired.problems:
        yield _wanted_problem(desired, str(found.destination))
    if action.starts_a_copy and request.preflight:
        yield from copy_problems(desired, found.settings, str(found.destination))
    elif request.preflight and chosen is not None and any(one.is_sharing for one in chosen.missing):
        yield from public_problems(desired, found.settings, str(found.destination), chosen.copy)


def _decide(
    request: CopyRequest,
    source: Image,
    desired: DesiredCopy,
    copies: Copies,
    found: DestinationFindings,
    chosen: Compared | None,
) -> _Decision:
    if problem := found.problem or _source_problem(source):
        return _refusal(problem)
    finished = (*copies.available, *copies.disabled)
    if retired := [copy for copy in finished if copy.is_retired and is_ours(source, copy)]:
        return _refusal(_retired(source, retired[0], found.destination.account), retired[0])
    pending = pending_copies(source, copies, adopt=request.adopt)
    usable = chosen.copy if chosen is not None else next(iter(pending), None)
    if usable and request.check is None and (awaited := awaited_check(source, usable)):
        return _refusal(not_checked(usable, awaited, found.destination), usable)
    if chosen is not None:
        return _decide_available(chosen, found.destination)
    if pending:
        if desired.is_shared and pending[0].has_aws_managed_key:
            return _refusal(_cannot_be_shared(pending[0], desired), pending[0])
        return _Decision(Action.JOIN, f"{pending[0].image_id} is already being copied", pending[0])
    if disabled := [copy for copy in copies.disabled if may_write(source, copy, adopt=request.adopt)]:
        problem = ImageUnavailable(
            f"The copy {disabled[0].image_id} in {found.destination} is disabled.",
            why="Somebody disabled it (DisableImage). amicopy doesn't enable it or make another copy.",
            next_step=f"Enable it{as_account(found.destination.account)} (aws ec2 enable-image --image-id "
            f"{disabled[0].image_id} --region {found.region}), or deregister it, then run the same command again.",
        )
        return _refusal(problem, disabled[0])
    if failed := [copy for copy in copies.failed if is_ours(source, copy)]:
        reason = failed[0].state_reason or "EC2 gives no reason"
        return _Decision(Action.REPLACE, f"{failed[0].image_id} failed: {reason}")
    return _Decision(Action.COPY, "no copy yet")


def _decide_available(chosen: Compared, destination: Destination) -> _Decision:
    copy, found = chosen.copy, chosen.missing
    lasting = [difference for difference in found if not difference.repairable]
    if lasting and all(one.is_sharing for one in lasting):
        return _refusal(_cannot_be_shared(copy, chosen.desired), copy)
    if lasting and all(isinstance(one, NameDiffers) for one in lasting):
        problem = NotFaithful(
            f"The copy {copy.image_id} in {destination} is named {copy.name!r}, not {chosen.desired.name!r}.",
            why="EC2 cannot rename an AMI, and amicopy does not make a second copy unless you remove this one.",
            next_step=f"Leave --name out, or use {copy.name!r}. To replace this copy, if nobody uses it, remove it: "
            f"{_removal(copy, destination)}",
        )
        return _refusal(problem, copy)
    if lasting:
        problem = NotFaithful(
            f"The copy {copy.image_id} in {destination} does not match this request, and EC2 cannot change that on an "
            "existing image.",
            why="; ".join(map(str, lasting)),
            next_step="If nobody uses this copy, remove it, then run the same command again: "
            f"{_removal(copy, destination)}",
        )
        return _refusal(problem, copy)
    if found:
        more = f"; and {len(found) - 2} more" if len(found) > 2 else ""
        words = [str(one).replace(f"{copy.image_id} ", "it ", 1) for one in found[:2]]
        reason = f"{copy.image_id} is available; {'; '.join(words)}{more}"
        return _Decision(Action.UPDATE, reason, copy)
    maker = "" if chosen.is_ours else ", not made by amicopy,"
    return _Decision(Action.UNCHANGED, f"{copy.image_id}{maker} is up to date", copy)


def _cannot_be_shared(copy: Image, desired: DesiredCopy) -> NotShareable:
    return NotShareable(
        f"The copy {copy.image_id} in {desired.destination} is encrypted with the AWS-managed key, so it cannot be "
        "shared.",
        why=f"It should be shared with {', '.join(map(str, sorted(desired.shared_with)))}.",
        next_step="Leave it private (--no-permissions). Or, if nobody uses it, remove it "
        f"({_removal(copy, desired.destination)}), then make one with a key of your own: "
        f"--kms-key {desired.destination}=KEY",
    )


def _removal(copy: Image, destination: Destination) -> str:
    """Return the command that removes this one copy and nothing else."""
    return f"amicopy cancel --copy {copy.image_id} {at(destination)} --available"


def _prune_command(request: CopyRequest, source: Image, destination: Destination) -> str:
    """Return the command that compares with the same request and removes what is too much, after asking."""
    options = " ".join(map(shlex.quote, comparing_options(request)))
    command = f"amicopy verify {source.image_id} --from {source.region} {at(destination)} --repair --prune"
    return f"{command} {options}".rstrip()


def _retired(source: Image, image: Image, account: str = "") -> ImageRetired:
    what = "source" if image is source else "copy"
    return ImageRetired(
        f"The {what} {image.image_id} in {image.region} was retired on {moment_of(image.tags)[:10]}.",
        why="Somebody took this release back (amicopy retire). amicopy doesn't share it again or make another copy.",
        next_step="Copy another image. Or restore the release: "
        f"amicopy retire {source.image_id} --from {source.region}{in_account(account)} --undo",
    )


def _source_problem(source: Image) -> AmicopyError | None:
    if source.is_retired:
        return _retired(source, source)
    if source.state is ImageState.AVAILABLE:
        return None
    reason = f": {source.state_reason}" if source.state_reason else ""
    if source.state.in_progress:
        return ImageUnavailable(
            f"The source {source.image_id} in {source.region} is still {source.state}.",
            why="EC2 copies an AMI only once it is available.",
            next_step="Run the same command again later, or without --no-wait and --dry-run, to wait for it.",
        )
    return ImageUnavailable(
        f"The source {source.image_id} in {source.region} is {source.state}{reason}.",
        why="Only an available AMI can be copied.",
        next_step="Enable it first (aws ec2 enable-image), or use another one."
        if source.state is ImageState.DISABLED
        else "Name another source.",
    )


def _wanted_problem(desired: DesiredCopy, region: str) -> AmicopyError:
    return CopyFailed(
        f"EC2 would refuse the copy of {desired.source.image_id} to {region}.",
        why="; ".join(desired.problems),
        next_step="Change the request (--name, --description, --tag, --share, --encrypt), or copy less: --no-tags, "
        "--no-permissions.",
    )


def _notes(
    request: CopyRequest,
    desired: DesiredCopy,
    copy: Image | None,
    compared: Sequence[Compared],
    copies: Copies,
    ours_failed: Sequence[Image],
) -> Iterator[str]:
    source = desired.source
    counting = [one.copy for one in compared if one.counts]
    pending = pending_copies(source, copies, adopt=request.adopt)
    others = [image for image in (*counting, *pending) if image is not copy]
    if copy is not None and others:
        ids = ", ".join(image.image_id for image in others)
        yield f"there are other copies of {source.image_id}: {ids}; {copy.image_id} is used"
    yield from _foreign_notes(source, request, compared, copies)
    date = deprecation_date(desired, copy) if copy is not None else None
    if copy is not None and copy.deprecate_at is None and date and desired.as_of and date <= desired.as_of:
        yield f"{copy.image_id} should have been deprecated from {date:%Y-%m-%d}, which has passed, so it gets no date"
    if copy is not None and not desired.name_template and copy.name != desired.name:
        yield f"{copy.image_id} is named {copy.name!r}, the source {desired.name!r}"
    for image in copies.failed:
        if image not in ours_failed:
            yield f"{image.image_id} failed and was not made by amicopy; it is left alone"


def _foreign_notes(source: Image, request: CopyRequest, compared: Sequence[Compared], copies: Copies) -> Iterator[str]:
    """Yield notes about copies that others made and that do not count."""
    for one in compared:
        if not one.counts:
            what = next(iter((*one.missing, *one.wider)))
            adopting = "; to complete and use it instead: --adopt" if may_write(source, one.copy, adopt=True) else ""
            yield f"{one.copy.image_id} was not made by amicopy and is left alone: {what}{adopting}"
    for image in copies.in_progress:
        if not may_write(source, image, adopt=request.adopt):
            yield f"{image.image_id} is being copied by another tool and is not waited for; to use it: --adopt"


def _name_notes(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a note where several new copies will have the same name, which CopyImage allows."""
    starting = [row for row in rows if row.action.starts_a_copy]
    named = Counter((row.region, row.desired.name) for row in starting if row.desired.name_template)
    for (region, name), count in named.items():
        if count > 1:
            yield f"{count} copies in {region} will be named {name!r}; {{name}} or {{source_id}} tells them apart"
