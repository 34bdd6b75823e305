"""A server in a process of its own, so that it costs the measured processes nothing; asked in lines of JSON.

Refuses to outlive the benchmark: it ends when its standard input does.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self


class Helper:
    """A module of this package, running as a process that answers questions."""

    def __init__(self, module: str) -> None:
        self._one_at_a_time = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"tests.bench.{module}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, what: str, **given: Any) -> Any:
        """Return the answer to a question.

        Raises:
            RuntimeError: the process failed over it, or has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._one_at_a_time:
            self._process.stdin.write(json.dumps({"what": what, "given": given}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server ended instead of answering {what!r}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{what}: {answer['error']}")
        return answer["answer"]

    def __enter__(self) -> Self:
        """Return the running process."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let it end."""
        self._process.communicate()


def serve(answers: Mapping[str, Callable[..., Any]]) -> None:
    """Answer questions from standard input until it ends."""
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            said = {"answer": answers[asked["what"]](**asked["given"])}
        except Exception as error:  # told to whoever asked, who knows what to do without
            said = {"error": repr(error)}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
