"""What status and verify have in common: which copies of which sources, looked at where.

Refuses to write to EC2.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from amicopy.core.errors import ExitCode, ImageNotFound
from amicopy.core.lineage import is_copy_of
from amicopy.core.models import Image
from amicopy.core.named_regions import NamedRegions
from amicopy.core.regions import is_pattern
from amicopy.core.request import CopyRequest
from amicopy.jobs.context import Means
from amicopy.jobs.sources import known_sources
from amicopy.plan.copy_status import Standing, standings
from amicopy.plan.findings import Survey
from amicopy.survey.destinations import survey_destinations, survey_regions


class Looking:
    """The sources, and the regions to look at."""

    sources: tuple[Image, ...]
    destinations: tuple[str, ...]

    def __init__(self, means: Means, wish: CopyRequest, where: Sequence[str] = ("all",)) -> None:
        """Read the sources and the regions; a source that is gone is known by its id alone.

        Raises:
            UsageError: a region does not exist, or none that is enabled matches.
            AmicopyError: neither could be read.
        """
        self.means = means
        self.home = means.home(wish.source_region)
        named = NamedRegions(means.session, self.home, {"--in": where})
        gateway = means.gateways[self.home]
        image_ids = tuple(dict.fromkeys(wish.image_ids))
        self._regions, self._notes = means.patiently(partial(survey_regions, gateway))
        self.sources = means.patiently(partial(known_sources, image_ids, gateway, means.stop))
        self.destinations = named.places("--in", lambda: self._regions)
        self._are_named = not any(map(is_pattern, named["--in"]))
        self._request = replace(
            wish,
            source_region=self.home,
            image_ids=tuple(source.image_id for source in self.sources),
            destinations=self.destinations,
        )

    def found(self) -> tuple[Survey, tuple[Standing, ...]]:
        """Return what is there now, and every copy compared with what was asked for.

        Raises:
            ImageNotFound: a source is not there, and no copy of it is.
        """
        survey = self._survey()
        return survey, tuple(standings(self._request, survey))

    def _survey(self) -> Survey:
        """Return every copy in every region asked for, with all that a comparison needs.

        Raises:
            ImageNotFound: a source is not there, and no copy of it is.
        """
        means = self.means
        survey = survey_destinations(
            self._request, self.sources, means.gateways, self._regions, means.clock, means.stop, self._notes, every=True
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


def unread_code(survey: Survey) -> ExitCode:
    """Return OK where every region could be read, PARTIAL where some could, the error's own where none could."""
    problems = [one.problem for one in survey.destinations.values() if one.problem]
    if not problems:
        return ExitCode.OK
    return problems[0].exit_code if len(problems) == len(survey.destinations) else ExitCode.PARTIAL
