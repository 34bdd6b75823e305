"""EC2's resources as values: images, block devices, snapshots, principals, regions."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from amicopy.core.scan_results import NOT_SCANNED, ScanResults

SOURCE_TAG = "amicopy:source"
MANIFEST_TAG = "amicopy:manifest"  # which entry of which manifest made a copy: what `keep` goes by
VIA_TAG = "amicopy:via"  # on a copy that was made from another copy: ``REGION/AMI`` of that one
HUB_TAG = "amicopy:hub"  # on a copy that others may be made from: it is not removed while they are
CHECKED_TAG = "amicopy:checked"  # on a copy that has to pass a check: how that stands, see core/check_record.py
FAST_RESTORE_TAG = "amicopy:fast-restore"  # on a copy: the zones in which a manifest has switched it on
FAST_LAUNCH_TAG = "amicopy:fast-launch"  # on a copy: the settings with which a manifest has switched it on
SCANNED_TAG = "amicopy:scanned"  # on a source: what a scan of its content has found, see core/image_scan.py
RETIRED_TAG = "amicopy:retired"  # what `retire` has taken from an image: see core/retirement.py
RETIRED_TAGS = (RETIRED_TAG, *(f"{RETIRED_TAG}:{number}" for number in range(1, 50)))
OWN_TAGS = frozenset(
    {
        *(SOURCE_TAG, MANIFEST_TAG, VIA_TAG, HUB_TAG, CHECKED_TAG, FAST_RESTORE_TAG, FAST_LAUNCH_TAG, SCANNED_TAG),
        *RETIRED_TAGS,
    }
)
"""The tags that amicopy sets and no user may. `SOURCE_TAG` is on every copy and its snapshots: ``REGION/AMI``."""


class ImageState(StrEnum):
    """States of an AMI (botocore's model, ImageState); ``UNKNOWN`` for one that it does not list yet."""

    PENDING = "pending"
    AVAILABLE = "available"
    INVALID = "invalid"
    DEREGISTERED = "deregistered"
    TRANSIENT = "transient"
    FAILED = "failed"
    ERROR = "error"
    DISABLED = "disabled"
    UNKNOWN = "unknown"

    @property
    def in_progress(self) -> bool:
        """EC2 is still working on it."""
        return self in {ImageState.PENDING, ImageState.TRANSIENT, ImageState.UNKNOWN}

    @property
    def is_dead(self) -> bool:
        """Waiting for it is pointless: it never becomes available by itself."""
        return not self.in_progress and self is not ImageState.AVAILABLE


class PrincipalKind(StrEnum):
    """Who an AMI or a snapshot can be shared with (EC2's LaunchPermission, CreateVolumePermission)."""

    ACCOUNT = "account"
    GROUP = "group"
    ORGANIZATION = "organization"
    ORGANIZATIONAL_UNIT = "organizational-unit"


SNAPSHOT_KINDS = frozenset({PrincipalKind.ACCOUNT, PrincipalKind.GROUP})
"""Whom a snapshot can be shared with (EC2's CreateVolumePermission)."""
_ARN = r"arn:(?:aws|aws-cn|aws-us-gov|aws-iso[a-z-]*|aws-eusc):organizations::[0-9]{12}:"
_PRINCIPALS = (
    (PrincipalKind.ACCOUNT, re.compile(r"[0-9]{12}")),
    (PrincipalKind.ORGANIZATION, re.compile(_ARN + r"organization/o-[a-z0-9]{10,32}")),
    (PrincipalKind.ORGANIZATIONAL_UNIT, re.compile(_ARN + r"ou/o-[a-z0-9]{10,32}/ou-[a-z0-9-]{6,68}")),
)


@dataclass(frozen=True, slots=True, order=True)
class Principal:
    """One account, organization, organizational unit, or everybody (``group`` ``all``)."""

    kind: PrincipalKind
    value: str

    @classmethod
    def parse(cls, text: str) -> "Principal":
        """Return the principal that a user wrote: an account id, an ARN, or ``public``.

        Raises:
            ValueError: it is none of these; the message shows the valid forms.
        """
        if text == "public":
            return cls(PrincipalKind.GROUP, "all")
        for kind, pattern in _PRINCIPALS:
            if pattern.fullmatch(text):
                return cls(kind, text)
        raise ValueError(
            f"{text!r} is not a valid principal: use a 12-digit account id, the full ARN of an organization "
            "(arn:aws:organizations::111122223333:organization/o-…) or of an organizational unit "
            "(arn:aws:organizations::111122223333:ou/o-…/ou-…), or the word public"
        )

    @property
    def is_public(self) -> bool:
        """Everybody."""
        return self.kind is PrincipalKind.GROUP

    def __str__(self) -> str:
        return "public" if self.is_public else self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One EBS snapshot, as it was when it was last described."""

    snapshot_id: str
    region: str
    owner_id: str = ""
    state: str = "completed"
    state_message: str = ""
    progress_percent: int | None = None
    volume_gib: int = 0
    full_bytes: int | None = None
    encrypted: bool = False
    kms_key_id: str = ""
    storage_tier: str = ""  # archive: it has to be restored before anything reads it
    has_aws_managed_key: bool = False  # as far as that was looked up; it cannot be shared then
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    volume_permissions: frozenset[Principal] | None = None  # None: not read, or not ours to read


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockDevice:
    """One row of an AMI's block device mapping; without ``ebs`` it is an instance store or suppressed device."""

    device: str
    ebs: bool = True
    snapshot_id: str = ""  # a blank volume has none, and so may a copy that is still pending
    volume_gib: int | None = None
    volume_type: str = ""
    delete_on_termination: bool | None = None
    encrypted: bool | None = None
    iops: int | None = None
    throughput: int | None = None
    virtual_name: str = ""
    no_device: bool = False


@dataclass(frozen=True, slots=True)
class InstanceTypes:
    """Which instance types can launch an AMI (EC2's InstanceTypeSpecification); ``t3.*`` is a pattern."""

    supported: frozenset[str] = frozenset()  # empty: all
    unsupported: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.supported or self.unsupported)

    def __str__(self) -> str:
        excluded = f"not {', '.join(sorted(self.unsupported))}" if self.unsupported else ""
        return "; ".join(filter(None, [", ".join(sorted(self.supported)), excluded]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One AMI in one region, as it was when it was last described.

    Real AMIs lack names, descriptions, creation dates and root devices: those are empty then.
    """

    image_id: str
    region: str
    state: ImageState = ImageState.AVAILABLE
    state_reason: str = ""
    name: str = ""
    description: str = ""
    owner_id: str = ""
    owner_alias: str = ""
    is_foreign: bool = False  # another account's, as far as EC2 has said so
    created_at: str = ""  # as EC2 writes it: ISO 8601 in UTC, so that text order is time order
    tags: Mapping[str, str] = field(default_factory=dict)
    devices: tuple[BlockDevice, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)  # what CopyImage carries, by EC2's member names
    deprecate_at: datetime | None = None
    last_launched_at: datetime | None = None
    protection: str = ""
    uefi_data: str | None = None  # None: not read, or not ours to read
    instance_types: InstanceTypes | None = InstanceTypes()  # None: the installed botocore does not know them
    watermarks: frozenset[str] | None = frozenset()  # EC2's keys; None: the installed botocore does not know them
    scan: ScanResults | None = NOT_SCANNED  # None: the installed botocore does not know them
    imds_support: str = ""  # v2.0: instances require IMDSv2
    source_region: str = ""
    source_image_id: str = ""
    source_instance_id: str = ""
    is_recorded_by_tag: bool = False  # EC2 records no source here: it was taken from our tag
    source_of_hub: str = ""  # of a copy of a copy: what EC2 records as the source of the one in between, if known
    launch_permissions: frozenset[Principal] | None = None  # None: not read, or not ours to read
    snapshots: tuple[Snapshot, ...] = ()  # those that could be described, in the devices' order

    @property
    def reference(self) -> str:
        """``REGION/AMI``, the value of our tag."""
        return f"{self.region}/{self.image_id}"

    def is_older_than(self, moment: datetime) -> bool:
        """Tell whether it was there before ``moment``: EC2's dates have whole seconds, rounded down."""
        return bool(self.created_at) and datetime.fromisoformat(self.created_at) + timedelta(seconds=1) < moment

    @property
    def is_retired(self) -> bool:
        """`retire` holds it: it has a record of what was taken from it, which `retire --undo` restores."""
        return RETIRED_TAG in self.tags

    @property
    def is_windows(self) -> bool:
        """It runs Windows, as EC2 shows it."""
        return self.attributes.get("Platform", "").lower() == "windows"

    @property
    def is_instance_store(self) -> bool:
        """It is kept in S3: it has no snapshots, and CopyImage cannot encrypt it."""
        return self.attributes.get("RootDeviceType") == "instance-store"

    @property
    def has_aws_managed_key(self) -> bool:
        """The AWS-managed key encrypts some of it, so that it cannot be shared; only as far as that was looked up."""
        return any(snapshot.has_aws_managed_key for snapshot in self.snapshots)

    @property
    def snapshot_ids(self) -> tuple[str, ...]:
        """The snapshots that back it, in the devices' order."""
        return tuple(device.snapshot_id for device in self.devices if device.snapshot_id)

    @property
    def snapshot_ids_by_device(self) -> dict[str, str]:
        """The same, under the device that each backs."""
        return {device.device: device.snapshot_id for device in self.devices if device.snapshot_id}

    @property
    def any_snapshot_id(self) -> str:
        """One of its snapshots, or a well-formed id if it has none: for dry runs."""
        return next(iter(self.snapshot_ids), "snap-00000000000000000")

    @property
    def snapshots_by_device(self) -> dict[str, Snapshot]:
        """The described snapshots under the device that each backs."""
        described = {snapshot.snapshot_id: snapshot for snapshot in self.snapshots}
        return {
            device.device: described[device.snapshot_id] for device in self.devices if device.snapshot_id in described
        }

    @property
    def volume_gib(self) -> int:
        """GiB of all volumes that a copy has to transfer at most."""
        return sum(device.volume_gib or 0 for device in self.devices if device.snapshot_id)

    @property
    def full_gib(self) -> float | None:
        """GiB of data in its snapshots; None where EC2 does not tell of each."""
        sizes = [snapshot.full_bytes for snapshot in self.snapshots]
        if len(sizes) < len(self.snapshot_ids) or any(size is None for size in sizes):
            return None
        return sum(size or 0 for size in sizes) / 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A region and whether the account may use it (EC2 DescribeRegions)."""

    name: str
    enabled: bool


def user_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that a user may set: without ``aws:`` ones, which EC2 reserves and refuses."""
    return {key: value for key, value in tags.items() if not key.lower().startswith("aws:")}
