"""Every read that a plan needs: the sources, the regions, and what each destination holds. No write.

Refuses to judge what it finds. What IAM does not let it read becomes a note, unless nothing can go on without.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from amicopy.clock import Clock
from amicopy.details import with_details
from amicopy.errors import (
    AccessDenied,
    AmicopyError,
    CredentialsRejected,
    ImageNotFound,
    NotOwner,
    RegionNotEnabled,
    StorageNotShared,
)
from amicopy.facts import may_need_keys, region_facts
from amicopy.gateway import Gateway, Gateways
from amicopy.models import Image, ImageState, Principal, Region
from amicopy.parallel import Stop, all_at_once, each
from amicopy.recognise import copies_of
from amicopy.request import CopyRequest
from amicopy.retries import surveyed
from amicopy.surveyed import Destination, Survey
from amicopy.wanted import Wanted, wanted_copy

# Amazon's own public images can be copied, whether or not their snapshots can be described.
_READABLE_OWNERS = {"amazon", "aws-marketplace"}


def survey_sources(
    image_ids: Sequence[str], gateway: Gateway, stop: Stop, *, launch: bool = True, volumes: bool = True
) -> tuple[Image, ...]:
    """Return the sources with their snapshots, in the order asked.

    ``launch`` and ``volumes`` say whether the launch permissions and the snapshots' permissions are of interest: each
    is a call per image or snapshot. Of another account's AMI neither can be read.

    Raises:
        ImageNotFound: one is not in this region; `located` finds out where it is instead.
        StorageNotShared: another account's AMI whose snapshots these credentials may not see.
        AccessDenied: a permission of our own AMI may not be read; its copies would silently be private.
    """
    found = gateway.describe_images(image_ids)
    if missing := tuple(image_id for image_id in image_ids if image_id not in found):
        raise ImageNotFound(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not in {gateway.region}.",
            image_ids=missing,
            why="It does not exist there, was deregistered, or is not shared with this account.",
            next_step="Check the id, and name its region with --from.",
        )
    read = partial(_source, gateway, stop=stop, launch=launch, volumes=volumes)
    return tuple(each([found[image_id] for image_id in image_ids], read, stop))


def _source(gateway: Gateway, image: Image, *, stop: Stop, launch: bool, volumes: bool) -> Image:
    if image.state is not ImageState.AVAILABLE:
        return image
    snapshots = gateway.describe_snapshots(image.snapshot_ids) if image.snapshot_ids else {}
    hidden = [snapshot_id for snapshot_id in image.snapshot_ids if snapshot_id not in snapshots]
    if hidden and image.owner_alias not in _READABLE_OWNERS:
        raise StorageNotShared(
            f"{image.image_id} in {image.region} is shared with this account, its storage is not.",
            why=f"It belongs to account {image.owner_id}, and these of its snapshots cannot be seen: "
            f"{', '.join(hidden)}. EC2 copies only what can be read.",
            next_step=f"Ask account {image.owner_id} to share each snapshot with this account "
            "(aws ec2 modify-snapshot-attribute), and the key of encrypted ones.",
        )
    permissions = _permissions(partial(gateway.launch_permissions, image.image_id)) if launch else None
    is_foreign = bool(image.owner_alias or hidden) or (launch and permissions is None)
    tasks = {one: partial(_permissions, partial(gateway.volume_permissions, one)) for one in snapshots}
    readable = all_at_once(tasks, stop) if volumes else {}
    return replace(
        image,
        launch_permissions=permissions,
        is_foreign=is_foreign,
        snapshots=tuple(
            replace(snapshots[snapshot_id], volume_permissions=readable.get(snapshot_id))
            for snapshot_id in image.snapshot_ids
            if snapshot_id in snapshots
        ),
    )


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


def located(error: ImageNotFound, others: Mapping[str, Gateway], stop: Stop) -> ImageNotFound:
    """Return the error with the regions that do have the AMI: a wrong region is the commonest reason."""

    def look(gateway: Gateway) -> set[str]:
        try:
            return set(gateway.describe_images(error.image_ids))
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


def survey_regions(gateway: Gateway) -> tuple[dict[str, Region] | None, tuple[str, ...]]:
    """Return every region of the partition by name, or None and a note where IAM does not let us ask."""
    try:
        return gateway.describe_regions(), ()
    except AccessDenied as error:
        return None, (f"{error.action} is not allowed, so regions that are not enabled are found out only when used",)


def survey_destinations(
    request: CopyRequest,
    sources: tuple[Image, ...],
    gateways: Gateways,
    regions: Mapping[str, Region] | None,
    clock: Clock,
    stop: Stop,
    notes: tuple[str, ...] = (),
    *,
    every: bool = False,
) -> Survey:
    """Return what every destination holds of these sources, all of them asked at once.

    The details that a comparison needs are read of the newest available copy of each source; with ``every``, of all.
    """

    reachable = {region: gateways[region] for region in request.destinations}
    keyrings = {region: gateways.keyring(region) for region in request.destinations if may_need_keys(request, sources)}

    def look(region: str) -> Destination:
        known = regions.get(region) if regions is not None else None
        if known is not None and not known.enabled:
            return Destination(region=region, problem=_not_enabled(region))
        wanted = [wanted_copy(source, request, region=region, now=clock.now()) for source in sources]
        try:
            read = partial(_copies, request, wanted, reachable[region], every=every)
            copies = surveyed(clock, stop, read)
            facts = region_facts(request, wanted, copies, reachable[region], keyrings.get(region), copying=not every)
            return Destination(region=region, copies=copies, facts=facts)
        except CredentialsRejected as error:
            # With good credentials elsewhere this is how a region answers that is not enabled for the account.
            problem = _not_enabled(region, error.why) if regions is None else error
            return Destination(region=region, problem=problem)
        except AmicopyError as error:
            return Destination(region=region, problem=error)

    found = all_at_once({region: partial(look, region) for region in request.destinations}, stop)
    return Survey(at=clock.now(), sources=sources, destinations=found, notes=notes)


def _copies(request: CopyRequest, wanted: Sequence[Wanted], gateway: Gateway, *, every: bool) -> tuple[Image, ...]:
    """Return every copy of the sources in one region; two look-ups, and details of those that are compared."""
    sources = [one.source for one in wanted]
    found = {
        **gateway.find_tagged_copies([source.reference for source in sources]),
        **gateway.find_lineage_copies(request.source_region, [source.image_id for source in sources]),
    }
    as_source = request.share is None and request.carry_permissions  # else who may use a copy was asked for
    compared: list[tuple[Image, Wanted]] = []
    for one in wanted:
        available = copies_of(one.source, found.values()).available
        compared += [(copy, one) for copy in (available if every else available[:1])]
    detailed = with_details(gateway, compared, every_permission=every or not as_source)
    found |= {image.image_id: image for image in detailed}
    return tuple(found.values())


def _not_enabled(region: str, why: str = "") -> RegionNotEnabled:
    return RegionNotEnabled(
        f"The region {region} is not enabled for this account.",
        why=why or "EC2 lists it as not opted in; its endpoint would answer every call with AuthFailure.",
        next_step=f"Enable it (aws account enable-region --region-name {region}), or leave it out: --exclude {region}.",
    )
