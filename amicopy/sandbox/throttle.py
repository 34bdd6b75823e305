"""EC2's API rates: token buckets per account, region and kind of call.

Refuses to wait: a call that finds its bucket empty is refused, as on EC2.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

# https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html: bucket size, refill per second.
_READING = ("reading", 100.0, 20.0)
_UNPAGED = ("reading everything", 50.0, 10.0)
_WRITING = ("writing", 50.0, 5.0)
_OWN = {
    "CopyImage": (100.0, 1.0),
    "CreateTags": (100.0, 10.0),
    "DeleteTags": (100.0, 10.0),
    "DeregisterImage": (100.0, 5.0),
    "ModifyImageAttribute": (100.0, 5.0),
    "ModifySnapshotAttribute": (100.0, 5.0),
    "DeleteSnapshot": (100.0, 5.0),
    "CreateSnapshot": (100.0, 5.0),
    "EnableImageBlockPublicAccess": (1.0, 0.1),
    "DisableImageBlockPublicAccess": (1.0, 0.1),
}
_NARROWING = ("ImageIds", "SnapshotIds", "Filters", "MaxResults", "NextToken", "Owners", "OwnerIds")


class Buckets:
    """What is left of every caller's rate."""

    def __init__(self) -> None:
        self._left: dict[tuple[str, str, str], tuple[float, datetime]] = {}

    def take(self, operation: str, params: Mapping[str, Any], *, account: str, region: str, now: datetime) -> bool:
        """Use up one call of the right bucket; say whether there was one left."""
        name, size, refill = _bucket(operation, params)
        key = (account, region, name)
        left, since = self._left.get(key, (size, now))
        left = min(size, left + (now - since).total_seconds() * refill)
        granted = left >= 1
        self._left[key] = (left - 1 if granted else left, now)
        return granted


def _bucket(operation: str, params: Mapping[str, Any]) -> tuple[str, float, float]:
    if operation in _OWN:
        return operation, *_OWN[operation]
    if operation.startswith(("Describe", "Get", "List")):
        narrow = operation not in ("DescribeImages", "DescribeSnapshots", "DescribeTags")
        return _READING if narrow or any(params.get(name) for name in _NARROWING) else _UNPAGED
    return _WRITING
