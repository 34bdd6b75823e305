"""The description. CopyImage sets it; EC2 ModifyImageAttribute, Description, changes it."""

from collections.abc import Iterator
from dataclasses import dataclass

from amicopy.core.ec2_rules import as_description, description_problem
from amicopy.core.models import Image
from amicopy.core.templates import fill_template
from amicopy.core.write import Write, WriteOperation
from amicopy.plan.attributes.base import Attribute, DesiredCopy, Difference, Draft


@dataclass(frozen=True, slots=True, kw_only=True)
class DescriptionDiffers(Difference):
    """The request has a description, and the copy has another."""

    desired: str
    found: str
    done = "description updated"

    @property
    def writes(self) -> tuple[Write, ...]:
        """Replace the description."""
        value = {"Value": self.desired}
        return (Write(WriteOperation.MODIFY_IMAGE, {"ImageId": self.resource_id, "Description": value}),)

    def __str__(self) -> str:
        return f"{self.resource_id} has a different description"


def description(draft: Draft, values: dict[str, str]) -> str:
    """Return the copy's description; by default it says where the image was copied from."""
    source, request = draft.source, draft.request
    if request.description is None:
        return as_description(f"[Copied {source.image_id} from {source.region}] {source.description or source.name}")
    text = fill_template(request.description, values)
    draft.problems.extend(filter(None, [description_problem(text)]))
    return text


def _differences(desired: DesiredCopy, copy: Image) -> Iterator[Difference]:
    """Yield the description if another is requested."""
    if not desired.allows_description(copy.description):
        yield DescriptionDiffers(resource_id=copy.image_id, desired=desired.description, found=copy.description)


ATTRIBUTE = Attribute(
    differences=_differences,
    purposes={WriteOperation.MODIFY_IMAGE: "description"},
)
