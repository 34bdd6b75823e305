"""EC2's answers, as botocore returns them, as our models.

Nothing optional is taken for granted: real AMIs lack names, descriptions, dates and root devices.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from amicopy.core.models import (
    SOURCE_TAG,
    BlockDevice,
    Image,
    ImageState,
    InstanceTypes,
    Principal,
    Region,
    Snapshot,
)
from amicopy.core.scan_results import ScanResults
from amicopy.core.write import PRINCIPAL_MEMBERS

Answer = Mapping[str, Any]

NEWER_MEMBERS = frozenset({"ImageWatermarks", "InstanceTypeSpecification", "ScanResults"})
"""Members of an image that the oldest supported botocore does not know."""

# What CopyImage carries unchanged and EC2 does not let anyone change. Kernel and RAM disk are regional, so left out;
# Platform is modelled as Windows and comes as windows.
_CARRIED = (
    "Architecture",
    "VirtualizationType",
    "RootDeviceName",
    "RootDeviceType",
    "BootMode",
    "EnaSupport",
    "SriovNetSupport",
    "TpmSupport",
    "PlatformDetails",
    "UsageOperation",
    "Platform",
)


def image_from(answer: Answer, region: str, unknown: Set[str] = frozenset()) -> Image:
    """Return the image of one item of DescribeImages; ``unknown`` are the members that botocore does not know."""
    reason = answer.get("StateReason", {})
    return Image(
        image_id=answer["ImageId"],
        region=region,
        state=_state(answer.get("State", "")),
        state_reason=": ".join(filter(None, [reason.get("Code"), reason.get("Message")])),
        name=answer.get("Name", ""),
        description=answer.get("Description", ""),
        owner_id=answer.get("OwnerId", ""),
        owner_alias=answer.get("ImageOwnerAlias", ""),
        created_at=answer.get("CreationDate", ""),
        tags=tags_from(answer),
        devices=tuple(_device(item) for item in answer.get("BlockDeviceMappings", ())),
        attributes=_attributes(answer),
        instance_types=None if "InstanceTypeSpecification" in unknown else _instance_types(answer),
        watermarks=None if "ImageWatermarks" in unknown else _watermarks(answer),
        scan=None if "ScanResults" in unknown else _scan(answer),
        imds_support=answer.get("ImdsSupport", ""),
        deprecate_at=_moment(answer.get("DeprecationTime", "")),
        last_launched_at=_moment(answer.get("LastLaunchedTime", "")),
        protection=answer.get("DeregistrationProtection", ""),
        source_region=answer.get("SourceImageRegion", ""),
        source_image_id=answer.get("SourceImageId", ""),
        source_instance_id=answer.get("SourceInstanceId", ""),
    )


def with_source_of_tag(image: Image) -> Image:
    """Return the image with the source in our tag as the one that EC2 records, where EC2 records none."""
    region, _, image_id = image.tags.get(SOURCE_TAG, "").partition("/")
    if image.source_image_id or image.source_instance_id or not image_id:
        return image
    return replace(image, source_region=region, source_image_id=image_id, is_recorded_by_tag=True)


def _attributes(answer: Answer) -> dict[str, str]:
    found = {name: str(answer[name]).lower() for name in _CARRIED if answer.get(name)}
    if codes := sorted(
        f"{code.get('ProductCodeId', '')} ({code.get('ProductCodeType', '')})"
        for code in answer.get("ProductCodes", ())
    ):
        found["ProductCodes"] = ", ".join(codes)
    return found


def _instance_types(answer: Answer) -> InstanceTypes:
    specification = answer.get("InstanceTypeSpecification", {})
    return InstanceTypes(
        supported=frozenset(item["InstanceType"] for item in specification.get("SupportedInstanceTypes", ())),
        unsupported=frozenset(item["InstanceType"] for item in specification.get("UnsupportedInstanceTypes", ())),
    )


def _watermarks(answer: Answer) -> frozenset[str]:
    return frozenset(item["WatermarkKey"] for item in answer.get("ImageWatermarks", ()))


def _scan(answer: Answer) -> ScanResults:
    results = answer.get("ScanResults", {})
    severity = results.get("HighestFindingSeverityLabel", "").lower()
    return ScanResults(severity=severity, scanned_at=results.get("FindingScanDate"))


def _state(text: str) -> ImageState:
    try:
        return ImageState(text)
    except ValueError:
        return ImageState.UNKNOWN


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _device(item: Answer) -> BlockDevice:
    ebs = item.get("Ebs")
    values = ebs or {}
    return BlockDevice(
        device=item.get("DeviceName", ""),
        ebs=ebs is not None,
        snapshot_id=values.get("SnapshotId", ""),
        volume_gib=values.get("VolumeSize"),
        volume_type=values.get("VolumeType", ""),
        delete_on_termination=values.get("DeleteOnTermination"),
        encrypted=values.get("Encrypted"),
        iops=values.get("Iops"),
        throughput=values.get("Throughput"),
        virtual_name=item.get("VirtualName", ""),
        no_device="NoDevice" in item,
    )


def snapshot_from(answer: Answer, region: str) -> Snapshot:
    """Return the snapshot of one item of DescribeSnapshots; its permissions are another call's to read."""
    progress = str(answer.get("Progress", "")).rstrip("%")
    return Snapshot(
        snapshot_id=answer["SnapshotId"],
        region=region,
        owner_id=answer.get("OwnerId", ""),
        state=answer.get("State", ""),
        state_message=answer.get("StateMessage", ""),
        progress_percent=int(progress) if progress.isdigit() else None,
        volume_gib=answer.get("VolumeSize", 0),
        full_bytes=answer.get("FullSnapshotSizeInBytes"),
        encrypted=answer.get("Encrypted", False),
        kms_key_id=answer.get("KmsKeyId", ""),
        storage_tier=answer.get("StorageTier", ""),
        description=answer.get("Description", ""),
        tags=tags_from(answer),
    )


def region_from(answer: Answer) -> Region:
    """Return the region of one item of DescribeRegions."""
    return Region(name=answer["RegionName"], enabled=answer.get("OptInStatus") != "not-opted-in")


def tags_from(answer: Answer) -> dict[str, str]:
    """Return the tags of any resource; an empty value is a value."""
    return {tag["Key"]: tag.get("Value", "") for tag in answer.get("Tags", ())}


def principals_from(items: Iterable[Answer]) -> frozenset[Principal]:
    """Return the principals of LaunchPermissions or CreateVolumePermissions."""
    return frozenset(
        Principal(kind, item[member])
        for item in items
        for kind, member in PRINCIPAL_MEMBERS.items()
        if item.get(member)
    )
