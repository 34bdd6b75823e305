"""What becomes of a feature of EC2 that a manifest switches on or off for a copy."""

from enum import StrEnum


class SwitchState(StrEnum):
    """What will be done for one copy, or what was done."""

    SWITCH = "switch"  # in a plan: it will be switched on, changed, or off where it is no longer requested
    KEPT = "kept"  # it is as requested
    WAITING = "waiting"  # the copy is not up to date yet
    DONE = "done"
    FAILED = "failed"
