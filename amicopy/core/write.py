"""Writing calls of EC2 as values: an operation and its parameters, spelled as EC2 spells them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from amicopy.core.models import Principal, PrincipalKind


class WriteOperation(StrEnum):
    """The EC2 operations that change something."""

    COPY = "CopyImage"
    CREATE_TAGS = "CreateTags"
    DELETE_TAGS = "DeleteTags"
    DEPRECATE = "EnableImageDeprecation"
    PROTECT = "EnableImageDeregistrationProtection"
    MODIFY_SNAPSHOT = "ModifySnapshotAttribute"
    ATTACH_WATERMARK = "AttachImageWatermark"
    MODIFY_IMAGE = "ModifyImageAttribute"
    REPLACE_INSTANCE_TYPES = "ReplaceImageInstanceTypeSpecification"
    DISABLE = "DisableImage"
    ENABLE = "EnableImage"
    UNDEPRECATE = "DisableImageDeprecation"
    DEREGISTER = "DeregisterImage"
    DELETE_SNAPSHOT = "DeleteSnapshot"
    ENABLE_FAST_LAUNCH = "EnableFastLaunch"
    DISABLE_FAST_LAUNCH = "DisableFastLaunch"


@dataclass(frozen=True, slots=True)
class Write:
    """One writing call."""

    operation: WriteOperation
    parameters: Mapping[str, Any]

    @property
    def resource_id(self) -> str:
        """The image or snapshot that the call is about; empty for CopyImage."""
        parameters = self.parameters
        return str(parameters.get("ImageId") or parameters.get("SnapshotId") or parameters.get("Resources", [""])[0])

    def on(self, resource_id: str) -> "Write":
        """Return the same call about another image or snapshot."""
        named = {"ImageId": resource_id, "SnapshotId": resource_id, "Resources": [resource_id]}
        changed = {name: value for name, value in named.items() if name in self.parameters}
        return Write(self.operation, {**self.parameters, **changed})


PRINCIPAL_MEMBERS: Mapping[PrincipalKind, str] = {
    PrincipalKind.ACCOUNT: "UserId",
    PrincipalKind.GROUP: "Group",
    PrincipalKind.ORGANIZATION: "OrganizationArn",
    PrincipalKind.ORGANIZATIONAL_UNIT: "OrganizationalUnitArn",
}
"""The members of LaunchPermission and CreateVolumePermission."""


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as EC2 takes them, sorted: EC2 compares the parameters of a repeated client token."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def principal_list(principals: Iterable[Principal]) -> list[dict[str, str]]:
    """Return principals as EC2 takes them."""
    return [{PRINCIPAL_MEMBERS[principal.kind]: principal.value} for principal in principals]
