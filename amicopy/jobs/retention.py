"""Removing old copies: which ones `keep` allows to remove, which ones have to stay, and why.

Only copies that the entry made itself are removed, and none that is in use, protected, or too young.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import chain

from amicopy.aws.ec2 import Ec2
from amicopy.core.destination import Destination, Key
from amicopy.core.durations import length_text
from amicopy.core.errors import AccessDenied, AmicopyError, Interrupted
from amicopy.core.fast_launch import is_recorded as has_fast_launch
from amicopy.core.fast_restore import recorded_zones
from amicopy.core.grants import open_grants
from amicopy.core.lineage import source_of
from amicopy.core.models import HUB_TAG, MANIFEST_TAG, SOURCE_TAG, Image
from amicopy.core.parallel import Stop, all_at_once, most_at_once
from amicopy.core.references import users_text
from amicopy.core.retries import once
from amicopy.execute.cancel import Target, TargetState, cancel_target
from amicopy.execute.report import Outcome
from amicopy.jobs.context import Context
from amicopy.jobs.entries import KnownEntry
from amicopy.jobs.publish import ParameterState, ParameterWrite
from amicopy.manifest.model import Keep
from amicopy.plan.copy_status import is_usable
from amicopy.plan.plan import Action
from amicopy.survey.image_users import unknown_use, users_of
from amicopy.survey.relays import Relays, being_copied_to

_MOVING = {ParameterState.PUT, ParameterState.DONE}
_HOLDING = {ParameterState.WAITING, ParameterState.FAILED}


def outdated_copies(
    context: Context,
    entries: Sequence[KnownEntry],
    outcomes: Mapping[Key, Outcome],
    writes: Sequence[ParameterWrite],
    *,
    finished: bool,
) -> tuple[Target, ...]:
    """Return the copies that are more than `keep` allows; once ``finished``, only where the newest is up to date."""
    moving: dict[Destination, list[str]] = {}
    for write in writes:
        if write.state in _MOVING and not write.publication.is_template:
            moving.setdefault(write.destination, []).append(write.path)
    holding = {write.publication.key[:2] for write in writes if write.state in _HOLDING}
    relays = Relays(context.clients, context.with_retries)
    regions = dict.fromkeys(row.region for known in entries for row in known.rows)

    def being_copied(image: Image) -> list[str]:
        others = [region for region in regions if region != image.region]
        return being_copied_to(image.reference, context.clients, others, context.stop, context.with_retries)

    def read(destination: Destination, look: Callable[[Ec2], tuple[Target, ...]]) -> tuple[Target, ...]:
        with context.clients.borrowed(destination) as ec2:
            return context.with_retries(partial(look, ec2))

    def tasks() -> Iterator[tuple[tuple[int, Destination], Callable[[], tuple[Target, ...]]]]:
        for known in entries:
            if known.entry.keep is None:
                continue
            for row in known.rows:
                outcome = outcomes[row.key]
                if row.action is Action.REFUSE or (finished and not outcome.is_well):
                    continue
                if (known.number, row.destination) in holding:
                    continue  # whoever reads the parameter still uses an older copy
                look = partial(
                    copies_to_remove,
                    known.entry.keep,
                    now=context.clock.now(),
                    account=row.destination.account,
                    source_region=known.source_region,
                    current=outcome.image_id,
                    held=_held(row.region, entries, outcomes, writes),
                    moving=moving.get(row.destination, ()),
                    relays=relays,
                    being_copied=being_copied,
                )
                yield (known.number, row.destination), partial(read, row.destination, look)

    most = most_at_once(row.destination.account for known in entries if known.entry.keep for row in known.rows)
    return tuple(chain.from_iterable(all_at_once(tasks(), context.stop, most=most).values()))


def _held(
    region: str,
    entries: Sequence[KnownEntry],
    outcomes: Mapping[Key, Outcome],
    writes: Sequence[ParameterWrite],
) -> dict[str, str]:
    """Return the AMIs in one region that this run itself relies on, in whatever account, each with the reason."""
    held: dict[str, str] = {}
    for row in (row for known in entries for row in known.rows):
        if row.region == region:
            held[outcomes[row.key].image_id] = "it is a copy that this manifest asks for"
        if row.source.region == region:
            held[row.source.image_id] = "this manifest asks for copies of it"
    for write in writes:
        if write.region == region and write.state not in _MOVING:
            held[write.before] = f"{write.label} contains its id"
    return held


def remove_copies(context: Context, targets: Sequence[Target]) -> tuple[Target, ...]:
    """Deregister these copies; return what became of each. Once the run is interrupted, the others stay."""

    def remove(target: Target) -> Target:
        if context.stop.is_set():
            return replace(target, state=TargetState.KEEP, reason="the run was interrupted")
        with context.clients.borrowed(target.destination) as ec2:
            return cancel_target(target, ec2, context.clock, context.stop)

    removals = {(target.region, target.resource_id): partial(remove, target) for target in targets}
    most = most_at_once(target.other_account for target in targets)
    return tuple(all_at_once(removals, Stop(), most=most).values())  # not interrupted: what was removed has to be told


def copies_to_remove(
    keep: Keep,
    ec2: Ec2,
    *,
    now: datetime,
    account: str = "",
    source_region: str,
    current: str,
    held: Mapping[str, str],
    moving: Collection[str] = (),
    relays: Relays,
    being_copied: Callable[[Image], Sequence[str]],
) -> tuple[Target, ...]:
    """Return the copies in one destination that exceed what ``keep`` allows, oldest last; reads only.

    ``account`` is the destination's, if it is another than that of the credentials. ``source_region`` is the region of
    the sources. ``current`` is the copy that this run leaves there: it stays and counts as the newest; it is empty
    while the copy has no id yet. ``held`` has the AMIs that this run relies on, with the reason; ``moving`` has the
    paths of parameters that point to another AMI once the run has published.
    ``being_copied`` returns the regions in which copies are being made from an image.
    """
    found = relays.checked(ec2.find_own_images_tagged(MANIFEST_TAG, keep.mark)).values()
    # `retire` holds others for inspection: they do not count, and stay.
    made = [image for image in found if is_usable(image) and _is_made_by(keep, source_region, image)]
    others = sorted(
        (image for image in made if image.image_id != current),
        key=lambda image: (image.created_at, image.image_id),
        reverse=True,
    )
    old = others[keep.newest - 1 :]
    if not old:
        return ()
    used, unknown = users_of(ec2, [image.image_id for image in old], once)
    return tuple(
        _target(
            image,
            account,
            (unknown and unknown_use(unknown))
            or _hub_reason(image, being_copied)
            or _reason_to_stay(keep, image, now, held, _staying(used.get(image.image_id, ()), moving), ec2),
        )
        for image in old
    )


def _is_made_by(keep: Keep, source_region: str, image: Image) -> bool:
    """Return whether the entry made the image, rather than a tool that copied its tags.

    EC2 takes ``*`` and ``?`` in a filter for any letters, so that it finds the copies of other entries too. Tags travel
    by hand and with tools: EC2's own word on what the image was copied from has to be there, and to agree.
    """
    made_from = image.tags.get(SOURCE_TAG, "")
    return (
        image.tags.get(MANIFEST_TAG) == keep.mark
        and made_from.startswith(f"{source_region}/")
        and bool(image.source_image_id)
        and source_of(image) == made_from
    )


def _staying(arns: Iterable[str], moving: Collection[str]) -> list[str]:
    return [arn for arn in arns if not any(arn.endswith(f":parameter{path}") for path in moving)]


def _hub_reason(image: Image, being_copied: Callable[[Image], Sequence[str]]) -> str:
    """Return why a copy from which others were made has to stay; empty if it can be removed."""
    if HUB_TAG not in image.tags:
        return ""
    try:
        regions = being_copied(image)
    except Interrupted:
        raise
    except AmicopyError as error:
        return f"it is not known whether copies in other regions are being made from it: {error.what}"
    return f"copies in {', '.join(regions)} are being made from it" if regions else ""


def _reason_to_stay(keep: Keep, image: Image, now: datetime, held: Mapping[str, str], arns: list[str], ec2: Ec2) -> str:
    """Return why an image has to stay; empty if it can be removed."""
    if image.image_id in held:
        return held[image.image_id]
    if arns:
        return f"{users_text(arns)} it"
    if copying := [grant.account for grant in open_grants(image) if not grant.is_stale(now)]:
        return f"account {', '.join(copying)} may use it for a copy that is being made"
    if not image.is_older_than(now - keep.min_age):
        return f"it is younger than {length_text(keep.min_age)}"
    if image.protection.startswith("enabled"):
        return f"deregistration protection is on ({image.protection})"
    if image.last_launched_at is not None and image.last_launched_at > now - keep.min_age:
        return f"it was launched on {image.last_launched_at:%Y-%m-%d}"
    return "" if keep.shared else _shared_with(image, ec2)


def _shared_with(image: Image, ec2: Ec2) -> str:
    """Return with whom an image is shared: EC2 does not tell what other accounts use."""
    try:
        others = ec2.launch_permissions(image.image_id)
    except AccessDenied as error:
        return f"{error.action} is not allowed, so it is not known whether other accounts use it"
    if not others:
        return ""
    names = ", ".join(map(str, sorted(others)[:3])) + (", …" if len(others) > 3 else "")
    return f"it is shared with {names}, who may use it; to remove such copies: keep with shared: true"


def _target(image: Image, account: str, spared: str) -> Target:
    return Target(
        region=image.region,
        resource_id=image.image_id,
        source=image.tags.get(SOURCE_TAG, ""),
        account=image.owner_id,
        other_account=account,
        state=TargetState.KEEP if spared else TargetState.CANCEL,
        reason=spared or f"newer copies are kept; this one was made {image.created_at[:10]}",
        volume_gib=image.volume_gib,
        snapshot_ids=image.snapshot_ids,
        fast_restore=recorded_zones(image.tags, image.region),
        fast_launch=has_fast_launch(image.tags),
    )
