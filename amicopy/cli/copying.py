"""``amicopy copy``: survey, plan, execute, report.

Refuses to do any of the four itself.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from amicopy.caller import Calls
from amicopy.cli.connecting import run_connected, source_region_of
from amicopy.cli.regions import NamedRegions
from amicopy.cli.requests import check_keys, request_from
from amicopy.cli.runtime import Runtime
from amicopy.cli.telling import bug_report, say, to_stdout
from amicopy.destinations import is_pattern
from amicopy.details import with_details
from amicopy.errors import AmicopyError, CopyVanished, ExitCode, ImageNotFound, Interrupted, TimedOut, UsageError
from amicopy.events import Event, LeftBecause, RowFailed, RowLeft
from amicopy.gateway import Gateways
from amicopy.lane import Lane
from amicopy.making import Terms
from amicopy.models import Image, Region
from amicopy.parallel import all_at_once
from amicopy.plan import Action, Plan, Row, plan_copies, rows_by_region, with_notes, with_refusals
from amicopy.preflight import forbidden_writes
from amicopy.release import held, may_be_shared
from amicopy.render.document import event_document, plan_document, report_document
from amicopy.render.ending import ending_lines, refusal_lines
from amicopy.render.plain import PlainView
from amicopy.render.plan import plan_lines
from amicopy.render.results import write_json, write_json_line, write_lines, write_table, write_text
from amicopy.render.words import error_lines
from amicopy.report import Outcome, Report, State
from amicopy.retries import surveyed
from amicopy.session import Session
from amicopy.survey import located, survey_destinations, survey_regions, survey_sources
from amicopy.undo import undo

SOURCE_POLL_SECONDS = 15.0
LIVE_PROGRESS_SECONDS = 5.0
PLAIN_PROGRESS_SECONDS = 60.0


def copy(runtime: Runtime, **options: Any) -> int:
    """Run ``amicopy copy`` with its parsed options; return the exit code."""
    return run_connected("copy", runtime, options, lambda session: _Run(runtime, session, options).run())


class _Run:
    """One run of the command."""

    def __init__(self, runtime: Runtime, session: Session, options: Mapping[str, Any]) -> None:
        self._runtime = runtime
        self._clock = runtime.clock
        self._options = options
        self._calls = Calls()
        self._gateways = Gateways(session, self._calls)
        self._started_at = self._clock.now()
        self._deadline = self._started_at + options["timeout"]
        self._named = NamedRegions(
            session,
            source_region_of(session, options["source_region"]),
            {"--to": options["to"], "--exclude": options["exclude"], "--best-effort": options["best_effort"]},
        )
        # What is empty or contradictory without asking AWS is said without asking it.
        destinations = self._destinations(None)
        if not any(map(is_pattern, self._named["--to"])):
            check_keys(dict(options["keys"]), destinations)
            self._check_best_effort(destinations)

    def run(self) -> int:
        """Survey, plan, then show the plan or execute it."""
        plan = self._plan()
        if self._options["dry_run"]:
            return self._show(plan)
        if not self._options["quiet"]:
            say(plan_lines(plan))
        report = Report(plan=plan, started_at=self._started_at, refused=bool(plan.refused))
        if not report.refused:
            try:
                self._execute(report)
            except Exception as error:  # what was done until then is still to be told
                report.signal = self._runtime.stop.signal_number
                if not isinstance(error, Interrupted):
                    report.error = error if isinstance(error, AmicopyError) else bug_report(error)
        return self._tell(report)

    def _plan(self) -> Plan:
        sources, regions, notes = self._survey_sources()
        options = self._options
        request = request_from(
            options,
            source_region=self._named.home,
            image_ids=tuple(source.image_id for source in sources),
            destinations=self._destinations(self._named.enabled(regions)),
            best_effort=frozenset(self._named["--best-effort"]),
        )
        survey = survey_destinations(request, sources, self._gateways, regions, self._clock, self._runtime.stop, notes)
        plan = plan_copies(request, survey)
        if options["no_preflight"]:
            return plan
        forbidden = forbidden_writes(plan, self._gateways, self._clock, self._runtime.stop)
        if options["dry_run"]:  # who may only look may still see the plan
            return with_notes(plan, [f"the run would be refused: {error.what}" for error in forbidden.values()])
        return with_refusals(plan, forbidden)

    def _destinations(self, enabled: Sequence[str] | None) -> tuple[str, ...]:
        again = self._options["encrypt"] or bool(self._options["keys"])
        return self._named.destinations(enabled, beside_source=again)

    def _check_best_effort(self, destinations: Sequence[str]) -> None:
        for region in self._named["--best-effort"]:
            if region not in destinations:
                raise UsageError(
                    f"--best-effort names {region}, which is no destination.",
                    why=f"The destinations are: {', '.join(destinations)}.",
                    next_step="Name it in --to as well, or leave it out.",
                )

    def _survey_sources(self) -> tuple[tuple[Image, ...], dict[str, Region] | None, tuple[str, ...]]:
        """Return the sources, waited for where they are pending, and what EC2 says of its regions."""
        gateway = self._gateways[self._named.home]
        stop = self._runtime.stop
        image_ids = tuple(dict.fromkeys(self._options["image_ids"]))

        def sources() -> tuple[Image, ...] | ImageNotFound:
            try:
                return self._look_at(image_ids)
            except ImageNotFound as error:
                return error

        looked: dict[str, Any] = all_at_once(
            {
                "sources": partial(self._patiently, sources),
                "regions": partial(self._patiently, partial(survey_regions, gateway)),
            },
            stop,
        )
        regions, notes = looked["regions"]
        found = looked["sources"]
        if isinstance(found, ImageNotFound):
            elsewhere = [region for region in self._named.enabled(regions) if region != self._named.home]
            raise located(found, {region: self._gateways[region] for region in elsewhere}, stop)
        if not self._options["dry_run"] and not self._options["no_wait"]:
            found = self._once_available(found)
        return found, regions, notes

    def _patiently(self, read: Callable[[], Any]) -> Any:
        return surveyed(self._clock, self._runtime.stop, read)

    def _once_available(self, sources: tuple[Image, ...]) -> tuple[Image, ...]:
        """Wait for sources that are still pending: a pipeline's next step often comes too early."""
        stop = self._runtime.stop
        while waiting := [source.image_id for source in sources if source.state.in_progress]:
            if self._clock.now() >= self._deadline:
                raise TimedOut(
                    f"{', '.join(waiting)} is still pending in {self._named.home}, so nothing was started.",
                    why="EC2 copies an AMI only once it is available.",
                    next_step=f"Run the same command again: {self._runtime.same_command}",
                )
            if not self._options["quiet"]:
                say([f"waiting for {', '.join(waiting)}, which is still pending in {self._named.home}"])
            self._clock.sleep(SOURCE_POLL_SECONDS, until=stop)
            stop.check()
            sources = self._patiently(partial(self._look_at, [source.image_id for source in sources]))
        return sources

    def _look_at(self, image_ids: Sequence[str]) -> tuple[Image, ...]:
        carry = not self._options["no_permissions"]
        return survey_sources(
            image_ids,
            self._gateways[self._named.home],
            self._runtime.stop,
            launch=carry and not self._options["share"],
            volumes=carry,
        )

    def _show(self, plan: Plan) -> int:
        """Print the plan as the result."""
        code = plan.refusal().exit_code if plan.refused else ExitCode.OK
        if code is ExitCode.OK and plan.has_work and self._options["exit_code"]:
            code = ExitCode.DRIFT
        document = plan_document(plan, code, self._calls.count())
        written = self._write(document, "plan", partial(write_lines, plan_lines(plan)))
        if plan.refused:
            say(refusal_lines(plan))
        return int(code or written)

    def _execute(self, report: Report) -> None:
        terms = Terms(
            deadline=self._deadline,
            wait=not self._options["no_wait"],
            progress_seconds=self._progress_seconds(),
            cancel_failed=self._options["on_failure"] == "cancel",
            most_in_flight=self._options["max_in_flight"],
        )
        if not report.plan.has_work:
            return
        with contextlib.closing(self._view(report)) as view:
            for event in self._events(report, terms):
                if event is None:
                    view.glance()
                    continue
                outcome = report.add(event)
                view.event(event, outcome)
                if self._options["output"] == "jsonl":
                    to_stdout(partial(write_json_line, event_document(event)))

    def _events(self, report: Report, terms: Terms) -> Iterator[Event | None]:
        """Yield what the lanes do and, when a signal has ended them and that was asked, how it is taken back."""
        if self._options["share_when"] == "all":
            yield from self._released(report, terms)
        else:
            yield from self._runtime.events(self._lanes(report.plan, terms))
        if not self._runtime.stop.is_set():
            return
        report.signal = self._runtime.stop.signal_number
        if self._options["on_interrupt"] == "cancel":
            yield from undo(report, self._gateways, self._clock)
        for outcome in report.rows:
            if not outcome.ended:
                yield self._left(outcome, LeftBecause.INTERRUPTED)

    def _released(self, report: Report, terms: Terms) -> Iterator[Event | None]:
        """Yield how all copies are made and, once every destination has its own, how they are shared."""
        yield from self._runtime.events(self._lanes(held(report.plan), terms))
        waiting = [outcome for outcome in report.rows if outcome.state is State.HELD]
        rows = []
        for outcome in waiting:
            try:
                rows.append(self._to_share(outcome))
            except AmicopyError as error:
                source, region = outcome.row.key
                yield RowFailed(
                    at=self._clock.now(), source=source, region=region, image_id=outcome.image_id, error=error
                )
        if self._runtime.stop.is_set() or not may_be_shared(report):
            for outcome in waiting:
                if report.outcomes[outcome.row.key].state is State.HELD:
                    yield self._left(outcome, LeftBecause.OTHERS)
            return
        yield from self._runtime.events(self._lanes(replace(report.plan, rows=tuple(rows)), terms))

    def _left(self, outcome: Outcome, because: LeftBecause) -> RowLeft:
        source, region = outcome.row.key
        return RowLeft(at=self._clock.now(), source=source, region=region, image_id=outcome.image_id, because=because)

    def _to_share(self, outcome: Outcome) -> Row:
        """Return the row that gives a held copy what it was to have from the start.

        Raises:
            CopyVanished: it is not there any more, so that nothing may be shared.
        """
        gateway = self._gateways[outcome.row.region]
        copy = self._patiently(partial(gateway.describe_own_images, [outcome.image_id])).get(outcome.image_id)
        if copy is None or copy.state.is_dead:
            raise CopyVanished(
                f"The copy {outcome.image_id} in {outcome.row.region} is no longer there.",
                why="Somebody has removed it before it could be shared.",
                next_step="Run the same command again to make a new one, and to share all.",
            )
        [detailed] = self._patiently(partial(with_details, gateway, [(copy, outcome.row.wanted)]))
        return replace(outcome.row, action=Action.SETTLE, copy=detailed, failed=())

    def _lanes(self, plan: Plan, terms: Terms) -> list[Lane]:
        return [Lane(rows, self._gateways[region], self._clock, terms) for region, rows in rows_by_region(plan).items()]

    def _tell(self, report: Report) -> int:
        """Write the result to stdout, then what a person has to know, errors last, to stderr."""
        code = report.exit_code()
        if code is ExitCode.OK and self._options["exit_code"] and report.left_behind:
            code = ExitCode.TIME_OUT
        document = report_document(report, code, self._clock.now(), self._calls.count())
        is_table = self._options["output"] == "table"
        for_people = partial(write_table, report) if is_table else partial(write_text, report.rows)
        written = self._write(document, "result", for_people)
        if report.refused:
            say(refusal_lines(report.plan))
        else:
            say(ending_lines(report, self._runtime.same_command, quiet=self._options["quiet"]))
        if report.error:
            say(error_lines(report.error))
        return int(code or written)

    def _write(self, document: Mapping[str, Any], kind: str, for_people: Callable[[], None]) -> ExitCode:
        """Write the document to stdout in the format asked for, or else what people read."""
        match self._options["output"]:
            case "json":
                return to_stdout(partial(write_json, document))
            case "jsonl":
                return to_stdout(partial(write_json_line, {**document, "type": kind}))
        return to_stdout(for_people)

    @property
    def _is_live(self) -> bool:
        return sys.stderr.isatty() and not self._options["verbose"] and not self._options["quiet"]

    def _progress_seconds(self) -> float | None:
        if self._options["quiet"]:
            return None
        return LIVE_PROGRESS_SECONDS if self._is_live else PLAIN_PROGRESS_SECONDS

    def _view(self, report: Report) -> Any:
        if self._options["quiet"]:
            from amicopy.render.quiet import QuietView

            return QuietView()
        if self._is_live:
            from amicopy.render.live import LiveView

            return LiveView(report, self._clock, self._runtime.stop)
        return PlainView(report, self._clock, self._runtime.stop)
