"""From requests to one plan: survey the sources and every destination, decide, and check permissions. Reads only."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from amicopy.core.accounts import TargetAccount
from amicopy.core.destination import Destination
from amicopy.core.errors import ImageNotFound, TimedOut, UsageError
from amicopy.core.grants import Grants, OpenGrant, without_guests
from amicopy.core.models import Image, Region
from amicopy.core.parallel import Once, Pending, run_all
from amicopy.core.problems import Problems
from amicopy.core.regions import NamedRegions, check_regions, includes_region, is_pattern, names_region
from amicopy.core.request import DIRECT, CopyRequest, check_destinations, check_request
from amicopy.jobs.accounts import enter_accounts
from amicopy.jobs.context import Context
from amicopy.plan.decide import plan_copies
from amicopy.plan.findings import Survey
from amicopy.plan.plan import Plan, with_notes, with_only_hub, with_refusals, with_unconfirmed
from amicopy.plan.routes import Rate, unknown_rate
from amicopy.survey.accounts import with_accounts
from amicopy.survey.closed_regions import without_closed_regions
from amicopy.survey.destinations import look_up, survey_destinations, survey_regions
from amicopy.survey.iam_preflight import check_grants, check_permissions
from amicopy.survey.managed_key import with_managed_keys
from amicopy.survey.sources import Details, SourceReads, located

if TYPE_CHECKING:  # loaded when a price is asked for
    from amicopy.core.prices import Prices

SOURCE_POLL_SECONDS = 15.0

_Reading = tuple[str, Details]  # the sources' region
_Sources = Mapping[_Reading, tuple[Pending[tuple[Image, ...]], Pending[tuple[Image, ...]]]]
"""The reads of the sources' images, and those of the images with their details."""


@dataclass(slots=True, eq=False)
class _Surveyed:
    """One request, its regions, and what the survey has found so far."""

    request: CopyRequest
    named: NamedRegions
    sources: tuple[Image, ...] = ()  # at first as `SourceReads.images` returns them
    looked_up: dict[Destination, Pending[dict[str, Image]]] = field(default_factory=dict)
    reads: dict[Destination, Once] = field(default_factory=dict)

    @property
    def source_region(self) -> str:
        return self.request.source_region

    @property
    def reading(self) -> _Reading:
        """Where the sources are read, and which details of them are needed."""
        carry = self.request.carry_permissions
        details = Details(launch_permissions=carry and not self.request.share, snapshot_permissions=carry)
        return self.source_region, details

    @property
    def has_pattern(self) -> bool:
        """Whether its destinations depend on which regions are enabled."""
        return self.named.has_pattern("to")

    @property
    def certain(self) -> tuple[Destination, ...]:
        """The destinations that are known without asking EC2 for its regions."""
        return () if self.has_pattern else self.destinations(None)

    def destinations(self, regions: Mapping[str, Region] | None) -> tuple[Destination, ...]:
        """Return those in the account of the credentials."""
        enabled = None if regions is None else self.named.enabled(regions)
        hub = [self.request.hub] if self.request.hub else []
        return tuple(map(Destination, dict.fromkeys((*self._named_by_to(enabled), *hub))))

    def _named_by_to(self, enabled: Sequence[str] | None) -> tuple[str, ...]:
        if self.request.accounts:  # others get copies in the source's region, too
            names = self.named.destinations(enabled, elsewhere=True)
            again = self.source_region in self.named.spelled_out("to") and self.request.encrypts
            return tuple(name for name in names if again or name != self.source_region)
        return self.named.destinations(enabled, in_source_region=self.request.encrypts)

    def planned(self, survey: Survey, regions: Mapping[str, Region] | None, rate: Rate) -> Plan:
        """Return the plan; a hub that is only there for others may fail."""
        hub, request = self.request.hub, self.request
        if not hub or hub in self._named_by_to(None if regions is None else self.named.enabled(regions)):
            return plan_copies(request, survey, rate)
        best_effort = (*request.best_effort, hub)
        return with_only_hub(plan_copies(replace(request, best_effort=best_effort), survey, rate), hub)

    def destinations_in(self, target: TargetAccount, regions: Mapping[str, Region] | None) -> tuple[Destination, ...]:
        """Return those in another account, which has these regions; none if a pattern matches none of them."""
        try:
            names = self.named.destinations(None if regions is None else self.named.enabled(regions), elsewhere=True)
        except UsageError:
            return ()
        return tuple(Destination(name, target.account) for name in names if includes_region(target.regions, name))

    def regions(self, regions: Mapping[str, Region] | None) -> frozenset[str]:
        """Return the regions of all destinations, those of other accounts included as if they had these regions."""
        others = (self.destinations_in(target, regions) for target in self.request.accounts)
        return frozenset(one.region for one in (*self.destinations(regions), *chain.from_iterable(others)))

    def everywhere(self, regions: Mapping[str, Region] | None) -> tuple[Destination, ...]:
        """Return all destinations as far as they are known: those of other accounts as if they had these regions."""
        others = (self.destinations_in(target, regions) for target in self.request.accounts if target.account)
        return (*self.destinations(regions), *chain.from_iterable(others))


def check_requests(context: Context, requests: Sequence[CopyRequest]) -> list[_Surveyed]:
    """Return the requests with their regions, checked as far as that is possible without AWS.

    Raises:
        UsageError: a request contradicts itself, a region does not exist or lies in another partition, or a KMS key
            is named for a region that is not a destination.
    """
    return [_checked(context, request) for request in requests]


def _checked(context: Context, request: CopyRequest) -> _Surveyed:
    problems = Problems()
    with problems.noted():
        check_request(request, context.spelling)
    with problems.noted():
        source_region = context.source_region(request.source_region)
        hub = request.hub if not is_pattern(request.hub) and "," not in request.hub else ""  # which is noted
        named = context.named_regions(
            source_region,
            to=request.to,
            exclude=request.exclude,
            best_effort=request.best_effort,
            hub=[hub] if hub else [],
            direct=request.direct,
        )
    problems.check()
    request = replace(
        request,
        source_region=source_region,
        image_ids=tuple(dict.fromkeys(request.image_ids)),
        best_effort=named["best_effort"],
        direct=named["direct"],
    )
    if request.hub == source_region:  # which the request alone need not say
        check_request(request, context.spelling)
    asked = _Surveyed(request, named)
    asked.destinations(None)
    _check_account_regions(asked, context.spelling)
    if not asked.has_pattern and not any(target.unit for target in request.accounts):
        check_destinations(request, asked.everywhere(None), context.spelling)
    return asked


def _check_account_regions(asked: _Surveyed, spelling: Mapping[str, str]) -> None:
    """Check that each account's own regions exist and are among the destinations.

    Raises:
        UsageError: one is not.
    """
    option = spelling.get("accounts", "accounts")
    to = asked.named["to"]
    for target in asked.request.accounts:
        check_regions(target.regions, asked.named.known, option)
        for region in target.regions:
            if not is_pattern(region) and not names_region(to, region):
                raise UsageError(
                    f"{option}: {target.name} has {region}, which is not a destination.",
                    why=f"The destinations are: {', '.join(to)}.",
                    next_step="Add it to them, or leave it out.",
                )


def _still_free(plans: Sequence[Plan]) -> tuple[OpenGrant, ...]:
    """Return the temporary permissions that no request needs, each once."""
    needed = {grant for plan in plans for row in plan.rows for grant in row.grants}
    return tuple(dict.fromkeys(grant for plan in plans for grant in plan.grants_to_take if grant not in needed))


class Planning:
    """Makes the plan of one job; what is empty or contradictory is said without asking AWS."""

    members: Mapping[str, tuple[str, ...]]
    """The accounts of each organizational unit, once there is a plan; that of the credentials is empty."""

    def __init__(
        self,
        context: Context,
        requests: Sequence[CopyRequest],
        prices: "Prices | None" = None,
        *,
        units: Collection[str] = (),
    ) -> None:
        """Check what can be checked without AWS, as `check_requests` does.

        ``units`` are organizational units that matter beside those of the requests.
        """
        self._context = context
        self._units = units
        self.members = {}
        self._prices = prices
        self._asked = check_requests(context, requests)

    def plan(self, *, wait_until: datetime | None, may_write: bool = True) -> Plan:
        """Return what has to be done, one row per source and destination.

        A source that is still pending is waited for until ``wait_until``; None: it is not. Writes that IAM forbids
        refuse the plan; of a job that may not write anyway they are only noted.

        Raises:
            ImageNotFound: a source is not where it was said to be; the error says where it is instead.
            TimedOut: a source is still pending.
            AmicopyError: something could not be read that every destination needs.
        """
        self._enter_accounts()
        sources = self._source_reads()
        regions, notes = self._find(sources)
        waits = [self._once_available(asked, wait_until) for asked in self._asked] if wait_until is not None else []
        if any(waits):
            sources = self._source_reads()
            run_all([images for images, _ in sources.values()], self._context.stop)
            self._take_images(sources, regions)
        self._read_details(sources, regions, notes)
        plans = [self._planned(asked, regions, notes) for asked in self._asked]
        if any(asked.request.scan for asked in self._asked):
            from amicopy.jobs.image_scans import scanned

            plans = scanned(self._context, [asked.request for asked in self._asked], plans)
        plan = Plan(
            rows=tuple(chain.from_iterable(one.rows for one in plans)),
            grants_to_take=_still_free(plans),
            notes=tuple(dict.fromkeys(chain.from_iterable(one.notes for one in plans))),
            scans=tuple({(one.reference, one.digest): one for plan in plans for one in plan.scans}.values()),
            prices=self._prices,
        )
        if any(row.check and row.check.is_built_in for row in plan.rows):
            from amicopy.jobs.boot_gate import with_boots_checked

            plan = with_boots_checked(self._context, plan)
        if not all(asked.request.preflight for asked in self._asked):
            return plan
        context = self._context
        found = check_permissions(plan, context.clients, context.stop, starting=may_write)
        plan = with_unconfirmed(with_notes(plan, found.notes), found.unconfirmed)
        if any(asked.request.accounts and asked.request.grants is not Grants.NONE for asked in self._asked):
            found = replace(found, forbidden={**check_grants(plan, context.clients, context.stop), **found.forbidden})
        if not may_write:  # who may only look may still see the plan
            return with_notes(plan, [f"a run would come to this: {error.what}" for error in found.forbidden.values()])
        return with_refusals(plan, found.forbidden)

    def _enter_accounts(self) -> None:
        """Assume a role in every other account, and replace units by their accounts."""
        named = [asked.request.accounts for asked in self._asked]
        entered = enter_accounts(self._context, named, self._asked[0].source_region, units=self._units)
        self.members = entered.members
        for asked, targets in zip(self._asked, entered.targets, strict=True):
            asked.request = replace(asked.request, accounts=targets)

    def _planned(self, asked: _Surveyed, regions: Mapping[str, Region] | None, notes: tuple[str, ...]) -> Plan:
        named = asked.named.spelled_out("to")
        survey = without_closed_regions(self._survey(asked, regions, notes), named)
        if asked.request.accounts:
            survey = self._in_accounts(asked, survey, named)
        plan = asked.planned(survey, regions, self._rate(asked.request))
        if not asked.request.accounts or not asked.request.preflight:
            return plan
        from amicopy.survey.access_to_origins import with_access_checked

        context = self._context
        return with_access_checked(asked.request, plan, context.clients, context.stop, context.with_retries)

    def _rate(self, request: CopyRequest) -> Rate:
        """Return what decides on a route; without one, no price is read."""
        if request.route == DIRECT:
            return unknown_rate
        from amicopy.core.prices import Prices

        return (self._prices or Prices()).rate

    def _in_accounts(self, asked: _Surveyed, survey: Survey, named: Collection[str]) -> Survey:
        """Return the survey with what the other accounts have, and with whether the sources can be shared at all."""
        context, home = self._context, asked.source_region
        marked = with_managed_keys(survey.sources, context.clients[home], context.clients.kms(Destination(home)))
        survey = with_accounts(
            replace(survey, sources=tuple(marked)),
            asked.request,
            asked.destinations_in,
            context.clients,
            context.clock,
            context.stop,
            named,
            has_pattern=asked.has_pattern,
        )
        check_destinations(asked.request, tuple(survey.destinations), context.spelling)
        return survey

    def _survey(self, asked: _Surveyed, regions: Mapping[str, Region] | None, notes: tuple[str, ...]) -> Survey:
        """Return what every destination of a request has; what has been read of it before is not read again."""
        context = self._context
        destinations = asked.destinations(regions)
        check_destinations(asked.request, asked.everywhere(regions), context.spelling)
        for destination in destinations:
            asked.reads.setdefault(destination, Once())
        return survey_destinations(
            asked.request,
            destinations,
            asked.sources,
            context.clients,
            regions,
            context.clock,
            context.stop,
            notes,
            looked_up=asked.looked_up,
            reads=asked.reads,
        )

    def _find(self, sources: _Sources) -> tuple[dict[str, Region] | None, tuple[str, ...]]:
        """Read the images and EC2's list of regions, and look for copies where that is certain: one round trip.

        Each source is read once, and each region looked at once, however many requests name it.
        """
        context = self._context
        ec2 = context.clients[self._asked[0].source_region]
        listed = Pending(partial(context.with_retries, partial(survey_regions, ec2)))
        looks: dict[tuple[str, Destination], Pending[dict[str, Image]]] = {}

        def reads() -> Iterator[Pending[Any]]:
            yield from (images for images, _ in sources.values())
            yield listed
            for key, look in self._looks():  # a region's client is made while the reads before it run
                looks[key] = look
                yield look

        run_all(reads(), context.stop)
        regions, notes = listed.result()
        self._take_images(sources, regions)
        for asked in self._asked:
            asked.looked_up = {one: looks[asked.source_region, one] for one in asked.certain}
        return regions, notes

    def _take_images(self, sources: _Sources, regions: Mapping[str, Region] | None) -> None:
        """Give each request the images of its sources.

        Raises:
            ImageNotFound: one is not there; the error says where it is.
        """
        context = self._context
        for asked in self._asked:
            images, _ = sources[asked.reading]
            try:
                found = images.result()
            except ImageNotFound as error:
                elsewhere = [region for region in asked.named.enabled(regions) if region != asked.source_region]
                raise located(error, {region: context.clients[region] for region in elsewhere}, context.stop) from error
            asked.sources = _named(asked, found, context.clock.now())

    def _read_details(self, sources: _Sources, regions: Mapping[str, Region] | None, notes: tuple[str, ...]) -> None:
        """Read the sources' details and, meanwhile, what is known to be needed of the destinations: a round trip.

        What depends on the details is read after them.
        """
        looks = [Pending(partial(self._survey, asked, regions, notes)) for asked in self._asked]
        run_all([*(details for _, details in sources.values()), *looks], self._context.stop)
        for asked in self._asked:
            asked.sources = _named(asked, sources[asked.reading][1].result(), self._context.clock.now())

    def _source_reads(self) -> _Sources:
        """Return, by region and details, the reads of the images and those of their details."""
        image_ids: dict[_Reading, dict[str, None]] = {}
        for asked in self._asked:
            image_ids.setdefault(asked.reading, {}).update(dict.fromkeys(asked.request.image_ids))
        context, found = self._context, {}
        for (source_region, details), some in image_ids.items():
            ec2 = context.clients[source_region]
            reads = SourceReads(tuple(some), ec2, context.stop, details, context.with_retries)
            found[source_region, details] = (Pending(reads.images), Pending(reads.sources))
        return found

    def _looks(self) -> Iterator[tuple[tuple[str, Destination], Pending[dict[str, Image]]]]:
        """Yield, by source region and destination, the calls that find copies."""
        image_ids: dict[tuple[str, Destination], dict[str, None]] = {}
        for asked in self._asked:
            for one in asked.certain:
                image_ids.setdefault((asked.source_region, one), {}).update(dict.fromkeys(asked.request.image_ids))
        for (source_region, destination), some in image_ids.items():
            context = self._context
            ec2, retry = context.clients[destination], context.with_retries
            yield (
                (source_region, destination),
                Pending(partial(look_up, source_region, tuple(some), ec2, context.stop, retry)),
            )

    def _once_available(self, asked: _Surveyed, until: datetime) -> bool:
        """Wait for sources that are still pending: a pipeline's next step often comes too early.

        Return whether there was any, so that what was read before is outdated.
        """
        context, has_waited = self._context, False
        waiting = [source.image_id for source in asked.sources if source.state.in_progress]
        while waiting:
            if context.clock.now() >= until:
                raise TimedOut(
                    f"{', '.join(waiting)} is still pending in {asked.source_region}, so nothing was started.",
                    why="EC2 copies an AMI only once it is available.",
                    next_step=context.again,
                )
            context.say(f"waiting for {', '.join(waiting)}, which is still pending in {asked.source_region}")
            context.clock.sleep(SOURCE_POLL_SECONDS, until=context.stop)
            context.stop.check()
            describe = partial(context.clients[asked.source_region].describe_images, waiting)
            found = context.with_retries(describe).values()
            waiting = [image.image_id for image in found if image.state.in_progress]
            has_waited = True
            asked.looked_up = {}  # what was seen then may not be all that is there now
        return has_waited


def _named(asked: _Surveyed, found: Sequence[Image], now: datetime) -> tuple[Image, ...]:
    """Return the sources of one request, in its order, without permissions that some run has given for copying."""
    by_id = {image.image_id: without_guests(image, now) for image in found}
    return tuple(by_id[image_id] for image_id in asked.request.image_ids)
