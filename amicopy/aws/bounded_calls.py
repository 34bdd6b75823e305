"""Calls that end: an answer that keeps coming, byte by byte, passes every time-out of a socket."""

import os
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

_Result = TypeVar("_Result")

# botocore's own attempts and time-outs end within this unless an answer drips.
MOST_SECONDS = 300.0


class NeverEnding(Exception):
    """A call has not ended within `MOST_SECONDS`; it goes on in a thread that nobody waits for."""


class _Worker:
    """A thread that makes the calls of another one, and ends with it."""

    def __init__(self) -> None:
        self.process = os.getpid()  # a fork has no threads
        self._calls: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        arguments = (self._calls, self._results)
        threading.Thread(target=_work, args=arguments, daemon=True, name="amicopy-call").start()

    def result_of(self, call: Callable[[], Any]) -> Any:
        """Return what the call returns, or raise what it raises; raise queue.Empty if it takes too long."""
        self._calls.put(call)
        result, error = self._results.get(timeout=MOST_SECONDS)
        if error is not None:
            raise error
        return result

    def __del__(self) -> None:
        self._calls.put(None)


def _work(
    calls: "queue.SimpleQueue[Callable[[], Any] | None]",
    results: "queue.SimpleQueue[tuple[Any, BaseException | None]]",
) -> None:
    while (call := calls.get()) is not None:
        try:
            result = call()
        except BaseException as error:  # the caller's to handle
            results.put((None, error))
        else:
            results.put((result, None))
            del result
        del call


_own = threading.local()


def within_limits(call: Callable[[], _Result]) -> _Result:
    """Return what the call returns, or raise what it raises.

    Raises:
        NeverEnding: it has not ended within `MOST_SECONDS`.
    """
    worker = getattr(_own, "worker", None)
    if worker is None or worker.process != os.getpid():
        worker = _own.worker = _Worker()
    try:
        result: _Result = worker.result_of(call)
    except queue.Empty:
        del _own.worker  # it is busy
        raise NeverEnding from None
    return result
