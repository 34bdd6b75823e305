"""The deprecation date. EC2 EnableImageDeprecation."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from amicopy.core.models import Image
from amicopy.core.write import Write, WriteOperation
from amicopy.plan.attributes.base import Attribute, DesiredCopy, Difference, Draft


@dataclass(frozen=True, slots=True, kw_only=True)
class DeprecationDiffers(Difference):
    """The copy has another deprecation date than desired, or none."""

    desired: datetime
    found: datetime | None

    @property
    def writes(self) -> tuple[Write, ...]:
        """The date has to be in the future."""
        return (_write(self.resource_id, self.desired),)

    @property
    def done(self) -> str:
        """The new date."""
        return f"will be deprecated on {self.desired:%Y-%m-%d}"

    def __str__(self) -> str:
        found = f"is deprecated from {self.found:%Y-%m-%d}" if self.found else "has no deprecation date"
        return f"{self.resource_id} {found} instead of {self.desired:%Y-%m-%d}"


def _write(image_id: str, at: datetime) -> Write:
    return Write(WriteOperation.DEPRECATE, {"ImageId": image_id, "DeprecateAt": at})


def deprecate_at(draft: Draft) -> datetime | None:
    """Return the source's date, unless the request has another rule or the date has passed."""
    source, request = draft.source, draft.request
    if request.deprecate_after is not None or not request.carry_deprecation:
        return None
    if request.deprecate_at is not None:
        if request.deprecate_at > draft.now:
            return request.deprecate_at
        draft.notes.append(
            f"the deprecation date {request.deprecate_at:%Y-%m-%d} has passed, and EC2 doesn't accept dates in the past"
        )
        return None
    # EnableImageDeprecation refuses a date in the past (EC2 User Guide, "Deprecate an AMI").
    if source.deprecate_at is not None and source.deprecate_at <= draft.now:
        draft.notes.append(
            f"{source.image_id} has been deprecated since {source.deprecate_at:%Y-%m-%d}; "
            "EC2 doesn't accept dates in the past, so its copies get none"
        )
        return None
    return source.deprecate_at


def deprecation_date(desired: DesiredCopy, copy: Image | None) -> datetime | None:
    """Return the date from which the copy should be deprecated: the source's, or one relative to its creation.

    A copy that does not exist yet counts as created when the plan was made.
    """
    created = creation_date(desired, copy)
    if desired.deprecate_after is not None and created is not None:
        return created + desired.deprecate_after
    return desired.deprecate_at


def creation_date(desired: DesiredCopy, copy: Image | None) -> datetime | None:
    """Return when the copy was created; None if EC2 does not say. A new one counts as created with the plan."""
    if copy is None:
        return desired.as_of
    return datetime.fromisoformat(copy.created_at) if copy.created_at else None


def _differences(desired: DesiredCopy, copy: Image) -> Iterator[Difference]:
    """Yield the date if it is not the desired one, to the minute, unless that has passed.

    EC2 rounds to the minute (botocore's model, EnableImageDeprecationRequest.DeprecateAt).
    """
    date = deprecation_date(desired, copy)
    if date and desired.as_of and date <= desired.as_of and copy.deprecate_at is None:
        return
    if date and _minutes_apart(date, copy.deprecate_at) > 1:
        yield DeprecationDiffers(resource_id=copy.image_id, desired=date, found=copy.deprecate_at)


def _minutes_apart(one: datetime, other: datetime | None) -> float:
    return abs((one - (other or datetime.min.replace(tzinfo=UTC))).total_seconds()) / 60


def _iam_check(desired: DesiredCopy) -> Write | None:
    """Return the call that sets a date."""
    if desired.deprecate_at is None and desired.deprecate_after is None:
        return None
    return _write(desired.source.image_id, (desired.as_of or datetime.now(UTC)) + timedelta(days=1))


ATTRIBUTE = Attribute(
    differences=_differences,
    iam_check=_iam_check,
    purposes={WriteOperation.DEPRECATE: "deprecation date"},
)
