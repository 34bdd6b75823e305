"""Runs that take turns: each is a thread, one moves at a time, and the clock moves only when all of them sleep.

A run gives its turn away before and after each of its calls, and whenever it sleeps. Which one is next is drawn from
the seed, so that a sequence always plays in the same way.
"""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from amicopy.core.clock import Wakes
from amicopy.core.parallel import Stop
from tests.support.clock import FakeClock
from tests.support.torture import Killed

SECONDS_PER_CALL = 0.1


@dataclass(slots=True, eq=False)
class Turn:
    """One run: its thread, and what it waits for."""

    name: str
    stop: Stop = field(default_factory=Stop)
    wake: datetime | None = None  # it sleeps until then
    until: Wakes | None = None  # or until this is set
    slept_seconds: float = 0.0
    is_killed: bool = False
    has_ended: bool = False
    crash: BaseException | None = None
    _go: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _gone: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def start(self, work: Callable[[], object]) -> None:
        """Have the run ready for its first turn."""

        def body() -> None:
            self._go.acquire()
            try:
                if not self.is_killed:
                    work()
            except Killed:
                pass
            except BaseException as error:  # shown where the sequence is played, not in a thread
                self.crash = error
            finally:
                self.has_ended = True
                self._gone.release()

        threading.Thread(target=body, daemon=True, name=self.name).start()

    def is_awake(self, now: datetime) -> bool:
        """Tell whether it may go on."""
        return self.wake is None or self.wake <= now or (self.until is not None and self.until.is_set())

    def move(self) -> None:
        """Let it go on until it gives its turn away, or has ended."""
        self._go.release()
        self._gone.acquire()
        if self.crash is not None:
            raise self.crash

    def give_away(self) -> None:
        """Let others go on, from within the run; it ends here if it was killed meanwhile."""
        self._gone.release()
        self._go.acquire()
        if self.is_killed:
            raise Killed


class Turns:
    """All runs that are going on."""

    def __init__(self, clock: FakeClock, seed: int) -> None:
        self.clock = clock
        self._chance = random.Random(seed)
        self.going: list[Turn] = []
        self._by_thread = threading.local()

    def start(self, turn: Turn, work: Callable[[], object]) -> None:
        """Add a run."""

        def mine() -> None:
            self._by_thread.turn = turn
            work()

        turn.start(mine)
        self.going.append(turn)

    @property
    def current(self) -> Turn | None:
        """The run whose thread this is; None in the thread that plays the sequence."""
        return getattr(self._by_thread, "turn", None)

    def pause(self) -> None:
        """Give the turn away, before or after a call; nothing where no run is moving."""
        turn = self.current
        if turn is None:
            return
        if turn.is_killed:
            raise Killed
        self.clock.advance(SECONDS_PER_CALL / 2)
        turn.give_away()

    def move(self, most: int) -> int:
        """Let runs go on for so many turns at most; return how many there were."""
        for number in range(most):
            if not self.going:
                return number
            self._move_one()
        return most

    def kill(self, turn: Turn) -> None:
        """End a run where it stands: the call that it is about to make is not made, the answer it waits for is lost."""
        self.going.remove(turn)
        if not turn.has_ended:
            turn.is_killed = True
            turn.move()

    def _move_one(self) -> None:
        now = self.clock.now()
        ready = [turn for turn in self.going if turn.is_awake(now)]
        if not ready:
            next_wake = min(turn.wake for turn in self.going if turn.wake is not None)
            self.clock.advance((next_wake - now).total_seconds())
            ready = [turn for turn in self.going if turn.is_awake(next_wake)]
        turn = self._chance.choice(ready)
        turn.wake = None
        try:
            turn.move()
        finally:
            if turn.has_ended:
                self.going.remove(turn)


class OwnClock:
    """A run's own clock: wrong by some seconds, and it sleeps by giving the turn away."""

    def __init__(self, turns: Turns, skew_seconds: float) -> None:
        self._turns = turns
        self._skew = timedelta(seconds=skew_seconds)

    def now(self) -> datetime:
        """Return the time that the run believes it is."""
        return self._turns.clock.now() + self._skew

    def sleep(self, seconds: float, until: Wakes | None = None) -> None:
        """Return when the others have brought the clock there, or once the run is to stop."""
        turn = self._turns.current
        assert turn is not None
        if seconds <= 0 or (until is not None and until.is_set()):
            return
        begun = self._turns.clock.now()
        turn.wake, turn.until = begun + timedelta(seconds=seconds), until
        turn.give_away()
        # Somebody else's waiting in between is not this run's.
        turn.slept_seconds += min(seconds, (self._turns.clock.now() - begun).total_seconds())
