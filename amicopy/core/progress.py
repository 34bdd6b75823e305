"""How far copies are, from the progress of their snapshots: for display, never for a decision."""

import re
from collections.abc import Collection, Mapping

from amicopy.core.models import Snapshot

# What EC2 writes into a copied AMI's snapshots; seen since 2017, no documented contract.
_DESTINATION = re.compile(r"Copied for DestinationAmi (ami-[0-9a-f]+)\b")


def destination_of(snapshot: Snapshot) -> str:
    """Return the AMI that EC2 says a copied snapshot was made for; empty where it says nothing."""
    made_for = _DESTINATION.match(snapshot.description)
    return made_for.group(1) if made_for else ""


def percent_by_image(snapshots: Mapping[str, Snapshot], image_ids: Collection[str]) -> dict[str, int]:
    """Return the percentage of each image whose snapshots are known, weighted by their volumes' sizes."""
    wanted = frozenset(image_ids)
    shares: dict[str, list[tuple[int, int]]] = {}
    for snapshot in snapshots.values():
        image_id = destination_of(snapshot)
        if image_id in wanted:
            percent = 100 if snapshot.state == "completed" else snapshot.progress_percent or 0
            shares.setdefault(image_id, []).append((percent, max(1, snapshot.volume_gib)))
    return {
        image_id: sum(percent * gib for percent, gib in parts) // sum(gib for _, gib in parts)
        for image_id, parts in shares.items()
    }
