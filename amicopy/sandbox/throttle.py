"""EC2's API rate limits: token buckets per account, region and kind of call."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

# https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html: name, bucket size, tokens per second.
_READS = ("reads", 100.0, 20.0)
_UNFILTERED_READS = ("unfiltered reads", 50.0, 10.0)
_WRITES = ("writes", 50.0, 5.0)
_OWN_LIMITS = {
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


class TokenBuckets:
    """The tokens that each account has left in each region."""

    def __init__(self) -> None:
        self._left: dict[tuple[str, str, str], tuple[float, datetime]] = {}

    def take(self, operation: str, params: Mapping[str, Any], *, account: str, region: str, now: datetime) -> bool:
        """Take a token for one call; return False if the bucket is empty."""
        name, size, refill = _bucket(operation, params)
        key = (account, region, name)
        left, since = self._left.get(key, (size, now))
        left = min(size, left + (now - since).total_seconds() * refill)
        granted = left >= 1
        self._left[key] = (left - 1 if granted else left, now)
        return granted


def _bucket(operation: str, params: Mapping[str, Any]) -> tuple[str, float, float]:
    if operation in _OWN_LIMITS:
        return operation, *_OWN_LIMITS[operation]
    if operation.startswith(("Describe", "Get", "List")):
        small = operation not in ("DescribeImages", "DescribeSnapshots", "DescribeTags")
        return _READS if small or any(params.get(name) for name in _NARROWING) else _UNFILTERED_READS
    return _WRITES
