"""``amicopy verify``: read, compare, tell; with ``--repair`` write, then read again.

Refuses to judge: the comparison does.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from amicopy.cli.connecting import run_connected
from amicopy.cli.looking import Looking, unread_code
from amicopy.cli.requests import request_from
from amicopy.cli.runtime import Runtime
from amicopy.cli.telling import say, to_stdout
from amicopy.errors import AmicopyError, ExitCode
from amicopy.events import Event, Settled
from amicopy.inventory import Standing, standings
from amicopy.parallel import all_at_once
from amicopy.render.plain import event_words
from amicopy.render.results import write_json
from amicopy.render.verified import differing, verdict_document, write_verdicts
from amicopy.render.words import error_lines, safe
from amicopy.repair import prune, repair
from amicopy.session import Session
from amicopy.surveyed import Survey


def verify(runtime: Runtime, **options: Any) -> int:
    """Run ``amicopy verify`` with its parsed options; return the exit code."""
    return run_connected("verify", runtime, options, lambda session: _Verify(runtime, session, options).run())


class _Verify:
    """One run of the command."""

    def __init__(self, runtime: Runtime, session: Session, options: Mapping[str, Any]) -> None:
        self._runtime = runtime
        self._options = options
        self._looking = Looking(runtime, session, options)
        self._changes: list[str] = []

    def run(self) -> int:
        """Compare every copy with its source, repair what can be if asked, and tell."""
        looking = self._looking
        request = request_from(
            self._options,
            source_region=looking.home,
            image_ids=tuple(source.image_id for source in looking.sources),
            destinations=looking.destinations,
            copying=False,
        )
        survey = looking.survey(request)
        found = list(standings(request, survey))
        if self._options["repair"] and any(one.can_be_repaired or one.beyond for one in found):
            for error in self._repair(found):
                say(error_lines(error))
            survey = looking.survey(request)
            found = list(standings(request, survey))
        return self._tell(survey, found)

    def _repair(self, found: Sequence[Standing]) -> list[AmicopyError]:
        by_region: dict[str, list[Standing]] = {}
        for one in found:
            if one.wanted is not None:
                by_region.setdefault(one.copy.region, []).append(one)
        tasks = {region: partial(self._repair_region, region, some) for region, some in by_region.items()}
        return [error for errors in all_at_once(tasks, self._runtime.stop).values() for error in errors]

    def _repair_region(self, region: str, found: Sequence[Standing]) -> list[AmicopyError]:
        gateway, clock, stop = self._looking.gateways[region], self._runtime.clock, self._runtime.stop
        errors = []
        for one in found:
            if one.can_be_repaired:
                errors.append(repair(one, gateway, clock, stop, self._told))
            if self._options["prune"] and one.beyond:
                errors.append(prune(one, gateway, clock, stop, self._changes.append))
        return [error for error in errors if error]

    def _told(self, event: Event) -> None:
        words = event_words(event)
        if isinstance(event, Settled):
            self._changes.append(f"{event.region} {event.image_id} {words}")
        if words and not self._options["quiet"]:
            say([f"{event.region}  {words}"])

    def _tell(self, survey: Survey, found: Sequence[Standing]) -> int:
        code = unread_code(survey)
        bare = self._looking.without_copy(one.copy.region for one in found)
        if code is ExitCode.OK and (bare or not all(one.is_faithful for one in found)):
            code = ExitCode.DRIFT
        if self._options["output"] == "json":
            written = to_stdout(partial(write_json, verdict_document(found, survey, code, self._changes)))
        else:
            written = to_stdout(partial(write_verdicts, found, self._options["output"]))
        if bare and not self._options["quiet"]:
            say([f"there is no copy in {', '.join(bare)}"])
        if self._options["output"] == "text":
            say(f"{one.copy.region}  {words}" for one in found for words in map(safe, differing(one)))
        if not self._options["quiet"]:
            notes = (note for one in found if one.wanted for note in one.wanted.notes)
            say(f"note: {safe(note)}" for note in dict.fromkeys(notes))
        self._looking.tell(survey)
        return int(code or written)
