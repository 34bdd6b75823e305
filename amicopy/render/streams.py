"""Writing to stderr, which never ends a run: nobody may be reading it."""

import os
import sys


def write_stderr(text: str) -> None:
    """Write ``text`` at once; where stderr does not take it (no reader, a full disk), write nothing more."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
        except (OSError, ValueError):  # not even a descriptor: then there is nothing left to say it to
            return
