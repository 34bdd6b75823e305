"""Doing several blocking things at the same time, and ending promptly when a signal asks for it.

Threads are daemons: one that hangs on a socket does not keep the process alive.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Generic, NoReturn, TypeVar

from amicopy.core.accounts import AT_ONCE
from amicopy.core.errors import AmicopyError, ExitCode, Interrupted

_Key = TypeVar("_Key")
_Result = TypeVar("_Result")
_Item = TypeVar("_Item")

# What every thread is called.
THREAD = "amicopy"
# So many tasks run at the same time, unless a caller says otherwise.
MOST_AT_ONCE = 40
# How long to wait before the view is called. A stop is noticed immediately.
_GLANCE_SECONDS = 1.0
# When one of several tasks has failed, the others get this long to end.
_GRACE_SECONDS = 2.0


class Stop:
    """Set once, when a signal asks the run to end; ``signal_number`` is the one that did.

    Not a `threading.Event`: a signal's handler runs in the main thread, in the middle of whatever that does. If it is
    just about to wait for an event, it holds the event's lock, and setting the event would wait for that lock forever.
    """

    signal_number = 0

    def __init__(self) -> None:
        self._is_set = False
        self._condition = threading.Condition(threading.RLock())
        self._to_wake: list[Callable[[], None]] = []

    def is_set(self) -> bool:
        """Return whether the run should end."""
        return self._is_set

    def set(self) -> None:
        """Set it, and wake who waits for something else; a signal's handler may do so in the middle of that wait."""
        self._is_set = True
        with self._condition:
            self._condition.notify_all()
        for wake in tuple(self._to_wake):
            wake()

    def wait(self, seconds: float) -> bool:
        """Wait until it is set, but at most this long; return whether it is.

        In short pieces: Windows runs no handler during a wait, and one that sets it just before the wait wakes nobody.
        """
        give_up = time.monotonic() + seconds
        with self._condition:
            while not self._is_set and (left := give_up - time.monotonic()) > 0:
                self._condition.wait(min(left, _GLANCE_SECONDS))
        return self._is_set

    @contextlib.contextmanager
    def waking(self, wake: Callable[[], None]) -> Iterator[None]:
        """Call ``wake`` when it is set meanwhile."""
        self._to_wake.append(wake)
        try:
            yield
        finally:
            self._to_wake.remove(wake)

    @property
    def exit_code(self) -> ExitCode | None:
        """The exit code of a process that it has stopped; None if it is not set."""
        return ExitCode.of_signal(self.signal_number) if self.is_set() else None

    def check(self) -> None:
        """Raise Interrupted if it is set."""
        if self.is_set():
            raise Interrupted(
                "Interrupted before anything was started.",
                next_step="Run the same command again; nothing was changed.",
            )


class Merged(Generic[_Item]):
    """What several threads produce, in the order in which it comes."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[_Item | None, BaseException | None] | None] = queue.SimpleQueue()
        self._running = 0

    def start(self, produce: Callable[[Callable[[_Item], None]], None]) -> None:
        """Run ``produce`` in a thread; it is handed the function that takes each item."""

        def run() -> None:
            try:
                produce(lambda item: self._queue.put((item, None)))
            except BaseException as error:
                self._queue.put((None, error))
            else:
                self._queue.put((None, None))

        self._running += 1
        threading.Thread(target=run, daemon=True, name=THREAD).start()

    def next(self, seconds: float | None = None) -> _Item | None:
        """Return the next item; None when there is none for so long, or for a glance, or a thread has just ended.

        Raises whatever a thread ended with.
        """
        try:
            found = self._queue.get(timeout=_GLANCE_SECONDS if seconds is None else max(0.0, seconds))
        except queue.Empty:
            return None
        if found is None:
            return None
        item, error = found
        if item is None:
            self._running -= 1
            if error is not None:
                raise error
        return item

    def wake(self) -> None:
        """Let `next` return at once."""
        self._queue.put(None)

    def let_end(self, seconds: float) -> None:
        """Wait until the threads have ended, but at most this long; what they still produce is discarded."""
        give_up = time.monotonic() + seconds
        while self.running and time.monotonic() < give_up:
            with contextlib.suppress(Exception):
                self.next(give_up - time.monotonic())

    @property
    def running(self) -> bool:
        """Some thread has not ended, or its items have not been taken."""
        return self._running > 0


class Pending(Generic[_Result]):
    """A read whose error matters only if its result is needed: run by `run_all`, then asked for its result."""

    def __init__(self, read: Callable[[], _Result]) -> None:
        self._read = read
        self._done: Callable[[], _Result] | None = None

    def __call__(self) -> None:
        """Read now, and keep the result or the error."""
        try:
            found = self._read()
        except AmicopyError as error:
            self._done = partial(_fail, error)
        else:
            self._done = lambda: found

    def result_or(self, otherwise: _Result) -> _Result:
        """Return what was read, or ``otherwise`` if it could not be read."""
        try:
            return self.result()
        except AmicopyError:
            return otherwise

    def result(self) -> _Result:
        """Return what was read, or raise why it could not be read."""
        if self._done is None:
            raise RuntimeError("it has not run")
        return self._done()


def _fail(error: AmicopyError) -> NoReturn:
    raise error


class Once:
    """Reads by key, each made when its result is first needed, and never again. Not thread-safe."""

    def __init__(self) -> None:
        self._made: dict[Hashable, Pending[Any]] = {}

    def __call__(self, key: Hashable, read: Callable[[], _Result]) -> _Result:
        """Return what was read under this key, or raise why it could not be read; read it if that was never tried."""
        if key not in self._made:
            self._made[key] = Pending(read)
            self._made[key]()
        result: _Result = self._made[key].result()
        return result


def most_at_once(accounts: Iterable[str]) -> int:
    """Return how many tasks may run at a time, given the account of each; empty: that of the credentials.

    Clients in other accounts take memory, and are dropped when they are not needed.
    """
    return AT_ONCE if any(accounts) else MOST_AT_ONCE


def run_all(reads: Iterable[Pending[Any]], stop: Stop, *, most: int = MOST_AT_ONCE) -> None:
    """Run up to ``most`` reads at the same time; errors stay in them. Raises Interrupted as soon as ``stop`` is set."""
    all_at_once(enumerate(reads), stop, most=most)


def all_at_once(
    tasks: Mapping[_Key, Callable[[], _Result]] | Iterable[tuple[_Key, Callable[[], _Result]]],
    stop: Stop,
    *,
    most: int = MOST_AT_ONCE,
) -> dict[_Key, _Result]:
    """Return the result of every task, by its key, having run up to ``most`` of them at a time.

    Each is begun as soon as ``tasks`` yields it: what is made on the way there, such as a region's client, keeps
    none waiting that stands.

    Raises the first error that a task raises, or that ``tasks`` does, and Interrupted as soon as ``stop`` is set.
    """
    keys: list[_Key] = []
    results: dict[_Key, _Result] = {}
    waiting = queue.SimpleQueue[tuple[_Key, Callable[[], _Result]] | None]()
    merged: Merged[tuple[_Key, _Result]] = Merged()
    failed = threading.Event()

    def work(put: Callable[[tuple[_Key, _Result]], None]) -> None:
        while not (stop.is_set() or failed.is_set()) and (item := waiting.get()) is not None:
            key, task = item
            put((key, task()))

    try:
        for key, task in tasks.items() if isinstance(tasks, Mapping) else tasks:
            keys.append(key)
            waiting.put((key, task))
            if len(keys) <= most:
                merged.start(work)
    except BaseException:
        failed.set()
        raise
    finally:
        for _ in range(min(most, len(keys))):
            waiting.put(None)
    try:
        with stop.waking(merged.wake):
            while merged.running:
                stop.check()
                if (done := merged.next()) is not None:
                    results[done[0]] = done[1]
    except AmicopyError:
        failed.set()
        if not stop.is_set():
            merged.let_end(_GRACE_SECONDS)
        raise
    stop.check()
    return {key: results[key] for key in keys}


def as_they_come(
    tasks: Iterable[tuple[_Key, Callable[[], _Result]]], stop: Stop, *, most: int
) -> Iterator[tuple[_Key, _Result]]:
    """Yield the result of every task with its key as soon as there is one, running up to ``most`` tasks at a time.

    However many tasks there are, no more than two results per thread wait to be taken; whoever stops taking ends the
    threads.

    Raises the first error that a task raises, and Interrupted as soon as ``stop`` is set.
    """
    merged: Merged[tuple[_Key, _Result]] = Merged()
    over = threading.Event()
    room, taking, iterator = threading.Semaphore(2 * most), threading.Lock(), iter(tasks)

    def work(put: Callable[[tuple[_Key, _Result]], None]) -> None:
        while room.acquire() and not (over.is_set() or stop.is_set()):
            with taking:
                item = next(iterator, None)
            if item is None:
                return
            put((item[0], item[1]()))

    for _ in range(most):
        merged.start(work)
    try:
        with stop.waking(merged.wake):
            while merged.running:
                stop.check()
                if (done := merged.next()) is not None:
                    yield done
                    room.release()
        stop.check()
    finally:
        over.set()
        for _ in range(most):
            room.release()
