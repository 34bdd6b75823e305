"""Who may create volumes from the snapshots. EC2 ModifySnapshotAttribute, CreateVolumePermission."""

from collections.abc import Iterator
from dataclasses import dataclass

from amicopy.core.models import Image, Principal
from amicopy.core.write import Write, WriteOperation, principal_list
from amicopy.plan.attributes.base import Attribute, DesiredCopy, Difference, Draft, Extra
from amicopy.plan.attributes.sharing import NOBODY, ExtraSharing, MissingSharing

_CHANGES_PER_CALL = 500  # "up to 500 modifications to a snapshot in a single operation" (ModifySnapshotAttribute)


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingSnapshotPermissions(MissingSharing):
    """Principals that may use the source's snapshot and not the copy's."""

    def _adding(self) -> tuple[Write, ...]:
        return _writes(self.resource_id, "Add", self.missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraSnapshotPermissions(ExtraSharing):
    """Principals that may use the copy's snapshot and not the source's."""

    @property
    def removals(self) -> tuple[Write, ...]:
        """Take these permissions away."""
        return _writes(self.resource_id, "Remove", self.principals)


def _writes(snapshot_id: str, change: str, principals: tuple[Principal, ...]) -> tuple[Write, ...]:
    starts = range(0, len(principals), _CHANGES_PER_CALL)
    return tuple(
        _write(snapshot_id, change, principal_list(principals[start : start + _CHANGES_PER_CALL])) for start in starts
    )


def _write(snapshot_id: str, change: str, principals: list[dict[str, str]]) -> Write:
    permission = {change: principals}
    return Write(WriteOperation.MODIFY_SNAPSHOT, {"SnapshotId": snapshot_id, "CreateVolumePermission": permission})


def snapshot_permissions(draft: Draft) -> dict[str, frozenset[Principal]]:
    """Return who should be able to use each device's snapshot: as for the source, limited to ``share`` if given."""
    request, source = draft.request, draft.source
    if not request.carry_permissions:
        return {}
    if request.share_snapshots is not None:
        named = request.share_snapshots - draft.owner
        return {device.device: named for device in source.devices if device.snapshot_id and named}
    desired = {}
    for device, snapshot in source.snapshots_by_device.items():
        if snapshot.volume_permissions is None:
            draft.notes.append(f"permissions of {source.image_id}'s snapshots cannot be read, so its copies get none")
            continue
        permitted = snapshot.volume_permissions - draft.owner
        if request.share is not None:
            permitted &= request.share
        if permitted:
            desired[device] = permitted
    return desired


def unknown_devices(draft: Draft) -> frozenset[str]:
    """Return the devices whose snapshots have permissions that cannot be read."""
    if not draft.request.carry_permissions or draft.request.share_snapshots is not None:
        return frozenset()
    described = draft.source.snapshots_by_device.items()
    return frozenset(device for device, snapshot in described if snapshot.volume_permissions is None)


def _differences(desired: DesiredCopy, copy: Image) -> Iterator[Difference]:
    """Yield the permissions that are missing; those of a copy that cannot be read count as none."""
    described = copy.snapshots_by_device
    for device, snapshot_id in copy.snapshot_ids_by_device.items():
        found = described[device].volume_permissions if device in described else None
        if missing := desired.volume_permissions.get(device, frozenset()) - (found or frozenset()):
            is_known = found is not None or device not in described
            yield MissingSnapshotPermissions(
                resource_id=snapshot_id,
                device=device,
                missing=tuple(sorted(missing)),
                is_known=is_known,
                is_possible=device not in described or not described[device].has_aws_managed_key,
            )


def _extras(desired: DesiredCopy, copy: Image) -> Iterator[Extra]:
    """Yield the permissions that are not desired, as far as they could be read."""
    for device, snapshot in copy.snapshots_by_device.items():
        known = desired.volume_permissions.get(device, frozenset())
        more = (snapshot.volume_permissions or frozenset()) - known
        if more and device not in desired.unknown_devices:
            yield ExtraSnapshotPermissions(
                resource_id=snapshot.snapshot_id, device=device, principals=tuple(sorted(more))
            )


def _iam_check(desired: DesiredCopy) -> Write | None:
    """Return the call that shares a snapshot."""
    return _write(desired.source.any_snapshot_id, "Add", NOBODY) if desired.volume_permissions else None


ATTRIBUTE = Attribute(
    differences=_differences,
    extras=_extras,
    iam_check=_iam_check,
    purposes={WriteOperation.MODIFY_SNAPSHOT: "snapshots' permissions"},
)
