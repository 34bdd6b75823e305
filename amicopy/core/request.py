"""What a user asks of a copying run, as one value, already checked for what can be checked without AWS.

Refuses to read options, files or variables: the commands do, and hand over this.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from amicopy.core.models import Principal


class Protection(StrEnum):
    """Deregistration protection to be given to the copies (EnableImageDeregistrationProtection)."""

    ON = "on"
    COOLDOWN = "cooldown"  # for 24 hours after it was lifted, too
    SOURCE = "source"  # as the source has it


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRequest:
    """Which images go where, and what the copies are to bear."""

    source_region: str
    image_ids: tuple[str, ...]
    destinations: tuple[str, ...]  # regions, in the order asked
    best_effort: frozenset[str] = frozenset()
    name: str = ""  # a template; empty: the source's name
    description: str | None = None  # a template; None: says where it was copied from
    tags: Mapping[str, str] = field(default_factory=dict)  # on the copy and on its snapshots
    carry_tags: bool = True
    carry_permissions: bool = True
    share: frozenset[Principal] | None = None  # None: as the source is shared
    encrypt: bool = False
    keys: Mapping[str, str] = field(default_factory=dict)  # by region; under "" the one for all others
    complete_within_minutes: int | None = None
    carry_deprecation: bool = True
    deprecate_after: timedelta | None = None  # the copy's creation
    protect: Protection | None = None
    preflight: bool = True  # refuse what is known to fail later

    def key_for(self, region: str) -> str:
        """Return the key asked for in ``region``, as it was written; empty where none was."""
        return self.keys.get(region, self.keys.get("", ""))
