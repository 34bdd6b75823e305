"""How fast EC2 can be called: its token buckets, respected in advance.

EC2 has a bucket for each action, account and region (EC2 developer guide, "Request throttling for the Amazon EC2 API").
The account's other tools take from the same buckets.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from amicopy.core.clock import Clock


@dataclass(frozen=True, slots=True)
class Rate:
    """So many calls at once, and so many a second after them."""

    burst: int
    per_second: float


# EC2 documents 100 at once and 1 a second. All of the latter, since nothing else takes as long, and not all of the
# former: requests that were sent a second apart can arrive closer together.
COPY_RATE = Rate(95, 1.0)
# Four fifths of what EC2 documents, for the actions that a run calls once or more for each copy.
RATES: Mapping[str, Rate] = {
    "CreateTags": Rate(80, 8.0),
    "DescribeImageAttribute": Rate(80, 16.0),
    "DescribeSnapshotAttribute": Rate(80, 16.0),
    "DisableFastLaunch": Rate(4, 1.6),
    "EnableFastLaunch": Rate(4, 1.6),
    "EnableImageDeprecation": Rate(40, 4.0),
    "EnableImageDeregistrationProtection": Rate(40, 4.0),
    "ModifyImageAttribute": Rate(80, 4.0),
    "ModifySnapshotAttribute": Rate(80, 4.0),
}


class TokenBucket:
    """A bucket of calls that refills with time. Not thread-safe."""

    def __init__(self, clock: Clock, rate: Rate) -> None:
        self._clock = clock
        self._rate = rate
        self._left = float(rate.burst)
        self._as_of = clock.now()

    def take(self) -> timedelta:
        """Take one call out and return zero, or return how long to wait until there is one."""
        self._refill()
        if self._left >= 1:
            self._left -= 1
            return timedelta(0)
        return timedelta(seconds=(1 - self._left) / self._rate.per_second)

    def reserve(self) -> timedelta:
        """Take one call out, of those to come if there is none left; return how long to wait before it is made."""
        self._refill()
        self._left -= 1
        return timedelta(seconds=max(0.0, -self._left / self._rate.per_second))

    def _refill(self) -> None:
        now = self._clock.now()
        refilled = max(0.0, (now - self._as_of).total_seconds()) * self._rate.per_second
        self._left, self._as_of = min(float(self._rate.burst), self._left + refilled), now


class Pace:
    """Lets calls of several threads through no faster than a token bucket allows."""

    def __init__(self, clock: Clock, rate: Rate) -> None:
        self._clock = clock
        self._bucket = TokenBucket(clock, rate)
        self._lock = threading.Lock()

    def reserve(self) -> float:
        """Return in how many seconds the next call may be made; whoever asks has to make it."""
        with self._lock:
            return self._bucket.reserve().total_seconds()

    def wait(self) -> None:
        """Return once a call may be made."""
        if seconds := self.reserve():
            self._clock.sleep(seconds)
