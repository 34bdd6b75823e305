"""One destination region's work: its copies side by side, looked for with one DescribeImages per tick.

Refuses to sleep and to share state with other lanes: it yields events and asks for sleeps.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from amicopy.clock import Clock
from amicopy.errors import AmicopyError, CredentialsExpired, ImageNotFound, Throttled, Unreachable
from amicopy.events import CopyProgressed, Event, LeftBecause, RowFailed
from amicopy.gateway import Gateway
from amicopy.making import Making, Terms
from amicopy.models import Image, Snapshot
from amicopy.pace import Pace
from amicopy.plan import Row
from amicopy.polling import next_tick
from amicopy.progress import percent_by_image
from amicopy.steps import Look, Sleep, Work

# While copies are under way a region may be silent for so long before it is given up.
SILENT_FOR = timedelta(minutes=5)


@dataclass(slots=True, eq=False)
class _Task:
    """One copy in the making and what it waits for."""

    making: Making
    work: Work[None]
    begun: bool = False
    wake: datetime | None = None
    looking: bool = False
    ended: bool = False
    percent: int | None = field(default=None)


class Lane:
    """All rows of one destination region."""

    def __init__(self, rows: Sequence[Row], gateway: Gateway, clock: Clock, terms: Terms) -> None:
        self.region = gateway.region
        self.rows = tuple(rows)
        self._gateway = gateway
        self._clock = clock
        self._terms = terms
        self._tasks = [_Task(making, making.run()) for making in (Making(row, gateway, clock, terms) for row in rows)]
        self._pace = Pace(clock)
        self._ticks = 0
        self._next_tick = clock.now() + next_tick(0)
        self._answered = clock.now()
        self._next_progress = clock.now()

    def run(self) -> Iterator[Event | Sleep]:
        """Yield what happens and every sleep that is needed, until each row has ended or been left."""
        while unfinished := [task for task in self._tasks if not task.ended]:
            if self._past_deadline():
                yield from self._leave(unfinished, LeftBecause.TIME_OUT)
                return
            yield from self._begin(unfinished)
            unfinished = [task for task in unfinished if not task.ended]
            if not unfinished:
                return
            yield Sleep(max(0.0, (self._next_moment(unfinished) - self._clock.now()).total_seconds()))
            now = self._clock.now()
            for task in unfinished:
                if task.begun and task.wake is not None and task.wake <= now:
                    yield from self._go_on(task, None)
            if now >= self._next_tick:
                yield from self._tick([task for task in unfinished if task.looking])

    def _begin(self, unfinished: Sequence[_Task]) -> Iterator[Event]:
        """Begin what may begin: no more copies at once than allowed, and no faster than EC2 takes the requests."""
        in_flight = sum(task.begun for task in unfinished)
        for task in unfinished:
            if task.begun or (task.wake is not None and task.wake > self._clock.now()):
                continue
            if in_flight >= self._terms.most_in_flight:
                return
            if task.making.row.action.starts_a_copy and (wait := self._pace.take()):
                task.wake = self._clock.now() + wait
                return
            task.begun = True
            yield from self._go_on(task, None)
            in_flight += not task.ended

    def _go_on(self, task: _Task, sighting: Image | None) -> Iterator[Event]:
        """Let one copy's work go on until it ends or needs something."""
        task.wake, task.looking = None, False
        try:
            step = task.work.send(sighting)
            while isinstance(step, Event):
                yield step
                step = next(task.work)
        except StopIteration:
            task.ended = True
            return
        if isinstance(step, Sleep):
            task.wake = self._clock.now() + timedelta(seconds=step.seconds)
        elif isinstance(step, Look):
            task.looking = True

    def _tick(self, looking: Sequence[_Task]) -> Iterator[Event]:
        self._ticks += 1
        if looking:
            try:
                sightings = self._sightings(looking)
                self._answered = self._clock.now()
                yield from self._progress(looking, sightings)
            except CredentialsExpired:
                yield from self._leave(looking, LeftBecause.EXPIRED)
            except (Throttled, Unreachable) as error:
                # Never fatal by itself: the copies go on inside EC2 whatever we can see of them.
                if isinstance(error, Unreachable) and self._clock.now() - self._answered >= SILENT_FOR:
                    yield from self._give_up(looking, error)
            except AmicopyError as error:
                yield from self._give_up(looking, error)
            else:
                for task in looking:
                    yield from self._go_on(task, sightings.get(task.making.image_id))
        self._next_tick = self._clock.now() + next_tick(self._ticks)

    def _sightings(self, looking: Sequence[_Task]) -> dict[str, Image]:
        try:
            return self._gateway.describe_own_images([task.making.image_id for task in looking])
        except ImageNotFound:  # asked by filter EC2 leaves out what it does not know; should it say so, it means that
            return {}

    def _progress(self, looking: Sequence[_Task], sightings: dict[str, Image]) -> Iterator[Event]:
        """Yield how far the pending copies are; a display is not worth failing for."""
        now = self._clock.now()
        pending = {
            task.making.image_id: task
            for task in looking
            if (image := sightings.get(task.making.image_id)) and image.state.in_progress
        }
        if self._terms.progress_seconds is None or now < self._next_progress or not pending:
            return
        self._next_progress = now + timedelta(seconds=self._terms.progress_seconds)
        for image_id, percent in percent_by_image(self._snapshots(pending), list(pending)).items():
            task = pending[image_id]
            if percent != task.percent:
                task.percent = percent
                row = task.making.row
                yield CopyProgressed(
                    at=now, source=row.source.reference, region=row.region, image_id=image_id, percent=percent
                )

    def _snapshots(self, pending: dict[str, _Task]) -> dict[str, Snapshot]:
        try:
            return self._gateway.find_tagged_snapshots(
                sorted({task.making.row.source.reference for task in pending.values()})
            )
        except AmicopyError:
            return {}

    def _give_up(self, tasks: Sequence[_Task], error: AmicopyError) -> Iterator[Event]:
        for task in tasks:
            task.ended = True
            task.work.close()
            row = task.making.row
            yield RowFailed(
                at=self._clock.now(),
                source=row.source.reference,
                region=row.region,
                image_id=task.making.image_id,
                error=error,
            )

    def _leave(self, tasks: Sequence[_Task], because: LeftBecause) -> Iterator[Event]:
        for task in tasks:
            task.ended = True
            task.work.close()
            yield task.making.leave(because)

    def _past_deadline(self) -> bool:
        return self._terms.deadline is not None and self._clock.now() >= self._terms.deadline

    def _next_moment(self, unfinished: Sequence[_Task]) -> datetime:
        moments = [task.wake for task in unfinished if task.wake is not None]
        if any(task.looking for task in unfinished):
            moments.append(self._next_tick)
        if self._terms.deadline is not None:
            moments.append(self._terms.deadline)
        return min(moments, default=self._next_tick)
