"""Every copy of the sources, with its differences and extras."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from amicopy.core.check_record import CheckRecord
from amicopy.core.content import CopyContent
from amicopy.core.destination import Destination
from amicopy.core.lineage import NO_COPIES, Copies, copies_by_source
from amicopy.core.models import SOURCE_TAG, Image, ImageState
from amicopy.core.request import CopyRequest
from amicopy.plan.attributes.base import DesiredCopy, Difference, Extra
from amicopy.plan.checked import awaited_check, check_record
from amicopy.plan.choose import compare, may_write
from amicopy.plan.desired import desired_copy
from amicopy.plan.findings import DestinationFindings, Survey

PUBLIC_AFTER_DEPRECATION = timedelta(days=182)


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyStatus:
    """One copy as it stands; without ``desired`` there was nothing to compare it with."""

    source: Image
    copy: Image
    destination: Destination
    is_ours: bool = False  # made by amicopy, or adopted: only then it is repaired
    source_is_gone: bool = False  # or disabled: it was compared with another copy, and is not repaired
    desired: DesiredCopy | None = None
    missing: tuple[Difference, ...] = ()
    unreadable: tuple[str, ...] = ()  # whose permissions these credentials cannot read
    extras: tuple[Extra, ...] = ()
    content: CopyContent | None = None  # None: it was not to be compared, or the copy is not available

    @property
    def place(self) -> str:
        """The destination as people read it: its region, after its account if that is another one."""
        return str(self.destination)

    @property
    def is_partly_compared(self) -> bool:
        """Whether something was not compared."""
        return bool(self.not_compared or self.unreadable or (self.content and self.content.error))

    @property
    def not_compared(self) -> tuple[str, ...]:
        """What the installed botocore cannot read, and what was therefore not compared."""
        if self.desired is None:
            return ()
        read = {"watermarks": self.copy.watermarks, "allowed instance types": self.copy.instance_types}
        return tuple(name for name, value in read.items() if value is None)

    @property
    def is_faithful(self) -> bool:
        """Whether it lacks nothing, no more people can use it than its source, and it is neither failed nor retired.

        If it was to be checked, it has passed; if its data was compared, that is the same, too.
        """
        wider = any(one.is_wider for one in self.extras)
        has_other_data = bool(self.content and self.content.problems)
        is_out_of_use = self.copy.state.is_dead or self.copy.is_retired
        return not (self.missing or wider or has_other_data or is_out_of_use or self.awaited_check)

    @property
    def check(self) -> CheckRecord | None:
        """What the copy says about the check that it has to pass; None if it was not to be checked."""
        return check_record(self.source, self.copy)

    @property
    def awaited_check(self) -> CheckRecord | None:
        """The same, if the copy is available and has not passed."""
        return awaited_check(self.source, self.copy) if self.copy.state is ImageState.AVAILABLE else None

    @property
    def public_until(self) -> datetime | None:
        """When AWS may stop sharing a public AMI: half a year after its deprecation, if nobody launches it.

        EC2 User Guide, "Deprecate an Amazon EC2 AMI". None if it is not public, or has no deprecation date.
        """
        is_public = any(principal.is_public for principal in self.copy.launch_permissions or ())
        return self.copy.deprecate_at + PUBLIC_AFTER_DEPRECATION if is_public and self.copy.deprecate_at else None

    @property
    def can_be_repaired(self) -> bool:
        """Whether something that it lacks can be written."""
        return bool(self.repairs)

    @property
    def repairs(self) -> tuple[Difference, ...]:
        """What a repair writes: no sharing before the copy has passed its check."""
        if not self.may_be_written:
            return ()
        return tuple(one for one in self.missing if one.repairable and not (one.is_sharing and self.awaited_check))

    @property
    def shared_by_repair(self) -> tuple[Difference, ...]:
        """The sharing that a repair adds only because the source has it: the request names nobody.

        The copy may have been made for fewer than its source is shared with, which nothing on it tells.
        """
        desired = self.desired
        if desired is None:
            return ()
        return tuple(
            one
            for one in self.repairs
            if one.is_sharing and (desired.volumes_from_source if one.device else desired.launch_from_source)
        )

    @property
    def may_be_written(self) -> bool:
        """Whether `verify --repair` may change it: ours only, and only by comparison with its source."""
        return self.is_ours and not self.source_is_gone

    @property
    def prunable(self) -> tuple[Extra, ...]:
        """The extras that ``--prune`` removes."""
        return tuple(one for one in self.extras if one.removals) if self.may_be_written else ()


def copy_statuses(request: CopyRequest, survey: Survey) -> Iterator[CopyStatus]:
    """Yield every copy, region by region, compared with its source.

    The copies of a source that is gone, disabled or retired are compared with the oldest of them: EC2 takes a disabled
    image's permissions away, and the rest of it is not read.
    """
    by_source = {region: copies_by_source(one.copies) for region, one in survey.destinations.items()}
    for source in survey.sources:
        found = {region: some.get(source.reference, NO_COPIES) for region, some in by_source.items()}
        reference = source if is_comparable(source) else _oldest(found.values())
        for region, destination in survey.destinations.items():
            copies = found[region]
            for copy in (*copies.available, *copies.in_progress, *copies.disabled, *copies.failed):
                if reference is None or not is_usable(copy) or copy is reference:
                    ours = may_write(source, copy, adopt=request.adopt)
                    yield CopyStatus(
                        source=source,
                        copy=copy,
                        destination=region,
                        is_ours=ours,
                        source_is_gone=reference is not source,
                    )
                    continue
                one = compare(
                    source, copy, _wanted(source, reference, request, destination, survey), adopt=request.adopt
                )
                yield CopyStatus(
                    source=source,
                    copy=copy,
                    destination=region,
                    is_ours=one.is_ours,
                    source_is_gone=reference is not source,
                    desired=one.desired,
                    missing=tuple(difference for difference in one.missing if difference.is_known),
                    unreadable=tuple(difference.subject for difference in one.missing if not difference.is_known),
                    extras=one.extras,
                )


def is_comparable(source: Image) -> bool:
    """Return whether the source is there, and tells what its copies should be like."""
    return bool(source.owner_id) and is_usable(source)


def is_usable(image: Image) -> bool:
    """Return whether the image is available, and `retire` has taken nothing from it."""
    return image.state is ImageState.AVAILABLE and not image.is_retired


def _oldest(found: Iterable[Copies]) -> Image | None:
    copies = [copy for one in found for copy in one.available if is_usable(copy)]
    return min(copies, key=lambda copy: (copy.created_at, copy.image_id), default=None)


def _wanted(
    source: Image, reference: Image, request: CopyRequest, destination: DestinationFindings, survey: Survey
) -> DesiredCopy:
    desired = desired_copy(reference, request, destination=destination.destination, now=survey.at)
    if destination.settings.key:
        desired = replace(desired, key_arn=destination.settings.key.arn)
    elif destination.settings.key_problem:
        desired = replace(desired, key_is_missing=True)
    if reference is not source:  # a copy stands in for it, whose own tag is not to be copied
        tags = {**desired.tags, SOURCE_TAG: source.reference}
        per_device = {name: {**some, SOURCE_TAG: source.reference} for name, some in desired.snapshot_tags.items()}
        desired = replace(desired, tags=tags, snapshot_tags=per_device)
    return desired
