"""The entries of a manifest, as values: the source, the copies, what happens with their ids, how many stay."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from amicopy.core.destination import Destination
from amicopy.core.fast_launch import FastLaunchSettings
from amicopy.core.regions import includes_region
from amicopy.core.request import CopyRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class ById:
    """A source that is named."""

    region: str  # empty: the configured one
    image_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ByName:
    """The newest AMI whose name matches; a run that waits also takes one that is still pending."""

    region: str
    pattern: str
    owner: str = "self"
    architecture: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ByParameter:
    """The AMI whose id a Systems Manager parameter holds."""

    region: str
    path: str


Sought = ById | ByName | ByParameter

OWN_ACCOUNT = "self"
"""How a manifest names the account of the credentials, whose id it need not know; EC2 has the same word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishTarget:
    """What the ids of copies are published to."""

    path: str  # a template
    description: str = ""  # a template
    regions: tuple[str, ...] = ()  # names and patterns; empty: all destinations
    accounts: tuple[str, ...] = ()  # ids and `OWN_ACCOUNT`; without units, too: all destinations
    units: tuple[str, ...] = ()  # organizational units; `accounts` has their accounts as soon as they are known

    def is_for(self, destination: Destination) -> bool:
        """Return whether it is published there."""
        named = (destination.account or OWN_ACCOUNT) in self.accounts
        is_everywhere = not self.accounts and not self.units
        return includes_region(self.regions, destination.region) and (named or is_everywhere)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter(PublishTarget):
    """A Systems Manager parameter in each destination."""

    overwrite: bool = True  # False: it gets its value once, as a versioned one does


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchTemplate(PublishTarget):
    """A launch template, by its name, in each destination that has it: it gets a new default version."""

    description: str = "{name}"  # of the version, a template


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """Where the ids of the copies are published."""

    parameters: tuple[Parameter, ...] = ()
    launch_templates: tuple[LaunchTemplate, ...] = ()
    when_all: bool = False
    allow_older: bool = False
    include_source: bool = False

    @property
    def targets(self) -> tuple[Parameter | LaunchTemplate, ...]:
        """Everything that ids are published to."""
        return (*self.parameters, *self.launch_templates)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How many copies stay; ``mark`` is the value of `MANIFEST_TAG` on those that this entry made."""

    newest: int
    min_age: timedelta
    shared: bool = False  # remove copies that are shared with others, too
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One image of a set; ``where`` says in which file, line and column."""

    where: str
    source: Sought
    label: str = ""  # by which outputs name this image, whatever its id
    requests: tuple[CopyRequest, ...]  # one for each set of destinations with the same settings; without image ids
    min_success: int | None = None
    fast_restore: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # region → zones; none: off there
    fast_launch: Mapping[str, FastLaunchSettings | None] = field(default_factory=dict)  # by region; None: off there
    publish: Publish | None = None
    keep: Keep | None = None
