"""Reading the sources: images, snapshots, permissions. Nothing is written, and nothing is judged."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

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
from amicopy.survey.copy_details import READS_AT_ONCE, read_uefi_data

# Amazon's own public images can be copied, whether or not their snapshots can be described.
_READABLE_OWNERS = {"amazon", "aws-marketplace"}

_FEW = 3  # unknown ids; asked for by id, n of them cost up to 2n - 1 calls in each region

_Detail = TypeVar("_Detail")

Permissions = frozenset[Principal] | None  # None: only the owner, another account, may read them


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """Which details of the sources are needed; each is a call per image or snapshot."""

    launch_permissions: bool = True
    snapshot_permissions: bool = True
    uefi_data: bool = False


def survey_sources(
    image_ids: Sequence[str], ec2: Ec2, stop: Stop, details: Details = Details(), retry: Retry = once
) -> tuple[Image, ...]:
    """Return the sources with their snapshots and ``details``, in the order of ``image_ids``.

    ``retry`` repeats each read by itself: of hundreds, a few are always throttled.

    Raises what `SourceReads` raises.
    """
    return SourceReads(image_ids, ec2, stop, details, retry).sources()


class SourceReads:
    """The reads of sources in one region: the images, then what depends on them. Each is made once."""

    def __init__(
        self, image_ids: Sequence[str], ec2: Ec2, stop: Stop, details: Details = Details(), retry: Retry = once
    ) -> None:
        self._image_ids, self._ec2, self._stop, self._details, self._retry = image_ids, ec2, stop, details, retry
        self._images: dict[str, Image] = {}
        self._snapshots: Pending[dict[str, Snapshot]] | None = None
        self._launch_permissions: dict[str, Pending[Permissions]] = {}  # by image id
        self._snapshot_permissions: dict[str, Pending[Permissions]] = {}  # by snapshot id
        self._uefi_data: dict[str, Pending[str | None]] = {}  # by image id

    def images(self) -> tuple[Image, ...]:
        """Return the images in the order asked; if they are few, with the launch permissions that could be read.

        Those are read at the same time as the images. Of many, EC2's rate keeps more waiting than a round trip does.

        Raises:
            ImageNotFound: one is not in this region; `located` finds out where it is instead.
        """
        if not self._images:
            run_all(self._first_reads(), self._stop, most=READS_AT_ONCE)
        return tuple(
            replace(image, launch_permissions=self._launch_permissions[image.image_id].result_or(None))
            if image.image_id in self._launch_permissions and not _is_public_offer(image)
            else image
            for image in self._images.values()
        )

    def _first_reads(self) -> Iterator[Pending[Any]]:
        """Yield reads that need nothing but an id, and read the images meanwhile."""
        if self._details.launch_permissions and len(self._image_ids) < READS_AT_ONCE:
            for image_id in self._image_ids:
                yield self._reading_launch_permissions(image_id)
        found = self._retry(partial(self._ec2.describe_images, self._image_ids))
        if missing := tuple(image_id for image_id in self._image_ids if image_id not in found):
            raise ImageNotFound(
                f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not in {self._ec2.region}.",
                image_ids=missing,
                why="It does not exist there, was deregistered, is not shared with this account, or belongs to another "
                "account and is hidden by the setting Allowed AMIs.",
                next_step="Check the id, and give its region with --from.",
            )
        self._images = {image_id: found[image_id] for image_id in self._image_ids}

    def sources(self) -> tuple[Image, ...]:
        """Return the sources with their snapshots and details; those that are not available, without.

        Raises:
            ImageNotFound: one is not in this region; `located` finds out where it is instead.
            ImageUnavailable: our own AMI, with snapshots that EC2 does not show.
            StorageNotShared: another account's AMI, with snapshots that these credentials cannot see.
            AccessDenied: a permission of our own AMI cannot be read; its copies would silently be private.
        """
        self.images()
        available = [image for image in self._images.values() if image.state is ImageState.AVAILABLE]
        run_all(list(self._other_reads(available)), self._stop, most=READS_AT_ONCE)
        return tuple(
            self._source(image) if image.state is ImageState.AVAILABLE else image for image in self._images.values()
        )

    def _other_reads(self, images: Sequence[Image]) -> Iterator[Pending[Any]]:
        """Yield what has not been read and depends on the images."""
        for image in images:
            if _is_public_offer(image):
                continue
            if self._details.launch_permissions and image.image_id not in self._launch_permissions:
                yield self._reading_launch_permissions(image.image_id)
            for snapshot_id in image.snapshot_ids if self._details.snapshot_permissions else ():
                if snapshot_id not in self._snapshot_permissions:
                    read = partial(_unless_foreign, partial(self._ec2.volume_permissions, snapshot_id))
                    self._snapshot_permissions[snapshot_id] = Pending(partial(self._retry, read))
                    yield self._snapshot_permissions[snapshot_id]
            if self._details.uefi_data and image.image_id not in self._uefi_data:
                data = Pending(partial(self._retry, partial(read_uefi_data, self._ec2, image)))
                self._uefi_data[image.image_id] = data
                yield data
        # Last, since a permission for copying is recorded in a tag before it is given: `without_guests`.
        snapshot_ids = [snapshot_id for image in images for snapshot_id in image.snapshot_ids]
        if snapshot_ids and self._snapshots is None:
            self._snapshots = Pending(partial(self._retry, partial(self._ec2.describe_snapshots, snapshot_ids)))
            yield self._snapshots

    def _reading_launch_permissions(self, image_id: str) -> Pending[Permissions]:
        read = partial(_unless_foreign, partial(self._ec2.launch_permissions, image_id))
        self._launch_permissions[image_id] = Pending(partial(self._retry, read))
        return self._launch_permissions[image_id]

    def _source(self, image: Image) -> Image:
        """Return one source with what was read of it."""
        snapshots = self._snapshots.result() if self._snapshots else {}
        hidden = [snapshot_id for snapshot_id in image.snapshot_ids if snapshot_id not in snapshots]
        permissions = None if _is_public_offer(image) else _result(self._launch_permissions, image.image_id)
        if hidden and permissions is not None:  # only its owner may read them
            raise ImageUnavailable(
                f"Snapshots of {image.image_id} in {image.region} cannot be seen: {', '.join(hidden)}.",
                why="EC2 does not show them yet, or they were deleted or are in the Recycle Bin.",
                next_step="If the AMI was made only a moment ago, run the same command again.",
            )
        if hidden and not _is_public_offer(image):
            raise StorageNotShared(
                f"{image.image_id} in {image.region} is shared with this account, but its storage is not.",
                why=f"It belongs to account {image.owner_id}, and these of its snapshots cannot be seen: "
                f"{', '.join(hidden)}. EC2 copies only what it can read.",
                next_step=f"Ask account {image.owner_id} to share each snapshot with this account "
                "(aws ec2 modify-snapshot-attribute), and the key of encrypted ones.",
            )
        is_unreadable = self._details.launch_permissions and permissions is None
        is_foreign = bool(image.owner_alias or hidden) or is_unreadable
        return replace(
            image,
            launch_permissions=permissions,
            is_foreign=is_foreign,
            uefi_data=_result(self._uefi_data, image.image_id),
            snapshots=tuple(
                replace(
                    snapshots[snapshot_id],
                    volume_permissions=_volume_permissions(
                        self._snapshot_permissions, snapshot_id, is_foreign=is_foreign
                    ),
                )
                for snapshot_id in image.snapshot_ids
                if snapshot_id in snapshots
            ),
        )


def _is_public_offer(image: Image) -> bool:
    return image.owner_alias in _READABLE_OWNERS


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
        next_step=f"Use --from {regions.pop()}." if len(regions) == 1 else "Give its region with --from.",
    )
