"""From orders to one plan: survey the sources and every destination, decide, and ask whether IAM allows the writes.

Refuses to write.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Any

from amicopy.core.errors import AmicopyError, ImageNotFound, TimedOut
from amicopy.core.models import Image, Region
from amicopy.core.parallel import all_at_once
from amicopy.core.regions import NamedRegions, is_pattern
from amicopy.core.request import CopyRequest
from amicopy.core.run_options import Order, check_best_effort, check_keys
from amicopy.jobs.context import Context
from amicopy.plan.plan import Plan, plan_copies, with_notes, with_refusals
from amicopy.survey.destinations import located, look_up, survey_destinations, survey_regions, survey_sources
from amicopy.survey.iam_preflight import forbidden_writes

SOURCE_POLL_SECONDS = 15.0


@dataclass(slots=True, eq=False)
class _Asked:
    """One order, and what has been found of it so far."""

    wish: CopyRequest
    named: NamedRegions
    sources: tuple[Image, ...] = ()
    looked_up: dict[str, Any] = field(default_factory=dict)

    @property
    def source_region(self) -> str:
        return self.wish.source_region

    @property
    def reading(self) -> tuple[str, bool, bool]:
        """Where the sources are read, and whether their launch and volume permissions are of interest."""
        carry = self.wish.carry_permissions
        return self.source_region, carry and not self.wish.share, carry

    @property
    def certain(self) -> tuple[str, ...]:
        """The destinations that are known without asking EC2 for its regions."""
        return () if any(map(is_pattern, self.named["--to"])) else self.destinations(None)

    def destinations(self, regions: Mapping[str, Region] | None) -> tuple[str, ...]:
        again = self.wish.encrypt or bool(self.wish.keys)
        enabled = None if regions is None else self.named.enabled(regions)
        return self.named.destinations(enabled, beside_source=again)

    def request(self, regions: Mapping[str, Region] | None) -> CopyRequest:
        """Return what is asked for, its destinations resolved.

        Raises:
            UsageError: nothing is left of them, or a key or a region is named beside them.
        """
        destinations = self.destinations(regions)
        check_keys(self.wish.keys, destinations)
        check_best_effort(self.named["--best-effort"], destinations)
        return replace(
            self.wish,
            image_ids=tuple(source.image_id for source in self.sources) or self.wish.image_ids,
            destinations=destinations,
            best_effort=frozenset(self.named["--best-effort"]),
        )


class Planning:
    """Makes the plan of one job; what is empty or contradictory is said without asking AWS."""

    def __init__(self, context: Context, orders: Sequence[Order]) -> None:
        """Check what can be checked without AWS.

        Raises:
            UsageError: a region does not exist, lies in another partition, or a key is none of a destination's.
        """
        self._context = context
        self._asked = [self._checked(order) for order in orders]

    def _checked(self, order: Order) -> _Asked:
        source_region = self._context.source_region(order.wish.source_region)
        named = NamedRegions(
            self._context.session.partitions,
            source_region,
            {"--to": order.to, "--exclude": order.exclude, "--best-effort": order.best_effort},
        )
        image_ids = tuple(dict.fromkeys(order.wish.image_ids))
        asked = _Asked(replace(order.wish, source_region=source_region, image_ids=image_ids), named)
        if not any(map(is_pattern, named["--to"])):
            asked.request(None)
        else:
            asked.destinations(None)
        return asked

    def plan(self, *, wait_until: datetime | None, may_write: bool = True) -> Plan:
        """Return what is to be done, one row per source and destination.

        A source that is still pending is waited for until ``wait_until``; None: it is not. Writes that IAM forbids
        refuse the plan; of a job that may not write anyway they are only noted.

        Raises:
            ImageNotFound: a source is not where it was said to be; the error says where it is instead.
            TimedOut: a source is still pending.
            AmicopyError: what the survey cannot go on without.
        """
        regions, notes = self._survey_sources()
        for asked in self._asked:
            if wait_until is not None:
                self._once_available(asked, wait_until)
        plans = [self._planned(asked, regions, notes) for asked in self._asked]
        plan = Plan(
            rows=tuple(chain.from_iterable(one.rows for one in plans)),
            notes=tuple(dict.fromkeys(chain.from_iterable(one.notes for one in plans))),
        )
        if not all(asked.wish.preflight for asked in self._asked):
            return plan
        context = self._context
        forbidden = forbidden_writes(plan, context.clients, context.clock, context.stop, starting=may_write)
        if not may_write:  # who may only look may still see the plan
            return with_notes(plan, [f"a run would come to this: {error.what}" for error in forbidden.values()])
        return with_refusals(plan, forbidden)

    def _planned(self, asked: _Asked, regions: Mapping[str, Region] | None, notes: tuple[str, ...]) -> Plan:
        context = self._context
        request = asked.request(regions)
        survey = survey_destinations(
            request,
            asked.sources,
            context.clients,
            regions,
            context.clock,
            context.stop,
            notes,
            looked_up=asked.looked_up,
        )
        return plan_copies(request, survey)

    def _survey_sources(self) -> tuple[dict[str, Region] | None, tuple[str, ...]]:
        """Read the sources, and what EC2 says of its regions, and look where copies may be, all at once.

        Each source is read once, and each region looked at once, however many orders name it.
        """
        context = self._context
        found = all_at_once(self._first_reads(), context.stop)
        regions, notes = found["regions"]
        for asked in self._asked:
            sources = found[asked.reading]
            if isinstance(sources, ImageNotFound):
                elsewhere = [region for region in asked.named.enabled(regions) if region != asked.source_region]
                raise located(sources, {region: context.clients[region] for region in elsewhere}, context.stop)
            asked.sources = tuple(sources[image_id] for image_id in asked.wish.image_ids)
            asked.looked_up = {region: found[asked.source_region, region] for region in asked.certain}
        return regions, notes

    def _first_reads(self) -> Iterator[tuple[Any, Callable[[], Any]]]:
        context = self._context
        sources: dict[tuple[str, bool, bool], dict[str, None]] = {}
        looks: dict[tuple[str, str], dict[str, None]] = {}
        for asked in self._asked:
            sources.setdefault(asked.reading, {}).update(dict.fromkeys(asked.wish.image_ids))
            for region in asked.certain:
                looks.setdefault((asked.source_region, region), {}).update(dict.fromkeys(asked.wish.image_ids))
        for reading, image_ids in sources.items():
            yield reading, partial(context.with_retries, partial(self._unless_missing, reading, tuple(image_ids)))
        ec2 = context.clients[self._asked[0].source_region]
        yield "regions", partial(context.with_retries, partial(survey_regions, ec2))
        for (source_region, region), image_ids in looks.items():
            read = partial(look_up, source_region, tuple(image_ids), context.clients[region])
            yield (source_region, region), partial(self._tried, read)

    def _tried(self, read: Callable[[], Any]) -> Any:
        try:
            return self._context.with_retries(read)
        except AmicopyError as error:
            return error

    def _unless_missing(
        self, reading: tuple[str, bool, bool], image_ids: tuple[str, ...]
    ) -> dict[str, Image] | ImageNotFound:
        try:
            return self._look_at(reading, image_ids)
        except ImageNotFound as error:
            return error

    def _look_at(self, reading: tuple[str, bool, bool], image_ids: tuple[str, ...]) -> dict[str, Image]:
        source_region, launch, volumes = reading
        context = self._context
        sources = survey_sources(
            image_ids, context.clients[source_region], context.stop, launch=launch, volumes=volumes
        )
        return {source.image_id: source for source in sources}

    def _once_available(self, asked: _Asked, until: datetime) -> None:
        """Wait for sources that are still pending: a pipeline's next step often comes too early."""
        context = self._context
        while waiting := [source.image_id for source in asked.sources if source.state.in_progress]:
            if context.clock.now() >= until:
                raise TimedOut(
                    f"{', '.join(waiting)} is still pending in {asked.source_region}, so nothing was started.",
                    why="EC2 copies an AMI only once it is available.",
                    next_step="Run the same command again.",
                )
            context.say(f"waiting for {', '.join(waiting)}, which is still pending in {asked.source_region}")
            context.clock.sleep(SOURCE_POLL_SECONDS, until=context.stop)
            context.stop.check()
            image_ids = asked.wish.image_ids
            found = context.with_retries(partial(self._look_at, asked.reading, image_ids))
            asked.sources = tuple(found[image_id] for image_id in image_ids)
            asked.looked_up = {}  # what was seen then may not be all that is there now
