"""What status and verify have in common: which copies of which sources, looked at where.

Refuses to write to EC2, and to say anything but notes and what could not be read.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from amicopy.caller import Calls
from amicopy.cli.connecting import source_region_of
from amicopy.cli.regions import NamedRegions
from amicopy.cli.runtime import Runtime
from amicopy.cli.sources import known_sources
from amicopy.cli.telling import say
from amicopy.destinations import is_pattern
from amicopy.errors import ExitCode, ImageNotFound
from amicopy.gateway import Gateways
from amicopy.recognise import is_copy_of
from amicopy.render.words import error_lines
from amicopy.request import CopyRequest
from amicopy.retries import surveyed
from amicopy.session import Session
from amicopy.survey import survey_destinations, survey_regions
from amicopy.surveyed import Survey


class Looking:
    """The sources, the regions to look at, and the means to look."""

    def __init__(self, runtime: Runtime, session: Session, options: Mapping[str, Any]) -> None:
        """Read the sources and the regions; a source that is gone is known by its id alone."""
        self.runtime = runtime
        self.gateways = Gateways(session, Calls())
        self.home = source_region_of(session, options["source_region"])
        self._quiet = options["quiet"]
        named = NamedRegions(session, self.home, {"--in": options["regions"]})
        gateway = self.gateways[self.home]
        image_ids = tuple(dict.fromkeys(options["image_ids"]))
        clock, stop = runtime.clock, runtime.stop
        self._regions, self._notes = surveyed(clock, stop, partial(survey_regions, gateway))
        self.sources = surveyed(clock, stop, partial(known_sources, image_ids, gateway, stop))
        self.destinations = named.places("--in", lambda: self._regions)
        self._are_named = not any(map(is_pattern, named["--in"]))

    def survey(self, request: CopyRequest) -> Survey:
        """Return every copy in every region asked for, with all that a comparison needs."""
        survey = survey_destinations(
            request,
            self.sources,
            self.gateways,
            self._regions,
            self.runtime.clock,
            self.runtime.stop,
            self._notes,
            every=True,
        )
        everything = [image for one in survey.destinations.values() for image in one.copies]
        unknown = [
            source.image_id
            for source in self.sources
            if not source.owner_id and not any(is_copy_of(source, image) for image in everything)
        ]
        if unknown and not any(one.problem for one in survey.destinations.values()):
            raise ImageNotFound(
                f"{', '.join(unknown)} is neither in {self.home}, nor is any copy of it in "
                f"{', '.join(self.destinations)}.",
                image_ids=tuple(unknown),
                why="It never was there, or it and its copies were deregistered.",
                next_step="Check the id, and name its region with --from.",
            )
        return survey

    def without_copy(self, regions: Iterable[str]) -> tuple[str, ...]:
        """Return where a copy is missing: regions named one by one; all of them where there is none at all."""
        have = set(regions)
        if self._are_named or not have:
            return tuple(region for region in self.destinations if region not in have and region != self.home)
        return ()

    def tell(self, survey: Survey) -> None:
        """Write to stderr what a person should know, what could not be read last."""
        if not self._quiet:
            say(f"note: {note}" for note in survey.notes)
            say(
                f"note: {source.image_id} is not in {source.region} any more; its copies are compared with each other"
                for source in self.sources
                if not source.owner_id
            )
        for destination in survey.destinations.values():
            if destination.problem:
                say(error_lines(destination.problem))


def unread_code(survey: Survey) -> ExitCode:
    """Return OK where every region could be read, PARTIAL where some could, the error's own where none could."""
    problems = [one.problem for one in survey.destinations.values() if one.problem]
    if not problems:
        return ExitCode.OK
    return problems[0].exit_code if len(problems) == len(survey.destinations) else ExitCode.PARTIAL
