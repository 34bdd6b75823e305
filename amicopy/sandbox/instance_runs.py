"""Instances as their clock has them: states, status checks, console output. moto has everything else about them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

STATES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48}
_SHUTTING_DOWN = timedelta(seconds=2)


@dataclass(slots=True, kw_only=True)
class InstanceRun:
    """One launched instance."""

    instance_id: str
    image_id: str
    region: str
    account: str
    launched_at: datetime
    running_seconds: float
    checked_seconds: float
    token: str = ""
    request: str = ""  # the parameters that came with the token
    unhealthy: bool = False  # set by a fault: its status checks fail
    stuck: bool = False  # set by a fault: its status checks never end
    dies_after: float | None = None  # set by a fault: it terminates itself so many seconds after the launch
    terminated_at: datetime | None = None
    ended_in_moto: bool = False
    reason: str = ""

    def advance(self, now: datetime) -> None:
        """Let it terminate itself, if it is time."""
        if self.dies_after is not None and self.terminated_at is None:
            end = self.launched_at + timedelta(seconds=self.dies_after)
            if now >= end:
                self.terminated_at, self.reason = end, "Client.InstanceInitiatedShutdown: Instance initiated shutdown"

    def state(self, now: datetime) -> str:
        """Return EC2's name of its state."""
        if self.terminated_at is not None:
            return "shutting-down" if now < self.terminated_at + _SHUTTING_DOWN else "terminated"
        is_running = now >= self.launched_at + timedelta(seconds=self.running_seconds)
        return "running" if is_running else "pending"

    def checks(self, now: datetime) -> tuple[str, str]:
        """Return the status of the system check and of the instance check."""
        if self.stuck or now < self.launched_at + timedelta(seconds=self.checked_seconds):
            return "initializing", "initializing"
        return "ok", "impaired" if self.unhealthy else "ok"

    def console(self, now: datetime) -> str:
        """Return what the console shows."""
        if self.state(now) == "pending":
            return ""
        lines = ["[    0.000000] Linux version 6.1.0 (amicopy sandbox)", f"[    0.812345] booting {self.image_id}"]
        if self.unhealthy:
            lines.append("[    9.125000] Kernel panic - not syncing: VFS: Unable to mount root fs")
        elif not self.stuck and self.checks(now)[0] == "ok":
            lines += ["[  OK  ] Reached target Multi-User System.", "sandbox login: "]
        return "\r\n".join(lines)
