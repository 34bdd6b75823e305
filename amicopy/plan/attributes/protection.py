"""Deregistration protection. EC2 EnableImageDeregistrationProtection."""

from collections.abc import Iterator
from dataclasses import dataclass

from amicopy.core.models import Image
from amicopy.core.request import Protection
from amicopy.core.write import Write, WriteOperation
from amicopy.plan.attributes.base import Attribute, DesiredCopy, Difference, Draft

_WITH_COOLDOWN = "enabled-with-cooldown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionDiffers(Difference):
    """Protection is requested and is off, or lacks the cooldown."""

    desired: str
    found: str

    @property
    def writes(self) -> tuple[Write, ...]:
        """With a cooldown the image stays protected for 24 hours after protection is switched off."""
        return (_write(self.resource_id, self.desired),)

    @property
    def done(self) -> str:
        """The kind of protection."""
        return f"protected from deregistration ({self.desired})"

    def __str__(self) -> str:
        return f"{self.resource_id} has deregistration protection {self.found or 'disabled'} instead of {self.desired}"


def _write(image_id: str, protection: str) -> Write:
    return Write(WriteOperation.PROTECT, {"ImageId": image_id, "WithCooldown": protection == _WITH_COOLDOWN})


def protection(draft: Draft) -> str:
    """Return the protection that is requested, as EC2 writes it; empty if none is."""
    match draft.request.protect:
        case Protection.ON:
            return "enabled-without-cooldown"
        case Protection.COOLDOWN:
            return _WITH_COOLDOWN
        case Protection.SOURCE if draft.source.protection.startswith("enabled"):
            return draft.source.protection
    return ""


def _differences(desired: DesiredCopy, copy: Image) -> Iterator[Difference]:
    """Yield the protection if it is weaker than desired."""
    is_stronger = desired.protection.startswith("enabled") and copy.protection == _WITH_COOLDOWN
    if desired.protection and copy.protection != desired.protection and not is_stronger:
        yield ProtectionDiffers(resource_id=copy.image_id, desired=desired.protection, found=copy.protection)


def _iam_check(desired: DesiredCopy) -> Write | None:
    """Return the call that switches protection on."""
    return _write(desired.source.image_id, desired.protection) if desired.protection else None


ATTRIBUTE = Attribute(
    differences=_differences,
    iam_check=_iam_check,
    purposes={WriteOperation.PROTECT: "`--protect`"},
)
