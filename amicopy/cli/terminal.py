"""What a command writes when it ends: results to stdout, everything else to stderr, errors last."""

import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from amicopy.core.errors import AmicopyError, Bug, ExitCode, Interrupted
from amicopy.core.parallel import Stop
from amicopy.core.version import __version__
from amicopy.render.color import has_color, red_label
from amicopy.render.json_documents import failure_document
from amicopy.render.result import write_json, write_json_line
from amicopy.render.streams import write_stderr
from amicopy.render.text import error_lines, fold_aligned, terminal_width

ISSUES = "https://github.com/amicopy/amicopy/issues"


def exit_code_of(error: AmicopyError, stop: Stop) -> ExitCode:
    """Return the exit code of a run that ``error`` ended; an interrupted one tells by which signal."""
    return ExitCode.of_signal(stop.signal_number) if isinstance(error, Interrupted) else error.exit_code


def say(lines: Iterable[str]) -> None:
    """Write lines to stderr; on a terminal folded to its width, with the words that stand for a failure in red."""
    width, colored = terminal_width(sys.stderr), has_color(sys.stderr)
    for line in lines:
        for number, piece in enumerate(fold_aligned(line, width)):
            write_stderr((red_label(piece) if colored and not number else piece) + "\n")


def tell_failure(command: str, error: AmicopyError, code: ExitCode, output: str) -> int:
    """Report an error that ended the run before it had a plan; with JSON output on stdout, too."""
    document = failure_document(command, error, code)
    if output == "json":
        to_stdout(partial(write_json, document))
    elif output == "jsonl":
        to_stdout(partial(write_json_line, {**document, "type": "result"}))
    say(error_lines(error))
    return int(code)


def reported_bug(error: Exception) -> Bug:
    """Write the traceback of an unexpected exception to stderr; return the error that reports it."""
    traceback.print_exception(error)
    return Bug(
        f"This is a bug in amicopy {__version__}: {type(error).__name__}.",
        why="It is not an error that amicopy knows; the lines above show where it happened.",
        next_step=f"Please report it with them: {ISSUES}. EC2 keeps copying: amicopy status shows it.",
    )


def to_stdout(write: Callable[[], None]) -> ExitCode:
    """Write a result; return OK, or FAILED where stdout does not take it, having said so.

    It is not an error if the reader has gone (``| head``).
    """
    try:
        write()
    except BrokenPipeError:
        _give_up_stdout()
    except OSError as error:
        _give_up_stdout()
        say([f"error: The result could not be written to stdout: {error.strerror}. [output]"])
        return ExitCode.FAILED
    return ExitCode.OK


def show(form: str, document: Callable[[], Mapping[str, Any]], for_people: Callable[[], None]) -> ExitCode:
    """Write a result to stdout, as JSON or as people read it; return what `to_stdout` does."""
    return to_stdout(partial(write_json, document()) if form == "json" else for_people)


def _give_up_stdout() -> None:
    """Discard what is still written to stdout, including what Python flushes when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
