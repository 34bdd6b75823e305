"""Ctrl-C, SIGTERM and SIGHUP: the first asks the run to end with its report, the second ends it immediately.

Handlers raise nothing: an exception in a signal handler could interrupt any line of the program.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from amicopy.core.errors import Interrupted
from amicopy.core.parallel import Stop

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
_SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))  # Windows has no SIGHUP


@contextlib.contextmanager
def stopping_on_signals(stop: Stop) -> Iterator[None]:
    """Set ``stop`` on the first signal; leave the process on the second."""

    def handle(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.signal_number = number
        stop.set()  # the view reports it; a write from here could land in the middle of a table

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C end what happens here at once, as a question at the terminal should; in the main thread only."""
    if threading.current_thread() is not threading.main_thread():  # Python allows signal handlers in the main one only
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def ending_on_interrupt() -> Iterator[None]:
    """Let Ctrl-C end the command while botocore asks for an MFA code, or waits for a source of credentials.

    Raises:
        Interrupted: on Ctrl-C.
    """
    try:
        with interruptible():
            yield
    except KeyboardInterrupt as error:
        raise Interrupted("Interrupted; nothing was started.") from error
