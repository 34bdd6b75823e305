"""What `amicopy copy` asks before it copies, for other clients to ask: the same requests, all at once where it does so.

Refuses to know how a request is made: it is handed the function that calls an operation in a region.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

HOME = "us-east-1"
Call = Callable[..., Sequence[str]]  # of region and operation; returns the snapshots that the answer names


def survey_and_copy(call: Call, image_id: str, name: str, regions: Sequence[str]) -> None:
    """Look at the source, the regions and each destination, rehearse what comes later, then ask for every copy."""
    everything = {"IncludeDeprecated": True, "IncludeDisabled": True}
    own = {"Owners": ["self"], "MaxResults": 1000, **everything}

    def source() -> None:
        snapshots = call(HOME, "DescribeImages", ImageIds=[image_id], **everything)
        all_of(
            (HOME, "DescribeSnapshots", {"SnapshotIds": list(snapshots)}),
            (HOME, "DescribeImageAttribute", {"ImageId": image_id, "Attribute": "launchPermission"}),
            *(
                (HOME, "DescribeSnapshotAttribute", {"SnapshotId": one, "Attribute": "createVolumePermission"})
                for one in snapshots
            ),
        )

    def copies(region: str) -> None:
        lineage = {"source-image-id": image_id, "source-image-region": HOME}
        tagged = {"tag:amicopy:source": f"{HOME}/{image_id}"}
        for sought in (lineage, tagged):
            filters = [{"Name": key, "Values": [value]} for key, value in sought.items()]
            call(region, "DescribeImages", Filters=filters, **own)

    def all_of(*asked: tuple[str, str, dict[str, Any]]) -> None:
        ended([threads.submit(call, region, operation, **given) for region, operation, given in asked])

    def ended(begun: Sequence[Future[Any]]) -> None:
        for one in begun:
            one.result()  # raises what went wrong

    with ThreadPoolExecutor(2 * len(regions)) as threads:
        begun: list[Future[Any]] = [threads.submit(source)]
        begun += [threads.submit(call, HOME, "DescribeRegions", AllRegions=True)]
        begun += [threads.submit(copies, region) for region in regions]
        ended(begun)
        all_of(*((region, "GetEbsEncryptionByDefault", {}) for region in regions))
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
