"""``amicopy verify``: read, compare, tell; with ``--repair`` write, then read again.

Refuses to judge: the comparison does.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from amicopy.caller import Calls
from amicopy.cli.connecting import run_connected, source_region_of
from amicopy.cli.regions import NamedRegions
from amicopy.cli.requests import request_from
from amicopy.cli.runtime import Runtime
from amicopy.cli.sources import known_sources
from amicopy.cli.telling import say, to_stdout
from amicopy.errors import AmicopyError, ExitCode
from amicopy.events import Event
from amicopy.gateway import Gateways
from amicopy.inventory import Standing, standings
from amicopy.models import Image
from amicopy.parallel import all_at_once
from amicopy.render.plain import event_words
from amicopy.render.results import write_json
from amicopy.render.verified import verdict_document, write_verdicts
from amicopy.render.words import error_lines
from amicopy.repair import prune, repair
from amicopy.request import CopyRequest
from amicopy.session import Session
from amicopy.survey import survey_destinations, survey_regions
from amicopy.surveyed import Survey


def verify(runtime: Runtime, **options: Any) -> int:
    """Run ``amicopy verify`` with its parsed options; return the exit code."""
    return run_connected("verify", runtime, options, lambda session: _Verify(runtime, session, options).run())


class _Verify:
    """One run of the command."""

    def __init__(self, runtime: Runtime, session: Session, options: Mapping[str, Any]) -> None:
        self._runtime = runtime
        self._options = options
        self._gateways = Gateways(session, Calls())
        self._home = source_region_of(session, options["source_region"])
        self._named = NamedRegions(session, self._home, {"--in": options["regions"]})

    def run(self) -> int:
        """Compare every copy with its source, repair what can be if asked, and tell."""
        home = self._gateways[self._home]
        regions, notes = survey_regions(home)
        sources = known_sources(tuple(dict.fromkeys(self._options["image_ids"])), home, self._runtime.stop)
        request = request_from(
            self._options,
            source_region=self._home,
            image_ids=tuple(source.image_id for source in sources),
            destinations=self._named.places("--in", lambda: regions),
        )

        def look() -> Survey:
            return survey_destinations(
                request,
                sources,
                self._gateways,
                regions,
                self._runtime.clock,
                self._runtime.stop,
                notes,
                every=True,
            )

        survey = look()
        found = list(standings(request, survey))
        if self._options["repair"] and any(one.can_be_repaired or one.beyond for one in found):
            for error in self._repair(found):
                say(error_lines(error))
            survey = look()
            found = list(standings(request, survey))
        return self._tell(request, sources, survey, found)

    def _repair(self, found: Sequence[Standing]) -> list[AmicopyError]:
        by_region: dict[str, list[Standing]] = {}
        for one in found:
            if one.wanted is not None:
                by_region.setdefault(one.copy.region, []).append(one)
        tasks = {region: partial(self._repair_region, region, some) for region, some in by_region.items()}
        return [error for errors in all_at_once(tasks, self._runtime.stop).values() for error in errors]

    def _repair_region(self, region: str, found: Sequence[Standing]) -> list[AmicopyError]:
        gateway, clock, stop = self._gateways[region], self._runtime.clock, self._runtime.stop
        errors = []
        for one in found:
            if one.can_be_repaired:
                errors.append(repair(one, gateway, clock, stop, self._told))
            if self._options["prune"] and one.beyond:
                errors.append(prune(one, gateway, clock, stop))
        return [error for error in errors if error]

    def _told(self, event: Event) -> None:
        if not self._options["quiet"] and (words := event_words(event)):
            say([f"{event.region}  {words}"])

    def _tell(self, request: CopyRequest, sources: Sequence[Image], survey: Survey, found: Sequence[Standing]) -> int:
        code = _code(survey, found)
        if self._options["output"] == "json":
            written = to_stdout(partial(write_json, verdict_document(found, survey, code)))
        else:
            written = to_stdout(partial(write_verdicts, found, self._options["output"]))
        if not self._options["quiet"]:
            say(f"note: {note}" for note in survey.notes)
            if not found:
                say([f"there is no copy in {', '.join(request.destinations)}"])
            say(
                f"note: {source.image_id} is not in {source.region} any more; its copies are compared with each other"
                for source in sources
                if not source.owner_id
            )
        for destination in survey.destinations.values():
            if destination.problem:
                say(error_lines(destination.problem))
        return int(code or written)


def _code(survey: Survey, found: Sequence[Standing]) -> ExitCode:
    problems = [one.problem for one in survey.destinations.values() if one.problem]
    if problems:
        return problems[0].exit_code if len(problems) == len(survey.destinations) else ExitCode.PARTIAL
    return ExitCode.OK if all(one.is_faithful for one in found) else ExitCode.DRIFT
