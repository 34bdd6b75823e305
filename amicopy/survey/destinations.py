"""Every read that a plan needs: the sources, the regions, and what each destination holds. No write.

Refuses to judge what it finds. What IAM does not let it read becomes a note, unless nothing can go on without.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

from amicopy.aws.ec2 import Clients, Ec2
from amicopy.aws.kms import KmsClient
from amicopy.core.clock import Clock
from amicopy.core.errors import (
    AccessDenied,
    AmicopyError,
    CredentialsRejected,
    ImageNotFound,
    NotOwner,
    RegionNotEnabled,
    StorageNotShared,
)
from amicopy.core.lineage import NO_COPIES, copies_by_source
from amicopy.core.models import Image, ImageState, Principal, Region
from amicopy.core.parallel import Stop, all_at_once
from amicopy.core.request import CopyRequest
from amicopy.core.retries import with_read_retries
from amicopy.plan.desired import DesiredCopy, desired_copy
from amicopy.plan.findings import Destination, Survey
from amicopy.survey.copy_details import with_details
from amicopy.survey.region_settings import region_settings

# Amazon's own public images can be copied, whether or not their snapshots can be described.
_READABLE_OWNERS = {"amazon", "aws-marketplace"}


def survey_sources(
    image_ids: Sequence[str], ec2: Ec2, stop: Stop, *, launch: bool = True, volumes: bool = True
) -> tuple[Image, ...]:
    """Return the sources with their snapshots, in the order asked.

    ``launch`` and ``volumes`` say whether the launch permissions and the snapshots' permissions are of interest: each
    is a call per image or snapshot. Of another account's AMI neither can be read.

    Raises:
        ImageNotFound: one is not in this region; `located` finds out where it is instead.
        StorageNotShared: another account's AMI whose snapshots these credentials may not see.
        AccessDenied: a permission of our own AMI may not be read; its copies would silently be private.
    """
    found = ec2.describe_images(image_ids)
    if missing := tuple(image_id for image_id in image_ids if image_id not in found):
        raise ImageNotFound(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not in {ec2.region}.",
            image_ids=missing,
            why="It does not exist there, was deregistered, or is not shared with this account.",
            next_step="Check the id, and name its region with --from.",
        )
    sources = [found[image_id] for image_id in image_ids]
    details = _details([one for one in sources if one.state is ImageState.AVAILABLE], ec2, stop, launch, volumes)
    return tuple(_source(one, details, launch=launch) if one.state is ImageState.AVAILABLE else one for one in sources)


def _details(images: Sequence[Image], ec2: Ec2, stop: Stop, launch: bool, volumes: bool) -> dict[str, Any]:
    """Read what belongs to the sources, all at once: the snapshots under "", launch and volume permissions by id.

    What fails is in there as its error, which matters only if nothing before it says more.
    """
    snapshot_ids = [snapshot_id for image in images for snapshot_id in image.snapshot_ids]
    reads: dict[str, Callable[[], Any]] = {}
    if snapshot_ids:
        reads[""] = partial(ec2.describe_snapshots, snapshot_ids)
    for image in images:
        if image.owner_alias in _READABLE_OWNERS:
            continue
        if launch:
            reads[image.image_id] = partial(_permissions, partial(ec2.launch_permissions, image.image_id))
        if volumes:
            reads |= {one: partial(_permissions, partial(ec2.volume_permissions, one)) for one in image.snapshot_ids}
    return all_at_once({name: partial(_tried, read) for name, read in reads.items()}, stop)


def _source(image: Image, details: Mapping[str, Any], *, launch: bool) -> Image:
    """Return one source with what was read of it."""
    snapshots = _read(details.get("", {}))
    hidden = [snapshot_id for snapshot_id in image.snapshot_ids if snapshot_id not in snapshots]
    if hidden and image.owner_alias not in _READABLE_OWNERS:
        raise StorageNotShared(
            f"{image.image_id} in {image.region} is shared with this account, its storage is not.",
            why=f"It belongs to account {image.owner_id}, and these of its snapshots cannot be seen: "
            f"{', '.join(hidden)}. EC2 copies only what can be read.",
            next_step=f"Ask account {image.owner_id} to share each snapshot with this account "
            "(aws ec2 modify-snapshot-attribute), and the key of encrypted ones.",
        )
    permissions = _read(details.get(image.image_id))
    return replace(
        image,
        launch_permissions=permissions,
        is_foreign=bool(image.owner_alias or hidden) or (launch and permissions is None),
        snapshots=tuple(
            replace(snapshots[snapshot_id], volume_permissions=_read(details.get(snapshot_id)))
            for snapshot_id in image.snapshot_ids
            if snapshot_id in snapshots
        ),
    )


def _tried(read: Callable[[], Any]) -> Any:
    """Return what is read, or the error, which matters only if nothing before it says more."""
    try:
        return read()
    except AmicopyError as error:
        return error


def _read(found: Any) -> Any:
    """Return what was read, or raise why it was not."""
    if isinstance(found, AmicopyError):
        raise found
    return found


def _permissions(read: Callable[[], frozenset[Principal]]) -> frozenset[Principal] | None:
    """Return what is read; None where only another account, the owner, may read it."""
    try:
        return read()
    except NotOwner:
        return None
    except AccessDenied as error:
        raise AccessDenied(
            error.what,
            action=error.action,
            why=f"{error.why} Without it the source's permissions are unknown, and its copies would be private.",
            next_step=f"{error.next_step} Or leave permissions behind: --no-permissions.",
        ) from error


def located(error: ImageNotFound, others: Mapping[str, Ec2], stop: Stop) -> ImageNotFound:
    """Return the error with the regions that do have the AMI: a wrong region is the commonest reason."""

    def look(ec2: Ec2) -> set[str]:
        try:
            return set(ec2.describe_images(error.image_ids))
        except AmicopyError:  # a hint is not worth failing for
            return set()

    places = all_at_once({name: partial(look, one) for name, one in others.items()}, stop)
    homes = {image_id: [name for name, found in places.items() if image_id in found] for image_id in error.image_ids}
    hints = [f"{image_id} is in {', '.join(names)}" for image_id, names in homes.items() if names]
    regions = {name for names in homes.values() for name in names}
    if not hints:
        return error
    return ImageNotFound(
        error.what,
        image_ids=error.image_ids,
        why="; ".join(hints) + ".",
        next_step=f"Say so with --from {regions.pop()}." if len(regions) == 1 else "Name its region with --from.",
    )


def survey_regions(ec2: Ec2) -> tuple[dict[str, Region] | None, tuple[str, ...]]:
    """Return every region of the partition by name, or None and a note where IAM does not let us ask."""
    try:
        return ec2.describe_regions(), ()
    except AccessDenied as error:
        return None, (f"{error.action} is not allowed, so regions that are not enabled are found out only when used",)


def look_up(source_region: str, image_ids: Sequence[str], ec2: Ec2) -> dict[str, Image]:
    """Return every copy of these sources in one region, by our tag and by EC2's lineage: two look-ups."""
    return {
        **ec2.find_tagged_copies([f"{source_region}/{image_id}" for image_id in image_ids]),
        **ec2.find_lineage_copies(source_region, image_ids),
    }


def survey_destinations(
    request: CopyRequest,
    destinations: Sequence[str],
    sources: tuple[Image, ...],
    clients: Clients,
    regions: Mapping[str, Region] | None,
    clock: Clock,
    stop: Stop,
    notes: tuple[str, ...] = (),
    *,
    every: bool = False,
    looked_up: Mapping[str, dict[str, Image] | AmicopyError] = MappingProxyType({}),
) -> Survey:
    """Return what every destination holds of these sources, all of them asked at once.

    The details that a comparison needs are read of the newest available copy of each source; with ``every``, of all.
    ``looked_up`` holds, by region, what `look_up` has brought already, or why it brought nothing.
    """

    def look(region: str, ec2: Ec2, kms: KmsClient) -> Destination:
        desired = [desired_copy(source, request, region=region, now=clock.now()) for source in sources]
        try:
            found = _read(looked_up.get(region))
            read = partial(_copies, request, desired, ec2, found, every=every)
            copies = with_read_retries(clock, stop, read)
            settings = region_settings(request, desired, copies, ec2, kms, copying=not every)
            return Destination(region=region, copies=copies, settings=settings)
        except CredentialsRejected as error:
            # With good credentials elsewhere this is how a region answers that is not enabled for the account.
            problem = _not_enabled(region, error.why) if regions is None else error
            return Destination(region=region, problem=problem)
        except AmicopyError as error:
            return Destination(region=region, problem=error)

    def looks() -> Iterator[tuple[str, Callable[[], Destination]]]:
        for region in destinations:
            known = regions.get(region) if regions is not None else None
            if known is not None and not known.enabled:
                problem = Destination(region=region, problem=_not_enabled(region))
                yield region, partial(_same, problem)
            else:
                yield region, partial(look, region, clients[region], clients.kms(region))

    return Survey(at=clock.now(), sources=sources, destinations=all_at_once(looks(), stop), notes=notes)


def _same(destination: Destination) -> Destination:
    return destination


def _copies(
    request: CopyRequest,
    desired: Sequence[DesiredCopy],
    ec2: Ec2,
    looked_up: dict[str, Image] | None,
    *,
    every: bool,
) -> tuple[Image, ...]:
    """Return every copy of the sources in one region, with details of those that are compared."""
    if looked_up is None:
        looked_up = look_up(request.source_region, [one.source.image_id for one in desired], ec2)
    found = dict(looked_up)
    as_source = request.share is None and request.carry_permissions  # else who may use a copy was asked for
    compared: list[tuple[Image, DesiredCopy]] = []
    by_source = copies_by_source(found.values())
    for one in desired:
        available = by_source.get(one.source.reference, NO_COPIES).available
        compared += [(copy, one) for copy in (available if every else available[:1])]
    detailed = with_details(ec2, compared, every_permission=every or not as_source)
    found |= {image.image_id: image for image in detailed}
    return tuple(found.values())


def _not_enabled(region: str, why: str = "") -> RegionNotEnabled:
    return RegionNotEnabled(
        f"The region {region} is not enabled for this account.",
        why=why or "EC2 lists it as not opted in; its endpoint would answer every call with AuthFailure.",
        next_step=f"Enable it (aws account enable-region --region-name {region}), or leave it out: --exclude {region}.",
    )
