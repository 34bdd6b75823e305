"""What the world needs to know of resources that it doesn't simulate: volumes, instances, users of images, tags.

This module holds the records and the default, in which there are no such resources.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class EbsVolume:
    """One EBS volume."""

    volume_id: str
    gib: int
    volume_type: str = "gp2"
    iops: int | None = None
    throughput: int | None = None
    encrypted: bool = False
    kms_key_id: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedVolume:
    """A volume as an instance has it."""

    device: str
    volume: EbsVolume
    delete_on_termination: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One instance, with its volumes in the order in which they were attached."""

    instance_id: str
    image_id: str
    state: str = "running"
    architecture: str = "x86_64"
    virtualization_type: str = "hvm"
    root_device_name: str = "/dev/sda1"
    platform: str = ""
    kernel_id: str = ""
    volumes: Sequence[AttachedVolume] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReference:
    """A resource that uses an image."""

    image_id: str
    kind: str  # as DescribeImageReferences names it, such as ec2:Instance
    arn: str
    state: str = ""  # of an instance
    depth: int = 1  # of a launch template: how many versions back from its latest one; the latest is 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceTag:
    """One tag of a resource that is neither an image nor a snapshot."""

    resource_id: str
    kind: str
    key: str
    value: str


class OtherResources:
    """The resources of every account and region. There are none, unless a subclass knows some."""

    def organization_arns(self, _account: str) -> Collection[str]:
        """Return the ARNs of the account's organization and of all organizational units that it is in."""
        return ()

    def volume(self, _account: str, _region: str, _volume_id: str) -> EbsVolume | None:
        """Return a volume, or None if there is no such volume."""
        return None

    def instance(self, _account: str, _region: str, _instance_id: str) -> Instance | None:
        """Return an instance, or None if there is no such instance."""
        return None

    def launch_template(self, _account: str, _region: str, _named: Mapping[str, str]) -> Mapping[str, Any]:
        """Return the data of the launch template version that a RunInstances names; empty if there is none."""
        return {}

    def launch_template_names(self, _account: str, _region: str, _named: Mapping[str, str]) -> tuple[str, str] | None:
        """Return the id and the name of a launch template; None if there is no such template."""
        return None

    def parameter(self, _account: str, _region: str, _name: str) -> str:
        """Return the value of an SSM parameter; "" if there is no such parameter."""
        return ""

    def architectures(self, _instance_type: str) -> Sequence[str]:
        """Return the architectures of an instance type; empty if they aren't known."""
        return ()

    def image_references(self, _account: str, _region: str) -> Iterable[ImageReference]:
        """Return the account's resources in the region that use an image."""
        return ()

    def tags(self, _account: str, _region: str) -> Iterable[ResourceTag]:
        """Return the tags of the account's resources in the region."""
        return ()
