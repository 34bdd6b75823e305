"""Scanning the snapshots of AMIs, block by block, through the EBS direct APIs."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from amicopy.aws.ebs import BLOCK_BYTES
from amicopy.aws.session import BLOCKS_IN_FLIGHT
from amicopy.core.destination import Destination
from amicopy.core.errors import AmicopyError, BlockDamaged
from amicopy.core.models import Image
from amicopy.core.parallel import all_at_once, as_they_come
from amicopy.jobs.context import Context
from amicopy.jobs.scan import ScannedDisk, ScanReport
from amicopy.plan.content import problem_of_snapshots
from amicopy.scan.device import BlockUnreadable, Disk
from amicopy.scan.result import ScanOptions, Severity
from amicopy.scan.scan import scan_device
from amicopy.scan.volumes import PhysicalVolumes
from amicopy.survey.snapshot_blocks import SnapshotBlocks
from amicopy.survey.sources import Details, survey_sources


class SnapshotSource:
    """The blocks of a snapshot, for a `Disk`."""

    block_size = BLOCK_BYTES

    def __init__(self, blocks: SnapshotBlocks, context: Context) -> None:
        self._blocks, self._context = blocks, context
        self.size = blocks.size
        self.allocated = len(blocks.indexes)

    def holds(self, index: int) -> bool:
        """Return whether this block was ever written."""
        return self._blocks.holds(index)

    def holds_any(self, first: int, end: int) -> bool:
        """Return whether any block from ``first`` to before ``end`` was ever written."""
        indexes = self._blocks.indexes
        at = bisect_left(indexes, first)
        return at < len(indexes) and indexes[at] < end

    def fetch(self, indexes: Sequence[int]) -> Iterator[tuple[int, bytes | BlockUnreadable]]:
        """Yield each of these blocks as it arrives, or that it arrives damaged; at most 16 are under way.

        Raises what `SnapshotBlocks.read` raises, but for damage.
        """
        tasks = ((index, partial(self._read, index)) for index in indexes)
        most = min(BLOCKS_IN_FLIGHT, len(indexes))
        yield from as_they_come(tasks, self._context.stop, most=most)

    def _read(self, index: int) -> bytes | BlockUnreadable:
        try:
            return self._blocks.read(index)
        except BlockDamaged as error:
            return BlockUnreadable(index, error.why.rstrip("."))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Volume:
    """A snapshot to scan, or why it can't be."""

    name: str
    snapshot_id: str
    image_id: str = ""
    account: str = ""
    error: AmicopyError | None = None


def scan_snapshots(
    context: Context,
    image_ids: Sequence[str],
    snapshot_ids: Sequence[str],
    options: ScanOptions,
    *,
    max_blocks: int | None,
    fail_on: Severity | None,
) -> ScanReport:
    """Scan the volumes of AMIs, and snapshots, all in ``options.region``; a signal ends it, and the report says so.

    What cannot be read is the error of its disk, and doesn't keep the others from being read. Blank volumes and
    instance store volumes hold nothing.

    Raises:
        ImageNotFound: an AMI is not in the region, or not visible.
        AmicopyError: the AMIs could not be described.
    """
    groups = [*_volumes_of_images(context, image_ids, options.region), _volumes_of_snapshots(snapshot_ids)]
    disks = [disk for group in groups for disk in _scanned_together(context, group, options, max_blocks=max_blocks)]
    return ScanReport(
        disks=tuple(disks), fail_on=fail_on, signal_number=context.stop.signal_number, ignored=options.ignored
    )


def scan_image(context: Context, image: Image, options: ScanOptions) -> ScanReport:
    """Scan the volumes of an AMI that has been described with its snapshots; never fails for what is in it.

    Raises:
        Interrupted: a signal has arrived.
    """
    disks = tuple(_scanned_together(context, _volumes_of(image), options, max_blocks=None))
    context.stop.check()
    return ScanReport(disks=disks)


def _volumes_of_images(context: Context, image_ids: Sequence[str], region: str) -> Iterator[Sequence[_Volume]]:
    if not image_ids:
        return
    read = Details(launch_permissions=False, snapshot_permissions=False)
    wanted = tuple(dict.fromkeys(image_ids))
    for image in survey_sources(wanted, context.clients[region], context.stop, read, context.with_retries):
        yield tuple(_volumes_of(image))


def _volumes_of(image: Image) -> Iterator[_Volume]:
    problem = problem_of_snapshots(image)
    if problem is not None and not image.snapshot_ids:
        yield _Volume(name=image.image_id, snapshot_id="", image_id=image.image_id, error=problem)
    for device, snapshot_id in image.snapshot_ids_by_device.items():
        yield _Volume(
            name=device, snapshot_id=snapshot_id, image_id=image.image_id, account=image.owner_id, error=problem
        )


def _volumes_of_snapshots(snapshot_ids: Sequence[str]) -> Sequence[_Volume]:
    return [_Volume(name=snapshot_id, snapshot_id=snapshot_id) for snapshot_id in dict.fromkeys(snapshot_ids)]


def _scanned_together(
    context: Context, volumes: Iterable[_Volume], options: ScanOptions, *, max_blocks: int | None
) -> Iterator[ScannedDisk]:
    """Yield each volume of a group, of which several may have the parts of one logical volume."""
    opened = [(volume, _opened(context, volume, options.region, max_blocks)) for volume in volumes]
    others = PhysicalVolumes([disk for _, disk in opened if isinstance(disk, Disk)])
    for volume, disk in opened:
        yield _scanned(context, volume, disk, options, others)


def _opened(context: Context, volume: _Volume, region: str, max_blocks: int | None) -> Disk | AmicopyError:
    """Return the disk of a volume with its blocks listed, or why it can't be read."""
    if volume.error:
        return volume.error
    try:
        ebs = context.clients.ebs(Destination(region))
        # In a thread, so that a signal doesn't have to wait for the answer.
        read = partial(SnapshotBlocks, ebs, volume.snapshot_id, context.clock, context.stop)
        blocks = all_at_once({"": read}, context.stop)[""]
    except AmicopyError as error:  # also that a signal has arrived
        return error
    return Disk(SnapshotSource(blocks, context), max_blocks=max_blocks)


def _scanned(
    context: Context, volume: _Volume, disk: Disk | AmicopyError, options: ScanOptions, others: PhysicalVolumes
) -> ScannedDisk:
    scanned = ScannedDisk(
        name=volume.name, region=options.region, image_id=volume.image_id, snapshot_id=volume.snapshot_id
    )
    if isinstance(disk, AmicopyError):
        return replace(scanned, error=disk)
    account = options.account or volume.account
    is_other = options.to_other_account and set(options.to_accounts) != {account}
    wanted = replace(options, account=account, to_other_account=is_other)
    try:
        result = scan_device(disk, wanted, check=context.stop.check, others=others)
    except AmicopyError as error:
        return replace(scanned, error=error)
    finally:
        disk.forget()
    return replace(scanned, result=result)
