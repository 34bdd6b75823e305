"""Which IAM actions amicopy calls, in which regions, and for what: one table."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from amicopy.core.write import WriteOperation
from amicopy.plan.differences import ATTRIBUTES


class Where(StrEnum):
    """In which regions an action is called."""

    SOURCE = "source"
    DESTINATION = "destination"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One action of EC2, or of another service."""

    operation: str
    service: str = "ec2"
    where: Where
    purpose: str
    writes: bool = False
    optional: bool = False  # amicopy does without, and says what it could not see

    @property
    def name(self) -> str:
        """As IAM spells it."""
        return f"{self.service}:{self.operation}"


def _attribute_actions() -> Iterator[Action]:
    """Yield the writes of the attributes, each with everything that it is needed for."""
    purposes: dict[WriteOperation, list[str]] = {operation: [] for operation in WriteOperation}
    for attribute in reversed(ATTRIBUTES):
        for operation, purpose in attribute.purposes.items():
            purposes[operation].append(purpose)
    for operation, some in purposes.items():
        if some:
            yield Action(operation=str(operation), where=Where.DESTINATION, purpose=", ".join(some), writes=True)


ACTIONS = (
    Action(operation="DescribeImages", where=Where.BOTH, purpose="find sources and copies, wait"),
    Action(operation="DescribeSnapshots", where=Where.BOTH, purpose="snapshots' tags and sizes, progress"),
    Action(
        operation="DescribeImageAttribute",
        where=Where.BOTH,
        purpose="launch permissions; `status` and `verify`: UEFI variables",
    ),
    Action(
        operation="DescribeSnapshotAttribute",
        where=Where.BOTH,
        purpose="snapshots' permissions",
    ),
    Action(
        operation="DescribeRegions",
        where=Where.SOURCE,
        purpose="which regions are enabled",
        optional=True,
    ),
    Action(
        operation="GetEbsEncryptionByDefault",
        where=Where.DESTINATION,
        purpose="will a shared copy be encrypted",
        optional=True,
    ),
    Action(
        operation="GetEbsDefaultKmsKeyId",
        where=Where.DESTINATION,
        purpose="with which key",
        optional=True,
    ),
    Action(
        operation="GetImageBlockPublicAccessState",
        where=Where.DESTINATION,
        purpose="may a public copy be public",
        optional=True,
    ),
    Action(
        operation="GetSnapshotBlockPublicAccessState",
        where=Where.DESTINATION,
        purpose="may its snapshots be",
        optional=True,
    ),
    Action(
        operation="GetServiceQuota",
        service="servicequotas",
        where=Where.DESTINATION,
        purpose="how many AMIs may be public, if there are more than five",
        optional=True,
    ),
    Action(
        operation="ListImagesInRecycleBin",
        where=Where.DESTINATION,
        purpose="`cancel --available`: can the AMI of a snapshot be restored",
        optional=True,
    ),
    Action(
        operation="DescribeImageReferences",
        where=Where.DESTINATION,
        purpose="`sync` with `keep`: is an old copy in use; `retire`: what names an image, such as a parameter",
        optional=True,
    ),
    Action(
        operation="GetParameter",
        service="ssm",
        where=Where.BOTH,
        purpose="`sync` with `publish`, or a source that a parameter names; `retire`",
    ),
    Action(
        operation="GetParameterHistory",
        service="ssm",
        where=Where.BOTH,
        purpose="`retire`: which AMI a parameter had before",
    ),
    Action(
        operation="ListSnapshotBlocks",
        service="ebs",
        where=Where.BOTH,
        purpose="`verify --content`, `scan`, `copy --scan`: which blocks are written",
    ),
    Action(
        operation="GetSnapshotBlock",
        service="ebs",
        where=Where.BOTH,
        purpose="`verify --content sample` and `full`, `scan`, `copy --scan`: their data",
    ),
    Action(operation="CopyImage", where=Where.DESTINATION, purpose="copy", writes=True),
    *_attribute_actions(),
    Action(
        operation="DeregisterImage",
        where=Where.DESTINATION,
        purpose="cancel; remove a failed copy once it is replaced; `sync` with `keep`",
        writes=True,
    ),
    Action(
        operation="DeleteSnapshot",
        where=Where.DESTINATION,
        purpose="the same, for the snapshots",
        writes=True,
    ),
    Action(
        operation="PutParameter",
        service="ssm",
        where=Where.BOTH,  # where the source is, with include_source
        purpose="`sync` with `publish`; `retire`",
        writes=True,
    ),
    Action(
        operation="DescribeLaunchTemplateVersions",
        where=Where.BOTH,
        purpose="`sync` with `publish`: which AMI a launch template has",
    ),
    Action(
        operation="CreateLaunchTemplateVersion",
        where=Where.BOTH,
        purpose="`sync` with `publish`: a version with the copy",
        writes=True,
    ),
    Action(
        operation="ModifyLaunchTemplate",
        where=Where.BOTH,
        purpose="`sync` with `publish`: make it the default version",
        writes=True,
    ),
    Action(
        operation="DescribeFastSnapshotRestores",
        where=Where.DESTINATION,
        purpose="`fast_restore`: where it is on",
    ),
    Action(
        operation="EnableFastSnapshotRestores",
        where=Where.DESTINATION,
        purpose="`sync` with `fast_restore`; `retire --undo`",
        writes=True,
    ),
    Action(
        operation="DisableFastSnapshotRestores",
        where=Where.DESTINATION,
        purpose="the same, before a copy that has it is removed or retired",
        writes=True,
    ),
    Action(
        operation="DescribeFastLaunchImages",
        where=Where.DESTINATION,
        purpose="`fast_launch`: whether it is on",
    ),
    Action(
        operation="EnableFastLaunch",
        where=Where.DESTINATION,
        purpose="`sync` with `fast_launch`; `retire --undo`",
        writes=True,
    ),
    Action(
        operation="DisableFastLaunch",
        where=Where.DESTINATION,
        purpose="the same, before a copy that has it is removed or retired",
        writes=True,
    ),
    Action(
        operation="Publish",
        service="sns",
        where=Where.DESTINATION,  # the topic's region
        purpose="`--notify` with a topic",
        writes=True,
    ),
    Action(
        operation="PutEvents",
        service="events",
        where=Where.DESTINATION,  # the bus's region
        purpose="`--notify` with an event bus",
        writes=True,
    ),
    Action(
        operation="DescribeInstances",
        where=Where.DESTINATION,
        purpose="`boot`: find, watch; `cancel`: find what is left",
    ),
    Action(operation="DescribeInstanceStatus", where=Where.DESTINATION, purpose="`boot`: status checks"),
    Action(
        operation="DescribeInstanceTypeOfferings",
        where=Where.DESTINATION,
        purpose="`boot`: is the instance type in the region",
        optional=True,
    ),
    Action(operation="DescribeSubnets", where=Where.DESTINATION, purpose="`boot`: is there a default VPC"),
    Action(operation="GetConsoleOutput", where=Where.DESTINATION, purpose="`boot`", writes=True),
    Action(operation="RunInstances", where=Where.DESTINATION, purpose="`boot`", writes=True),
    Action(operation="TerminateInstances", where=Where.DESTINATION, purpose="`boot`, `cancel`", writes=True),
    Action(operation="DisableImage", where=Where.BOTH, purpose="`retire`", writes=True),
    Action(operation="EnableImage", where=Where.BOTH, purpose="`retire --undo`", writes=True),
    Action(operation="DisableImageDeprecation", where=Where.BOTH, purpose="`retire --undo`", writes=True),
)

# What DescribeImageReferences looks at in the caller's name (EC2 User Guide, "Identify your resources referencing
# specified AMIs"); AWS's managed policy AmazonEC2ImageReferencesAccessPolicy grows with it.
REFERENCE_ACTIONS = (
    "ec2:DescribeInstances",
    "ec2:DescribeLaunchTemplateVersions",
    "ec2:DescribeLaunchTemplates",
    "imagebuilder:GetContainerRecipe",
    "imagebuilder:ListContainerRecipes",
    "imagebuilder:ListImageRecipes",
    "ssm:DescribeParameters",
    "ssm:GetParameters",
)
