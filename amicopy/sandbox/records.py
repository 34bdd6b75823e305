"""The records that the world consists of: images, devices, snapshots.

They enforce no rule of EC2: a test may set any attribute to anything.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from amicopy.sandbox.content import BLOCK_BYTES, BLOCKS_PER_GIB, Content, MadeUp

DEFAULT_ACCOUNT = "123456789012"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMetadata:
    """What EC2 needs to know about a KMS key, as DescribeKey returns it."""

    arn: str
    state: str = "Enabled"
    usage: str = "ENCRYPT_DECRYPT"
    spec: str = "SYMMETRIC_DEFAULT"
    aws_managed: bool = False
    aliases: tuple[str, ...] = ()

    @property
    def region(self) -> str:
        """Return the key's region."""
        return self.arn.split(":")[3]

    @property
    def usable(self) -> bool:
        """Return True if EBS can encrypt with the key."""
        return (self.state, self.usage, self.spec) == ("Enabled", "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT")


def is_shared(
    shared_with: Collection[str], shared_from: Mapping[str, datetime], identities: Collection[str], now: datetime
) -> bool:
    """Return True if something is shared with one of the identities, and they see it by now."""
    return any(one in shared_with and shared_from.get(one, now) <= now for one in identities)


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """One EBS volume of an image to register, and its snapshot."""

    device: str = "/dev/sda1"
    gib: int = 8
    tags: Mapping[str, str] = field(default_factory=dict)
    encrypted: bool = False
    kms_key_id: str = ""
    shared_with: frozenset[str] = frozenset()  # accounts, or "all"
    volume_type: str = "gp3"
    delete_on_termination: bool = True
    iops: int | None = None
    throughput: int | None = None
    snapshot_id: str = ""  # empty: a new one
    volume_id: str = ""  # of which the snapshot was made; empty: a new one
    blank: bool = False  # no snapshot: launching creates an empty volume
    content: Content | None = None  # None: made up


@dataclass(slots=True, kw_only=True)
class Device:
    """One block device mapping: an EBS volume, an instance store volume (`virtual_name`) or `no_device`."""

    name: str
    snapshot_id: str = ""
    gib: int | None = None
    volume_type: str = ""
    delete_on_termination: bool = True
    iops: int | None = None
    throughput: int | None = None
    encrypted: bool = False
    virtual_name: str = ""
    no_device: bool = False

    @property
    def is_ebs(self) -> bool:
        """Return True if the mapping is an EBS volume."""
        return not self.virtual_name and not self.no_device


@dataclass(slots=True, kw_only=True)
class Snapshot:
    """One EBS snapshot."""

    snapshot_id: str
    region: str
    owner: str
    gib: int
    started_at: datetime
    listed_at: datetime
    description: str = ""
    state: str = "completed"
    state_message: str = ""
    progress: str = "100%"
    completed_at: datetime | None = None
    volume_id: str = "vol-ffffffff"
    encrypted: bool = False
    kms_key_id: str = ""
    aws_managed_key: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    tags_by_others: dict[str, dict[str, str]] = field(default_factory=dict)
    shared_with: set[str] = field(default_factory=set)  # accounts, or "all"
    shared_from: dict[str, datetime] = field(default_factory=dict)  # of those: from when on they see it, if not at once
    used_by: set[str] = field(default_factory=set)
    storage_tier: str = "standard"
    transfer_type: str = ""
    completion_minutes: int | None = None
    outpost_arn: str = ""
    availability_zone: str = ""
    deleted: bool = False
    # Zone → whether fast snapshot restore was switched on or off there, and when.
    fast_restores: dict[str, tuple[bool, datetime]] = field(default_factory=dict)
    content: Content | None = None  # None: made up

    @property
    def data(self) -> Content:
        """What is written in the snapshot; made up, every block of the volume is."""
        return self.content or MadeUp(self.snapshot_id, self.gib * BLOCKS_PER_GIB)

    @property
    def full_bytes(self) -> int:
        """The size of all blocks that are written, as FullSnapshotSizeInBytes shows it."""
        return len(self.data.blocks) * BLOCK_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """One watermark of an image. It is copied with the image and keeps its origin."""

    key: str  # account id, colon, name
    source_image_id: str
    source_region: str
    source_created_at: datetime | None
    attached_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FastLaunch:
    """EC2 Fast Launch of an image, since it was switched on or off."""

    is_on: bool
    since: datetime
    count: int
    launches: int
    template_id: str
    template: str
    version: str
    failure: str = ""  # why EC2 could not do it; "": it can


@dataclass(slots=True, kw_only=True)
class Image:
    """One AMI."""

    image_id: str
    region: str
    owner: str
    visible_at: datetime
    name: str | None = None
    description: str | None = None
    created_at: datetime | None = None
    available_at: datetime | None = None  # for copies: when the copy became available
    state: str = "available"
    state_reason: tuple[str, str] | None = None  # code, message
    architecture: str = "x86_64"
    virtualization_type: str = "hvm"
    hypervisor: str = "xen"
    root_device_type: str = "ebs"
    root_device_name: str = "/dev/sda1"
    devices: list[Device] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    tags_by_others: dict[str, dict[str, str]] = field(default_factory=dict)
    launch_permissions: set[str] = field(default_factory=set)  # accounts, "all", organization and OU ARNs
    shared_from: dict[str, datetime] = field(default_factory=dict)  # of those: from when on they see it, if not at once
    platform: str = ""
    platform_details: str = "Linux/UNIX"
    usage_operation: str = "RunInstances"
    boot_mode: str = ""
    ena: bool = True
    sriov: str = "simple"
    tpm: str = ""
    imds: str = ""
    uefi_data: str = ""
    kernel_id: str = ""
    ramdisk_id: str = ""
    supported_instance_types: list[str] = field(default_factory=list)
    unsupported_instance_types: list[str] = field(default_factory=list)
    watermarks: list[Watermark] = field(default_factory=list)
    severity: str = ""  # the highest of Amazon Inspector's findings
    scanned_at: datetime | None = None
    product_codes: list[tuple[str, str]] = field(default_factory=list)  # code, type
    owner_alias: str = ""
    location: str = ""
    source_image_id: str = ""
    source_image_region: str = ""
    source_instance_id: str = ""
    deprecate_at: datetime | None = None
    protection: str = "disabled"
    protected_until: datetime | None = None
    last_launched_at: datetime | None = None
    fast_launch: FastLaunch | None = None  # None: it was never on
    unseen_describes: int = 0  # set by a fault: hidden from this many more DescribeImages calls
    flap_describes: int = 0  # set by a fault: shown as pending this many more times once it was shown as available
    shown_available: bool = False

    @property
    def snapshot_ids(self) -> list[str]:
        """Return the ids of the image's snapshots, in the order of its devices."""
        return [device.snapshot_id for device in self.devices if device.snapshot_id]

    @property
    def public(self) -> bool:
        """Return True if everyone can launch the image."""
        return "all" in self.launch_permissions
