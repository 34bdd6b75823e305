"""The work in one region for several accounts: first the copy of the run's own account, then others made from it.

Few accounts at a time: each takes memory, and a tag on what is copied. Shares no state with other regions but `Access`.
"""

import heapq
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from amicopy.aws.ec2 import Clients
from amicopy.core.clock import Clock
from amicopy.core.destination import Destination, Key
from amicopy.core.errors import AmicopyError, GrantLeftOpen, NotCopyable, Unreachable
from amicopy.core.events import (
    AccessGiven,
    AccessTaken,
    CopyDone,
    DestinationFailed,
    DestinationLeft,
    Event,
    LeftBecause,
    SharingDeferred,
)
from amicopy.core.models import Image
from amicopy.core.steps import Look, Result, Sleep, Work
from amicopy.execute.access import Access
from amicopy.execute.hubs import Hubs
from amicopy.execute.lane import Lane
from amicopy.plan.plan import Row

_Steps = Iterator[Event | Sleep]
_ENDS = (CopyDone, SharingDeferred, DestinationFailed, DestinationLeft)


class RegionLane:
    """All rows of one region that other accounts take part in."""

    def __init__(
        self,
        own: Lane | None,
        rows: Mapping[Destination, Sequence[Row]],
        lane_for: Callable[[Sequence[Row], Destination], Lane],
        access: Access,
        hubs: Hubs,
        clients: Clients,
        clock: Clock,
        *,
        at_once: int,
        deadline: datetime | None = None,
    ) -> None:
        """``own`` is the lane of the run's own account here, ``rows`` are those of the others."""
        self.region = next(iter(rows)).region
        self.rows = (*(own.rows if own else ()), *(row for some in rows.values() for row in some))
        self._own = own
        self._others = rows
        self._lane_for = lane_for
        self._access = access
        self._hubs = hubs
        self._clients = clients
        self._clock = clock
        self._at_once = at_once
        self._deadline = deadline
        self._ended: dict[Key, Event] = {}

    def run(self) -> _Steps:
        """Yield what happens and every sleep that is needed, until each row has ended or been left."""
        if self._own:
            yield from self._watched(self._own.run())
        waiting = iter(self._others.items())
        while wave := dict(islice(waiting, self._at_once)):
            yield from self._wave(wave)
            for destination in wave:
                self._clients.release(destination)

    def _watched(self, steps: _Steps) -> _Steps:
        """Yield the steps, remembering how each row has ended."""
        for step in steps:
            if isinstance(step, _ENDS):
                self._ended[step.key] = step
            yield step

    def _wave(self, wave: Mapping[Destination, Sequence[Row]]) -> _Steps:
        """Work on some accounts: give them access, make their copies, take the access away."""
        ready: dict[Destination, list[Row]] = {}
        for destination, rows in wave.items():
            for row in rows:
                if (found := self._with_origin(row)) is not None:
                    ready.setdefault(destination, []).append(found)
                else:
                    yield from self._watched(iter([self._not_begun(row)]))
        if ready and self._deadline is not None and self._clock.now() >= self._deadline:
            left = (self._left(row, LeftBecause.TIME_OUT) for rows in ready.values() for row in rows)
            yield from self._watched(left)
            return
        origins: dict[str, tuple[Image, list[Row]]] = {}
        for row in (row for rows in ready.values() for row in rows if row.action.starts_a_copy):
            origins.setdefault(row.origin.image_id, (row.origin, []))[1].append(row)
        for origin, rows in origins.values():
            self._access.used(origin.image_id, [row.destination.account for row in rows])
            yield from self._watched(self._given(origin, rows))
        going = {
            destination: [row for row in rows if row.key not in self._ended] for destination, rows in ready.items()
        }
        lanes = [self._lane_for(rows, destination) for destination, rows in going.items() if rows]
        yield from self._watched(together([lane.run() for lane in lanes], self._clock))
        for origin, rows in origins.values():
            yield from self._taken(origin, [row for row in rows if self._has_ended(row)])
        for row in (row for rows in ready.values() for row in rows if not row.action.starts_a_copy):
            if self._has_ended(row):
                for grant in row.grants:
                    yield from self._taken(Image(image_id=grant.image_id, region=grant.region), [row])

    def _with_origin(self, row: Row) -> Row | None:
        """Return the row with what it is copied from; None if that is not there, or nobody knows what it is."""
        if row.waits_for is None:
            return row
        ended = self._ended.get((row.source.reference, row.waits_for))
        if not isinstance(ended, CopyDone | SharingDeferred):
            return None
        if row.action.starts_a_copy and not self._hubs.proves(row):
            return None
        return replace(row, copied_from=Image(image_id=ended.image_id, region=self.region))

    def _not_begun(self, row: Row) -> Event:
        ended = self._ended.get((row.source.reference, row.waits_for or row.destination))
        if isinstance(ended, DestinationFailed):
            error = NotCopyable(
                f"The copy in {row.destination} was not started.",
                why=f"It would be made from the copy in {self.region}, which failed.",
                next_step="Fix that failure, then rerun the same command to make both.",
            )
            return self._failed(row, error)
        if isinstance(ended, CopyDone | SharingDeferred):
            error = NotCopyable(
                f"The copy in {row.destination} was not started.",
                why=f"EC2 does not record {ended.image_id} in {self.region}, which another run has begun, as a copy of "
                f"{row.source.image_id}: only its tag says so.",
                next_step=f"Find out who has made {ended.image_id}, then run the same command again: it leaves "
                "that image aside.",
            )
            return self._failed(row, error)
        return self._left(row, ended.because if isinstance(ended, DestinationLeft) else LeftBecause.INTERRUPTED)

    def _given(self, origin: Image, rows: Sequence[Row]) -> _Steps:
        """Give access to what is copied; rows that cannot be helped to it fail."""
        by_account = {row.destination.account: row for row in rows}
        try:
            given = yield from _without_looks(self._access.give(origin.region, origin.image_id, tuple(by_account)))
        except AmicopyError as error:
            yield from (self._failed(row, error) for row in rows)
        else:
            until = ", and stays so (--grants keep)" if self._access.keeps else " until it has its copy"
            for account in given:
                words = f"{origin.reference} is shared with {account}{until}"
                about = _about(by_account[account], self._clock)
                yield AccessGiven(**about, what=words, origin=origin.reference, stays=self._access.keeps)

    def _taken(self, origin: Image, rows: Sequence[Row]) -> _Steps:
        """Take away the access of accounts whose last copy has ended; that it stays is a failure."""
        by_account = {row.destination.account: row for row in rows}
        last = self._access.no_longer_used(origin.image_id, by_account)
        if not last:
            return
        try:
            taken = yield from _without_looks(self._access.take_all(origin.region, origin.image_id, last))
        except AmicopyError as error:
            for account in last:
                yield self._failed(by_account[account], left_open(origin, account, error, by_account[account].source))
            return
        if taken:
            for account in last:
                words = f"{origin.reference} is no longer shared with {account}"
                about = _about(by_account[account], self._clock)
                yield AccessTaken(**about, what=words, origin=origin.reference)

    def _has_ended(self, row: Row) -> bool:
        """Return whether nothing more happens to the row's copy, so that it needs no access."""
        ended = self._ended.get(row.key)
        if isinstance(ended, DestinationFailed):
            return not isinstance(ended.error, Unreachable)  # EC2 may be copying all the same
        return isinstance(ended, CopyDone | SharingDeferred)

    def _failed(self, row: Row, error: AmicopyError) -> DestinationFailed:
        return DestinationFailed(**_about(row, self._clock), error=error)

    def _left(self, row: Row, because: LeftBecause) -> DestinationLeft:
        return DestinationLeft(**_about(row, self._clock), because=because)


def left_open(origin: Image, account: str, error: AmicopyError, source: Image | None = None) -> GrantLeftOpen:
    """Return the error for a temporary permission that could not be taken away, on an image or on a copy of it."""
    cancel = (
        source and f"amicopy cancel {source.image_id} --from {source.region} --in {origin.region} --account {account}"
    )
    return GrantLeftOpen(
        f"The temporary permission of account {account} on {origin.image_id} in {origin.region} could not be removed.",
        why=f"{error.what} {error.why}".strip(),
        next_step="It is recorded. To remove it, rerun the same command"
        + (f". Or use, which also removes unfinished copies there: {cancel}" if source else "."),
    )


def together(works: Sequence[_Steps], clock: Clock) -> _Steps:
    """Yield the steps of several lanes, none of which waits for another, as those of one."""
    waking = [(clock.now(), number, steps) for number, steps in enumerate(works)]
    while waking:
        wake, number, steps = heapq.heappop(waking)
        if (seconds := (wake - clock.now()).total_seconds()) > 0:
            yield Sleep(seconds)
        for step in steps:
            if isinstance(step, Sleep):
                heapq.heappush(waking, (clock.now() + timedelta(seconds=step.seconds), number, steps))
                break
            yield step


def _without_looks(work: Work[Result]) -> Generator[Event | Sleep, None, Result]:
    """Yield the steps of work that is not about a copy, so that it looks for none."""
    while True:
        try:
            step = next(work)
        except StopIteration as ended:
            result: Result = ended.value
            return result
        assert not isinstance(step, Look)
        yield step


def _about(row: Row, clock: Clock) -> dict[str, Any]:
    return {"at": clock.now(), "source": row.source.reference, "destination": row.destination}
