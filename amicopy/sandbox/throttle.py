"""EC2's documented request rates: one token bucket per action, account and region.

Source: EC2 Developer Guide, "Request throttling for the Amazon EC2 API", sections "Request rate limiting" and "Request
token bucket sizes and refill rates": https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html

"With request rate limiting, each API is evaluated individually, and you are throttled on the number of requests you
make on a per-API basis." Actions of one category have buckets of the same size, and each its own. Here is every action
that the sandbox has; moto's get the size of their category. Not simulated: the console's buckets and those that count
resources (RunInstances, TerminateInstances, StartInstances, StopInstances).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket's size, and how many tokens it gets back a second."""

    size: float
    per_second: float


READS = Bucket(100, 20)
UNFILTERED_READS = Bucket(50, 10)
WRITES = Bucket(50, 5)

# Actions that, "when requested without specifying either pagination or a filter, use tokens from a smaller bucket".
# Ids are neither.
_SMALLER_UNFILTERED = frozenset(
    {
        "DescribeInstances",
        "DescribeInstanceStatus",
        "DescribeNetworkInterfaces",
        "DescribeSecurityGroups",
        "DescribeSnapshots",
        "DescribeSpotInstanceRequests",
        "DescribeVolumes",
    }
)
_FILTERED_OR_PAGINATED = ("Filters", "MaxResults", "NextToken")

# "Uncategorized actions", as far as they are about images, snapshots and tags.
_OWN = {
    "GetSnapshotBlock": Bucket(1000, 1000),  # EBS endpoints and quotas, as the next one
    "ListSnapshotBlocks": Bucket(50, 50),
    "CopyImage": Bucket(100, 1),
    "CreateRestoreImageTask": Bucket(50, 0.1),
    "CreateSnapshot": Bucket(100, 5),
    "CreateSnapshots": Bucket(100, 5),
    "CreateStoreImageTask": Bucket(50, 0.1),
    "CreateTags": Bucket(100, 10),
    "CreateVolume": Bucket(100, 5),
    "DeleteSnapshot": Bucket(100, 5),
    "DeleteTags": Bucket(100, 10),
    "DeleteVolume": Bucket(100, 5),
    "DeregisterImage": Bucket(100, 5),
    "DescribeStoreImageTasks": Bucket(50, 0.5),
    "DisableFastLaunch": Bucket(5, 2),
    "DisableImageBlockPublicAccess": Bucket(1, 0.1),
    "DisableSnapshotBlockPublicAccess": Bucket(1, 0.1),
    "EnableFastLaunch": Bucket(5, 2),
    "EnableImageBlockPublicAccess": Bucket(1, 0.1),
    "EnableSnapshotBlockPublicAccess": Bucket(1, 0.1),
    "ModifyImageAttribute": Bucket(100, 5),
    "ModifySnapshotAttribute": Bucket(100, 5),
}


class TokenBuckets:
    """The tokens that each account has left in each region, for each action."""

    def __init__(self) -> None:
        self._left: dict[tuple[str, str, str, Bucket], tuple[float, datetime]] = {}

    def take(self, operation: str, params: Mapping[str, Any], *, account: str, region: str, now: datetime) -> bool:
        """Take a token for one call; return False if the action's bucket is empty."""
        bucket = bucket_of(operation, params)
        key = (account, region, operation, bucket)
        left, since = self._left.get(key, (bucket.size, now))
        left = min(bucket.size, left + max(0.0, (now - since).total_seconds()) * bucket.per_second)
        granted = left >= 1
        self._left[key] = (left - 1 if granted else left, now)
        return granted


def bucket_of(operation: str, params: Mapping[str, Any]) -> Bucket:
    """Return the bucket that a call takes its token from."""
    if operation in _OWN:
        return _OWN[operation]
    if not operation.startswith(("Describe", "Get", "List", "Search")):
        return WRITES
    if operation in _SMALLER_UNFILTERED and not any(params.get(name) for name in _FILTERED_OR_PAGINATED):
        return UNFILTERED_READS
    return READS
