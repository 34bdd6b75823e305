"""Which IAM actions amicopy needs, where, and for what; and the smallest policy for the options in use."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

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
        purpose="launch permissions",
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
        purpose="`sync` with `keep`: is an old copy in use",
        optional=True,
    ),
    Action(
        operation="GetParameter",
        service="ssm",
        where=Where.BOTH,
        purpose="`sync` with `publish`, or a source that a parameter names",
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
        purpose="`sync` with `publish`",
        writes=True,
    ),
)

# What only a manifest comes to: ids published, old copies let go.
_SYNC = {"DescribeImageReferences", "GetParameter", "PutParameter"}

# To look at a key that is named, and what EC2 does with it in the caller's name (EBS User Guide, "Amazon EBS encryption
# requirements"). The key's own policy has to allow it too.
KMS_ACTIONS = (
    "kms:DescribeKey",
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncrypt*",
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
_VIA_EC2 = {"ForAnyValue:StringEquals": {"aws:CalledVia": ["ec2-images.amazonaws.com"]}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What about a command line decides which actions it comes to."""

    command: str = "copy"
    only_look: bool = False  # a rehearsal, or a command that never writes
    permissions: bool = True  # the source's permissions are carried
    share: bool = False  # others are named instead
    deprecation: bool = True
    protection: bool = False
    source_region: str = "*"
    destinations: tuple[str, ...] = ("*",)


def actions_for(needs: Needs) -> tuple[Action, ...]:
    """Return the actions that such a run can come to, in the table's order."""
    if needs.command == "cancel":
        operations = {
            "DescribeRegions",
            "DescribeImages",
            "DescribeSnapshots",
            "ListImagesInRecycleBin",
            "DeregisterImage",
            "DeleteSnapshot",
        }
    else:
        operations = {action.operation for action in ACTIONS} - _not_needed(needs)
    return tuple(
        action for action in ACTIONS if action.operation in operations and not (needs.only_look and action.writes)
    )


def _not_needed(needs: Needs) -> set[str]:
    """Return the operations that a copying run with these options never comes to."""
    spared = {"DeleteTags", "ListImagesInRecycleBin"}
    if needs.command != "sync":
        spared |= _SYNC
    if not needs.permissions:
        spared |= {"DescribeSnapshotAttribute", "ModifySnapshotAttribute", "GetSnapshotBlockPublicAccessState"}
    if not needs.permissions and not needs.share:
        spared |= {"DescribeImageAttribute", "GetImageBlockPublicAccessState", "GetServiceQuota"}
        spared |= {"GetEbsEncryptionByDefault", "GetEbsDefaultKmsKeyId"}
    if not needs.deprecation:
        spared.add("EnableImageDeprecation")
    if not needs.protection:
        spared.add("EnableImageDeregistrationProtection")
    return spared


def policy(needs: Needs, partition: str = "aws") -> dict[str, Any]:
    """Return the least-privilege policy document for such runs.

    The describing actions take no resource, or are read in every region; the writing ones are limited to images and
    snapshots of the destinations. CopyImage is checked against the source's image and snapshots too, since October
    2024 (EC2 User Guide, "Grant permissions to copy AMIs").
    """
    actions = actions_for(needs)
    reads = [action.name for action in actions if not action.writes]
    copies = [action.name for action in actions if action.operation == "CopyImage"]
    changes = [action for action in actions if action.writes and action.operation != "CopyImage"]
    writes = [action.name for action in changes if action.service == "ec2"]
    publishes = [action.name for action in changes if action.service == "ssm"]
    statements = [_statement("AmicopyLooks", reads, ["*"])]
    if needs.command == "sync":
        looks = _statement("AmicopySeesWhatIsInUse", REFERENCE_ACTIONS, ["*"])
        statements.append(looks | {"Condition": _VIA_EC2})
    if copies:
        everywhere = _resources(partition, dict.fromkeys([needs.source_region, *needs.destinations]))
        statements.append(_statement("AmicopyCopies", copies, everywhere))
    if writes:
        there = _resources(partition, needs.destinations)
        statements.append(_statement("AmicopyCompletesCopies", writes, there))
    if publishes:
        statements.append(_statement("AmicopyPublishes", publishes, [f"arn:{partition}:ssm:*:*:parameter/*"]))
    if needs.command in {"copy", "sync", "verify"}:
        statements += _key_statements(needs)
    return {"Version": "2012-10-17", "Statement": statements}


def _key_statements(needs: Needs) -> Iterator[dict[str, Any]]:
    """Yield what EC2 does with KMS keys in the caller's name: for a named key, a default key, an encrypted source.

    Limited to calls that EC2 makes for the caller (EBS User Guide, "Amazon EBS encryption requirements").
    """
    yield _statement("AmicopyLooksAtKeys", KMS_ACTIONS[:1], ["*"])
    if needs.only_look:
        return
    regions = dict.fromkeys([needs.source_region, *needs.destinations])
    names = ["*"] if "*" in regions else list(regions)
    via = {"kms:ViaService": [f"ec2.{region}.amazonaws.com*" for region in names]}  # .com.cn in China
    uses = [action for action in KMS_ACTIONS[1:] if action != "kms:CreateGrant"]
    yield _statement("AmicopyEncrypts", uses, ["*"]) | {"Condition": {"StringLike": via}}
    yield _statement("AmicopyGrantsKeysToEC2", ["kms:CreateGrant"], ["*"]) | {
        "Condition": {"StringLike": via, "Bool": {"kms:GrantIsForAWSResource": "true"}}
    }


def _statement(name: str, actions: Sequence[str], resources: Sequence[str]) -> dict[str, Any]:
    return {"Sid": name, "Effect": "Allow", "Action": sorted(actions), "Resource": list(resources)}


def _resources(partition: str, regions: Iterable[str]) -> list[str]:
    """Return the ARNs of all images and snapshots in these regions; they carry no account id."""
    names = ["*"] if "*" in (some := list(regions)) else some
    return [f"arn:{partition}:ec2:{region}::{kind}/*" for region in names for kind in ("image", "snapshot")]
