"""The differences between a copy and what is desired, over all attributes; for planning, completing and verifying."""

from amicopy.core.models import Image
from amicopy.core.write import Write
from amicopy.plan.attributes import (
    deprecation,
    description,
    imds_support,
    instance_types,
    launch_permissions,
    protection,
    snapshot_permissions,
    structure,
    tags,
    watermarks,
)
from amicopy.plan.attributes.base import Attribute, DesiredCopy, Difference, Extra

ATTRIBUTES: tuple[Attribute, ...] = (
    structure.ATTRIBUTE,
    tags.ATTRIBUTE,
    description.ATTRIBUTE,
    imds_support.ATTRIBUTE,
    instance_types.ATTRIBUTE,
    watermarks.ATTRIBUTE,
    deprecation.ATTRIBUTE,
    protection.ATTRIBUTE,
    snapshot_permissions.ATTRIBUTE,
    launch_permissions.ATTRIBUTE,
)
"""In the order of writing: the image is shared last."""


def differences(desired: DesiredCopy, copy: Image) -> tuple[Difference, ...]:
    """Return what is missing on ``copy``, in the order of writing."""
    return tuple(found for attribute in ATTRIBUTES for found in attribute.differences(desired, copy))


def extras(desired: DesiredCopy, copy: Image) -> tuple[Extra, ...]:
    """Return what ``copy`` has and should not have, the image's permissions first."""
    looking = [attribute.extras for attribute in reversed(ATTRIBUTES) if attribute.extras]
    return tuple(found for look in looking for found in look(desired, copy))


def iam_checks(desired: DesiredCopy) -> tuple[Write, ...]:
    """Return the calls that a new copy needs after CopyImage, to be sent with DryRun: sharing first."""
    asking = [attribute.iam_check for attribute in reversed(ATTRIBUTES) if attribute.iam_check]
    return tuple(write for ask in asking if (write := ask(desired)))
