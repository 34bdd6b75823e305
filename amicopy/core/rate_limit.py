"""How fast EC2 can be called: its token buckets, respected in advance."""

import threading
from datetime import timedelta

from amicopy.core.clock import Clock

# Per account and region (EC2 developer guide, "Request throttling"): 100 at once, then one a second.
COPY_BURST = 100
COPIES_PER_SECOND = 1.0


class TokenBucket:
    """A bucket of calls that refills with time."""

    def __init__(self, clock: Clock, *, burst: int = COPY_BURST, per_second: float = COPIES_PER_SECOND) -> None:
        self._clock = clock
        self._burst = float(burst)
        self._per_second = per_second
        self._left = float(burst)
        self._as_of = clock.now()

    def take(self) -> timedelta:
        """Take one call out and return zero, or return how long to wait until there is one."""
        now = self._clock.now()
        refilled = (now - self._as_of).total_seconds() * self._per_second
        self._left, self._as_of = min(self._burst, self._left + refilled), now
        if self._left >= 1:
            self._left -= 1
            return timedelta(0)
        return timedelta(seconds=(1 - self._left) / self._per_second)


class Pace:
    """Lets calls of several threads through no faster than a token bucket allows."""

    def __init__(self, clock: Clock, *, burst: int, per_second: float) -> None:
        self._clock = clock
        self._bucket = TokenBucket(clock, burst=burst, per_second=per_second)
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return once a call may be made."""
        while True:
            with self._lock:
                delay = self._bucket.take()
            if not delay:
                return
            self._clock.sleep(delay.total_seconds())
