"""What a user asks of a copying run, as one value, already checked for what can be checked without AWS.

Refuses to read options, files or variables: the commands do, and hand over this.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from amicopy.models import Principal


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
