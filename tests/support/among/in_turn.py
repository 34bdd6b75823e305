"""One thread per run: reads that amicopy makes at the same time are made one after the other, and each run has its own
standard output.
"""

import io
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TypeVar

from amicopy.core.parallel import Merged

_Item = TypeVar("_Item")


class InTurn(Merged[_Item]):
    """Like `Merged`, without threads: whoever waits for the next item produces it."""

    def __init__(self) -> None:
        super().__init__()
        self._not_begun: deque[Callable[[], None]] = deque()

    def start(self, produce: Callable[[Callable[[_Item], None]], None]) -> None:
        """Produce later, in the thread that asks for items."""

        def run() -> None:
            try:
                produce(lambda item: self._queue.put((item, None)))
            except BaseException as error:
                self._queue.put((None, error))
            else:
                self._queue.put((None, None))

        self._running += 1
        self._not_begun.append(run)

    def next(self, seconds: float | None = None) -> _Item | None:
        """Return the next item; None where a producer has ended."""
        while self._queue.empty() and self._not_begun:
            self._not_begun.popleft()()
        return super().next(0.0)


class _PerThread(io.TextIOBase):
    """A stream that writes to that of the thread that writes."""

    def __init__(self) -> None:
        self._own = threading.local()

    @property
    def own(self) -> io.StringIO:
        if not hasattr(self._own, "stream"):
            self._own.stream = io.StringIO()
        stream: io.StringIO = self._own.stream
        return stream

    def write(self, text: str) -> int:
        return self.own.write(text)

    def __getattribute__(self, name: str) -> Any:
        if name in {"_own", "own", "write", "__class__", "__init__"}:
            return super().__getattribute__(name)
        return getattr(self.own, name)


@contextmanager
def streams_per_thread() -> Iterator[tuple[Callable[[], str], Callable[[], str]]]:
    """Give each thread its own stdout and stderr; yield what returns the text of the thread that asks."""
    out, err = _PerThread(), _PerThread()
    with redirect_stdout(out), redirect_stderr(err):
        yield lambda: out.own.getvalue(), lambda: err.own.getvalue()
