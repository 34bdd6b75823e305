"""Copying: plan, execute, and a report that can be written at any time."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from amicopy.core.boot import boot_options, check_subnet_places
from amicopy.core.destination import Destination
from amicopy.core.errors import AmicopyError, CopyVanished, Interrupted
from amicopy.core.events import AccessTaken, DestinationFailed, DestinationLeft, Event, LeftBecause
from amicopy.core.grants import Grants
from amicopy.core.models import Image
from amicopy.core.parallel import Pending, run_all
from amicopy.core.request import CopyRequest
from amicopy.core.retries import driven, until_shown
from amicopy.core.run_options import RunOptions
from amicopy.execute.access import Access
from amicopy.execute.gate import Gate
from amicopy.execute.hubs import Hubs
from amicopy.execute.lane import Lane
from amicopy.execute.region_lane import RegionLane, left_open
from amicopy.execute.report import Outcome, Report, State
from amicopy.execute.rollback import roll_back
from amicopy.execute.share_together import may_be_shared, without_sharing
from amicopy.execute.source_permissions import SourcePermissions
from amicopy.jobs.context import Context
from amicopy.jobs.planning import Planning
from amicopy.plan.account_rows import accounts_at_once
from amicopy.plan.plan import Action, Plan, Row, rows_by_destination
from amicopy.survey.copy_details import with_details
from amicopy.survey.relays import Relays


def check_boot_regions(plan: Plan, request: CopyRequest, spelling: Mapping[str, str]) -> None:
    """Check that a boot test as the request's check names subnets of the plan's regions only.

    For a single request: in a manifest, entries with other destinations share their default check.

    Raises:
        UsageError: it names one of another region.
    """
    if request.check is not None and request.check.is_built_in:
        option = f"{spelling.get('check', 'check')}: --subnet"
        destinations = [row.destination for row in plan.rows]
        check_subnet_places(boot_options(request.check.words), destinations, option)


class CopyJob:
    """Copies as ordered. `plan` first, then `events` to the end; ``report`` is what has come of it so far.

    After `events` of a job that was stopped, or that lost its ground, ``report.signal`` and ``report.error`` say so.
    """

    report: Report

    def __init__(
        self,
        context: Context,
        requests: Sequence[CopyRequest],
        options: RunOptions | None = None,
        *,
        units: Collection[str] = (),
    ) -> None:
        """Check what can be checked without AWS. ``units`` are listed beside those of the requests: see `members`.

        Raises:
            UsageError: a request contradicts itself, or has a region that does not exist.
        """
        self.context = context
        self.options = options or RunOptions()
        self.started_at = context.clock.now()
        self._deadline = self.started_at + self.options.timeout
        self._planning = Planning(context, requests, self.options.prices, units=units)
        grants = next((request.grants for request in requests if request.accounts), Grants.TEMPORARY)
        self._kms_grant = any(request.kms_grant for request in requests)
        self._access = Access(context.clients, context.clock, grants, kms_grant=self._kms_grant)
        self._gate = Gate(context.clients.environment, self.options.most_checks)

    @property
    def members(self) -> Mapping[str, tuple[str, ...]]:
        """The accounts of each organizational unit, once there is a plan; that of the credentials is empty."""
        return self._planning.members

    def plan(self, *, may_write: bool = True) -> Plan:
        """Return what has to be done; reads only. ``may_write`` is False if the plan will not be executed.

        Raises:
            AmicopyError: something could not be read that every destination needs; other problems are in the rows.
        """
        waits = may_write and self.options.wait
        return self.take(self._planning.plan(wait_until=self._deadline if waits else None, may_write=may_write))

    def take(self, plan: Plan) -> Plan:
        """Return the plan, which is now the one to be executed."""
        self.report = Report(plan=plan, started_at=self.started_at, refused=bool(plan.refused))
        return plan

    def events(self) -> Iterator[Event | None]:
        """Execute the plan; yield each event once it is in ``report``, and None while nothing happens.

        A plan with refused rows is not executed. What ends the job as a whole is put into the report; only a bug is
        raised, when the report is up to date too.
        """
        report = self.report
        if report.refused or not report.plan.has_work:
            return
        try:
            for event in self._events():
                if event is not None:
                    report.add(event)
                yield event
        except Interrupted:
            report.signal = self.context.stop.signal_number
        except AmicopyError as error:
            report.signal = self.context.stop.signal_number
            report.ended_by(error)

    def _events(self) -> Iterator[Event | None]:
        """Yield what `_executed` does; no check command outlives it, however it ends."""
        try:
            yield from self._executed()
        finally:
            self._gate.close()

    def _executed(self) -> Iterator[Event | None]:
        """Yield what the lanes do and, if a signal has ended them and it is requested, how that is rolled back."""
        context, report = self.context, self.report
        self._remember_scans()
        yield from self._grants_taken()
        if self.options.share_when_all:
            yield from self._released()
        else:
            yield from context.events(self._lanes(report.plan))
        if not context.stop.is_set():
            return
        report.signal = context.stop.signal_number
        if self.options.cancel_interrupted:
            yield from roll_back(report, context.clients, context.clock)
        for outcome in report.outcomes:
            if not outcome.ended:
                yield self._left(outcome, LeftBecause.INTERRUPTED)

    def _remember_scans(self) -> None:
        """Record on the sources what was found in them; a grant for each account has to find room beside it."""
        plan = self.report.plan
        if plan.scans:
            from amicopy.jobs.image_scans import remember_scans

            rows = [(row.source.reference, row.destination.account) for row in plan.rows if row.destination.account]
            accounts = {source: len({account for name, account in rows if name == source}) for source, _ in rows}
            remember_scans(self.context, plan.scans, reserved=accounts)

    def _grants_taken(self) -> Iterator[Event]:
        """Take away the temporary permissions that no copy needs anymore; yield that for the rows they were for."""
        context, plan = self.context, self.report.plan
        for grant in plan.grants_to_take:
            about = next((row for row in plan.rows if row.destination.account == grant.account), None)
            words = f"{grant.region}/{grant.image_id} is no longer shared with {grant.account}"
            try:
                driven(context.clock, context.stop, self._access.take(grant))
            except Interrupted:
                raise
            except AmicopyError as error:
                origin = Image(image_id=grant.image_id, region=grant.region)
                problem = left_open(origin, grant.account, error, about.source if about else None)
                if about is None:
                    self.report.ended_by(problem)
                else:
                    source, destination = about.key
                    yield DestinationFailed(
                        at=context.clock.now(), source=source, destination=destination, error=problem
                    )
                continue
            if about is None:
                context.say(words)
            else:
                source, destination = about.key
                yield AccessTaken(
                    at=context.clock.now(),
                    source=source,
                    destination=destination,
                    what=words,
                    origin=f"{grant.region}/{grant.image_id}",
                )

    def _released(self) -> Iterator[Event | None]:
        """Yield how all copies are made and, once every destination has its own, how they are shared."""
        context, report = self.context, self.report
        yield from context.events(self._lanes(without_sharing(report.plan)))
        waiting = [outcome for outcome in report.outcomes if outcome.state is State.SHARING_DEFERRED]
        rows = []
        looks = [Pending(partial(self._to_share, outcome)) for outcome in waiting]
        run_all(looks, context.stop)
        for outcome, look in zip(waiting, looks, strict=True):
            try:
                rows.append(look.result())
            except AmicopyError as error:
                source, destination = outcome.row.key
                yield DestinationFailed(
                    at=context.clock.now(),
                    source=source,
                    destination=destination,
                    image_id=outcome.image_id,
                    error=error,
                )
        if context.stop.is_set() or not may_be_shared(report):
            for outcome in waiting:
                if report.by_key[outcome.row.key].state is State.SHARING_DEFERRED:
                    yield self._left(outcome, LeftBecause.OTHERS)
            return
        yield from context.events(self._lanes(replace(report.plan, rows=tuple(rows))))

    def _left(self, outcome: Outcome, because: LeftBecause) -> DestinationLeft:
        source, destination = outcome.row.key
        now = self.context.clock.now()
        return DestinationLeft(
            at=now, source=source, destination=destination, image_id=outcome.image_id, because=because
        )

    def _to_share(self, outcome: Outcome) -> Row:
        """Return the row that gives a held copy what it was to have from the start.

        Raises:
            CopyVanished: it is not there anymore, so that nothing may be shared.
        """
        context = self.context
        image_id = outcome.image_id
        with context.clients.borrowed(outcome.row.destination) as ec2:
            copy = until_shown(context.clock, context.stop, lambda: ec2.describe_own_images([image_id]).get(image_id))
            if copy is None or copy.state.is_dead:
                raise CopyVanished(
                    f"The copy {image_id} in {outcome.place} is no longer there.",
                    why="Somebody removed it before it could be shared.",
                    next_step="Run the same command again to make a new one and share all copies.",
                )
            detailed = context.with_retries(partial(with_details, ec2, copy, outcome.row.desired))
        return replace(outcome.row, action=Action.UPDATE, copy=detailed, check=None, failed=())

    def _lanes(self, plan: Plan) -> list[Lane | RegionLane]:
        """Return a lane for each destination; where other accounts take part, one for the whole region."""
        clients, clock = self.context.clients, self.context.clock
        regions = {row.source.region for row in plan.rows}
        snapshots = {snapshot_id for row in plan.rows for snapshot_id in row.source.snapshot_ids}
        permissions = SourcePermissions({region: clients[region] for region in regions}, clock, len(snapshots))
        hubs = Hubs(plan.rows, clients, clock, Relays(clients, self.context.with_retries), plan.prices)
        # Before any lane ends: copies in several regions may be made of the same image.
        for row in plan.rows:
            for grant in () if row.action.starts_a_copy else row.grants:
                self._access.used(grant.image_id, [grant.account])
        found = rows_by_destination(plan)
        others: dict[str, dict[Destination, tuple[Row, ...]]] = {}
        for destination, rows in found.items():
            if destination.account:
                others.setdefault(destination.region, {})[destination] = rows

        def lane_for(rows: Sequence[Row], destination: Destination) -> Lane:
            access = self._access if destination.account and self._access.gives else None
            return Lane(
                rows, clients[destination], clock, self.options, permissions, self._gate, hubs, self._deadline, access
            )

        own = {where.region: lane_for(rows, where) for where, rows in found.items() if not where.account}
        lanes: list[Lane | RegionLane] = [lane for region, lane in own.items() if region not in others]
        at_once = accounts_at_once(plan.rows, of_keys=self._kms_grant)
        return lanes + [
            RegionLane(
                own.get(region),
                by_account,
                lane_for,
                self._access,
                hubs,
                clients,
                clock,
                at_once=at_once,
                deadline=self._deadline,
            )
            for region, by_account in others.items()
        ]
