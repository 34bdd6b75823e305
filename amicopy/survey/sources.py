"""Reading the sources: images, snapshots, permissions. Nothing is written, and nothing is judged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from amicopy.aws.ec2 import Ec2
from amicopy.core.errors import (
    AccessDenied,
    AmicopyError,
    ImageNotFound,
    ImageUnavailable,
    NotOwner,
    SnapshotNotFound,
    StorageNotShared,
)
from amicopy.core.models import Image, ImageState, Principal, Snapshot
from amicopy.core.parallel import Pending, Stop, all_at_once, run_all
from amicopy.core.retries import Retry, once
from amicopy.survey.copy_details import read_uefi_data

# Amazon's own public images can be copied, whether or not their snapshots can be described.
_READABLE_OWNERS = {"amazon", "aws-marketplace"}

_Detail = TypeVar("_Detail")
READS_AT_ONCE = 8  # in one region
_FEW = 3  # unknown ids; asked for by id, n of them cost up to 2n - 1 calls in each region

Permissions = frozenset[Principal] | None  # None: only the owner, another account, may read them


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """Which details of the sources are needed; each is a call per image or snapshot."""

    launch_permissions: bool = True
    snapshot_permissions: bool = True
    uefi_data: bool = False


@dataclass(slots=True)
class _Reads:
    """The reads of all details of the sources."""

    snapshots: Pending[dict[str, Snapshot]] | None = None
    launch_permissions: dict[str, Pending[Permissions]] = field(default_factory=dict)  # by image id
    snapshot_permissions: dict[str, Pending[Permissions]] = field(default_factory=dict)  # by snapshot id
    uefi_data: dict[str, Pending[str | None]] = field(default_factory=dict)  # by image id

    def run(self, stop: Stop) -> None:
        """Read everything, at the same time."""
        first = [self.snapshots] if self.snapshots else []
        others = (self.launch_permissions, self.snapshot_permissions, self.uefi_data)
        run_all([*first, *(read for reads in others for read in reads.values())], stop, most=READS_AT_ONCE)


def survey_sources(
    image_ids: Sequence[str], ec2: Ec2, stop: Stop, details: Details = Details(), retry: Retry = once
) -> tuple[Image, ...]:
    """Return the sources with their snapshots and ``details``, in the order of ``image_ids``.

    ``retry`` repeats each read by itself: of hundreds, a few are always throttled.

    Raises:
        ImageNotFound: one is not in this region; `located` finds out where it is instead.
        ImageUnavailable: our own AMI, with snapshots that EC2 does not show.
        StorageNotShared: another account's AMI, with snapshots that these credentials cannot see.
        AccessDenied: a permission of our own AMI cannot be read; its copies would silently be private.
    """
    found = retry(partial(ec2.describe_images, image_ids))
    if missing := tuple(image_id for image_id in image_ids if image_id not in found):
        raise ImageNotFound(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not in {ec2.region}.",
            image_ids=missing,
            why="It does not exist there, was deregistered, is not shared with this account, or is another account's "
            "and hidden by the setting Allowed AMIs.",
            next_step="Check the id, and name its region with --from.",
        )
    sources = [found[image_id] for image_id in image_ids]
    reads = _reads([one for one in sources if one.state is ImageState.AVAILABLE], ec2, details, retry)
    reads.run(stop)
    return tuple(_source(one, reads, details) if one.state is ImageState.AVAILABLE else one for one in sources)


def _reads(images: Sequence[Image], ec2: Ec2, details: Details, retry: Retry) -> _Reads:
    reads = _Reads()
    snapshot_ids = [snapshot_id for image in images for snapshot_id in image.snapshot_ids]
    if snapshot_ids:
        reads.snapshots = Pending(partial(retry, partial(ec2.describe_snapshots, snapshot_ids)))
    for image in images:
        if image.owner_alias in _READABLE_OWNERS:
            continue
        if details.launch_permissions:
            read = partial(ec2.launch_permissions, image.image_id)
            reads.launch_permissions[image.image_id] = Pending(partial(retry, partial(_unless_foreign, read)))
        if details.snapshot_permissions:
            for snapshot_id in image.snapshot_ids:
                read = partial(ec2.volume_permissions, snapshot_id)
                reads.snapshot_permissions[snapshot_id] = Pending(partial(retry, partial(_unless_foreign, read)))
        if details.uefi_data:
            reads.uefi_data[image.image_id] = Pending(partial(retry, partial(read_uefi_data, ec2, image)))
    return reads


def _source(image: Image, reads: _Reads, details: Details) -> Image:
    """Return one source with what was read of it."""
    snapshots = reads.snapshots.result() if reads.snapshots else {}
    hidden = [snapshot_id for snapshot_id in image.snapshot_ids if snapshot_id not in snapshots]
    permissions = _result(reads.launch_permissions, image.image_id)
    if hidden and permissions is not None:  # only its owner may read them
        raise ImageUnavailable(
            f"Snapshots of {image.image_id} in {image.region} cannot be seen: {', '.join(hidden)}.",
            why="EC2 does not show them yet, or they were deleted or are in the Recycle Bin.",
            next_step="If the AMI was made only a moment ago, run the same command again.",
        )
    if hidden and image.owner_alias not in _READABLE_OWNERS:
        raise StorageNotShared(
            f"{image.image_id} in {image.region} is shared with this account, its storage is not.",
            why=f"It belongs to account {image.owner_id}, and these of its snapshots cannot be seen: "
            f"{', '.join(hidden)}. EC2 copies only what can be read.",
            next_step=f"Ask account {image.owner_id} to share each snapshot with this account "
            "(aws ec2 modify-snapshot-attribute), and the key of encrypted ones.",
        )
    is_foreign = bool(image.owner_alias or hidden) or (details.launch_permissions and permissions is None)
    return replace(
        image,
        launch_permissions=permissions,
        is_foreign=is_foreign,
        uefi_data=_result(reads.uefi_data, image.image_id),
        snapshots=tuple(
            replace(
                snapshots[snapshot_id],
                volume_permissions=_volume_permissions(reads.snapshot_permissions, snapshot_id, is_foreign=is_foreign),
            )
            for snapshot_id in image.snapshot_ids
            if snapshot_id in snapshots
        ),
    )


def _result(reads: Mapping[str, Pending[_Detail]], resource_id: str) -> _Detail | None:
    return reads[resource_id].result() if resource_id in reads else None


def _volume_permissions(
    reads: Mapping[str, Pending[Permissions]], snapshot_id: str, *, is_foreign: bool
) -> Permissions:
    """Return a snapshot's permissions; None if they were not read, or only another account may read them.

    What EC2 answers about another account's snapshot is not documented, so nothing that it answers is an error then.
    """
    try:
        return _result(reads, snapshot_id)
    except SnapshotNotFound:  # though DescribeSnapshots has it
        return None
    except AccessDenied:
        if is_foreign:
            return None
        raise


def _unless_foreign(read: Callable[[], frozenset[Principal]]) -> Permissions:
    """Return what is read; None if only another account, the owner, may read it."""
    try:
        return read()
    except NotOwner:
        return None
    except AccessDenied as error:
        raise AccessDenied(
            error.what,
            action=error.action,
            why=f"{error.why} Without it the source's permissions are unknown, and its copies would be private.",
            next_step=f"{error.next_step} Or do not copy permissions: --no-permissions.",
        ) from error


def located(error: ImageNotFound, others: Mapping[str, Ec2], stop: Stop) -> ImageNotFound:
    """Return the error with the regions that do have the AMI: a wrong region is the commonest reason."""

    def look(ec2: Ec2) -> set[str]:
        try:
            find = ec2.describe_images if len(error.image_ids) <= _FEW else ec2.describe_own_images
            return set(find(error.image_ids))
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
