"""Which of the existing copies counts: one of ours, one that somebody else made and that is as desired, or none."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from amicopy.core.lineage import Copies, is_ours, is_recorded, is_service_copy
from amicopy.core.models import OWN_TAGS, Image
from amicopy.plan.attributes.base import DesiredCopy, Difference, Extra
from amicopy.plan.differences import differences, extras


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One available copy, compared with what is desired."""

    copy: Image
    is_ours: bool  # made by amicopy, or to be adopted: it is completed
    desired: DesiredCopy
    missing: tuple[Difference, ...] = ()
    extras: tuple[Extra, ...] = ()

    @property
    def wider(self) -> tuple[Extra, ...]:
        """The extras by which more people can use the copy than desired."""
        return tuple(one for one in self.extras if one.is_wider)

    @property
    def is_lasting(self) -> bool:
        """Whether something is missing that only a new copy can have."""
        return any(not difference.repairable for difference in self.missing)

    @property
    def counts(self) -> bool:
        """Whether the destination needs no other copy beside it."""
        return self.is_ours or not (self.missing or self.wider)


def may_write(source: Image, copy: Image, *, adopt: bool) -> bool:
    """Return whether amicopy may complete, share and repair the copy: its own, and others' if it may adopt them."""
    return is_ours(source, copy) or (adopt and is_recorded(copy) and not is_service_copy(copy))


def compare(source: Image, copy: Image, desired: DesiredCopy, *, adopt: bool = False) -> Compared:
    """Return the copy compared with what is desired; one that is not ours need not have our own tags."""
    ours = may_write(source, copy, adopt=adopt)
    target = desired if ours else _without_own_tags(desired)
    return Compared(
        copy=copy,
        is_ours=ours,
        desired=target,
        missing=differences(target, copy),
        extras=extras(target, copy),
    )


def choose(compared: list[Compared]) -> Compared | None:
    """Return the copy that counts: ours before others', without lasting differences first, then the newest.

    ``compared`` has the newest first. None: there is no copy that counts.
    """
    counting = [one for one in compared if one.counts]
    return min(counting, key=lambda one: (one.is_lasting, not one.is_ours), default=None)


def pending_copies(source: Image, copies: Copies, *, adopt: bool) -> list[Image]:
    """Return the copies in progress that can be waited for."""
    return [copy for copy in copies.in_progress if may_write(source, copy, adopt=adopt)]


def _without_own_tags(desired: DesiredCopy) -> DesiredCopy:
    per_device = {device: _others(tags) for device, tags in desired.snapshot_tags.items()}
    return replace(desired, tags=_others(desired.tags), snapshot_tags=per_device)


def _others(tags: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if key not in OWN_TAGS}
