"""What each destination holds: copies, with the details that a comparison needs, and settings of the region.

What IAM does not allow to read becomes a note, unless the run cannot do without it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from amicopy.aws.ec2 import Clients, Ec2
from amicopy.aws.kms import KmsClient
from amicopy.aws.quotas import ServiceQuotas
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
from amicopy.core.parallel import Pending, Stop, all_at_once
from amicopy.core.request import CopyRequest
from amicopy.core.retries import Retry, with_read_retries
from amicopy.plan.attributes.base import DesiredCopy
from amicopy.plan.choose import may_write
from amicopy.plan.desired import desired_copy
from amicopy.plan.findings import DestinationFindings, Survey
from amicopy.survey.copy_details import with_details, with_tags_of_snapshots
from amicopy.survey.managed_key import with_managed_keys
from amicopy.survey.region_settings import region_settings
from amicopy.survey.siblings import find_siblings, parentless


def survey_regions(ec2: Ec2) -> tuple[dict[str, Region] | None, tuple[str, ...]]:
    """Return every region of the partition by name, or None and a note where IAM does not let us ask."""
    try:
        return ec2.describe_regions(), ()
    except AccessDenied as error:
        return None, (f"{error.action} is not allowed, so regions that are not enabled are found out only when used",)


def look_up(source_region: str, image_ids: Sequence[str], ec2: Ec2) -> dict[str, Image]:
    """Return every copy of these sources in one region, by our tag and by EC2's lineage: two look-ups.

    A third one if an unfinished copy has no tag of ours: its snapshots may.
    """
    recorded = ec2.find_lineage_copies(source_region, image_ids)  # first: it shows whether EC2 records sources there
    tagged = ec2.find_tagged_copies([f"{source_region}/{image_id}" for image_id in image_ids])
    return with_tags_of_snapshots({**tagged, **recorded}, ec2)


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
) -> Survey:
    """Return what every destination has of these sources; all are read at the same time.

    The details that a comparison needs are read of every available copy; with ``every``, those of `verify` too.
    ``looked_up`` has, by destination, calls of `look_up` that have run already.
    """

    retry = partial(with_read_retries, clock, stop)
    without_parent = parentless(sources, clients, stop, retry)

    def look(destination: Destination, ec2: Ec2, kms: KmsClient, quotas: ServiceQuotas) -> DestinationFindings:
        desired = [desired_copy(source, request, destination=destination, now=clock.now()) for source in sources]
        try:
            found = looked_up[destination].result() if destination in looked_up else None
            read = partial(_copies, request, desired, without_parent, ec2, kms, found, every=every, retry=retry)
            copies = with_read_retries(clock, stop, read)
            settings = region_settings(request, desired, copies, ec2, kms, quotas, copying=not every)
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
                others = (clients.kms(destination), clients.quotas(destination))
                yield destination, partial(look, destination, clients[destination], *others)

    return Survey(at=clock.now(), sources=sources, destinations=all_at_once(looks(), stop), notes=notes)


def without_closed_regions(survey: Survey, named: Collection[str]) -> Survey:
    """Return the survey without the regions that a service control policy closes, and with a note about them.

    Control Tower's Region deny control is one. EC2 lists such a region as enabled, so that a pattern matches it. Those
    in ``named`` stay, and so does everything if nothing would be left.
    """
    closed = {
        one.region: problem
        for one in survey.destinations.values()
        if one.region not in named and isinstance(problem := one.problem, AccessDenied) and problem.by_organization
    }
    left = {where: found for where, found in survey.destinations.items() if where.region not in closed}
    if not closed or not left:
        return survey
    return replace(survey, destinations=left, notes=(*survey.notes, closed_note(closed)))


def closed_note(regions: Iterable[str]) -> str:
    """Return the note about regions that a pattern matches and a service control policy closes."""
    return f"left out, because a service control policy closes them: {', '.join(regions)}"


def _same(findings: DestinationFindings) -> DestinationFindings:
    return findings


def _copies(
    request: CopyRequest,
    desired: Sequence[DesiredCopy],
    without_parent: Sequence[Image],
    ec2: Ec2,
    kms: KmsClient,
    looked_up: dict[str, Image] | None,
    *,
    every: bool,
    retry: Retry,
) -> tuple[Image, ...]:
    """Return every copy of the sources in one region, with details of those that are compared."""
    if looked_up is None:
        looked_up = look_up(request.source_region, [one.source.image_id for one in desired], ec2)
    found = {**looked_up, **find_siblings(without_parent, ec2)}
    compared: list[tuple[Image, DesiredCopy]] = []
    by_source = copies_by_source(found.values())
    for one in desired:
        available = by_source.get(one.source.reference, NO_COPIES).available
        compared += [(copy, one) for copy in available]
    detailed = with_details(ec2, compared, every_permission=True, uefi_data=every, retry=retry)
    found |= {image.image_id: image for image in detailed}
    shared = [
        found[image.image_id]
        for one in desired
        if one.is_shared and not one.key  # with another key than the named one it differs anyway
        for copies in [by_source.get(one.source.reference, NO_COPIES)]
        for image in (*copies.available, *copies.in_progress)
        if may_write(one.source, image, adopt=request.adopt) and _may_be_encrypted(one, image)
    ]
    if shared and request.preflight:
        found |= {image.image_id: image for image in with_managed_keys(shared, ec2, kms)}
    return tuple(found.values())


def _may_be_encrypted(desired: DesiredCopy, image: Image) -> bool:
    """Return whether the copy is encrypted, or is pending, when EC2 may not say so yet, and going to be."""
    if any(device.encrypted for device in image.devices):
        return True
    asked = desired.encrypt or any(device.encrypted for device in desired.source.devices)
    return image.state.in_progress and asked


def _not_enabled(region: str, why: str = "") -> RegionNotEnabled:
    return RegionNotEnabled(
        f"The region {region} is not enabled for this account.",
        why=why or "EC2 lists it as not opted in; its endpoint would answer every call with AuthFailure.",
        next_step=f"Enable it (aws account enable-region --region-name {region}), or leave it out: --exclude {region}.",
    )
