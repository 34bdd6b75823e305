"""What every attribute has: the desired copy, differences from it, extras, and the checks before a run."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import ClassVar

from amicopy.core.destination import Destination
from amicopy.core.models import Image, Principal, PrincipalKind
from amicopy.core.request import CopyRequest
from amicopy.core.templates import matches_template
from amicopy.core.write import Write, WriteOperation


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredCopy:
    """One copy as it should be. Snapshots are named by their device."""

    source: Image
    destination: Destination
    name: str
    name_template: str = ""  # empty: the request names none
    description: str = ""
    description_template: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)  # what the templates were filled with
    tags: Mapping[str, str] = field(default_factory=dict)
    snapshot_tags: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    launch_permissions: frozenset[Principal] = frozenset()
    volume_permissions: Mapping[str, frozenset[Principal]] = field(default_factory=dict)
    launch_from_source: bool = False  # they are the source's, not named by the request
    volumes_from_source: bool = True  # the snapshots' permissions are, too
    launch_is_known: bool = True  # False: the source's could not be read, so no permission of the copy is an extra
    unknown_devices: frozenset[str] = frozenset()  # devices for which the same is true of their snapshots
    encrypt: bool = False
    key: str = ""  # the KMS key, as it is named in the destination
    key_arn: str = ""  # its ARN according to KMS; empty if KMS was not asked
    key_is_missing: bool = False  # KMS has no such key
    minutes: int | None = None  # completion duration of a time-based copy
    deprecate_at: datetime | None = None
    serves_accounts: bool = False  # copies in other accounts are made from it, so that it has to be sharable
    as_of: datetime | None = None  # the time of planning, which decides whether a date is in the past
    deprecate_after: timedelta | None = None  # after the copy's creation, so that a second run finds the same date
    protection: str = ""  # as EC2 writes it: enabled-without-cooldown, enabled-with-cooldown
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()  # what EC2 would refuse; a copy with any is not started

    def allows_name(self, name: str) -> bool:
        """Return whether a copy may have this name: any if none is requested; ``{date}`` matches any day."""
        template = self.name_template
        return not template or name == self.name or matches_template(name, template, self.values)

    def allows_description(self, description: str) -> bool:
        """Return whether a copy may have this description, by the same rule."""
        template = self.description_template
        return (
            template is None or description == self.description or matches_template(description, template, self.values)
        )

    @property
    def shared_with(self) -> frozenset[Principal]:
        """Whom it is shared with, or a snapshot of it."""
        return self.launch_permissions.union(*self.volume_permissions.values())

    @property
    def is_shared(self) -> bool:
        """Whether it is shared with anyone, or a snapshot of it is."""
        return bool(self.shared_with)

    @property
    def has_to_be_sharable(self) -> bool:
        """Whether it is shared, or for a while with the accounts that copy it."""
        return self.is_shared or self.serves_accounts

    @property
    def private(self) -> "DesiredCopy":
        """The same copy, shared with no one."""
        return replace(self, launch_permissions=frozenset(), volume_permissions={})

    @property
    def creation_snapshot_tags(self) -> dict[str, str]:
        """The one set of tags that CopyImage puts on all snapshots: those that every snapshot should have.

        Completing the copy then writes each snapshot's own.
        """
        return {
            key: value
            for key, value in self.creation_snapshot_tags_with_every_key.items()
            if all(tags[key] == value for tags in self.snapshot_tags.values())
        }

    @property
    def creation_snapshot_tags_with_every_key(self) -> dict[str, str]:
        """The same with every key that all snapshots need, for policies that require a key: with the first one's value.

        Until the copy is completed, the other snapshots have a wrong value.
        """
        sets = list(self.snapshot_tags.values())
        return {key: value for key, value in sets[0].items() if all(key in tags for tags in sets)} if sets else {}


@dataclass(slots=True, kw_only=True)
class Draft:
    """What the attributes of a desired copy are derived from; collects notes and problems on the way."""

    source: Image
    request: CopyRequest
    destination: Destination
    now: datetime
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def region(self) -> str:
        """The destination's region."""
        return self.destination.region

    @property
    def owner(self) -> frozenset[Principal]:
        """The account that will own the copy, if it is another one: sharing the copy with it means nothing."""
        account = self.destination.account
        return frozenset({Principal(PrincipalKind.ACCOUNT, account)} if account else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference(ABC):
    """One thing in which a copy differs from what is desired; ``str()`` says it in words."""

    resource_id: str
    device: str = ""  # of a snapshot; empty for the image itself
    is_known: bool = True  # False: what the copy has cannot be read, so that nothing of it counts as there
    is_sharing: ClassVar[bool] = False

    @property
    def writes(self) -> tuple[Write, ...]:
        """The calls that remove the difference; none if only a new copy helps."""
        return ()

    @property
    def parts(self) -> tuple["Difference", ...]:
        """The difference in smaller ones, so that one bad part does not keep EC2 from taking the others."""
        return ()

    @property
    def repairable(self) -> bool:
        """Whether it can be removed without a new copy."""
        return bool(self.writes)

    @property
    def done(self) -> str:
        """What was done, in words, once the writes have succeeded."""
        return str(self)

    @property
    def subject(self) -> str:
        """The image's id, or the snapshot's with its device."""
        return f"{self.resource_id} ({self.device})" if self.device else self.resource_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra(ABC):
    """One thing that a copy has and that is not desired; ``str()`` says it in words. Others may have put it there."""

    resource_id: str
    device: str = ""  # of a snapshot; empty for the image itself
    is_wider: ClassVar[bool] = False  # whether more people can use the copy than the source

    @property
    @abstractmethod
    def removals(self) -> tuple[Write, ...]:
        """The calls that remove it; none if it has to stay."""

    @property
    def subject(self) -> str:
        """The image's id, or the snapshot's with its device."""
        return f"{self.resource_id} ({self.device})" if self.device else self.resource_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """What the comparison and the check of permissions need of one attribute."""

    differences: Callable[[DesiredCopy, Image], Iterable[Difference]]
    """Returns what the copy lacks."""
    extras: Callable[[DesiredCopy, Image], Iterable[Extra]] | None = None
    """Returns what the copy has and should not have; None if it can have nothing too much."""
    iam_check: Callable[[DesiredCopy], Write | None] | None = None
    """Returns the call that a new copy needs after CopyImage, for DryRun; None if CopyImage does all.

    DryRun only checks permissions, so the source's ids can stand for those of the copy."""
    purposes: Mapping[WriteOperation, str] = field(default_factory=dict)
    """The operations that it comes to, and for what: the table of IAM actions."""
