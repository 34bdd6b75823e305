"""Time as an argument: everything that waits or compares dates gets a clock."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Wakes(Protocol):
    """What a sleep can be ended by, such as a `Stop` or a `threading.Event`."""

    def is_set(self) -> bool:
        """Return whether it is set."""

    def wait(self, seconds: float, /) -> object:
        """Return after ``seconds``, or as soon as it is set."""


class Clock(Protocol):
    """What amicopy needs of time."""

    def now(self) -> datetime:
        """Return the present moment, in UTC and aware of it."""

    def sleep(self, seconds: float, until: Wakes | None = None) -> None:
        """Return after ``seconds``, or at once when ``until`` is set."""


class SystemClock:
    """The machine's clock; durations do not change if it is set."""

    def __init__(self) -> None:
        self._started = datetime.now(UTC)
        self._monotonic = time.monotonic()

    def now(self) -> datetime:
        """Return the present moment in UTC; it never runs backwards within one process."""
        return datetime.fromtimestamp(self._started.timestamp() + time.monotonic() - self._monotonic, UTC)

    def sleep(self, seconds: float, until: Wakes | None = None) -> None:
        """Block this thread for ``seconds``, or until the event is set."""
        if until is None:
            time.sleep(max(0.0, seconds))
        else:
            until.wait(max(0.0, seconds))
