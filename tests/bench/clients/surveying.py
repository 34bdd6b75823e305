"""What `amicopy copy` asks before it copies, for other clients to ask: the same requests, all at once where it does so.

Refuses to know how a request is made: it is handed the function that calls an operation in a region.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

HOME = "us-east-1"
Call = Callable[..., Sequence[str]]  # of region and operation; returns the snapshots that the answer names
Asked = tuple[str, str, dict[str, Any]]


def survey_and_copy(call: Call, image_id: str, name: str, regions: Sequence[str]) -> None:
    """Look at the source, the regions and each destination, rehearse what comes later, then ask for every copy."""
    everything = {"IncludeDeprecated": True, "IncludeDisabled": True}
    own = {"Owners": ["self"], "MaxResults": 1000, **everything}

    def look_ups(region: str) -> list[Asked]:
        lineage = {"source-image-id": image_id, "source-image-region": HOME}
        tagged = {"tag:amicopy:source": f"{HOME}/{image_id}"}
        all_filters = (
            [{"Name": key, "Values": [value]} for key, value in sought.items()] for sought in (lineage, tagged)
        )
        return [(region, "DescribeImages", {"Filters": filters, **own}) for filters in all_filters]

    def all_of(*asked: Asked) -> list[Sequence[str]]:
        begun = [threads.submit(call, region, operation, **given) for region, operation, given in asked]
        return [one.result() for one in begun]  # raises what went wrong

    with ThreadPoolExecutor(3 * len(regions)) as threads:
        snapshots, *_ = all_of(
            (HOME, "DescribeImages", {"ImageIds": [image_id], **everything}),
            (HOME, "DescribeImageAttribute", {"ImageId": image_id, "Attribute": "launchPermission"}),
            (HOME, "DescribeRegions", {"AllRegions": True}),
            *(look_up for region in regions for look_up in look_ups(region)),
        )
        all_of(
            (HOME, "DescribeSnapshots", {"SnapshotIds": list(snapshots)}),
            *(
                (HOME, "DescribeSnapshotAttribute", {"SnapshotId": one, "Attribute": "createVolumePermission"})
                for one in snapshots
            ),
            *((region, "GetEbsEncryptionByDefault", {}) for region in regions),
        )
        shared = {"Add": [{"UserId": "000000000000"}]}
        tags = [{"Key": "amicopy:source", "Value": f"{HOME}/{image_id}"}]
        snapshot = "snap-00000000000000000"
        rehearsals: dict[str, dict[str, Any]] = {
            "CreateTags": {"Resources": [snapshot], "Tags": tags},
            "EnableImageDeprecation": {"ImageId": image_id, "DeprecateAt": "2030-01-01"},
            "ModifySnapshotAttribute": {"SnapshotId": snapshot, "CreateVolumePermission": shared},
            "ModifyImageAttribute": {"ImageId": image_id, "LaunchPermission": shared},
        }
        all_of(*((regions[0], operation, {**given, "DryRun": True}) for operation, given in rehearsals.items()))
        copied = {"SourceRegion": HOME, "SourceImageId": image_id, "Name": name}
        all_of(*((region, "CopyImage", copied) for region in regions))
