"""Lanes in threads, and one stream of their events."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Protocol

from amicopy.core.clock import Clock
from amicopy.core.events import Event
from amicopy.core.parallel import Merged, Stop
from amicopy.core.steps import Runs, Sleep

# After a signal, a call that is under way gets so long to end, so that its answer is in the report.
GRACE = timedelta(seconds=5)


class Driver(Protocol):
    """Whatever runs lanes: threads here, one after another under a fake clock in the tests."""

    def __call__(self, lanes: Sequence[Runs], clock: Clock, stop: Stop) -> Iterator[Event | None]:
        """Yield the events of all lanes as they happen, until all have ended or ``stop`` is set.

        None is yielded from time to time while nothing happens, so that a view can show that time passes.
        """


def in_threads(lanes: Sequence[Runs], clock: Clock, stop: Stop) -> Iterator[Event | None]:
    """Run every lane in a thread of its own; yield what happens in all of them, in order of arrival.

    Rows that have not ended when ``stop`` is set yield nothing more.
    """
    merged: Merged[Event] = Merged()
    for lane in lanes:
        merged.start(_driving(lane, clock, stop))
    give_up = None
    with stop.waking(merged.wake):
        while merged.running:
            yield merged.next(None if give_up is None else (give_up - clock.now()).total_seconds())
            if stop.is_set():
                give_up = give_up or clock.now() + GRACE
                if clock.now() >= give_up:
                    return


def _driving(lane: Runs, clock: Clock, stop: Stop) -> Callable[[Callable[[Event], None]], None]:
    def drive(put: Callable[[Event], None]) -> None:
        for step in lane.run():
            if isinstance(step, Sleep):
                clock.sleep(step.seconds, until=stop)
            else:
                put(step)
            if stop.is_set():
                return

    return drive
