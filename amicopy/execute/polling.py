"""When to look at pending copies next: one DescribeImages per region and tick, for any number of copies.

docs/adr/0009 explains the numbers.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

# New ids are unknown for a moment, and the smallest copy takes longer than this.
FIRST_TICK = timedelta(seconds=2)
# While nothing is known of when a copy will end: it is noticed 2.5 s late on average.
TICK = timedelta(seconds=5)
# Where its end can be foretold: long ticks while it is far, short ones when it is near.
SHORTEST, LONGEST = timedelta(seconds=2), timedelta(seconds=15)
# So many copies are looked at in a second and region at most. With 200 of them in a call, and as many calls again for
# their progress, EC2 is asked once a second; it refills 20 a second, for everybody in the account.
COPIES_PER_SECOND = 40
# Two readings so far apart have to agree to so many points before a third is foretold: progress may come in stairs.
_APART = timedelta(seconds=30)
_AGREEING = 3


def next_reading(elapsed: timedelta, often: timedelta) -> timedelta:
    """Return how long after the lane's beginning, or a reading, progress is read next: soon at first, then so often.

    So a pace is known after a minute, where progress is read once a minute.
    """
    return min(often, max(_APART, elapsed))


@dataclass(slots=True)
class Forecast:
    """When one copy will end, foretold from the progress of its snapshots for as long as that keeps its pace."""

    _elapsed: timedelta = timedelta(0)
    _percent: int = 0
    _ends_at: datetime | None = None

    def read(self, percent: int, elapsed: timedelta, now: datetime) -> None:
        """Take note of how far the copy is, so long after its beginning."""
        if percent == 0 or elapsed - self._elapsed < _APART:
            return
        # Nothing is expected of the first reading: no progress is 0 % in no time.
        expected = min(100.0, self._percent * (elapsed / self._elapsed)) if self._percent else 0.0
        keeps_pace = self._percent > 0 and abs(percent - expected) <= _AGREEING
        self._elapsed, self._percent = elapsed, percent
        self._ends_at = now + elapsed * ((100 - percent) / percent) if keeps_pace else None

    @property
    def ends_at(self) -> datetime | None:
        """When the copy will end; None where its progress does not tell."""
        return self._ends_at

    def tick(self, now: datetime) -> timedelta:
        """Return how long to wait before the next look at this copy.

        A quarter of what is left; a quarter of what it is late by, once it is late.
        """
        if self._ends_at is None:
            return TICK
        left = self._ends_at - now
        longest = LONGEST if left > timedelta(0) else TICK
        return min(longest, max(SHORTEST, abs(left) / 4))


@dataclass(slots=True)
class Ticks:
    """When a lane looks next: long ticks pay for the short ones, so that it never makes more than one a TICK."""

    begun_at: datetime
    _made: int = 0

    def next(self, forecasts: Collection[Forecast], now: datetime) -> timedelta:
        """Return how long to wait, having looked now at the copies that these forecasts are about."""
        self._made += 1
        wait = next_tick(forecasts, now)
        return wait if self._made * TICK < now - self.begun_at else max(wait, TICK)


def next_tick(forecasts: Collection[Forecast], now: datetime) -> timedelta:
    """Return how long to wait before the next look at all the copies of a region that these forecasts are about."""
    soonest = min((forecast.tick(now) for forecast in forecasts), default=TICK)
    return max(soonest, timedelta(seconds=len(forecasts) / COPIES_PER_SECOND))
