"""EBS fast snapshot restore: names of zones, and the tag that records where amicopy switched it on."""

import re
from collections.abc import Collection, Mapping

from amicopy.core.models import FAST_RESTORE_TAG


def is_zone_of(region: str, zone: str) -> bool:
    """Return whether this is the name of an Availability Zone of the region; Local Zones do not have the feature."""
    return bool(re.fullmatch(f"{re.escape(region)}[a-z]", zone))


def recorded_zones(tags: Mapping[str, str], region: str) -> frozenset[str]:
    """Return the zones in which amicopy switched it on for a copy; anything else in the tag is left out."""
    return frozenset(zone for zone in tags.get(FAST_RESTORE_TAG, "").split() if is_zone_of(region, zone))


def record_of(zones: Collection[str]) -> dict[str, str]:
    """Return the tag that records these zones."""
    return {FAST_RESTORE_TAG: " ".join(sorted(zones))}
