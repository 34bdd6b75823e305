"""Color on stderr: red for the words that a failure begins with, and for nothing else."""

import os
import re
from typing import TextIO

_FAILURE = re.compile(r"(error|refused|refuse|! )(?=\b|$| )")
_RED, _PLAIN = "\x1b[1;31m", "\x1b[0m"


def has_color(stream: TextIO) -> bool:
    """Return whether ``stream`` is a terminal that shows colors, and its user wants them (NO_COLOR, TERM=dumb)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"


def red_label(line: str) -> str:
    """Return the line with the word red that says that something failed or was refused, if it begins with one."""
    return _FAILURE.sub(rf"{_RED}\1{_PLAIN}", line, count=1) if _FAILURE.match(line) else line
