"""How much a plan copies, and whether the throughput of a time-based copy is possible."""

from collections import Counter
from collections.abc import Iterator, Sequence
from math import ceil

from amicopy.core.destination import Destination
from amicopy.core.errors import AmicopyError, TooFast
from amicopy.core.models import Image
from amicopy.core.request import CopyRequest
from amicopy.plan.attributes.base import DesiredCopy
from amicopy.plan.plan import Row

# EBS User Guide, "Time-based copies": MiB/s for one snapshot, and for all of a destination together.
SNAPSHOT_THROUGHPUT = 500
REGION_THROUGHPUT = 2000


def most_gib(source: Image) -> int:
    """Return how much data at most the source's snapshots hold; the size of its volumes where EC2 does not say."""
    return ceil(source.full_gib if source.full_gib is not None else source.volume_gib)


def overloaded_regions(request: CopyRequest, rows: Sequence[Row]) -> dict[Destination, AmicopyError]:
    """Return the destinations whose time-based copies together need more throughput than a region gives."""
    minutes = request.complete_within_minutes
    if not minutes:
        return {}
    gib = Counter[Destination]()
    for row in rows:
        if row.action.starts_a_copy:
            gib[row.destination] += most_gib(row.source)
    return {
        destination: _too_fast(f"{total} GiB together", REGION_THROUGHPUT, minutes, destination.region)
        for destination, total in gib.items()
        if total * 1024 / (minutes * 60) > REGION_THROUGHPUT
    }


def size_notes(rows: Sequence[Row]) -> list[str]:
    """Return how much will be copied where, as an upper bound: EC2 copies less of what it has copied before."""
    starting = [row for row in rows if row.action.starts_a_copy and row.source.snapshot_ids and not row.is_relayed]
    if not starting:
        return []
    per_region = Counter[str]()
    for row in starting:
        per_region[row.region] += most_gib(row.source)
    sizes = set(per_region.values())
    known = all(row.source.full_gib is not None for row in starting)
    basis = "the snapshots' full size" if known else "the volumes' size"
    regions = f"each of {len(per_region)} regions" if len(sizes) == 1 and len(per_region) > 1 else ""
    what = (
        f"{sizes.pop()} GiB to {regions or next(iter(per_region))}"
        if len(sizes) == 1
        else ", ".join(f"{gib} GiB to {region}" for region, gib in per_region.items())
    )
    return [f"at most {what} will be copied ({basis})"]


def time_problems(desired: DesiredCopy, region: str) -> Iterator[AmicopyError]:
    """Yield the error for a snapshot that EC2 cannot copy within the requested duration."""
    if not desired.minutes:
        return
    known = {one.snapshot_id: one.full_bytes for one in desired.source.snapshots}
    sizes = [
        ceil(full / 2**30) if (full := known.get(device.snapshot_id)) is not None else device.volume_gib or 0
        for device in desired.source.devices
        if device.snapshot_id
    ]
    largest = max(sizes, default=0)
    if largest * 1024 / (desired.minutes * 60) > SNAPSHOT_THROUGHPUT:
        yield _too_fast(f"{largest} GiB in one snapshot", SNAPSHOT_THROUGHPUT, desired.minutes, region)


def _too_fast(what: str, limit: int, minutes: int, region: str) -> TooFast:
    """Return the error for a time-based copy that needs more than EC2 gives."""
    return TooFast(
        f"EC2 cannot copy {what} to {region} within {minutes} minutes.",
        why=f"By default, time-based copies get {limit} MiB/s at most.",
        next_step="Give a longer time with --complete-within, or leave the option out: EC2 then copies as fast as it "
        "can. With a raised quota (L-E137849C): --no-preflight",
    )
