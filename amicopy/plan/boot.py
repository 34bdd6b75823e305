"""Which instance tests an image, as a value: its type, the parameters of the launch, and the client token."""

import fnmatch
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from amicopy.core.boot import BOOT_TAG, BOOT_TIMEOUT_TAG, BOOT_TOKEN_TAG, BootOptions
from amicopy.core.errors import BootRefused
from amicopy.core.instance import Instance
from amicopy.core.models import Image
from amicopy.core.write import tag_list

# Small types by architecture, the usual one first. Windows needs more memory. t2 runs on Xen: for images without ENA.
_TYPES: Mapping[str, tuple[str, ...]] = {
    "x86_64": ("t3.micro", "t3a.micro", "t3.small", "m5.large"),
    "arm64": ("t4g.micro", "t4g.small", "m6g.medium"),
    "i386": ("t2.micro",),
}
_WINDOWS_TYPES = ("t3.medium", "t3a.medium", "m5.large")
_XEN_TYPES = ("t2.micro", "t2.small")
# USD per hour, Linux, on demand, us-east-1, as several public price lists agree on. Other regions cost a little more.
# A type that is missing here has an unknown price.
_HOURLY_USD: Mapping[str, float] = {
    "t2.micro": 0.0116,
    "t2.small": 0.023,
    "t3.micro": 0.0104,
    "t3.small": 0.0208,
    "t3.medium": 0.0416,
    "t3a.micro": 0.0094,
    "t3a.medium": 0.0376,
    "t4g.micro": 0.0084,
    "t4g.small": 0.0168,
    "m5.large": 0.096,
}


def instance_types(image: Image, options: BootOptions) -> tuple[str, ...]:
    """Return the types that can test an image, the preferred one first.

    Raises:
        BootRefused: none of those that amicopy knows can, or the requested one cannot.
    """
    architecture = image.attributes.get("Architecture", "")
    if options.instance_type:
        if not _is_allowed(options.instance_type, image):
            raise BootRefused(
                f"{image.image_id} in {image.region} cannot be launched as {options.instance_type}.",
                why=f"It allows: {image.instance_types}.",
                next_step="Choose one of those: --instance-type.",
            )
        return (options.instance_type,)
    if image.attributes.get("VirtualizationType") == "paravirtual":
        known: tuple[str, ...] = ()
    elif image.is_windows:
        known = _WINDOWS_TYPES
    elif architecture == "x86_64" and not image.attributes.get("EnaSupport"):
        known = _XEN_TYPES
    else:
        known = _TYPES.get(architecture, ())
    named = sorted(one for one in (image.instance_types.supported if image.instance_types else ()) if "*" not in one)
    if found := tuple(one for one in (*known, *named) if _is_allowed(one, image)):
        return found
    allowed = f", and allows {image.instance_types}" if image.instance_types else ""
    raise BootRefused(
        f"amicopy knows no instance type for {image.image_id} in {image.region}.",
        why=f"Its architecture is {architecture or 'not known'}{allowed}.",
        next_step="Name one: --instance-type.",
    )


def hourly_usd(image: Image, instance_type: str) -> float | None:
    """Return what an instance of the image costs in an hour, in USD; None if that is not known: Windows costs more."""
    return None if image.is_windows else _HOURLY_USD.get(instance_type)


def _is_allowed(instance_type: str, image: Image) -> bool:
    if not image.instance_types:
        return True
    supported, unsupported = image.instance_types.supported, image.instance_types.unsupported
    if any(fnmatch.fnmatchcase(instance_type, pattern) for pattern in unsupported):
        return False
    return not supported or any(fnmatch.fnmatchcase(instance_type, pattern) for pattern in supported)


def client_token(image: Image, instance_type: str, options: BootOptions, attempt: int) -> str:
    """Return the token of a launch: the same for every run with the same request, another one for each attempt.

    EC2 compares it with the tokens of the same account and region. ``options`` are those for the destination.
    """
    subnet = _subnet(options)
    words = (image.image_id, instance_type, subnet, options.expect, options.timeout.total_seconds(), attempt)
    return f"amicopy-boot-{sha256(repr(words).encode()).hexdigest()[:40]}"


def _subnet(options: BootOptions) -> str:
    return dict(options.subnets).get("", "")


def request_token(image: Image, instance_type: str, options: BootOptions) -> str:
    """Return what is the same for all attempts of the same request: by it a run finds the instance of another one."""
    return client_token(image, instance_type, options, -1)


_ABANDONED_AFTER = timedelta(minutes=10)  # when its time limit is over


def is_abandoned(instance: Instance, now: datetime) -> bool:
    """Return whether a run that was killed has left this instance of a boot test: nobody waits for it anymore."""
    seconds = instance.tags.get(BOOT_TIMEOUT_TAG, "")
    if BOOT_TAG not in instance.tags or not instance.costs or instance.launched_at is None or not seconds.isdigit():
        return False
    return now > instance.launched_at + timedelta(seconds=int(seconds)) + _ABANDONED_AFTER


def launch(image: Image, instance_type: str, options: BootOptions, attempt: int) -> dict[str, Any]:
    """Return the parameters of RunInstances: the same for every run, because EC2 compares those of a repeated token.

    ``options`` are those for the destination (`BootOptions.for_destination`).
    No key, no public address, IMDSv2, and everything is deleted with the instance, which a shutdown terminates.
    """
    tags = {
        "Name": f"amicopy boot test of {image.image_id}",
        BOOT_TAG: image.image_id,
        BOOT_TOKEN_TAG: request_token(image, instance_type, options),
        BOOT_TIMEOUT_TAG: f"{options.timeout.total_seconds():.0f}",
    }
    network: dict[str, Any] = {"DeviceIndex": 0, "AssociatePublicIpAddress": False, "DeleteOnTermination": True}
    if subnet := _subnet(options):
        network["SubnetId"] = subnet
    return {
        "ImageId": image.image_id,
        "InstanceType": instance_type,
        "MinCount": 1,
        "MaxCount": 1,
        "ClientToken": client_token(image, instance_type, options, attempt),
        "NetworkInterfaces": [network],
        "MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled"},
        "InstanceInitiatedShutdownBehavior": "terminate",
        "BlockDeviceMappings": [
            {"DeviceName": one.device, "Ebs": {"DeleteOnTermination": True}} for one in image.devices if one.ebs
        ],
        "TagSpecifications": [{"ResourceType": kind, "Tags": tag_list(tags)} for kind in ("instance", "volume")],
    }
