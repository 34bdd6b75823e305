"""What status and verify have in common: the copies of some sources in some regions."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial

from amicopy.aws.ec2 import Ec2
from amicopy.core.accounts import TargetAccount
from amicopy.core.destination import Destination
from amicopy.core.errors import AccessDenied, ExitCode, ImageNotFound, UsageError
from amicopy.core.grants import without_guests
from amicopy.core.lineage import is_copy_of
from amicopy.core.models import Image
from amicopy.core.parallel import Stop
from amicopy.core.request import CopyRequest, check_request
from amicopy.core.retries import Retry
from amicopy.jobs.accounts import enter_accounts
from amicopy.jobs.context import Context
from amicopy.plan.copy_status import CopyStatus, copy_statuses
from amicopy.plan.findings import DestinationFindings, Survey
from amicopy.survey.accounts import Regions, with_accounts
from amicopy.survey.closed_regions import without_closed_regions
from amicopy.survey.destinations import survey_destinations, survey_regions
from amicopy.survey.sources import Details, survey_sources


class ExistingCopies:
    """The sources, and the regions to look at."""

    sources: tuple[Image, ...]
    destinations: tuple[Destination, ...]

    def __init__(self, context: Context, request: CopyRequest, regions: Sequence[str] = ("all",)) -> None:
        """Read the sources and the regions; a source that is gone is known by its id alone.

        Raises:
            UsageError: the request contradicts itself, a region doesn't exist, or no enabled region matches.
            AmicopyError: neither could be read.
        """
        check_request(request, context.spelling)
        self.context = context
        self.source_region = context.source_region(request.source_region)
        named = context.named_regions(self.source_region, regions=regions, exclude=request.exclude)
        entered = enter_accounts(context, [request.accounts], self.source_region, without_closed=True)
        self._closed = entered.closed
        ec2 = context.clients[self.source_region]
        image_ids = tuple(dict.fromkeys(request.image_ids))
        self._regions, self._notes = context.with_retries(partial(survey_regions, ec2))
        read = partial(known_sources, image_ids, ec2, context.stop, context.with_retries)
        self.sources = tuple(without_guests(one, context.clock.now()) for one in context.with_retries(read))
        self._named = named
        self.destinations = tuple(map(Destination, named.resolve("regions", lambda: self._regions)))
        self._spelled_out = named.spelled_out("regions")
        self._request = replace(
            request,
            source_region=self.source_region,
            image_ids=tuple(source.image_id for source in self.sources),
            accounts=entered.targets[0],
        )

    def found(self) -> tuple[Survey, tuple[CopyStatus, ...]]:
        """Return what exists now, with every copy compared with what is desired.

        Raises:
            ImageNotFound: a source is not there, and no copy of it is.
        """
        survey = self._survey()
        return survey, tuple(copy_statuses(self._request, survey))

    def _survey(self) -> Survey:
        """Return every copy in every requested region, with everything that a comparison needs.

        Raises:
            ImageNotFound: a source is not there, and no copy of it is.
        """
        context = self.context
        survey = survey_destinations(
            self._request,
            self.destinations,
            self.sources,
            context.clients,
            self._regions,
            context.clock,
            context.stop,
            self._notes,
            every=True,
        )
        survey = without_closed_regions(survey, self._spelled_out)
        self.destinations = tuple(survey.destinations)
        self._notes = survey.notes  # a later look does not ask closed regions again
        if self._request.accounts:
            survey = with_accounts(
                survey,
                self._request,
                self._destinations_in,
                context.clients,
                context.clock,
                context.stop,
                self._spelled_out,
                has_pattern=self._named.has_pattern("regions"),
                every=True,
            )
        survey = replace(survey, destinations={**survey.destinations, **self._not_looked_at()})
        self._looked_at = tuple(survey.destinations)
        everything = [image for one in survey.destinations.values() for image in one.copies]
        unknown = [
            source.image_id
            for source in self.sources
            if not source.owner_id and not any(is_copy_of(source, image) for image in everything)
        ]
        if unknown and not any(one.problem for one in survey.destinations.values()):
            raise ImageNotFound(
                f"{', '.join(unknown)} is not in {self.source_region}, and there is no copy of it in "
                f"{', '.join(map(str, survey.destinations))}.",
                image_ids=tuple(unknown),
                why="It was never there, or it and its copies were deregistered.",
                next_step="Check the id, and give its region with --from.",
            )
        return survey

    def _not_looked_at(self) -> Mapping[Destination, DestinationFindings]:
        """Return where the accounts are whose role cannot be assumed; where no region is named, in the source's."""
        places = [
            (Destination(region, account), problem)
            for account, problem in self._closed.items()
            for region in sorted(self._spelled_out) or [self.source_region]
        ]
        return {place: DestinationFindings(destination=place, problem=problem) for place, problem in places}

    def _destinations_in(self, target: TargetAccount, regions: Regions) -> tuple[Destination, ...]:
        """Return those in one account, which has these regions; none if a pattern matches none of them."""
        try:
            names = self._named.resolve("regions", lambda: regions)
        except UsageError:
            return ()
        return tuple(Destination(name, target.account) for name in names)

    def without_copy(self, survey: Survey, have: Collection[Destination]) -> tuple[Destination, ...]:
        """Return where a copy is missing: in regions named one by one; everywhere where there is none at all.

        Where the survey could not look, there may be one.
        """
        unread = {where for where, one in survey.destinations.items() if one.problem}
        present = {*have, *unread, Destination(self.source_region)}
        missing = (one for one in self._looked_at if one not in present)
        return tuple(one for one in missing if one.region in self._spelled_out or not have)


def unread_code(survey: Survey) -> ExitCode:
    """Return OK where every region could be read, PARTIAL where some could, the error's own where none could."""
    problems = [one.problem for one in survey.destinations.values() if one.problem]
    if not problems:
        return ExitCode.OK
    return problems[0].exit_code if len(problems) == len(survey.destinations) else ExitCode.PARTIAL


def known_sources(image_ids: tuple[str, ...], ec2: Ec2, stop: Stop, retry: Retry) -> tuple[Image, ...]:
    """Return the sources in the order asked; one that is gone has nothing but its id and region."""
    try:
        return survey_sources(image_ids, ec2, stop, Details(uefi_data=True), retry)
    except AccessDenied:
        nothing = Details(launch_permissions=False, snapshot_permissions=False)
        return survey_sources(image_ids, ec2, stop, nothing, retry)
    except ImageNotFound as error:
        found = known_sources(tuple(one for one in image_ids if one not in error.image_ids), ec2, stop, retry)
        there = {source.image_id: source for source in found}
        gone = {image_id: Image(image_id=image_id, region=ec2.region) for image_id in error.image_ids}
        return tuple((there | gone)[image_id] for image_id in image_ids)


def own_images(context: Context, region: str | None = None) -> list[Image]:
    """Return the account's available AMIs in a region, by default the configured one; the newest first.

    Raises:
        UsageError: no region is configured.
        AmicopyError: they could not be read.
    """
    ec2 = context.clients[context.source_region(region)]
    images = context.with_retries(partial(ec2.find_named_images, "*", "self")).values()
    return sorted(images, key=lambda image: (image.created_at, image.image_id), reverse=True)
