"""``amicopy status``: read, show, and with ``--watch`` read again.

Refuses to write to EC2.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from amicopy.cli.connecting import run_connected
from amicopy.cli.looking import Looking, unread_code
from amicopy.cli.runtime import Runtime
from amicopy.cli.telling import say, to_stdout
from amicopy.errors import AmicopyError, ExitCode
from amicopy.gateway import Gateway
from amicopy.inventory import Standing, standings
from amicopy.parallel import all_at_once
from amicopy.progress import percent_by_image
from amicopy.render.results import write_json
from amicopy.render.standing import standing_document, write_standings
from amicopy.request import CopyRequest
from amicopy.session import Session
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
        self._looking = Looking(runtime, session, options)

    def run(self) -> int:
        """Show what is where, again and again while something is being copied, if asked to watch."""
        looking = self._looking
        request = CopyRequest(
            source_region=looking.home,
            image_ids=tuple(source.image_id for source in looking.sources),
            destinations=looking.destinations,
        )
        shown: Sequence[Any] = ()
        written = ExitCode.OK
        was_under_way = False  # a region that is silent for a moment may still be copying
        while True:
            survey = looking.survey(request)
            found = list(standings(request, survey))
            percents = self._percents(found)
            if (now := [found, percents]) != shown:
                shown = now
                written = self._show(found, percents, survey)
            unread = any(one.problem for one in survey.destinations.values())
            under_way = any(one.copy.state.in_progress for one in found)
            if not self._options["watch"] or not (under_way or (unread and was_under_way)):
                looking.tell(survey)
                return int(unread_code(survey) or written)
            was_under_way = under_way or was_under_way
            self._runtime.clock.sleep(WATCH_SECONDS, until=self._runtime.stop)
            self._runtime.stop.check()

    def _percents(self, found: Sequence[Standing]) -> dict[str, int]:
        """Return how far the copies under way are."""
        by_region: dict[str, list[Standing]] = {}
        for one in found:
            if one.copy.state.in_progress:
                by_region.setdefault(one.copy.region, []).append(one)
        gateways = self._looking.gateways
        tasks = {region: partial(_progress, gateways[region], some) for region, some in by_region.items()}
        parts = all_at_once(tasks, self._runtime.stop)
        return {image_id: percent for part in parts.values() for image_id, percent in part.items()}

    def _show(self, found: Sequence[Standing], percents: Mapping[str, int], survey: Survey) -> ExitCode:
        if self._options["output"] == "json":
            return to_stdout(partial(write_json, standing_document(found, percents, survey, unread_code(survey))))
        if found:
            return to_stdout(partial(write_standings, found, percents, self._options["output"]))
        if not self._options["quiet"]:
            say(["there is no copy"])
        return ExitCode.OK


def _progress(gateway: Gateway, pending: Sequence[Standing]) -> dict[str, int]:
    try:
        snapshots = gateway.find_snapshots_of_copies([one.copy.image_id for one in pending])
    except AmicopyError:  # a display is not worth failing for
        return {}
    return percent_by_image(snapshots, [one.copy.image_id for one in pending])
