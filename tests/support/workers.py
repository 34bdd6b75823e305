"""Lambda functions in processes of their own that can be killed: as a program, it forks one for each line of stdin.

The program has everything imported and no threads, so that a process costs milliseconds.
"""

import contextlib
import io
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_SECONDS = 60


@dataclass(slots=True)
class Invocation:
    """One call of a function. ``answer`` is empty if its process was killed before it could answer."""

    pid: int = 0
    answer: "queue.SimpleQueue[Mapping[str, Any]]" = field(default_factory=queue.SimpleQueue)

    def kill(self) -> None:
        """End the process as a machine that fails does."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def ended(self) -> Mapping[str, Any]:
        """Return what the function has answered: ``result`` or ``error``; empty if it was killed."""
        return self.answer.get(timeout=_SECONDS)


class Workers:
    """The running program."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.workers"],
            cwd=Path(__file__).parents[2],
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._invocations: dict[int, Invocation] = {}
        self._started: queue.SimpleQueue[int] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def call(self, function: str, event: Any, environment: Mapping[str, str]) -> Invocation:
        """Start a function with an event; return once its process runs."""
        number = len(self._invocations) + 1
        self._invocations[number] = invocation = Invocation()
        assert self._process.stdin is not None
        line = {"number": number, "function": function, "event": event, "environment": dict(environment)}
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()
        invocation.pid = self._started.get(timeout=_SECONDS)
        return invocation

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            if "pid" in said:
                self._started.put(said["pid"])
            else:
                self._invocations[said["number"]].answer.put(said)

    def close(self) -> None:
        """End the program."""
        self._process.kill()
        self._process.communicate()


@contextlib.contextmanager
def workers(environment: Mapping[str, str]) -> Iterator[Workers]:
    """Run the program."""
    running = Workers(environment)
    try:
        yield running
    finally:
        running.close()


def _main() -> None:
    from amicopy import aws_lambda
    from amicopy.aws_lambda import fan_out, settings

    fan_out._SAME_SECONDS = 1e-6  # every dispatch is one of its own: SQS drops none of a sequence's messages
    children: dict[int, int] = {}

    def reap(_signal: int, _frame: object) -> None:
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                number = children.pop(ended[0], 0)
                if ended[1]:  # killed: what it might have answered is not known to anybody
                    _say({"number": number})

    class Remaining:
        def get_remaining_time_in_millis(self) -> int:
            return 60_000

    for line in sys.stdin:
        asked = json.loads(line)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        pid = os.fork()
        if pid:
            children[pid] = asked["number"]
            _say({"pid": pid})
            signal.signal(signal.SIGCHLD, reap)
            reap(0, None)
            continue
        answer: dict[str, Any] = {"number": asked["number"]}
        os.environ |= asked["environment"]
        settings.session.cache_clear()
        with contextlib.redirect_stdout(io.StringIO()):
            try:
                answer["result"] = getattr(aws_lambda, asked["function"])(asked["event"], Remaining())
            except Exception as error:
                answer["error"] = f"{type(error).__name__}: {error}"
        _say(answer)
        os._exit(0)


def _say(line: Mapping[str, Any]) -> None:
    os.write(1, (json.dumps(line) + "\n").encode())


if __name__ == "__main__":
    _main()
