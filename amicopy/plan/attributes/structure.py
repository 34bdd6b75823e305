"""What CopyImage carries and EC2 never changes afterwards: name, architecture, devices, encryption, licenses."""

from collections.abc import Iterator
from dataclasses import dataclass

from amicopy.core.ec2_rules import NAME_LENGTHS, name_problem
from amicopy.core.models import BlockDevice, Image
from amicopy.core.templates import fill_template
from amicopy.plan.attributes.base import Attribute, DesiredCopy, Difference, Draft


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureDiffers(Difference):
    """Something that EC2 cannot change in an existing AMI: only a new copy helps."""

    aspect: str
    desired: str
    found: str

    def __str__(self) -> str:
        return f"{self.resource_id} has {self.aspect} {self.found or 'none'} instead of {self.desired or 'none'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NameDiffers(StructureDiffers):
    """The request has a name, and the copy has another."""

    aspect: str = "name"


def name(draft: Draft, values: dict[str, str]) -> str:
    """Return the copy's name: the request's, or the source's.

    The characters of a name that the source already has are EC2's business, unless a terminal should not print them.
    """
    source, request = draft.source, draft.request
    if not source.name and not request.name:
        draft.notes.append(f"{source.image_id} has no name; its copy is named after its id")
    text = fill_template(request.name or "{name}", values)
    if request.name or len(text) not in NAME_LENGTHS or not text.isprintable():
        draft.problems.extend(filter(None, [name_problem(text)]))
    return text


def _differences(desired: DesiredCopy, copy: Image) -> Iterator[Difference]:
    """Yield what is not as at the source, or not as requested."""
    if not desired.allows_name(copy.name):
        yield NameDiffers(resource_id=copy.image_id, desired=repr(desired.name), found=repr(copy.name))
    yield from _settings(desired.source, copy)
    yield from _uefi_data(desired.source, copy)
    yield from _devices(desired.source, copy)
    yield from _encryption(desired, copy)


def _settings(source: Image, copy: Image) -> Iterator[Difference]:
    for aspect in sorted(source.attributes.keys() | copy.attributes.keys()):
        expected, found = source.attributes.get(aspect, ""), copy.attributes.get(aspect, "")
        if expected != found:
            yield StructureDiffers(resource_id=copy.image_id, aspect=aspect, desired=expected, found=found)


def _uefi_data(source: Image, copy: Image) -> Iterator[Difference]:
    """Yield the UEFI variables if both could be read; they are too long to be shown."""
    if source.uefi_data is not None and copy.uefi_data is not None and source.uefi_data != copy.uefi_data:
        found = "other values" if copy.uefi_data else ""
        yield StructureDiffers(resource_id=copy.image_id, aspect="UEFI data", desired="its source's", found=found)


def _devices(source: Image, copy: Image) -> Iterator[Difference]:
    expected = {device.device: device for device in source.devices}
    found = {device.device: device for device in copy.devices}
    for device in sorted(expected.keys() | found.keys()):
        shape, copied = _shape(expected.get(device)), _shape(found.get(device))
        if shape != copied:
            yield StructureDiffers(resource_id=copy.image_id, aspect=f"device {device}", desired=shape, found=copied)
        elif expected[device].encrypted and not found[device].encrypted:
            yield StructureDiffers(
                resource_id=copy.image_id, aspect=f"encryption of {device}", desired="on", found="off"
            )


def _shape(device: BlockDevice | None) -> str:
    """Return what a copy keeps of a device, in words; snapshot and encryption are the copy's own."""
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


def _encryption(desired: DesiredCopy, copy: Image) -> Iterator[Difference]:
    """Yield where the copy is not encrypted as requested."""
    if not desired.encrypt:
        return
    for device in copy.devices:
        if device.snapshot_id and not device.encrypted:
            yield StructureDiffers(
                resource_id=copy.image_id, aspect=f"encryption of {device.device}", desired="on", found="off"
            )
    wanted = f"{desired.key}, which is not there" if desired.key_is_missing else desired.key_arn
    for device_name, snapshot in copy.snapshots_by_device.items():
        if wanted and snapshot.kms_key_id and snapshot.kms_key_id != wanted:
            yield StructureDiffers(
                resource_id=copy.image_id,
                aspect=f"the key of {device_name}",
                desired=wanted,
                found=snapshot.kms_key_id,
            )


ATTRIBUTE = Attribute(
    differences=_differences,
)
