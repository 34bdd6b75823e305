"""The command line: one module per command, imported when that command runs."""

import gc
import os
import sys


def run() -> None:
    """Run the ``amicopy`` command and leave with its exit code."""
    # A run keeps what it allocates and ends soon: the collector finds nothing, and takes a seventh of a start with 33
    # regions for it (docs/adr/0008).
    gc.set_threshold(200_000, 20, 100)
    _open_missing_streams()
    from amicopy.cli.environment import Environment
    from amicopy.cli.main import main

    code = main(sys.argv[1:], Environment.real())
    gc.freeze()  # what goes with the process anyway is not walked over once more by the interpreter's last collection
    sys.exit(code)


def _open_missing_streams() -> None:
    """Give a process that was started without stdin, stdout or stderr (``>&-``) ones that go nowhere."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w"))
