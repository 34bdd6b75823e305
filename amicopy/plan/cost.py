"""How much a plan copies, what a time-based copy costs on top, and whether its throughput is possible."""

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

# USD per GiB by the longest duration in minutes (EBS User Guide, "Time-based copies", US prices).
_SURCHARGES = ((15, 0.020), (45, 0.018), (105, 0.016), (225, 0.014), (465, 0.012), (945, 0.010), (2880, 0.005))


def surcharge_per_gib(minutes: int) -> float:
    """Return what EC2 takes for a GiB of a time-based copy, in USD."""
    return next(usd for longest, usd in _SURCHARGES if minutes <= longest)


def overloaded_regions(request: CopyRequest, rows: Sequence[Row]) -> dict[Destination, AmicopyError]:
    """Return the destinations whose time-based copies together need more throughput than a region gives."""
    minutes = request.complete_within_minutes
    if not minutes:
        return {}
    gib = Counter[Destination]()
    for row in rows:
        if row.action.starts_a_copy:
            gib[row.destination] += _gib(row.source)
    return {
        destination: _too_fast(f"{total} GiB together", REGION_THROUGHPUT, minutes, destination.region)
        for destination, total in gib.items()
        if total * 1024 / (minutes * 60) > REGION_THROUGHPUT
    }


def cost_notes(request: CopyRequest, rows: Sequence[Row]) -> list[str]:
    """Return how much will be copied where, as an upper bound: EC2 copies less of what it has copied before."""
    starting = [row for row in rows if row.action.starts_a_copy and row.source.snapshot_ids]
    if not starting:
        return []
    per_region = Counter[str]()
    for row in starting:
        per_region[row.region] += _gib(row.source)
    sizes = set(per_region.values())
    known = all(row.source.full_gib is not None for row in starting)
    basis = "the snapshots' full size" if known else "the volumes' size"
    regions = f"each of {len(per_region)} regions" if len(sizes) == 1 and len(per_region) > 1 else ""
    what = (
        f"{sizes.pop()} GiB to {regions or next(iter(per_region))}"
        if len(sizes) == 1
        else ", ".join(f"{gib} GiB to {region}" for region, gib in per_region.items())
    )
    notes = [f"at most {what} will be copied ({basis})"]
    if minutes := request.complete_within_minutes:
        total = sum(per_region.values())
        rate = surcharge_per_gib(minutes)
        notes.append(
            f"time-based within {minutes} minutes: about {rate:.3f} USD per GiB on top, at most {total * rate:.2f} USD "
            "(US prices of 2026; EBS User Guide, Time-based copies)"
        )
    return notes


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


def _gib(source: Image) -> int:
    """Return how much data the source's snapshots hold; the size of its volumes where EC2 does not say."""
    return ceil(source.full_gib if source.full_gib is not None else source.volume_gib)


def _too_fast(what: str, limit: int, minutes: int, region: str) -> TooFast:
    """Return the error for a time-based copy that asks for more than EC2 gives."""
    return TooFast(
        f"EC2 cannot copy {what} to {region} within {minutes} minutes.",
        why=f"By default, time-based copies get {limit} MiB/s at most.",
        next_step="Give it longer with --complete-within, or leave that out: then EC2 copies as fast as it can. With a "
        "raised quota (L-E137849C): --no-preflight",
    )
