"""``extras(desired, copy)``: what a copy has that its source has not, and nobody asked for.

Refuses to call it wrong: others may have put it there. It is reported, and removed only when asked.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from amicopy.core.models import OWN_TAGS, Image, Principal, user_tags
from amicopy.plan.desired import DesiredCopy
from amicopy.plan.differences import subject


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraTags:
    """Tags that the source does not have."""

    resource_id: str
    device: str  # empty for the image itself
    tags: Mapping[str, str]
    is_wider = False

    def __str__(self) -> str:
        return f"{subject(self.resource_id, self.device)} has tags beyond its source's: {', '.join(sorted(self.tags))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraSharing:
    """Principals that the source is not shared with: the copy is open to more than its source."""

    resource_id: str
    device: str  # empty for the image itself
    principals: tuple[Principal, ...]
    is_wider = True

    def __str__(self) -> str:
        who = ", ".join(map(str, self.principals))
        return f"{subject(self.resource_id, self.device)} is shared beyond its source, with {who}"


Extra = ExtraTags | ExtraSharing


def extras(desired: DesiredCopy, copy: Image) -> tuple[Extra, ...]:
    """Return what ``copy`` has beyond ``desired``: permissions that could be read, and tags but AWS's and ours."""
    return (*_sharing(desired, copy), *_tags(desired, copy))


def _sharing(desired: DesiredCopy, copy: Image) -> Iterator[Extra]:
    more = (copy.launch_permissions or frozenset()) - desired.launch_permissions
    if more and desired.launch_is_known:
        yield ExtraSharing(resource_id=copy.image_id, device="", principals=tuple(sorted(more)))
    for device, snapshot in copy.snapshots_by_device.items():
        known = desired.volume_permissions.get(device, frozenset())
        if device in desired.unknown_devices:
            continue
        if more := (snapshot.volume_permissions or frozenset()) - known:
            yield ExtraSharing(resource_id=snapshot.snapshot_id, device=device, principals=tuple(sorted(more)))


def _tags(desired: DesiredCopy, copy: Image) -> Iterator[Extra]:
    if more := _more(copy.tags, desired.tags):
        yield ExtraTags(resource_id=copy.image_id, device="", tags=more)
    for device, snapshot in copy.snapshots_by_device.items():
        if more := _more(snapshot.tags, desired.snapshot_tags.get(device, {})):
            yield ExtraTags(resource_id=snapshot.snapshot_id, device=device, tags=more)


def _more(found: Mapping[str, str], desired: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in user_tags(found).items() if key not in desired and key not in OWN_TAGS}
