"""The state of every copy of some sources: once, or repeatedly while something is being copied."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from amicopy.aws.ec2 import Ec2
from amicopy.core.destination import Destination
from amicopy.core.errors import AmicopyError, ExitCode
from amicopy.core.grants import OpenGrant
from amicopy.core.parallel import all_at_once
from amicopy.core.progress import percent_by_image
from amicopy.core.regions import regions_text
from amicopy.core.request import CopyRequest
from amicopy.core.retries import GONE_AFTER
from amicopy.jobs.context import Context
from amicopy.jobs.existing_copies import ExistingCopies, unread_code
from amicopy.plan.copy_status import CopyStatus
from amicopy.plan.findings import Survey
from amicopy.plan.open_grants import recorded_grants

WATCH_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusResult:
    """What one look has found; ``percents`` says how far the copies under way are, by their ids."""

    copies: tuple[CopyStatus, ...]
    survey: Survey
    percents: Mapping[str, int] = field(default_factory=dict)

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the process."""
        return unread_code(self.survey)

    @property
    def grants(self) -> tuple[OpenGrant, ...]:
        """The temporary permissions on the sources and their copies, for other accounts to copy them."""
        return tuple(grant for _, grant in recorded_grants(self.survey))

    @property
    def is_under_way(self) -> bool:
        """Something is still being copied."""
        return any(one.copy.state.in_progress for one in self.copies)

    @property
    def unread(self) -> tuple[AmicopyError, ...]:
        """Why regions could not be read, one error each."""
        return tuple(one.problem for one in self.survey.destinations.values() if one.problem)


class StatusJob:
    """Finds the copies of ``request.image_ids`` in the given regions."""

    def __init__(self, context: Context, request: CopyRequest, regions: Sequence[str] = ("all",)) -> None:
        self._context = context
        self.existing = ExistingCopies(context, request, regions)

    def look(self) -> StatusResult:
        """Return what is where now."""
        survey, found = self.existing.found()
        survey = replace(survey, notes=(*survey.notes, *_accounts_without_copies(survey, found)))
        return StatusResult(copies=found, survey=survey, percents=self._percents(found))

    def watch(self) -> Iterator[StatusResult]:
        """Yield one look after another, every few seconds, until nothing is being copied any more.

        Everything is compared again only once a copy has changed its state. If there is no copy at all, one is waited
        for during a minute: EC2 shows a new AMI only after a moment.
        """
        was_under_way = False  # a region that is silent for a moment may still be copying
        patient_until = self._context.clock.now() + GONE_AFTER
        status = self.look()
        while True:
            yield status
            appears = not status.copies and self._context.clock.now() < patient_until
            if not (status.is_under_way or appears or (status.unread and was_under_way)):
                return
            was_under_way = status.is_under_way or was_under_way
            self._context.clock.sleep(WATCH_SECONDS, until=self._context.stop)
            self._context.stop.check()
            if status.is_under_way and not status.unread and self._is_as_before(status.copies):
                status = replace(status, percents=self._percents(status.copies))
            else:
                status = self.look()

    def _is_as_before(self, found: Sequence[CopyStatus]) -> bool:
        """Return whether every copy that was pending still is; one DescribeImages in each region with such copies."""
        clients = self._context.clients
        tasks = {where: partial(_still_pending, clients[where], some) for where, some in _pending(found).items()}
        return all(all_at_once(tasks, self._context.stop).values())

    def _percents(self, found: Sequence[CopyStatus]) -> dict[str, int]:
        """Return how far the copies under way are."""
        clients = self._context.clients
        tasks = {where: partial(_progress, clients[where], some) for where, some in _pending(found).items()}
        parts = all_at_once(tasks, self._context.stop)
        return {image_id: percent for part in parts.values() for image_id, percent in part.items()}


def _accounts_without_copies(survey: Survey, found: Sequence[CopyStatus]) -> Iterator[str]:
    """Yield a note for each other account that was looked at and has no copy."""
    have = {one.destination.account for one in found}
    for account in dict.fromkeys(where.account for where in survey.destinations if where.account not in {"", *have}):
        here = [one for where, one in survey.destinations.items() if where.account == account]
        if regions := [one.destination.region for one in here if not one.problem]:
            yield f"account {account} has no copy in {regions_text(regions)}"


def _pending(found: Sequence[CopyStatus]) -> dict[Destination, list[CopyStatus]]:
    """Return the copies under way by destination."""
    pending: dict[Destination, list[CopyStatus]] = {}
    for one in found:
        if one.copy.state.in_progress:
            pending.setdefault(one.destination, []).append(one)
    return pending


def _still_pending(ec2: Ec2, pending: Sequence[CopyStatus]) -> bool:
    image_ids = [one.copy.image_id for one in pending]
    try:
        seen = ec2.describe_own_images(image_ids)
    except AmicopyError:  # the next look says what is wrong
        return False
    return all(image_id in seen and seen[image_id].state.in_progress for image_id in image_ids)


def _progress(ec2: Ec2, pending: Sequence[CopyStatus]) -> dict[str, int]:
    try:
        snapshots = ec2.find_snapshots_of_copies([one.copy.image_id for one in pending])
    except AmicopyError:  # a display is not worth failing for
        return {}
    return percent_by_image(snapshots, [one.copy.image_id for one in pending])
