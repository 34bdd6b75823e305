"""What other accounts hold, each asked with a session of its own: copies, settings, keys, and which regions are on."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial

from amicopy.aws.ec2 import Clients
from amicopy.core.accounts import AT_ONCE, TargetAccount
from amicopy.core.clock import Clock
from amicopy.core.destination import Destination
from amicopy.core.models import Region
from amicopy.core.parallel import Stop, all_at_once
from amicopy.core.request import CopyRequest
from amicopy.core.retries import with_read_retries
from amicopy.plan.findings import Survey
from amicopy.survey.closed_regions import without_closed_regions
from amicopy.survey.destinations import survey_destinations, survey_regions

Regions = Mapping[str, Region] | None


def _regions_of(
    home: Destination, clients: Clients, clock: Clock, stop: Stop, *, has_pattern: bool
) -> tuple[Regions, tuple[str, ...]]:
    """Return the regions of an account, and notes. Those that are named say with their first answer if they are on."""
    if not has_pattern:
        return None, ()
    return with_read_retries(clock, stop, partial(survey_regions, clients[home]))


def with_accounts(
    survey: Survey,
    request: CopyRequest,
    destinations_in: Callable[[TargetAccount, Regions], Sequence[Destination]],
    clients: Clients,
    clock: Clock,
    stop: Stop,
    named: Collection[str],
    *,
    has_pattern: bool,
    every: bool = False,
) -> Survey:
    """Return the survey with what the accounts of ``request`` have of its sources.

    ``destinations_in`` returns those in one account, given its regions; ``named`` are named one by one, and with
    ``has_pattern`` others depend on what the account has enabled. A few accounts at a time: clients take memory, and
    are dropped afterwards.
    """

    def look(target: TargetAccount) -> Survey:
        home = Destination(request.source_region, target.account)
        regions, notes = _regions_of(home, clients, clock, stop, has_pattern=has_pattern)
        destinations = destinations_in(target, regions)
        if not destinations:
            notes = (*notes, "none of the destination regions is enabled there")
        found = survey_destinations(
            request, destinations, survey.sources, clients, regions, clock, stop, notes, every=every
        )
        for destination in {home, *destinations}:
            clients.release(destination)
        return without_closed_regions(found, named)

    looks = {target.account: partial(look, target) for target in request.accounts}
    found = all_at_once(looks, stop, most=AT_ONCE)
    return replace(
        survey,
        destinations=dict(survey.destinations)
        | {destination: one for some in found.values() for destination, one in some.destinations.items()},
        notes=(*survey.notes, *(f"account {name}: {note}" for name, some in found.items() for note in some.notes)),
    )
