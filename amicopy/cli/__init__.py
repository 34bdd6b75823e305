"""The command line: one file per command, loaded when that command runs. Parse, call, exit.

Refuses to hold logic that a program would want too.
"""

import sys


def run() -> None:
    """Run the ``amicopy`` command and leave with its exit code."""
    from amicopy.cli.main import main
    from amicopy.cli.runtime import Runtime

    sys.exit(main(sys.argv[1:], Runtime.real()))
