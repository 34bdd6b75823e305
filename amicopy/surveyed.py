"""What a survey found, as values: the sources, and what is in each destination.

Refuses to read AWS, which `survey` does, and to judge what was found, which `plan` does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from amicopy.errors import AmicopyError
from amicopy.models import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """What one region holds of the sources' copies, or why that could not be read."""

    region: str
    copies: tuple[Image, ...] = ()  # of any source, in any state
    problem: AmicopyError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """All that a plan is made from."""

    at: datetime
    sources: tuple[Image, ...]  # in the order asked
    destinations: Mapping[str, Destination] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
