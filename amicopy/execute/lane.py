"""The work in one destination: its copies side by side, looked for with one DescribeImages per tick.

A lane shares no state with others; it yields events, and sleeps for its driver to take.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from amicopy.aws.ec2 import Ec2
from amicopy.core.clock import Clock
from amicopy.core.errors import AmicopyError, CredentialsExpired, ImageNotFound, Throttled, Unreachable
from amicopy.core.events import CopyProgressed, Event, LeftBecause
from amicopy.core.models import Image, Snapshot
from amicopy.core.progress import percent_by_image
from amicopy.core.rate_limit import COPY_RATE, TokenBucket
from amicopy.core.run_options import RunOptions
from amicopy.core.steps import Look, Sleep, Work
from amicopy.execute.access import Access
from amicopy.execute.copy_task import CopyTask
from amicopy.execute.gate import Gate
from amicopy.execute.hubs import Hubs
from amicopy.execute.polling import FIRST_TICK, TICK, Forecast, Ticks, next_reading
from amicopy.execute.source_permissions import SourcePermissions
from amicopy.plan.plan import Row

# While copies are under way a region may be silent for so long before it is given up.
SILENT_FOR = timedelta(minutes=5)


@dataclass(slots=True, eq=False)
class _Task:
    """One copy in the making and what it waits for."""

    copy_task: CopyTask
    work: Work[None]
    wake: datetime | None = None
    looking: bool = False
    ended: bool = False
    percent: int | None = None
    forecast: Forecast = field(default_factory=Forecast)


class Lane:
    """All rows of one destination region."""

    def __init__(
        self,
        rows: Sequence[Row],
        ec2: Ec2,
        clock: Clock,
        options: RunOptions,
        permissions: SourcePermissions,
        gate: Gate,
        hubs: Hubs,
        deadline: datetime | None = None,
        access: Access | None = None,
    ) -> None:
        """``access``: what is copied has to be shared with another account for a while."""
        self.region = ec2.region
        self.rows = tuple(rows)
        self._ec2 = ec2
        self._clock = clock
        self._options = options
        self._deadline = deadline  # no copy is waited for after it
        # What needs no CopyImage does not queue behind EC2's rate for it.
        ordered = sorted(rows, key=lambda row: row.action.starts_a_copy)
        tasks = [CopyTask(row, ec2, clock, options, permissions, gate, hubs, access) for row in ordered]
        self._queue = deque(_Task(task, task.run()) for task in tasks)
        self._going: list[_Task] = []  # begun and not ended; never more than may be in flight
        self._pace = TokenBucket(clock, COPY_RATE)
        self._begin_at = clock.now()
        self._silent_since: datetime | None = None
        self._ticks = Ticks(begun_at=clock.now())
        self._next_tick = clock.now() + FIRST_TICK
        self._often = options.progress or timedelta(0)
        self._next_progress = clock.now() + next_reading(timedelta(0), self._often)

    def run(self) -> Iterator[Event | Sleep]:
        """Yield what happens and every sleep that is needed, until each row has ended or been left."""
        yield from (task.copy_task.waiting() for task in self._queue if task.copy_task.is_waiting)
        while self._queue or self._going:
            if self._past_deadline():
                yield from self._leave((*self._going, *self._queue), LeftBecause.TIME_OUT)
                return
            yield from self._begin()
            if not self._going and not self._queue:
                return
            yield Sleep(max(0.0, (self._next_moment() - self._clock.now()).total_seconds()))
            now = self._clock.now()
            for task in self._going:
                if task.wake is not None and task.wake <= now:
                    yield from self._go_on(task, None)
            if now >= self._next_tick:
                yield from self._tick([task for task in self._going if task.looking])
            self._going = [task for task in self._going if not task.ended]

    def _begin(self) -> Iterator[Event]:
        """Begin what may begin: no more copies at once than allowed, and no faster than EC2 takes the requests."""
        while self._has_room and self._clock.now() >= self._begin_at and (task := self._next_task):
            if task.copy_task.row.action.starts_a_copy and (wait := self._pace.take()):
                self._begin_at = self._clock.now() + wait
                return
            self._queue.remove(task)
            yield from self._go_on(task, None)
            if not task.ended:
                self._going.append(task)

    @property
    def _next_task(self) -> _Task | None:
        """The first copy in the queue that need not wait for one elsewhere."""
        return next((task for task in self._queue if not task.copy_task.is_waiting), None)

    @property
    def _has_room(self) -> bool:
        return bool(self._queue) and len(self._going) < self._options.most_in_flight

    def _go_on(self, task: _Task, sighting: Image | None) -> Iterator[Event]:
        """Continue one copy's work until it ends or needs something."""
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
        if not looking:
            self._next_tick = self._clock.now() + TICK
            return
        try:
            sightings = self._sightings(looking)
            self._silent_since = None
            yield from self._progress(looking, sightings)
        except CredentialsExpired:
            yield from self._leave(looking, LeftBecause.EXPIRED)
        except (Throttled, Unreachable) as error:
            # Not fatal: EC2 keeps copying whether or not we can see it. Throttling is an answer.
            now = self._clock.now()
            self._silent_since = (self._silent_since or now) if isinstance(error, Unreachable) else None
            if self._silent_since and now - self._silent_since >= SILENT_FOR:
                yield from self._give_up(looking, error)
        except AmicopyError as error:
            yield from self._give_up(looking, error)
        else:
            for task in looking:
                yield from self._go_on(task, sightings.get(task.copy_task.image_id))
        now = self._clock.now()
        self._next_tick = now + self._ticks.next([task.forecast for task in looking if task.looking], now)

    def _sightings(self, looking: Sequence[_Task]) -> dict[str, Image]:
        try:
            return self._ec2.describe_own_images([task.copy_task.image_id for task in looking])
        except ImageNotFound:  # asked by filter EC2 leaves out what it does not know; should it say so, it means that
            return {}

    def _progress(self, looking: Sequence[_Task], sightings: dict[str, Image]) -> Iterator[Event]:
        """Yield how far the pending copies are; a display is not worth failing for."""
        now = self._clock.now()
        pending = {
            image.image_id: (task, image)
            for task in looking
            if (image := sightings.get(task.copy_task.image_id)) and image.state.in_progress
        }
        if self._options.progress is None or now < self._next_progress or not pending:
            return
        self._next_progress = now + next_reading(now - self._ticks.begun_at, self._often)
        tasks = [task for task, _ in pending.values()]
        for image_id, percent in percent_by_image(self._snapshots(tasks), pending).items():
            task, image = pending[image_id]
            if image.created_at:
                task.forecast.read(percent, now - datetime.fromisoformat(image.created_at), now)
            if percent != task.percent:
                task.percent = percent
                row = task.copy_task.row
                yield CopyProgressed(
                    at=now, source=row.source.reference, destination=row.destination, image_id=image_id, percent=percent
                )

    def _snapshots(self, tasks: Iterable[_Task]) -> dict[str, Snapshot]:
        try:
            return self._ec2.find_tagged_snapshots(sorted({task.copy_task.row.source.reference for task in tasks}))
        except AmicopyError:
            return {}

    def _give_up(self, tasks: Sequence[_Task], error: AmicopyError) -> Iterator[Event]:
        for task in tasks:
            task.ended = True
            task.work.close()
            yield task.copy_task.fail(error)

    def _leave(self, tasks: Sequence[_Task], because: LeftBecause) -> Iterator[Event]:
        for task in tasks:
            task.ended = True
            task.work.close()
            yield task.copy_task.leave(because)

    def _past_deadline(self) -> bool:
        return self._deadline is not None and self._clock.now() >= self._deadline

    def _next_moment(self) -> datetime:
        moments = [task.wake for task in self._going if task.wake is not None]
        if any(task.looking for task in self._going):
            moments.append(self._next_tick)
        if self._has_room:
            moments.append(self._begin_at if self._next_task else self._clock.now() + TICK)
        if self._deadline is not None:
            moments.append(self._deadline)
        return min(moments, default=self._next_tick)
