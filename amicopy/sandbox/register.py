"""Finished images: one line in a test or a sample builds any source.

Checks nothing: it also adds images that EC2 would refuse to create.
"""

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from amicopy.sandbox.records import DEFAULT_ACCOUNT, Device, Image, Snapshot, Volume
from amicopy.sandbox.state import AWS_MANAGED_KEY, State

_ATTRIBUTES = frozenset(member.name for member in fields(Image))


def register(
    state: State,
    region: str,
    /,
    *,
    name: str | None,
    account: str = DEFAULT_ACCOUNT,
    volumes: Iterable[Volume] | None = None,
    ephemeral: Iterable[str] = (),
    no_device: Iterable[str] = (),
    image_id: str = "",
    **attributes: Any,
) -> Image:
    """Add an image with its snapshots. ``attributes`` are any other attributes of `Image`.

    ``name``, ``description`` and ``created_at`` may be None, as on EC2. Without ``volumes``, an EBS-backed image
    gets one. ``ephemeral`` and ``no_device`` are device names.

    Raises:
        TypeError: `Image` doesn't have one of the attributes.
    """
    unknown = sorted(set(attributes) - _ATTRIBUTES)
    if unknown:
        raise TypeError(f"Image has no {', '.join(unknown)}")
    now = state.clock.now()
    copied = {
        "tags": dict(attributes.pop("tags", {})),
        "launch_permissions": set(attributes.pop("launch_permissions", ())),
    }
    instance_store = attributes.get("root_device_type") == "instance-store"
    ebs_volumes = list(volumes) if volumes is not None else ([] if instance_store else [Volume()])
    image = Image(
        image_id=image_id or state.new_id("ami"),
        region=region,
        owner=account,
        name=name,
        **{"visible_at": now, "created_at": now, **_root(ebs_volumes), **attributes, **copied},
    )
    if instance_store and not image.location:
        image.location = f"images-of-{account}/{image.name}/image.manifest.xml"
    image.devices = [
        *image.devices,
        *(_device(state, image, volume) for volume in ebs_volumes),
        *(Device(name=device, virtual_name=f"ephemeral{number}") for number, device in enumerate(ephemeral)),
        *(Device(name=device, no_device=True) for device in no_device),
    ]
    state.images[region][image.image_id] = image
    return image


def _root(volumes: list[Volume]) -> dict[str, str]:
    return {"root_device_name": volumes[0].device} if volumes else {}


def _device(state: State, image: Image, volume: Volume) -> Device:
    snapshot_id = "" if volume.blank else _snapshot(state, image, volume).snapshot_id
    return Device(
        name=volume.device,
        snapshot_id=snapshot_id,
        gib=volume.gib,
        volume_type=volume.volume_type,
        delete_on_termination=volume.delete_on_termination,
        iops=volume.iops,
        throughput=volume.throughput,
        encrypted=volume.encrypted,
    )


def _snapshot(state: State, image: Image, volume: Volume) -> Snapshot:
    now = state.clock.now()
    key_id = volume.kms_key_id or (AWS_MANAGED_KEY if volume.encrypted else "")
    key = state.keys(image.owner, image.region, key_id) if key_id else None
    snapshot = Snapshot(
        snapshot_id=volume.snapshot_id or state.new_id("snap"),
        region=image.region,
        owner=image.owner,
        gib=volume.gib,
        started_at=now,
        listed_at=now,
        completed_at=now,
        volume_id=volume.volume_id or state.new_id("vol"),
        description=f"Created by CreateImage for {image.image_id}",
        encrypted=volume.encrypted,
        kms_key_id=key.arn if key else key_id,
        aws_managed_key=bool(key and key.aws_managed),
        tags=dict(volume.tags),
        shared_with=set(volume.shared_with),
        used_by={image.image_id},
        content=volume.content,
    )
    state.snapshots[image.region][snapshot.snapshot_id] = snapshot
    return snapshot
