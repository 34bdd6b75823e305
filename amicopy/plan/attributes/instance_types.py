"""The list of instance types that can launch the image. EC2 ReplaceImageInstanceTypeSpecification (August 2026)."""

from collections.abc import Iterator
from dataclasses import dataclass

from amicopy.core.models import Image, InstanceTypes
from amicopy.core.write import Write, WriteOperation
from amicopy.plan.attributes.base import Attribute, DesiredCopy, Difference, Extra


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceTypesDiffer(Difference):
    """The source allows other instance types than the copy: its list was changed after copying."""

    desired: InstanceTypes
    found: InstanceTypes

    @property
    def writes(self) -> tuple[Write, ...]:
        """Replace the whole list."""
        return (_replacement(self.resource_id, self.desired),)

    @property
    def done(self) -> str:
        """The new list."""
        return f"allowed instance types set to {self.desired}"

    def __str__(self) -> str:
        return f"{self.resource_id} allows instance types {self.found or 'all'} instead of {self.desired}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraInstanceTypes(Extra):
    """The copy has a list of instance types, its source has none."""

    found: str

    @property
    def removals(self) -> tuple[Write, ...]:
        """Remove the list."""
        return (_replacement(self.resource_id, InstanceTypes()),)

    def __str__(self) -> str:
        return f"{self.resource_id} allows only instance types {self.found}, its source allows all"


def _replacement(image_id: str, types: InstanceTypes) -> Write:
    specification = {"SupportedInstanceTypes": types.supported, "UnsupportedInstanceTypes": types.unsupported}
    given = {member: sorted(names) for member, names in specification.items() if names}
    parameters = {"ImageId": image_id} | ({"InstanceTypeSpecification": given} if given else {})
    return Write(WriteOperation.REPLACE_INSTANCE_TYPES, parameters)


def _differences(desired: DesiredCopy, copy: Image) -> Iterator[Difference]:
    """Yield the source's list if the copy has another; not if the installed botocore cannot read it."""
    types, found = desired.source.instance_types, copy.instance_types
    if types and found is not None and types != found:
        yield InstanceTypesDiffer(resource_id=copy.image_id, desired=types, found=found)


def _extras(desired: DesiredCopy, copy: Image) -> Iterator[Extra]:
    """Yield the copy's list if the source has none."""
    if copy.instance_types and desired.source.instance_types == InstanceTypes():
        yield ExtraInstanceTypes(resource_id=copy.image_id, found=str(copy.instance_types))


def _iam_check(desired: DesiredCopy) -> Write | None:
    """Return the call that sets the list: EC2's documentation does not promise that CopyImage always carries it."""
    types = desired.source.instance_types
    return _replacement(desired.source.image_id, types) if types else None


ATTRIBUTE = Attribute(
    differences=_differences,
    extras=_extras,
    iam_check=_iam_check,
    purposes={WriteOperation.REPLACE_INSTANCE_TYPES: "allowed instance types"},
)
