"""What each destination holds: copies, with the details that a comparison needs, and settings of the region.

What IAM does not allow to read becomes a note, unless the run cannot do without it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from amicopy.aws.ec2 import Clients, Ec2
from amicopy.aws.kms import KmsClient
from amicopy.aws.quotas import ServiceQuotas
from amicopy.aws.responses import with_source_of_tag
from amicopy.core.clock import Clock
from amicopy.core.destination import Destination, as_account
from amicopy.core.errors import (
    AccessDenied,
    AmicopyError,
    CredentialsRejected,
    RegionNotEnabled,
)
from amicopy.core.grants import without_guests
from amicopy.core.lineage import NO_COPIES, copies_by_source
from amicopy.core.models import Image, Region
from amicopy.core.parallel import Once, Pending, Stop, all_at_once, run_all
from amicopy.core.request import CopyRequest
from amicopy.core.retries import Retry, once, with_read_retries
from amicopy.plan.attributes.base import DesiredCopy
from amicopy.plan.choose import may_write
from amicopy.plan.desired import desired_copy
from amicopy.plan.findings import DestinationFindings, Survey
from amicopy.survey.copy_details import with_all_details, with_tags_of_snapshots
from amicopy.survey.managed_key import with_managed_keys
from amicopy.survey.region_settings import region_settings
from amicopy.survey.relays import Relays
from amicopy.survey.siblings import find_siblings, parentless


def survey_regions(ec2: Ec2) -> tuple[dict[str, Region] | None, tuple[str, ...]]:
    """Return every region of the partition by name, or None and a note where IAM does not let us ask."""
    try:
        return ec2.describe_regions(), ()
    except AccessDenied as error:
        return None, (f"{error.action} is not allowed, so regions that are not enabled are found out only when used",)


def look_up(
    source_region: str, image_ids: Sequence[str], ec2: Ec2, stop: Stop, retry: Retry = once
) -> dict[str, Image]:
    """Return every copy of these sources in one region, by our tag and by EC2's lineage: two look-ups at once.

    A third one if an unfinished copy has no tag of ours: its snapshots may.
    """
    references = [f"{source_region}/{image_id}" for image_id in image_ids]
    tagged = Pending(partial(retry, partial(ec2.find_tagged_copies, references)))
    by_lineage: dict[str, Image] = {}

    def reads() -> Iterator[Pending[dict[str, Image]]]:
        yield tagged
        by_lineage.update(retry(partial(ec2.find_lineage_copies, source_region, image_ids)))

    run_all(reads(), stop)
    return _merged(tagged.result(), by_lineage, ec2, retry)


def look_up_in_turn(source_region: str, image_ids: Sequence[str], ec2: Ec2) -> dict[str, Image]:
    """Return the same with one call after the other, for the work on one copy."""
    by_lineage = ec2.find_lineage_copies(source_region, image_ids)
    tagged = ec2.find_tagged_copies([f"{source_region}/{image_id}" for image_id in image_ids])
    return _merged(tagged, by_lineage, ec2, once)


def _merged(tagged: Mapping[str, Image], by_lineage: Mapping[str, Image], ec2: Ec2, retry: Retry) -> dict[str, Image]:
    if not ec2.records_lineage:  # which may have come out only after the look-up by tag
        tagged = {image_id: with_source_of_tag(image) for image_id, image in tagged.items()}
    return retry(partial(with_tags_of_snapshots, {**tagged, **by_lineage}, ec2))


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

    retry = partial(with_read_retries, clock, stop)
    without_parent = parentless(sources, clients, stop, retry)
    relays = Relays(clients, retry)

    def look(destination: Destination, ec2: Ec2, kms: KmsClient, quotas: ServiceQuotas) -> DestinationFindings:
        desired = [desired_copy(source, request, destination=destination, now=clock.now()) for source in sources]
        try:
            made = reads.get(destination, Once())
            found = looked_up.get(destination)
            look = partial(look_up, request.source_region, [one.image_id for one in sources], ec2, stop, retry)
            images = found.result() if found is not None else made("copies", look)
            siblings = made("siblings", partial(retry, partial(find_siblings, without_parent, ec2)))
            there = {**images, **siblings}
            if not destination.account:
                there = made("relays", partial(relays.checked, there))
            read = partial(_with_details, desired, there, ec2, stop, every=every, retry=retry)
            detailed = tuple(without_guests(copy, clock.now()) for copy in made("details", read))
            copies = _with_managed_keys(request, desired, detailed, ec2, kms, made, retry)
            settings = region_settings(request, desired, copies, ec2, kms, quotas, made, retry, copying=not every)
            return DestinationFindings(destination=destination, copies=copies, settings=settings)
        except CredentialsRejected as error:
            # With good credentials elsewhere this is how a region answers that is not enabled for the account.
            problem = _not_enabled(destination, error.why) if regions is None else error
            return DestinationFindings(destination=destination, problem=problem)
        except AmicopyError as error:
            return DestinationFindings(destination=destination, problem=error)

    def looks() -> Iterator[tuple[Destination, Callable[[], DestinationFindings]]]:
        for destination in destinations:
            known = regions.get(destination.region) if regions is not None else None
            if known is not None and not known.enabled:
                problem = DestinationFindings(destination=destination, problem=_not_enabled(destination))
                yield destination, partial(_same, problem)
            else:
                others = (clients.kms(destination), clients.quotas(destination))
                yield destination, partial(look, destination, clients[destination], *others)

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


def _with_managed_keys(
    request: CopyRequest,
    desired: Sequence[DesiredCopy],
    copies: Sequence[Image],
    ec2: Ec2,
    kms: KmsClient,
    made: Once,
    retry: Retry,
) -> tuple[Image, ...]:
    """Return the copies; of those that are ours and to be shared, it is known whether the AWS-managed key is theirs."""
    by_source = copies_by_source(copies)
    shared = [
        image
        for one in desired
        if (one.is_shared or one.serves_accounts)
        and not one.key  # with another key than the named one it differs anyway
        for found in [by_source.get(one.source.reference, NO_COPIES)]
        for image in (*found.available, *found.in_progress)
        if may_write(one.source, image, adopt=request.adopt) and _may_be_encrypted(one, image)
    ]
    if not shared or not request.preflight:
        return tuple(copies)
    key = ("managed keys", *(image.image_id for image in shared))
    marked = made(key, partial(retry, partial(with_managed_keys, shared, ec2, kms)))
    return tuple({image.image_id: image for image in (*copies, *marked)}.values())


def _may_be_encrypted(desired: DesiredCopy, image: Image) -> bool:
    """Return whether the copy is encrypted, or is pending, when EC2 may not say so yet, and going to be."""
    if any(device.encrypted for device in image.devices):
        return True
    asked = desired.encrypt or any(device.encrypted for device in desired.source.devices)
    return image.state.in_progress and asked


def _not_enabled(destination: Destination, why: str = "") -> RegionNotEnabled:
    region = destination.region
    account = f"account {destination.account}" if destination.account else "this account"
    return RegionNotEnabled(
        f"The region {region} is not enabled for {account}.",
        why=why or "EC2 lists it as not opted in; its endpoint would answer every call with AuthFailure.",
        next_step=f"Enable it{as_account(destination.account)} (aws account enable-region --region-name {region}), or "
        "exclude it (--exclude; in a manifest, exclude).",
    )
