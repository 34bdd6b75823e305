"""Which IAM actions amicopy needs, where, and for what: the source of the README's table.

Refuses to ask AWS whether they are allowed.
"""

from dataclasses import dataclass
from enum import StrEnum


class Where(StrEnum):
    """In which regions an action is called."""

    SOURCE = "source"
    DESTINATION = "destination"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One EC2 action."""

    operation: str
    where: Where
    purpose: str
    writes: bool = False
    optional: bool = False  # amicopy does without, and says what it could not see

    @property
    def name(self) -> str:
        """As IAM spells it."""
        return f"ec2:{self.operation}"


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
    Action(operation="CopyImage", where=Where.DESTINATION, purpose="copy", writes=True),
    Action(operation="CreateTags", where=Where.DESTINATION, purpose="tags, at creation and after", writes=True),
    Action(
        operation="ModifyImageAttribute",
        where=Where.DESTINATION,
        purpose="launch permissions, description",
        writes=True,
    ),
    Action(
        operation="ModifySnapshotAttribute",
        where=Where.DESTINATION,
        purpose="snapshots' permissions",
        writes=True,
    ),
    Action(operation="EnableImageDeprecation", where=Where.DESTINATION, purpose="deprecation date", writes=True),
    Action(
        operation="DeregisterImage",
        where=Where.DESTINATION,
        purpose="cancel; remove a failed copy once it is replaced",
        writes=True,
    ),
    Action(
        operation="DeleteSnapshot",
        where=Where.DESTINATION,
        purpose="the same, for the snapshots",
        writes=True,
    ),
)
