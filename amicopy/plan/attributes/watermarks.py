"""Watermarks, which CopyImage carries. EC2 AttachImageWatermark (June 2026); Allowed AMIs can require them."""

from collections.abc import Iterator
from dataclasses import dataclass

from amicopy.core.models import Image
from amicopy.core.write import Write, WriteOperation
from amicopy.plan.attributes.base import Attribute, DesiredCopy, Difference, Extra


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingWatermarks(Difference):
    """Watermarks that the source has and the copy lacks: they were attached after copying.

    EC2 puts the caller's account in front of the name, so that only a watermark of the copy's owner can be attached.
    """

    missing: tuple[str, ...]  # EC2's keys: account id, colon, name
    owner_id: str  # of the copy

    @property
    def writes(self) -> tuple[Write, ...]:
        """Attach them, if all are the owner's own."""
        keys = [key.partition(":") for key in self.missing]
        if any(account != self.owner_id for account, _, _ in keys):
            return ()
        return tuple(
            Write(WriteOperation.ATTACH_WATERMARK, {"ImageId": self.resource_id, "WatermarkName": name})
            for _, _, name in keys
        )

    @property
    def done(self) -> str:
        """The new watermarks."""
        return f"attached watermark {', '.join(self.missing)}"

    def __str__(self) -> str:
        return f"{self.resource_id} is missing the watermark {', '.join(self.missing)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraWatermarks(Extra):
    """Watermarks that only the copy has: somebody has approved it, and they stay."""

    watermarks: tuple[str, ...]

    @property
    def removals(self) -> tuple[Write, ...]:
        """None: they stay."""
        return ()

    def __str__(self) -> str:
        return f"{self.resource_id} has the watermark {', '.join(self.watermarks)}, its source does not"


def _differences(desired: DesiredCopy, copy: Image) -> Iterator[Difference]:
    """Yield the owner's watermarks that are missing, then those of others; none if botocore cannot read them."""
    if desired.source.watermarks is None or copy.watermarks is None:
        return
    missing = sorted(desired.source.watermarks - copy.watermarks)
    own = tuple(key for key in missing if key.startswith(f"{copy.owner_id}:"))
    others = tuple(key for key in missing if key not in own)
    for keys in filter(None, (own, others)):
        yield MissingWatermarks(resource_id=copy.image_id, missing=keys, owner_id=copy.owner_id)


def _extras(desired: DesiredCopy, copy: Image) -> Iterator[Extra]:
    """Yield the watermarks that only the copy has."""
    if desired.source.watermarks is None or copy.watermarks is None:
        return
    if more := copy.watermarks - desired.source.watermarks:
        yield ExtraWatermarks(resource_id=copy.image_id, watermarks=tuple(sorted(more)))


ATTRIBUTE = Attribute(
    differences=_differences,
    extras=_extras,
    purposes={WriteOperation.ATTACH_WATERMARK: "watermarks attached to the source after copying"},
)
