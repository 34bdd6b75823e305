"""What each destination holds: copies, with the details that a comparison needs, and settings of the region.

What IAM does not allow to read becomes a note, unless the run cannot do without it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from amicopy.aws.ec2 import Clients, Ec2
from amicopy.aws.kms import KmsClient
from amicopy.core.clock import Clock
from amicopy.core.destination import Destination
from amicopy.core.errors import (
    AccessDenied,
    AmicopyError,
    CredentialsRejected,
    RegionNotEnabled,
)
from amicopy.core.lineage import NO_COPIES, copies_by_source
from amicopy.core.models import Image, Region
from amicopy.core.parallel import Once, Pending, Stop, all_at_once, run_all
from amicopy.core.request import CopyRequest
from amicopy.core.retries import Retry, once, with_read_retries
from amicopy.plan.attributes.base import DesiredCopy
from amicopy.plan.desired import desired_copy
from amicopy.plan.findings import DestinationFindings, Survey
from amicopy.survey.copy_details import with_all_details
from amicopy.survey.region_settings import region_settings


def survey_regions(ec2: Ec2) -> tuple[dict[str, Region] | None, tuple[str, ...]]:
    """Return every region of the partition by name, or None and a note where IAM does not let us ask."""
    try:
        return ec2.describe_regions(), ()
    except AccessDenied as error:
        return None, (f"{error.action} is not allowed, so regions that are not enabled are found out only when used",)


def look_up(
    source_region: str, image_ids: Sequence[str], ec2: Ec2, stop: Stop, retry: Retry = once
) -> dict[str, Image]:
    """Return every copy of these sources in one region, by our tag and by EC2's lineage: two look-ups at once."""
    references = [f"{source_region}/{image_id}" for image_id in image_ids]
    tagged = Pending(partial(retry, partial(ec2.find_tagged_copies, references)))
    by_lineage: dict[str, Image] = {}

    def reads() -> Iterator[Pending[dict[str, Image]]]:
        yield tagged
        by_lineage.update(retry(partial(ec2.find_lineage_copies, source_region, image_ids)))

    run_all(reads(), stop)
    return {**tagged.result(), **by_lineage}


def survey_destinations(
    request: CopyRequest,
    destinations: Sequence[Destination],
    sources: tuple[Image, ...],
    clients: Clients,
    regions: Mapping[str, Region] | None,
    clock: Clock,
    stop: Stop,
    notes: tuple[str, ...] = (),
    *,
    every: bool = False,
    looked_up: Mapping[Destination, Pending[dict[str, Image]]] = MappingProxyType({}),
    reads: Mapping[Destination, Once] = MappingProxyType({}),
) -> Survey:
    """Return what every destination has of these sources; all are read at the same time.

    The details that a comparison needs are read of every available copy; with ``every``, those of `verify` too.
    ``looked_up`` has, by destination, calls of `look_up` that have run already. ``reads`` keeps all others: a survey
    with the same reads, for sources of which more is known, makes only those that are missing.
    """

    def look(destination: Destination, ec2: Ec2, kms: KmsClient) -> DestinationFindings:
        desired = [desired_copy(source, request, destination=destination, now=clock.now()) for source in sources]
        try:
            retry, made = partial(with_read_retries, clock, stop), reads.get(destination, Once())
            found = looked_up.get(destination)
            look = partial(look_up, request.source_region, [one.image_id for one in sources], ec2, stop, retry)
            images = found.result() if found is not None else made("copies", look)
            read = partial(_with_details, desired, images, ec2, stop, every=every, retry=retry)
            copies = made("details", read)
            settings = region_settings(request, desired, copies, ec2, kms, made, retry, copying=not every)
            return DestinationFindings(destination=destination, copies=copies, settings=settings)
        except CredentialsRejected as error:
            # With good credentials elsewhere this is how a region answers that is not enabled for the account.
            problem = _not_enabled(destination.region, error.why) if regions is None else error
            return DestinationFindings(destination=destination, problem=problem)
        except AmicopyError as error:
            return DestinationFindings(destination=destination, problem=error)

    def looks() -> Iterator[tuple[Destination, Callable[[], DestinationFindings]]]:
        for destination in destinations:
            known = regions.get(destination.region) if regions is not None else None
            if known is not None and not known.enabled:
                problem = DestinationFindings(destination=destination, problem=_not_enabled(destination.region))
                yield destination, partial(_same, problem)
            else:
                yield destination, partial(look, destination, clients[destination], clients.kms(destination))

    return Survey(at=clock.now(), sources=sources, destinations=all_at_once(looks(), stop), notes=notes)


def _same(findings: DestinationFindings) -> DestinationFindings:
    return findings


def _with_details(
    desired: Sequence[DesiredCopy], images: Mapping[str, Image], ec2: Ec2, stop: Stop, *, every: bool, retry: Retry
) -> tuple[Image, ...]:
    """Return every copy of the sources in one region, with details of those that are compared."""
    by_source = copies_by_source(images.values())
    compared = [copy for one in desired for copy in by_source.get(one.source.reference, NO_COPIES).available]
    detailed = with_all_details(ec2, compared, stop, uefi_data=every, retry=retry)
    return tuple({**images, **{image.image_id: image for image in detailed}}.values())


def _not_enabled(region: str, why: str = "") -> RegionNotEnabled:
    return RegionNotEnabled(
        f"The region {region} is not enabled for this account.",
        why=why or "EC2 lists it as not opted in; its endpoint would answer every call with AuthFailure.",
        next_step=f"Enable it (aws account enable-region --region-name {region}), or leave it out: --exclude {region}.",
    )
