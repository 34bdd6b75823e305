"""One EC2 instance, as it was when it was last described."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

_ENDED = {"shutting-down", "terminated", "stopping", "stopped"}
_OK, _IMPAIRED = "ok", "impaired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """An instance with its tags."""

    instance_id: str
    image_id: str = ""
    instance_type: str = ""
    state: str = ""  # EC2's: pending, running, shutting-down, …
    state_reason: str = ""
    launched_at: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_ended(self) -> bool:
        """It does not run anymore, and will not by itself."""
        return self.state in _ENDED

    @property
    def costs(self) -> bool:
        """It is still to be terminated."""
        return self.state not in {"shutting-down", "terminated"}


@dataclass(frozen=True, slots=True)
class InstanceChecks:
    """The two status checks of an instance: initializing, ok, impaired, …; empty where there is none yet."""

    system: str = ""
    instance: str = ""

    @property
    def are_ok(self) -> bool:
        """Both have passed."""
        return self.system == _OK and self.instance == _OK

    @property
    def failed(self) -> str:
        """Which of them EC2 shows as failed, in words; empty: none."""
        named = {"system": self.system, "instance": self.instance}
        return " and ".join(f"the {name} status check" for name, status in named.items() if status == _IMPAIRED)
