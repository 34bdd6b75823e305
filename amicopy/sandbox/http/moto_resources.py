"""What the world and moto know of each other: moto's volumes and instances, the world's images and snapshots."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from moto.core.exceptions import ServiceException
from moto.ebs.models import ebs_backends
from moto.ec2.models import ec2_backends
from moto.ec2.models.elastic_block_store import Snapshot as MotoSnapshot
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, get_prefix
from moto.ssm.models import ssm_backends

from amicopy.sandbox.content import Stored
from amicopy.sandbox.http.moto_accounts import organization_arns
from amicopy.sandbox.instance_runs import STATES
from amicopy.sandbox.other_resources import (
    AttachedVolume,
    EbsVolume,
    ImageReference,
    Instance,
    OtherResources,
    ResourceTag,
)
from amicopy.sandbox.records import Image, Snapshot
from amicopy.sandbox.settings import partition_of
from amicopy.sandbox.state import State


class MotoResources(OtherResources):
    """The resources that moto has."""

    def organization_arns(self, account: str) -> frozenset[str]:
        """Return the ARNs of the account's organization and of all units that it is in."""
        return organization_arns(account)

    def volume(self, account: str, region: str, volume_id: str) -> EbsVolume | None:
        """Return a volume, or None if there is no such volume."""
        volume = ec2_backends[account][region].volumes.get(volume_id)
        return None if volume is None else _volume(volume)

    def instance(self, account: str, region: str, instance_id: str) -> Instance | None:
        """Return an instance, or None if there is no such instance."""
        backend = ec2_backends[account][region]
        instance = next((instance for instance in backend.all_instances() if instance.id == instance_id), None)
        if instance is None:
            return None
        return Instance(
            instance_id=instance.id,
            image_id=instance.image_id or "",
            state=str(instance.state),
            architecture=instance.architecture or "x86_64",
            virtualization_type=instance.virtualization_type or "hvm",
            root_device_name=instance.root_device_name or "/dev/sda1",
            platform=instance.platform or "",
            kernel_id=instance.kernel or "",
            volumes=tuple(
                AttachedVolume(
                    device=device,
                    volume=_volume(backend.volumes[block.volume_id]),
                    delete_on_termination=bool(block.delete_on_termination),
                )
                for device, block in instance.get_block_device_mapping
            ),
        )

    def launch_template(self, account: str, region: str, named: Mapping[str, str]) -> Mapping[str, Any]:
        """Return the data of the launch template version that a RunInstances names; empty if there is none."""
        template = _launch_template(account, region, named)
        if template is None:
            return {}
        try:
            data: Mapping[str, Any] = template.get_version(named.get("Version") or "$Default").data
        except (ServiceException, ValueError):  # an unknown version: moto refuses the call
            return {}
        return data

    def launch_template_names(self, account: str, region: str, named: Mapping[str, str]) -> tuple[str, str] | None:
        """Return the id and the name of a launch template; None if there is no such template."""
        template = _launch_template(account, region, named)
        return (template.id, template.name) if template is not None else None

    def parameter(self, account: str, region: str, name: str) -> str:
        """Return the value of an SSM parameter; "" if there is no such parameter."""
        found = ssm_backends[account][region].get_parameter(name)
        return str(found.value) if found is not None else ""

    def architectures(self, instance_type: str) -> Sequence[str]:
        """Return the architectures of an instance type; empty if moto doesn't know it."""
        processor = INSTANCE_TYPES.get(instance_type, {}).get("ProcessorInfo", {})
        return tuple(processor.get("SupportedArchitectures", ()))

    def image_references(self, account: str, region: str) -> Iterable[ImageReference]:
        """Return the account's instances, launch templates and parameters in the region that use an image.

        moto keeps terminated instances for ever, EC2 for about an hour: they are left out.
        """
        prefix = f"arn:{partition_of(region)}"
        backend = ec2_backends[account][region]
        for instance in backend.all_instances():
            if instance.state not in ("shutting-down", "terminated"):
                arn = f"{prefix}:ec2:{region}:{account}:instance/{instance.id}"
                yield ImageReference(
                    image_id=instance.image_id or "", kind="ec2:Instance", arn=arn, state=str(instance.state)
                )
        for template in backend.launch_templates.values():
            arn = f"{prefix}:ec2:{region}:{account}:launch-template/{template.id}"
            for depth, version in enumerate(reversed(template.versions), start=1):
                yield ImageReference(image_id=version.image_id, kind="ec2:LaunchTemplate", arn=arn, depth=depth)
        for name, versions in ssm_backends[account][region]._parameters.items():
            if versions and versions[-1].data_type == "aws:ec2:image":
                arn = f"{prefix}:ssm:{region}:{account}:parameter/{name.lstrip('/')}"
                yield ImageReference(image_id=str(versions[-1].value), kind="ssm:Parameter", arn=arn)

    def tags(self, account: str, region: str) -> Iterable[ResourceTag]:
        """Return the tags of the account's resources in the region, but those of images and snapshots."""
        for resource_id, tags in ec2_backends[account][region].tags.items():
            kind = EC2_PREFIX_TO_RESOURCE.get(get_prefix(resource_id), "")
            if kind not in ("image", "snapshot"):
                for key, value in tags.items():
                    yield ResourceTag(resource_id=resource_id, kind=kind, key=key, value=value or "")


def _volume(volume: Any) -> EbsVolume:
    return EbsVolume(
        volume_id=volume.id,
        gib=int(volume.size),
        volume_type=volume.volume_type,
        iops=int(volume.iops) if volume.iops else None,
        throughput=int(volume.throughput) if volume.throughput else None,
        encrypted=bool(volume.encrypted),
        kms_key_id=volume.kms_key_id or "",
        tags={tag["key"]: tag["value"] for tag in volume.get_tags()},
    )


class _KnownImage:
    """An image of the world, as moto's instances look at it when they start."""

    def __init__(self, image: Image) -> None:
        self.id = image.image_id
        self.platform = image.platform or None
        self.virtualization_type, self.architecture = image.virtualization_type, image.architecture
        self.root_device_name, self.kernel_id = image.root_device_name, image.kernel_id or None

    def get_filter_value(self, _name: str, _operation: str | None = None) -> str:
        """Return the id: moto looks for nothing else."""
        return self.id


@contextlib.contextmanager
def known_to_moto(state: State, account: str, region: str) -> Iterator[None]:
    """Let moto know the world's images and snapshots during a call.

    What moto notes at a snapshot, such as its storage tier, stays until the world's snapshot is deleted.
    """
    backend = ec2_backends[account][region]
    for snapshot_id in set(backend.snapshots) - set(state.snapshots[region]):
        del backend.snapshots[snapshot_id]
    for snapshot in state.snapshots[region].values():
        if snapshot.snapshot_id not in backend.snapshots:
            backend.snapshots[snapshot.snapshot_id] = _moto_snapshot(backend, snapshot)
    amis: dict[str, Any] = backend.amis
    own = dict(amis)
    amis.update({image.image_id: _KnownImage(image) for image in state.images[region].values()})
    try:
        yield
    finally:
        amis.clear()
        amis.update(own)
        for snapshot_id, snapshot in state.snapshots[region].items():
            if snapshot_id in backend.snapshots:
                snapshot.storage_tier = getattr(backend.snapshots[snapshot_id], "storage_tier", "standard")


def _launch_template(account: str, region: str, named: Mapping[str, str]) -> Any:
    backend = ec2_backends[account][region]
    template_id = named.get("LaunchTemplateId") or backend.launch_template_name_to_ids.get(
        named.get("LaunchTemplateName", "")
    )
    return backend.launch_templates.get(template_id or "")


def adopt_snapshots(state: State, account: str, region: str) -> None:
    """Add the snapshots that EBS direct has made in moto to the world, and bring their state up to date."""
    direct = ebs_backends[account][region].snapshots
    if not direct:
        return  # moto's EC2 of an account and region takes 9 ms to make, and most have none of these
    snapshots, now = ec2_backends[account][region].snapshots, state.clock.now()
    for snapshot_id in direct.keys() & snapshots.keys():
        found = snapshots[snapshot_id]
        known = state.snapshots[region].get(snapshot_id)
        if known is None and snapshot_id not in state.adopted:
            state.adopted.add(snapshot_id)
            known = state.snapshots[region][snapshot_id] = Snapshot(
                snapshot_id=snapshot_id,
                region=region,
                owner=account,
                gib=int(found.volume.size),
                started_at=now,
                listed_at=now,
                state="pending",
                progress="",
                description=found.description or "",
                tags={tag["key"]: tag["value"] for tag in found.get_tags()},
            )
        if known is not None and known.state == "pending" and direct[snapshot_id].status == "completed":
            known.state, known.progress, known.completed_at = "completed", "100%", now
            known.content = Stored({int(at): bytes(one.block_data) for at, one in direct[snapshot_id].blocks.items()})


def advance_instances(state: State, account: str, region: str) -> None:
    """Let moto's instances have the states that the world's clock gives them, and the world know of terminated ones."""
    if not state.instance_runs:
        return
    now = state.clock.now()
    for instance in ec2_backends[account][region].all_instances():
        run = state.instance_runs.get(instance.id)
        if run is None or instance.state in ("stopping", "stopped"):
            continue
        run.advance(now)
        if run.terminated_at is None and instance.state == "terminated":
            run.terminated_at, run.ended_in_moto = now, True
        elif run.terminated_at is not None and not run.ended_in_moto:
            run.ended_in_moto = True
            instance.terminate()
            instance.state_reason.code, instance.state_reason.message = run.reason.split(": ")[0], run.reason
        instance.launch_time = run.launched_at
        instance._state.name = run.state(now)
        instance._state.code = STATES[run.state(now)]


def _moto_snapshot(backend: Any, snapshot: Snapshot) -> MotoSnapshot:
    volume = SimpleNamespace(id=snapshot.volume_id, size=snapshot.gib)
    return MotoSnapshot(
        backend,
        snapshot.snapshot_id,
        volume,
        snapshot.description,
        encrypted=snapshot.encrypted,
        kms_key_id=snapshot.kms_key_id or None,
        owner_id=snapshot.owner,
    )
