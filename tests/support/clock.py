"""What the test modules share: a clock that only moves when told, and lanes run one after another under it."""

import heapq
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from amicopy.core.clock import Clock, Wakes
from amicopy.core.events import Event
from amicopy.core.parallel import Stop
from amicopy.core.steps import Runs, Sleep

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


class FakeClock:
    """A clock whose sleepers wake at once, having moved it forward."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now

    def now(self) -> datetime:
        """Return the moment that the clock stands at."""
        return self._now

    def sleep(self, seconds: float, until: Wakes | None = None) -> None:
        """Move the clock instead of waiting, unless the event is already set."""
        if until is None or not until.is_set():
            self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._now += timedelta(seconds=seconds)


class SkewedClock:
    """A clock that is wrong by some seconds, on a machine beside the one with the right clock."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._skew = timedelta(seconds=seconds)

    def now(self) -> datetime:
        """Return the wrong time."""
        return self._clock.now() + self._skew

    def sleep(self, seconds: float, until: Wakes | None = None) -> None:
        """Wait as long as the right clock would."""
        self._clock.sleep(seconds, until)


def one_after_another(lanes: Sequence[Runs], clock: Clock, stop: Stop) -> Iterator[Event | None]:
    """Run lanes in one thread: the one that wakes first goes on, and the clock moves to that moment."""
    waking: list[tuple[datetime, int, Iterator[Event | Sleep]]] = [
        (clock.now(), number, lane.run()) for number, lane in enumerate(lanes)
    ]
    while waking and not stop.is_set():
        wake, number, steps = heapq.heappop(waking)
        clock.sleep(max(0.0, (wake - clock.now()).total_seconds()))
        yield None
        for step in steps:
            if stop.is_set():
                return
            if isinstance(step, Sleep):
                heapq.heappush(waking, (clock.now() + timedelta(seconds=step.seconds), number, steps))
                break
            yield step
