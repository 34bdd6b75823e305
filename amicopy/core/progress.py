"""How far copies are, from the progress of their snapshots: for display, never for a decision."""

import re
from collections.abc import Collection, Iterable, Mapping

from amicopy.core.models import Snapshot

# What EC2 writes into a copied AMI's snapshots; seen since 2017, no documented contract.
_DESTINATION = re.compile(r"Copied for DestinationAmi (ami-[0-9a-f]+)\b")


def destination_of(snapshot: Snapshot) -> str:
    """Return the AMI that EC2 says a copied snapshot was made for; empty where it says nothing."""
    made_for = _DESTINATION.match(snapshot.description)
    return made_for.group(1) if made_for else ""


def by_destination(snapshots: Iterable[Snapshot]) -> dict[str, list[Snapshot]]:
    """Return the snapshots by the AMI that EC2 says they were made for, those without one under an empty text."""
    found: dict[str, list[Snapshot]] = {}
    for snapshot in snapshots:
        found.setdefault(destination_of(snapshot), []).append(snapshot)
    return found


def percent_by_image(snapshots: Mapping[str, Snapshot], image_ids: Collection[str]) -> dict[str, int]:
    """Return the percentage of each image whose snapshots are known, weighted by their volumes' sizes."""
    wanted = frozenset(image_ids)
    some = by_destination(snapshots.values())
    return {image_id: _percent(its) for image_id, its in some.items() if image_id in wanted}


def _percent(snapshots: Iterable[Snapshot]) -> int:
    parts = [
        (100 if one.state == "completed" else one.progress_percent or 0, max(1, one.volume_gib)) for one in snapshots
    ]
    return sum(percent * gib for percent, gib in parts) // sum(gib for _, gib in parts)
