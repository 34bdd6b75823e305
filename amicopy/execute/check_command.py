"""The operator's check command, running: in a process group of its own that ends when amicopy does, its output bounded.

POSIX only.
"""

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence

from amicopy.core.parallel import THREAD

# Between SIGTERM and SIGKILL, so that a command can remove what it has launched.
GRACE_SECONDS = 10.0
_KEPT_BYTES = 64 * 1024
_KEPT_LINES = 20
_KEPT_LETTERS = 500
_READ_BYTES = 64 * 1024
_LAST_OUTPUT_SECONDS = 1.0

# The pipe ($1) closes when amicopy ends, however it ends: then the whole group is ended. `exec` makes the command the
# leader of the group. A `read` that cannot open the pipe ends the guard alone.
_GUARDED = """
pipe=$1 grace=$2; shift 2
(
  trap '' TERM INT HUP
  exec </dev/fd/$pipe >/dev/null 2>&1 || exit
  read _; kill -TERM 0; sleep $grace; kill -KILL 0
) &
exec "$@"
"""


class CheckCommand:
    """One run of a command. It is not waited for in here: `wait` returns soon."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str | None], stdin: bytes) -> None:
        """Start it, with these variables beside those of this process; None: without one of those.

        Raises:
            OSError: no process can be started.
        """
        self._lock = threading.Lock()
        self._tail = bytearray()
        self._is_cut = False
        with contextlib.ExitStack() as stack, tempfile.TemporaryFile() as given:
            given.write(stdin)
            given.seek(0)
            alive, self._guard = os.pipe()
            stack.callback(os.close, alive)
            on_failure = stack.enter_context(contextlib.ExitStack())
            on_failure.callback(os.close, self._guard)
            self._process = subprocess.Popen(  # noqa: S603 - it is the operator's own command, and no shell reads it
                ["/bin/sh", "-c", _GUARDED, "amicopy-check", str(alive), str(int(GRACE_SECONDS)), *words],
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={name: value for name, value in {**os.environ, **environment}.items() if value is not None},
                pass_fds=(alive,),
                start_new_session=True,
            )
            on_failure.pop_all()
        self._drain = threading.Thread(target=self._read, daemon=True, name=THREAD)
        self._drain.start()

    def wait(self, seconds: float) -> int | None:
        """Return the exit status (negative: the signal that ended it); None if it still runs after ``seconds``."""
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        self.kill()  # what it has left behind in its group, and the guard
        self._drain.join(_LAST_OUTPUT_SECONDS)
        return status

    def terminate(self) -> None:
        """Ask the command and its children to end."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the command and its children at once."""
        self._signal(signal.SIGKILL)
        with self._lock:  # the run's end may come while the lane looks
            if self._guard >= 0:
                os.close(self._guard)
                self._guard = -1

    def _signal(self, number: int) -> None:
        # The guard is in the group until it is killed, so the number cannot have become another group's.
        if self._guard >= 0:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    @property
    def last_lines(self) -> tuple[str, ...]:
        """The last lines of its output, stdout and stderr in order; untrusted text."""
        lines = bytes(self._tail).decode("utf-8", "replace").splitlines()
        if self._is_cut:
            lines = lines[1:] or lines
        filled = [line.rstrip()[-_KEPT_LETTERS:] for line in lines if line.strip()]
        return tuple(filled[-_KEPT_LINES:])

    def _read(self) -> None:
        """Take everything that it writes, and keep the end."""
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            while piece := os.read(stream.fileno(), _READ_BYTES):
                self._tail += piece
                if len(self._tail) > _KEPT_BYTES:
                    del self._tail[:-_KEPT_BYTES]
                    self._is_cut = True
