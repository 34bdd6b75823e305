"""Whether instances require IMDSv2. EC2 ModifyImageAttribute, ImdsSupport, which can be set and never unset."""

from collections.abc import Iterator
from dataclasses import dataclass

from amicopy.core.models import Image
from amicopy.core.write import Write, WriteOperation
from amicopy.plan.attributes.base import Attribute, DesiredCopy, Difference, Extra


@dataclass(frozen=True, slots=True, kw_only=True)
class ImdsSupportDiffers(Difference):
    """The source requires IMDSv2 and the copy does not: it was set on the source after copying."""

    desired: str
    found: str

    @property
    def writes(self) -> tuple[Write, ...]:
        """Set the source's value."""
        value = {"Value": self.desired}
        return (Write(WriteOperation.MODIFY_IMAGE, {"ImageId": self.resource_id, "ImdsSupport": value}),)

    @property
    def done(self) -> str:
        """The new value."""
        return f"IMDS support set to {self.desired}"

    def __str__(self) -> str:
        return f"{self.resource_id} has IMDS support {self.found or 'unset'} instead of {self.desired}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraImdsSupport(Extra):
    """The copy requires IMDSv2 and the source does not. EC2 cannot undo it, and it does no harm."""

    found: str

    @property
    def removals(self) -> tuple[Write, ...]:
        """None: it stays."""
        return ()

    def __str__(self) -> str:
        return f"{self.resource_id} has IMDS support {self.found}, its source does not"


def _differences(desired: DesiredCopy, copy: Image) -> Iterator[Difference]:
    """Yield the source's setting if the copy lacks it."""
    wanted = desired.source.imds_support
    if wanted and wanted != copy.imds_support:
        yield ImdsSupportDiffers(resource_id=copy.image_id, desired=wanted, found=copy.imds_support)


def _extras(desired: DesiredCopy, copy: Image) -> Iterator[Extra]:
    """Yield the copy's setting if the source has none."""
    if copy.imds_support and not desired.source.imds_support:
        yield ExtraImdsSupport(resource_id=copy.image_id, found=copy.imds_support)


ATTRIBUTE = Attribute(
    differences=_differences,
    extras=_extras,
    purposes={WriteOperation.MODIFY_IMAGE: "IMDSv2"},
)
