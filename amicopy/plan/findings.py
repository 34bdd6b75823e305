"""The results of a survey, as values: the sources, and what is in each destination."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from amicopy.core.destination import Destination
from amicopy.core.errors import AmicopyError
from amicopy.core.kms_key import KmsKey
from amicopy.core.models import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionSettings:
    """What a region's settings and keys mean for a copy; what was of no interest, or may not be read, is None."""

    key: KmsKey | None = None  # the requested one
    key_problem: AmicopyError | None = None
    encryption_by_default: bool | None = None
    default_key: KmsKey | None = None
    images_blocked: bool | None = None  # from becoming public
    snapshots_blocked: bool | None = None
    public_images: int | None = None
    public_images_quota: int | None = None  # None: not asked, or as it is by default
    becoming_public: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationFindings:
    """The copies of the sources in one destination and its settings, or why they could not be read."""

    destination: Destination
    copies: tuple[Image, ...] = ()  # of any source, in any state
    settings: RegionSettings = field(default_factory=RegionSettings)
    problem: AmicopyError | None = None

    @property
    def region(self) -> str:
        """The destination's region."""
        return self.destination.region


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Everything that a plan is made from."""

    at: datetime
    sources: tuple[Image, ...]  # in the order asked
    destinations: Mapping[Destination, DestinationFindings] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
