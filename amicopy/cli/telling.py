"""What a command says when it ends: results to stdout, everything else to stderr, errors last.

Refuses to decide what the result is.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterable

from amicopy.errors import AmicopyError, ExitCode, Interrupted
from amicopy.parallel import Stop
from amicopy.render.document import failure_document
from amicopy.render.results import write_json, write_json_line
from amicopy.render.words import error_lines


def exit_code_of(error: AmicopyError, stop: Stop) -> ExitCode:
    """Return the exit code of a run that ``error`` ended; an interrupted one tells by which signal."""
    if isinstance(error, Interrupted) and stop.signal_number not in {0, signal.SIGINT}:
        return ExitCode.TERMINATED
    return error.exit_code


def say(lines: Iterable[str]) -> None:
    """Write lines to stderr."""
    for line in lines:
        sys.stderr.write(line + "\n")
    sys.stderr.flush()


def tell_failure(command: str, error: AmicopyError, code: ExitCode, output: str) -> int:
    """Tell an error that ended the run before it had a plan; in JSON on stdout too where that was asked."""
    document = failure_document(command, error, code)
    if output == "json":
        to_stdout(lambda: write_json(document))
    elif output == "jsonl":
        to_stdout(lambda: write_json_line({**document, "type": "result"}))
    say(error_lines(error))
    return int(code)


def to_stdout(write: Callable[[], None]) -> None:
    """Write a result; a reader who has gone is no error of the run's."""
    try:
        write()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
