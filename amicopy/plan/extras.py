"""``beyond(wanted, copy)``: what a copy has that its source has not, and nobody asked for.

Refuses to call it wrong: others may have put it there. It is reported, and removed only when asked.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from amicopy.core.models import OWN_TAGS, Image, Principal, user_tags
from amicopy.plan.desired import Wanted
from amicopy.plan.differences import subject


@dataclass(frozen=True, slots=True, kw_only=True)
class TagsBeyond:
    """Tags that the source does not have."""

    resource_id: str
    device: str  # empty for the image itself
    tags: Mapping[str, str]
    is_wider = False

    def __str__(self) -> str:
        return f"{subject(self.resource_id, self.device)} has tags beyond its source's: {', '.join(sorted(self.tags))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SharingBeyond:
    """Principals that the source is not shared with: the copy is open to more than its source."""

    resource_id: str
    device: str  # empty for the image itself
    principals: tuple[Principal, ...]
    is_wider = True

    def __str__(self) -> str:
        who = ", ".join(map(str, self.principals))
        return f"{subject(self.resource_id, self.device)} is shared beyond its source, with {who}"


Beyond = TagsBeyond | SharingBeyond


def beyond(wanted: Wanted, copy: Image) -> tuple[Beyond, ...]:
    """Return what ``copy`` has beyond ``wanted``: permissions that could be read, and tags but AWS's and ours."""
    return (*_sharing(wanted, copy), *_tags(wanted, copy))


def _sharing(wanted: Wanted, copy: Image) -> Iterator[Beyond]:
    more = (copy.launch_permissions or frozenset()) - wanted.launch_permissions
    if more and wanted.launch_is_known:
        yield SharingBeyond(resource_id=copy.image_id, device="", principals=tuple(sorted(more)))
    for device, snapshot in copy.snapshots_by_device.items():
        known = wanted.volume_permissions.get(device, frozenset())
        if device in wanted.unknown_devices:
            continue
        if more := (snapshot.volume_permissions or frozenset()) - known:
            yield SharingBeyond(resource_id=snapshot.snapshot_id, device=device, principals=tuple(sorted(more)))


def _tags(wanted: Wanted, copy: Image) -> Iterator[Beyond]:
    if more := _more(copy.tags, wanted.tags):
        yield TagsBeyond(resource_id=copy.image_id, device="", tags=more)
    for device, snapshot in copy.snapshots_by_device.items():
        if more := _more(snapshot.tags, wanted.snapshot_tags.get(device, {})):
            yield TagsBeyond(resource_id=snapshot.snapshot_id, device=device, tags=more)


def _more(found: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in user_tags(found).items() if key not in wanted and key not in OWN_TAGS}
