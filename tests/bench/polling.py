"""How late is the end of a copy noticed, for how many calls?

Simulates the looking of one lane per region, in seconds that do not pass; amicopy's own schedule is the one of
`amicopy.execute.polling`. How long copies take, and what their progress looks like, are assumptions.
"""

import random
from bisect import bisect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from math import ceil
from statistics import fmean
from typing import Any

from amicopy.execute.polling import FIRST_TICK, Forecast, Ticks, next_reading
from tests.bench.telling import tell

OURS = "amicopy"

BEGUN = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SEEDS = 20
PER_CALL = 200  # values that a filter takes
LIVE, PLAIN = 5.0, 60.0  # seconds between two readings of progress: on a terminal, and in a log

Shape = Callable[[random.Random], Callable[[float], int | None]]


def linear(_: random.Random) -> Callable[[float], int | None]:
    """Return progress that grows with time."""
    return lambda part: int(100 * part)


def stairs(draw: random.Random) -> Callable[[float], int | None]:
    """Return progress that is 0 % for a third of the time, then jumps, then stands at 99 %."""
    begins, ends = draw.uniform(0.1, 0.4), draw.uniform(0.85, 1)
    steps = draw.randint(2, 6)
    moments = [*sorted(draw.uniform(begins, ends) for _ in range(steps)), ends]
    heights = [0, *sorted(draw.randint(5, 95) for _ in range(steps)), 99]
    return lambda part: heights[bisect(moments, part)]


def stuck(_: random.Random) -> Callable[[float], int | None]:
    """Return progress that stays at 0 % until the end."""
    return lambda _part: 0


def unknown(_: random.Random) -> Callable[[float], int | None]:
    """Return no progress: DescribeSnapshots is not allowed."""
    return lambda _part: None


@dataclass(slots=True, kw_only=True)
class Copy:
    """One pending copy, in seconds since the run began."""

    begins: float
    ends: float
    progress: Callable[[float], int | None]
    percent: int | None = None
    read_at: float = 0.0
    looks: int = 0
    forecast: Forecast = field(default_factory=Forecast)

    def read(self, now: float) -> None:
        """Read how far it is."""
        self.percent = self.progress(min(1.0, (now - self.begins) / (self.ends - self.begins)))
        self.read_at = now
        if self.percent is not None:
            self.forecast.read(self.percent, timedelta(seconds=now - self.begins), at(now))


def at(now: float) -> datetime:
    """Return the moment so many seconds after the beginning."""
    return BEGUN + timedelta(seconds=now)


Schedule = Callable[[float, Sequence[Copy]], float]  # how long to wait after a look at these copies
Schedules = Callable[[], Schedule]  # one for each lane: it may remember


def every(seconds: float) -> Schedules:
    """Return schedules that look at fixed intervals."""
    return lambda: lambda _now, _copies: seconds


def backoff(factor: float, longest: float) -> Schedules:
    """Return exponential back-off from 5 s."""
    return lambda: lambda _now, copies: min(longest, 5 * factor ** min(30, copies[0].looks - 1))


def elapsed(part: float, shortest: float, longest: float) -> Schedules:
    """Return schedules that wait for a part of the time that has passed."""
    return lambda: lambda now, _copies: min(longest, max(shortest, part * now))


def extrapolated(shortest: float, longest: float) -> Schedules:
    """Return schedules that believe every reading of progress, and wait for a quarter of what is left by it."""

    def wait(now: float, copies: Sequence[Copy]) -> float:
        def of(copy: Copy) -> float:
            if not copy.percent:
                return shortest
            left = (copy.read_at - copy.begins) * 100 / copy.percent - (now - copy.begins)
            return max(shortest, left / 4)

        return min(longest, *map(of, copies), longest)

    return lambda: wait


def go_sdk() -> Schedule:
    """Return the Go SDK's ImageAvailableWaiter: 15 s to 120 s, doubling, drawn between the shortest and that.

    github.com/aws/smithy-go, waiter/waiter.go, ComputeDelay; the two ends are the service's model's.
    """
    draw = random.Random(1)

    def wait(_now: float, copies: Sequence[Copy]) -> float:
        attempt = copies[0].looks
        longest = 120.0 if attempt > 4 else min(120.0, 15.0 * 2 ** (attempt - 1))
        return draw.uniform(15.0, longest)

    return wait


def amicopys() -> Schedule:
    """Return amicopy's."""
    ticks = Ticks(BEGUN)
    return lambda now, copies: ticks.next([copy.forecast for copy in copies], at(now)).total_seconds()


@dataclass(slots=True)
class Tally:
    """What a schedule brought in all runs."""

    images: int = 0
    snapshots: int = 0
    late: list[float] = field(default_factory=list)
    busiest: float = 0.0  # calls a second, in one region, over any minute

    def figures(self) -> dict[str, float]:
        """Return the calls of one run, the most of a region in a second, and how many seconds late ends are noticed."""
        late = sorted(self.late)
        return {
            "images": round(self.images / SEEDS),
            "snapshots": round(self.snapshots / SEEDS),
            "busiest": round(self.busiest, 2),
            "mean": round(fmean(late), 1),
            "p95": round(late[int(0.95 * len(late))], 1),
            "most": round(late[-1]),
        }


def looked_for(copies: Sequence[Copy], schedule: Schedule, progress_seconds: float | None, tally: Tally) -> list[float]:
    """Let one lane look for its copies until all are noticed; return when it called."""
    often = timedelta(seconds=progress_seconds or 0)
    now, read_next = FIRST_TICK.total_seconds(), next_reading(timedelta(0), often).total_seconds()
    calls: list[float] = []
    left = list(copies)
    while left:
        begun = [copy for copy in left if copy.begins <= now]
        pages = ceil(len(begun) / PER_CALL)
        tally.images += pages
        calls += [now] * pages
        tally.late += [now - copy.ends for copy in begun if copy.ends <= now]
        for copy in begun:
            copy.looks += 1
        left = [copy for copy in left if copy.ends > now]
        begun = [copy for copy in left if copy.begins <= now]
        if begun and progress_seconds is not None and now >= read_next:
            read_next = now + next_reading(timedelta(seconds=now), often).total_seconds()
            tally.snapshots += pages
            calls += [now] * pages
            for copy in begun:
                copy.read(now)
        if left:
            now += schedule(now, begun or left)
    return calls


def busiest_minute(calls: Sequence[float]) -> float:
    """Return the calls a second in the minute that has most of them."""
    ordered = sorted(calls)
    return max(bisect(ordered, moment + 60) - first for first, moment in enumerate(ordered)) / 60


def regions_of(seed: int, amis: int, regions: int, shape: Shape) -> Iterator[list[Copy]]:
    """Yield the copies of each region: 3 to 40 minutes, 11 in the middle, as if some regions were farther away.

    CopyImage is called for 100 at once, and then for one a second.
    """
    draw = random.Random(seed)
    for _ in range(regions):
        distance = draw.lognormvariate(0, 0.3)
        copies = []
        for number in range(amis):
            begins = 0.1 * min(number, 100) + max(0, number - 100)
            lasts = min(2400.0, max(180.0, 648 * distance * draw.lognormvariate(0, 0.472)))
            copies.append(Copy(begins=begins, ends=begins + lasts, progress=shape(draw)))
        yield copies


def simulated(
    schedule: Schedules,
    shape: Shape,
    progress_seconds: float | None,
    *,
    amis: int = 10,
    regions: int = 17,
    one_by_one: bool = False,
) -> Tally:
    """Return what a schedule brings; ``one_by_one``: each image has a waiter of its own."""
    tally = Tally()
    for seed in range(SEEDS):
        for copies in regions_of(seed, amis, regions, shape):
            lanes: Iterable[list[Copy]] = ([replace(copy)] for copy in copies) if one_by_one else [copies]
            calls = [moment for lane in lanes for moment in looked_for(lane, schedule(), progress_seconds, tally)]
            tally.busiest = max(tally.busiest, busiest_minute(calls))
    return tally


def simulations() -> dict[str, Any]:
    """Return what every schedule brings: for ten AMIs, for one, and for as many as EC2 takes at once."""
    tell(f"polling, simulated {SEEDS} times")
    rows = list(_rows())
    return {"seeds": SEEDS, "rows": rows}


def _rows() -> Iterator[dict[str, Any]]:
    def row(name: str, progress: str, schedule: Schedules, *simulation: Any, **size: Any) -> dict[str, Any]:
        return {"name": name, "progress": progress, **simulated(schedule, *simulation, **size).figures()}

    yield row("15 s, each image by itself (botocore's waiter)", "-", every(15), unknown, None, one_by_one=True)
    yield row("15 to 120 s, each image by itself (the Go SDK's)", "-", go_sdk, unknown, None, one_by_one=True)
    for name, schedule in (
        ("15 s", every(15)),
        ("10 s", every(10)),
        ("5 s", every(5)),
        ("2 s", every(2)),
        ("back-off by 1.5 from 5 s to 30 s", backoff(1.5, 30)),
        ("2 % of the time that has passed, 5 to 30 s", elapsed(0.02, 5, 30)),
        (OURS, amicopys),
    ):
        yield row(name, "-", schedule, unknown, None)
    for often, progress_seconds in (("60 s", PLAIN), ("5 s", LIVE)):
        for shape in (linear, stairs, stuck):
            for name, schedule in (
                ("5 s", every(5)),
                ("a quarter of what is left, 5 to 60 s", extrapolated(5, 60)),
                ("a quarter of what is left, 2 to 15 s", extrapolated(2, 15)),
                (OURS, amicopys),
            ):
                yield row(name, f"{shape.__name__}, every {often}", schedule, shape, progress_seconds)
    for often, progress_seconds in (("60 s", PLAIN), ("5 s", LIVE)):
        for shape in (linear, stairs):
            for name, schedule in (("5 s", every(5)), (OURS, amicopys)):
                told = f"{shape.__name__}, every {often}"
                yield row(f"{name}, 1 AMI", told, schedule, shape, progress_seconds, amis=1)
    for shape in (linear, unknown):
        for name, schedule in (("5 s", every(5)), (OURS, amicopys)):
            told = f"{shape.__name__}, every 5 s"
            yield row(f"{name}, 300 AMIs to 2 regions", told, schedule, shape, LIVE, amis=300, regions=2)
