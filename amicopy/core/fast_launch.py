"""EC2 Fast Launch for Windows images: its settings, what EC2 shows of it, and the tag that records it on a copy.

EC2 User Guide, "Configure EC2 Fast Launch settings for your Amazon EC2 Windows Server AMI".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from amicopy.core.models import FAST_LAUNCH_TAG

TARGET_RESOURCES, PARALLEL_LAUNCHES = 5, 6  # what the console offers first; EC2 takes no fewer than six launches
# "disabled" has been seen, and is not documented.
_OFF = {"", "disabled"}
_ON = {"enabling", "enabled", "enabled-failed"}
DISABLING = "disabling"
"""EC2's state of an image for which it was switched off, while its snapshots are removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FastLaunchSettings:
    """How it is switched on. The launch template is given by its name or its id."""

    target_resource_count: int = TARGET_RESOURCES
    max_parallel_launches: int = PARALLEL_LAUNCHES
    launch_template: str = ""  # empty: EC2 makes one, and a VPC
    version: int = 0  # of the launch template

    @property
    def parameters(self) -> dict[str, object]:
        """The parameters of EnableFastLaunch."""
        found: dict[str, object] = {
            "ResourceType": "snapshot",
            "SnapshotConfiguration": {"TargetResourceCount": self.target_resource_count},
            "MaxParallelLaunches": self.max_parallel_launches,
        }
        if self.launch_template:
            member = "LaunchTemplateId" if is_template_id(self.launch_template) else "LaunchTemplateName"
            found["LaunchTemplate"] = {member: self.launch_template, "Version": str(self.version)}
        return found

    def __str__(self) -> str:
        words = f"{self.target_resource_count} snapshots, at most {self.max_parallel_launches} launches at a time"
        template = f", launch template {self.launch_template} version {self.version}" if self.launch_template else ""
        return f"{words}{template}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FastLaunch:
    """What EC2 shows of one image; it leaves out some of it, which is None or empty then."""

    state: str = ""  # EC2's; empty: it is off
    reason: str = ""  # EC2's, for its last change
    target_resource_count: int | None = None
    max_parallel_launches: int | None = None
    launch_templates: frozenset[str] = frozenset()  # the name and the id of the launch template
    version: str = ""  # of the launch template

    @property
    def is_off(self) -> bool:
        """Whether it is off, with nothing of it left."""
        return self.state in _OFF

    @property
    def is_on(self) -> bool:
        """Whether it is on, or on its way to be."""
        return self.state in _ON

    @property
    def problem(self) -> str:
        """What EC2 says about a state in which it has failed; empty if it has not."""
        return f"it is {self.state}: {self.reason or 'no reason given'}" if self.state.endswith("-failed") else ""

    def has(self, settings: FastLaunchSettings) -> bool:
        """Return whether it has these settings, as far as EC2 shows them."""
        return (
            self.target_resource_count in {None, settings.target_resource_count}
            and self.max_parallel_launches in {None, settings.max_parallel_launches}
            and (
                not settings.launch_template
                or not self.launch_templates
                or (settings.launch_template in self.launch_templates and self.version == str(settings.version))
            )
        )


OFF = FastLaunch()


def is_template_id(template: str) -> bool:
    """Return whether this is the id of a launch template rather than its name."""
    return template.startswith("lt-")


_RECORD = re.compile(r"snapshots=([0-9]{1,9}) launches=([0-9]{1,9})(?: template=([^\s:]{1,128}):([0-9]{1,9}))?")


def is_recorded(tags: Mapping[str, str]) -> bool:
    """Return whether amicopy has switched it on for a copy with these tags, readable or not."""
    return bool(tags.get(FAST_LAUNCH_TAG))


def recorded_settings(tags: Mapping[str, str]) -> FastLaunchSettings | None:
    """Return the settings with which amicopy switched it on for a copy; None if there is no such record."""
    found = _RECORD.fullmatch(tags.get(FAST_LAUNCH_TAG, ""))
    if found is None:
        return None
    count, launches, template, version = found.groups()
    return FastLaunchSettings(
        target_resource_count=int(count),
        max_parallel_launches=int(launches),
        launch_template=template or "",
        version=int(version or 0),
    )


def record_of(settings: FastLaunchSettings | None) -> dict[str, str]:
    """Return the tag that records these settings; None: that it is off."""
    text = ""
    if settings is not None:
        text = f"snapshots={settings.target_resource_count} launches={settings.max_parallel_launches}"
        text += f" template={settings.launch_template}:{settings.version}" if settings.launch_template else ""
    return {FAST_LAUNCH_TAG: text}
