"""Finds the volumes on a disk, in partitions (GPT, MBR) or LVM, and what each holds, by its signature."""

import contextlib
import functools
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from amicopy.scan.device import Device, Joined, Mapped, Unreadable, is_blank
from amicopy.scan.lvm import is_physical_volume, logical_volumes

_SECTOR = 512
_MOST_PARTITIONS = 1024
_HOLDS_A_HEAD = 1 << 20  # what is zeros so far has no file system
_HEAD = 70 * 1024  # enough for every signature below: that of Btrfs is at 64 KiB

_EXTENDED = {0x05, 0x0F, 0x85}
_EFI_SYSTEM = UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
_BIOS_BOOT = UUID("21686148-6449-6e6f-744e-656564454649")
_PREP_BOOT = UUID("9e1a2d38-c612-4316-aa26-8b49521e5a8b")
_MICROSOFT_RESERVED = UUID("e3c9e316-0b5c-4db8-817d-f92df00215ae")
_RAID = UUID("a19d880f-05fc-4d3b-a006-743f0f84911e")

# Where a signature is, what it is, what has it.
_SIGNATURES = (
    (0, b"LUKS\xba\xbe", "LUKS"),
    (3, b"-FVE-FS-", "BitLocker"),
    (3, b"NTFS    ", "NTFS"),
    (3, b"EXFAT   ", "exFAT"),
    (3, b"ReFS\0\0\0\0", "ReFS"),
    (0x10040, b"_BHRfS_M", "Btrfs"),
    (0, b"XFSB", "xfs"),
    (0x438, b"\x53\xef", "ext"),
    (4086, b"SWAPSPACE2", "swap"),
    (4086, b"SWAP-SPACE", "swap"),
    (16374, b"SWAPSPACE2", "swap"),
    (65526, b"SWAPSPACE2", "swap"),
    (0, b"\xfc\x4e\x2b\xa9", "RAID"),  # metadata 1.1; 1.2 is at 4 KiB
    (4096, b"\xfc\x4e\x2b\xa9", "RAID"),
    (0x8001, b"CD001", "ISO 9660"),
    (0, b"hsqs", "squashfs"),
    (1024, b"\xe2\xe1\xf5\xe0", "EROFS"),
    (1024, b"\x10\x20\xf5\xf2", "F2FS"),
    (32768, b"ReIsEr", "ReiserFS"),
    (32768, b"JFS1", "JFS"),
    (54, b"FAT12   ", "FAT"),
    (54, b"FAT16   ", "FAT"),
    (82, b"FAT32   ", "FAT"),
)
_IMAGE_FORMATS = (
    (0, b"QFI\xfb", "qcow2"),
    (0, b"KDMV", "VMDK"),
    (0, b"COWD", "VMDK"),
    (0, b"# Disk DescriptorFile", "VMDK"),
    (0, b"vhdxfile", "VHDX"),
    (0, b"conectix", "VHD"),
    (0x40, b"\x7f\x10\xda\xbe", "VDI"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"\xfd7zXZ\0", "xz"),
    (0, b"\x28\xb5\x2f\xfd", "zstd"),
    (0, b"BZh", "bzip2"),
    (0, b"PK\x03\x04", "zip"),
    (257, b"ustar", "tar"),
)
NOT_NEEDED = {"swap", "BIOS boot", "EFI system", "Microsoft reserved", "PReP boot", "empty"}
"""What holds no configuration, so that a scan is complete without it."""


@dataclass(frozen=True, slots=True)
class Volume:
    """A piece of a disk that may hold a file system. ``kind`` is what it holds, empty if that is not known."""

    name: str
    device: Device
    kind: str
    problem: str = ""


def image_format(device: Device) -> str:
    """Return the format of a file that is not a raw disk image but one of another kind; empty if it may be raw."""
    head = device.read(0, min(512, device.size))
    return next((name for at, magic, name in _IMAGE_FORMATS if head[at : at + len(magic)] == magic), "")


def volumes(device: Device, others: "PhysicalVolumes | None" = None) -> Iterator[Volume]:
    """Yield the volumes on a disk, in their order; one that is broken has a ``problem``.

    A disk without a partition table is one volume whose name is empty. A logical volume that is on several disks is on
    the one where it begins; ``others`` are the physical volumes of those that are scanned together.
    """
    known = others or PhysicalVolumes([device])
    for partition in _pieces(device):
        yield from _opened(partition, known)


class PhysicalVolumes:
    """The physical volumes of LVM on several disks, looked for when a logical one needs another disk than its first."""

    def __init__(self, disks: Sequence[Device]) -> None:
        self._disks = disks

    @functools.cached_property
    def _found(self) -> dict[str, Device]:
        found: dict[str, list[Device]] = {}
        for disk in self._disks:
            with contextlib.suppress(Unreadable):
                for volume in _pieces(disk):
                    if volume.kind == "LVM":
                        with contextlib.suppress(Unreadable):
                            found.setdefault(logical_volumes(volume.device)[0], []).append(volume.device)
        return {identity: devices[0] for identity, devices in found.items() if len(devices) == 1}

    def get(self, identity: str) -> Device | None:
        """Return the device with this id; None if no disk has it, or more than one, as copies of a disk do."""
        return self._found.get(identity)


def _pieces(device: Device) -> Iterator[Volume]:
    """Yield the partitions of a disk, or the disk itself if it has none."""
    kind = _signature(device)
    if kind and kind != "FAT":  # a boot sector of FAT looks like an MBR, and a disk with an MBR may begin like FAT
        yield Volume("", device, kind)
        return
    partitions = list(_partitions(device))
    yield from partitions or [_examined("", device)]


def kind_of(device: Device) -> str:
    """Return what a volume holds, by its signature; empty if it has none that is known."""
    return _signature(device) or _raid_at_the_end(device)


def _signature(device: Device) -> str:
    head = device.read(0, min(_HEAD, device.size))
    if is_physical_volume(head):
        return "LVM"
    return next((name for at, magic, name in _SIGNATURES if head[at : at + len(magic)] == magic), "")


def _raid_at_the_end(device: Device) -> str:
    """Return RAID if there is md's superblock of version 1.0 or 0.90, which are near the end."""
    for offset in (((device.size // _SECTOR) - 16) // 8 * 8 * _SECTOR, device.size // 65536 * 65536 - 65536):
        if offset > 0 and device.read(offset, 4) in {b"\xfc\x4e\x2b\xa9", b"\xa9\x2b\x4e\xfc"}:
            return "RAID"
    return ""


def _opened(volume: Volume, others: PhysicalVolumes) -> Iterator[Volume]:
    """Yield the logical volumes if it is a physical one, or the volume itself."""
    if volume.kind != "LVM":
        yield volume
        return
    try:
        identity, found = logical_volumes(volume.device)
    except Unreadable as error:
        yield Volume(volume.name, volume.device, "LVM", str(error))
        return
    for logical in found:
        name = f"{volume.name}{' ' if volume.name else ''}{logical.name}"
        places = {place: volume.device if place == identity else others.get(place) for place, _, _ in logical.pieces}
        first = next(iter(places), identity)
        if logical.problem:
            yield Volume(name, volume.device, "LVM", logical.problem)
        elif first != identity and places[first] is not None:
            continue  # it is read with the disk where it begins
        elif None in places.values():
            yield Volume(name, volume.device, "LVM", "a part of it is on a disk that is not scanned")
        else:
            pieces = [
                (device, start, length)
                for place, start, length in logical.pieces
                if (device := places[place]) is not None
            ]
            yield _examined(name, Joined(pieces))


def _examined(name: str, device: Device, role: str = "") -> Volume:
    """Return a volume with what it holds; ``role`` is what the partition table says that it is for."""
    try:
        kind = kind_of(device)
        if role and kind in {"", "FAT"}:
            return Volume(name, device, role)
        if kind or any(device.read(0, min(_HOLDS_A_HEAD, device.size))):
            return Volume(name, device, kind)
        if is_blank(device, _HOLDS_A_HEAD, device.size - _HOLDS_A_HEAD):
            return Volume(name, device, "empty")
        return Volume(name, device, "", "its first MiB is zeros, but it holds data: its file system may be damaged")
    except Unreadable as error:
        return Volume(name, device, role, str(error))


def _partitions(device: Device) -> Iterator[Volume]:
    if device.size < 2 * _SECTOR:
        return
    head = device.read(0, _SECTOR)
    if head[510:] != b"\x55\xaa":
        return
    types = [head[446 + 16 * number + 4] for number in range(4)]
    if 0xEE in types:
        yield from _gpt(device)
    elif all(head[446 + 16 * number] in {0, 0x80} for number in range(4)):
        yield from _mbr(device, head)


def _gpt(device: Device) -> Iterator[Volume]:
    """Yield the partitions of a GPT: the one at the start, or its backup at the end if that is damaged."""
    for sector in (512, 4096):
        for position in (sector, device.size // sector * sector - sector):
            if position + 512 > device.size or position < sector:
                continue
            header = device.read(position, 512)
            if header[:8] == b"EFI PART":
                yield from _gpt_entries(device, header, sector)
                return
    yield Volume("", device, "", "its partition table (GPT) is damaged")


def _gpt_entries(device: Device, header: bytes, sector: int) -> Iterator[Volume]:
    table, count, size = struct.unpack_from("<QII", header, 72)
    if not 128 <= size <= 4096 or size % 8 or not count:
        yield Volume("", device, "", "its partition table (GPT) is damaged")
        return
    for number in range(1, min(count, _MOST_PARTITIONS) + 1):
        try:
            entry = device.read(table * sector + (number - 1) * size, 128)
        except Unreadable:
            yield Volume("", device, "", "its partition table (GPT) is beyond the end of the disk")
            return
        if entry[:16] == bytes(16):
            continue
        kind = UUID(bytes_le=entry[:16])
        first, last = struct.unpack_from("<QQ", entry, 32)
        role = {
            _EFI_SYSTEM: "EFI system",
            _BIOS_BOOT: "BIOS boot",
            _PREP_BOOT: "PReP boot",
            _MICROSOFT_RESERVED: "Microsoft reserved",
            _RAID: "RAID",
        }.get(kind, "")
        yield _partition(device, f"p{number}", first * sector, (last - first + 1) * sector, role)


def _partition(device: Device, name: str, start: int, length: int, role: str = "") -> Volume:
    """Return a partition; one that ends beyond the disk keeps what is there."""
    if length <= 0 or start >= device.size:
        return Volume(name, device, role, "the partition is beyond the end of the disk")
    return _examined(name, Mapped(device, [(start, min(length, device.size - start))]), role)


def _mbr(device: Device, head: bytes) -> Iterator[Volume]:
    for number in range(1, 5):
        kind, start, count = _mbr_entry(head, number - 1)
        if kind in _EXTENDED:
            yield from _extended(device, start)
        elif kind and count:
            role = {0xEF: "EFI system", 0x41: "PReP boot", 0xFD: "RAID"}.get(kind, "")
            yield _partition(device, f"p{number}", start * _SECTOR, count * _SECTOR, role)


def _extended(device: Device, first: int) -> Iterator[Volume]:
    """Yield the logical partitions, which are a chain of tables with one partition each."""
    table, seen = first, set[int]()
    for number in range(5, 5 + _MOST_PARTITIONS):
        if table in seen:
            yield Volume(f"p{number}", device, "", "its partition table (MBR) is a loop")
            return
        seen.add(table)
        try:
            head = device.read(table * _SECTOR, _SECTOR)
        except Unreadable:
            yield Volume(f"p{number}", device, "", "its partition table (MBR) is beyond the end of the disk")
            return
        if head[510:] != b"\x55\xaa":
            return
        kind, start, count = _mbr_entry(head, 0)
        if kind and count:
            yield _partition(device, f"p{number}", (table + start) * _SECTOR, count * _SECTOR)
        kind, start, _ = _mbr_entry(head, 1)
        if kind not in _EXTENDED or not start:
            return
        table = first + start


def _mbr_entry(head: bytes, index: int) -> Sequence[int]:
    """Return type, first sector and number of sectors."""
    return struct.unpack_from("<4xB3xII", head, 446 + 16 * index)
