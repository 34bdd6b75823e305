"""``amicopy status``: read, show, and with ``--watch`` read again.

Refuses to write to EC2.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from amicopy.caller import Calls
from amicopy.cli.connecting import run_connected, source_region_of
from amicopy.cli.regions import NamedRegions
from amicopy.cli.runtime import Runtime
from amicopy.cli.sources import known_sources
from amicopy.cli.telling import say, to_stdout
from amicopy.errors import AmicopyError, ExitCode
from amicopy.gateway import Gateway, Gateways
from amicopy.inventory import Standing, standings
from amicopy.parallel import all_at_once
from amicopy.progress import percent_by_image
from amicopy.render.results import write_json
from amicopy.render.standing import standing_document, write_standings
from amicopy.render.words import error_lines
from amicopy.request import CopyRequest
from amicopy.session import Session
from amicopy.survey import survey_destinations, survey_regions
from amicopy.surveyed import Survey

WATCH_SECONDS = 5.0


def status(runtime: Runtime, **options: Any) -> int:
    """Run ``amicopy status`` with its parsed options; return the exit code."""
    return run_connected("status", runtime, options, lambda session: _Status(runtime, session, options).run())


class _Status:
    """One run of the command."""

    def __init__(self, runtime: Runtime, session: Session, options: Mapping[str, Any]) -> None:
        self._runtime = runtime
        self._options = options
        self._gateways = Gateways(session, Calls())
        self._home = source_region_of(session, options["source_region"])
        self._named = NamedRegions(session, self._home, {"--in": options["regions"]})

    def run(self) -> int:
        """Show what is where, again and again while something is being copied, if asked to watch."""
        home = self._gateways[self._home]
        regions, notes = survey_regions(home)
        sources = known_sources(tuple(dict.fromkeys(self._options["image_ids"])), home, self._runtime.stop)
        request = CopyRequest(
            source_region=self._home,
            image_ids=tuple(source.image_id for source in sources),
            destinations=self._named.places("--in", lambda: regions),
        )
        shown: Sequence[Any] = ()
        while True:
            survey = survey_destinations(
                request, sources, self._gateways, regions, self._runtime.clock, self._runtime.stop, notes, every=True
            )
            found = list(standings(request, survey))
            percents = self._percents(found)
            if (now := [found, percents]) != shown:
                shown = now
                self._show(found, percents, survey)
            if not self._options["watch"] or not any(one.copy.state.in_progress for one in found):
                return int(self._tell(survey))
            self._runtime.clock.sleep(WATCH_SECONDS, until=self._runtime.stop)
            self._runtime.stop.check()

    def _percents(self, found: Sequence[Standing]) -> dict[str, int]:
        """Return how far the copies under way are."""
        by_region: dict[str, list[Standing]] = {}
        for one in found:
            if one.copy.state.in_progress:
                by_region.setdefault(one.copy.region, []).append(one)
        tasks = {region: partial(_progress, self._gateways[region], some) for region, some in by_region.items()}
        parts = all_at_once(tasks, self._runtime.stop)
        return {image_id: percent for part in parts.values() for image_id, percent in part.items()}

    def _show(self, found: Sequence[Standing], percents: Mapping[str, int], survey: Survey) -> None:
        if self._options["output"] == "json":
            to_stdout(partial(write_json, standing_document(found, percents, survey, _code(survey))))
        elif found:
            to_stdout(partial(write_standings, found, percents, self._options["output"]))
        elif not self._options["quiet"]:
            say(["there is no copy"])

    def _tell(self, survey: Survey) -> ExitCode:
        if not self._options["quiet"]:
            say([f"note: {note}" for note in survey.notes])
            say(
                f"note: {source.image_id} is not in {source.region} any more; its copies are compared with each other"
                for source in survey.sources
                if not source.owner_id
            )
        for destination in survey.destinations.values():
            if destination.problem:
                say(error_lines(destination.problem))
        return _code(survey)


def _code(survey: Survey) -> ExitCode:
    problems = [one.problem for one in survey.destinations.values() if one.problem]
    if not problems:
        return ExitCode.OK
    return problems[0].exit_code if len(problems) == len(survey.destinations) else ExitCode.PARTIAL


def _progress(gateway: Gateway, pending: Sequence[Standing]) -> dict[str, int]:
    try:
        snapshots = gateway.find_snapshots_of_copies([one.copy.image_id for one in pending])
    except AmicopyError:  # a display is not worth failing for
        return {}
    return percent_by_image(snapshots, [one.copy.image_id for one in pending])
