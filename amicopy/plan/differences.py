"""``differences(desired, copy)``: what separates a copy from its source, typed, ordered, printable.

Refuses to read or write anything. The plan decides by it, settling writes what it names, checking reports it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from amicopy.core.models import MANIFEST_TAG, BlockDevice, Image, Principal, Snapshot
from amicopy.plan.desired import DesiredCopy


@dataclass(frozen=True, slots=True, kw_only=True)
class TagsDiffer:
    """Tags that the image or one snapshot lacks, or has with another value."""

    resource_id: str
    device: str  # empty for the image itself
    missing: Mapping[str, str]
    repairable = True

    def __str__(self) -> str:
        return f"{subject(self.resource_id, self.device)} is missing tags {', '.join(sorted(self.missing))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DescriptionDiffers:
    """The description was asked for and is another."""

    image_id: str
    desired: str
    found: str
    repairable = True

    def __str__(self) -> str:
        return f"{self.image_id} has a different description"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeprecationDiffers:
    """The date from which EC2 is to call the image deprecated."""

    image_id: str
    desired: datetime
    found: datetime | None
    repairable = True

    def __str__(self) -> str:
        found = f"is deprecated from {self.found:%Y-%m-%d}" if self.found else "has no deprecation date"
        return f"{self.image_id} {found} instead of {self.desired:%Y-%m-%d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionDiffers:
    """Deregistration protection was asked for and is not on, or without the cooldown."""

    image_id: str
    desired: str
    found: str
    repairable = True

    def __str__(self) -> str:
        return f"{self.image_id} has deregistration protection {self.found or 'disabled'} instead of {self.desired}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SharingLacks:
    """Principals that the image (to launch) or one snapshot (to create volumes) is not shared with."""

    resource_id: str
    device: str  # empty for the image itself
    missing: tuple[Principal, ...]
    repairable = True

    def __str__(self) -> str:
        return f"{subject(self.resource_id, self.device)} is not shared with {', '.join(map(str, self.missing))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureDiffers:
    """Something that EC2 carries itself and nobody can change afterwards: only a new copy mends it."""

    image_id: str
    aspect: str
    desired: str
    found: str
    repairable = False

    def __str__(self) -> str:
        return f"{self.image_id} has {self.aspect} {self.found or 'none'} instead of {self.desired or 'none'}"


Difference = TagsDiffer | DescriptionDiffers | DeprecationDiffers | ProtectionDiffers | SharingLacks | StructureDiffers


def differences(desired: DesiredCopy, copy: Image) -> tuple[Difference, ...]:
    """Return what ``copy`` lacks, in the order in which it has to be written: launch permissions come last.

    What the copy has beyond ``desired`` is not a difference: others may have put it there.
    """
    snapshots = copy.snapshots_by_device
    return (
        *_name(desired, copy),
        *_structure(desired.source, copy),
        *_encryption(desired, copy, snapshots),
        *_tags(desired, copy, snapshots),
        *_description(desired, copy),
        *_deprecation(desired, copy),
        *_protection(desired, copy),
        *_volume_permissions(desired, copy, snapshots),
        *_launch_permissions(desired, copy),
    )


def _tags(desired: DesiredCopy, copy: Image, snapshots: Mapping[str, Snapshot]) -> Iterator[Difference]:
    if missing := _missing(desired.tags, copy.tags):
        yield TagsDiffer(resource_id=copy.image_id, device="", missing=missing)
    for device, snapshot_id in _snapshot_ids(copy).items():
        found = snapshots[device].tags if device in snapshots else {}  # not shown yet: nothing is known to be there
        if missing := _missing(desired.snapshot_tags.get(device, {}), found):
            yield TagsDiffer(resource_id=snapshot_id, device=device, missing=missing)


def _snapshot_ids(copy: Image) -> dict[str, str]:
    return {device.device: device.snapshot_id for device in copy.devices if device.snapshot_id}


def _missing(desired: Mapping[str, str], found: Mapping[str, str]) -> dict[str, str]:
    # A manifest's mark says that it made the copy, and lets it go one day: no copy of somebody else's is given it.
    return {key: value for key, value in desired.items() if found.get(key) != value and key != MANIFEST_TAG}


def _description(desired: DesiredCopy, copy: Image) -> Iterator[Difference]:
    if not desired.is_described(copy.description):
        yield DescriptionDiffers(image_id=copy.image_id, desired=desired.description, found=copy.description)


def _deprecation(desired: DesiredCopy, copy: Image) -> Iterator[Difference]:
    # EC2 rounds to the minute (botocore's model, EnableImageDeprecationRequest.DeprecateAt).
    date = deprecation_date(desired, copy)
    if date and desired.as_of and date <= desired.as_of and copy.deprecate_at is None:
        return  # it has passed, and EC2 takes no past date
    if date and _minutes_apart(date, copy.deprecate_at) > 1:
        yield DeprecationDiffers(image_id=copy.image_id, desired=date, found=copy.deprecate_at)


def deprecation_date(desired: DesiredCopy, copy: Image) -> datetime | None:
    """Return from when on the copy is to be deprecated: the source's date, or so long after the copy was made."""
    if desired.deprecate_after is not None and copy.created_at:
        return datetime.fromisoformat(copy.created_at) + desired.deprecate_after
    return desired.deprecate_at


def _protection(desired: DesiredCopy, copy: Image) -> Iterator[Difference]:
    is_stronger = desired.protection.startswith("enabled") and copy.protection == "enabled-with-cooldown"
    if desired.protection and copy.protection != desired.protection and not is_stronger:
        yield ProtectionDiffers(image_id=copy.image_id, desired=desired.protection, found=copy.protection)


def _encryption(desired: DesiredCopy, copy: Image, snapshots: Mapping[str, Snapshot]) -> Iterator[Difference]:
    """Yield where the copy is not encrypted as asked: with what it was encrypted nobody can change."""
    if not desired.encrypt:
        return
    for device in copy.devices:
        if device.snapshot_id and not device.encrypted:
            yield StructureDiffers(
                image_id=copy.image_id, aspect=f"encryption of {device.device}", desired="on", found="off"
            )
    for device_name, snapshot in snapshots.items():
        if desired.key_arn and snapshot.kms_key_id and snapshot.kms_key_id != desired.key_arn:
            yield StructureDiffers(
                image_id=copy.image_id,
                aspect=f"the key of {device_name}",
                desired=desired.key_arn,
                found=snapshot.kms_key_id,
            )


def _minutes_apart(one: datetime, other: datetime | None) -> float:
    return abs((one - (other or datetime.min.replace(tzinfo=UTC))).total_seconds()) / 60


def _volume_permissions(desired: DesiredCopy, copy: Image, snapshots: Mapping[str, Snapshot]) -> Iterator[Difference]:
    for device, snapshot_id in _snapshot_ids(copy).items():
        found = snapshots[device].volume_permissions if device in snapshots else None
        if missing := desired.volume_permissions.get(device, frozenset()) - (found or frozenset()):
            yield SharingLacks(resource_id=snapshot_id, device=device, missing=tuple(sorted(missing)))


def _launch_permissions(desired: DesiredCopy, copy: Image) -> Iterator[Difference]:
    if missing := desired.launch_permissions - (copy.launch_permissions or frozenset()):
        yield SharingLacks(resource_id=copy.image_id, device="", missing=tuple(sorted(missing)))


def _name(desired: DesiredCopy, copy: Image) -> Iterator[Difference]:
    if not desired.is_named(copy.name):  # EC2 cannot rename an AMI
        yield StructureDiffers(image_id=copy.image_id, aspect="name", desired=repr(desired.name), found=repr(copy.name))


def _structure(source: Image, copy: Image) -> Iterator[Difference]:
    for aspect in sorted(source.attributes.keys() | copy.attributes.keys()):
        expected, found = source.attributes.get(aspect, ""), copy.attributes.get(aspect, "")
        if expected != found:
            yield StructureDiffers(image_id=copy.image_id, aspect=aspect, desired=expected, found=found)
    expected_devices = {device.device: device for device in source.devices}
    found_devices = {device.device: device for device in copy.devices}
    for name in sorted(expected_devices.keys() | found_devices.keys()):
        desired, has = _shape(expected_devices.get(name)), _shape(found_devices.get(name))
        if desired != has:
            yield StructureDiffers(image_id=copy.image_id, aspect=f"device {name}", desired=desired, found=has)
        elif _loses_encryption(expected_devices[name], found_devices[name]):
            yield StructureDiffers(image_id=copy.image_id, aspect=f"encryption of {name}", desired="on", found="off")


def _shape(device: BlockDevice | None) -> str:
    """Return all of a device that a copy keeps, as words; snapshot and encryption are the copy's own."""
    if device is None:
        return "absent"
    parts = {
        "GiB": device.volume_gib,
        "type": device.volume_type or None,
        "IOPS": device.iops,
        "MiB/s": device.throughput,
        "delete on termination": device.delete_on_termination,
        "instance store": device.virtual_name or None,
        "suppressed": device.no_device or None,
        "blank": True if device.ebs and not device.snapshot_id else None,
    }
    return ", ".join(f"{name} {value}" for name, value in parts.items() if value is not None)


def _loses_encryption(source: BlockDevice, copy: BlockDevice) -> bool:
    return bool(source.encrypted) and not copy.encrypted


def subject(resource_id: str, device: str) -> str:
    """Return an image's id, or a snapshot's with its device."""
    return f"{resource_id} ({device})" if device else resource_id
