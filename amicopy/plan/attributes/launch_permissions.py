"""Who may launch the image. EC2 ModifyImageAttribute, LaunchPermission."""

from collections.abc import Iterator
from dataclasses import dataclass

from amicopy.core.ec2_rules import MAX_PRINCIPALS
from amicopy.core.models import Image, Principal
from amicopy.core.write import Write, WriteOperation, principal_list
from amicopy.plan.attributes.base import Attribute, DesiredCopy, Difference, Draft, Extra
from amicopy.plan.attributes.sharing import NOBODY, ExtraSharing, MissingSharing


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingLaunchPermissions(MissingSharing):
    """Principals that may launch the source and not the copy."""

    def _adding(self) -> tuple[Write, ...]:
        return (_write(self.resource_id, "Add", self.missing),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraLaunchPermissions(ExtraSharing):
    """Principals that may launch the copy and not the source."""

    @property
    def removals(self) -> tuple[Write, ...]:
        """Take these permissions away."""
        return (_write(self.resource_id, "Remove", self.principals),)


def _write(image_id: str, change: str, principals: tuple[Principal, ...]) -> Write:
    permission = {change: principal_list(principals)}
    return Write(WriteOperation.MODIFY_IMAGE, {"ImageId": image_id, "LaunchPermission": permission})


def launch_permissions(draft: Draft) -> frozenset[Principal]:
    """Return who should be able to launch the copy: those of the request, or as for the source."""
    request, source = draft.request, draft.source
    if request.share is not None:
        desired = request.share
    elif not request.carry_permissions:
        desired = frozenset()
    elif source.launch_permissions is None:
        draft.notes.append(f"launch permissions of {source.image_id} cannot be read, so its copies get none")
        desired = frozenset()
    else:
        desired = source.launch_permissions
    desired -= draft.owner
    counted = sum(not principal.is_public for principal in desired)
    if counted > MAX_PRINCIPALS:
        draft.problems.append(f"an AMI can be shared with at most {MAX_PRINCIPALS} principals, and these are {counted}")
    return desired


def are_known(draft: Draft) -> bool:
    """Return whether the desired launch permissions are certain."""
    request = draft.request
    return draft.source.launch_permissions is not None or request.share is not None or not request.carry_permissions


def _differences(desired: DesiredCopy, copy: Image) -> Iterator[Difference]:
    """Yield the permissions that are missing; those of a copy that cannot be read count as none."""
    if missing := desired.launch_permissions - (copy.launch_permissions or frozenset()):
        is_known = copy.launch_permissions is not None
        yield MissingLaunchPermissions(
            resource_id=copy.image_id,
            missing=tuple(sorted(missing)),
            is_known=is_known,
            is_possible=not copy.has_aws_managed_key,
        )


def _extras(desired: DesiredCopy, copy: Image) -> Iterator[Extra]:
    """Yield the permissions that are not desired, as far as they could be read."""
    more = (copy.launch_permissions or frozenset()) - desired.launch_permissions
    if more and desired.launch_is_known:
        yield ExtraLaunchPermissions(resource_id=copy.image_id, principals=tuple(sorted(more)))


def _iam_check(desired: DesiredCopy) -> Write | None:
    """Return the call that shares the copy."""
    if not desired.launch_permissions:
        return None
    permission = {"Add": NOBODY}
    return Write(WriteOperation.MODIFY_IMAGE, {"ImageId": desired.source.image_id, "LaunchPermission": permission})


ATTRIBUTE = Attribute(
    differences=_differences,
    extras=_extras,
    iam_check=_iam_check,
    purposes={WriteOperation.MODIFY_IMAGE: "launch permissions"},
)
