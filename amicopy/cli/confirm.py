"""Asking the person at the terminal before something is removed or made public."""

import sys

import click

from amicopy.cli.signals import interruptible
from amicopy.core.errors import Interrupted, UsageError


def confirmed(question: str) -> bool:
    """Ask a yes-or-no question on stderr and return the answer.

    Raises:
        UsageError: there is no terminal to ask on.
        Interrupted: the answer is Ctrl-C or Ctrl-D.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "Cannot ask for confirmation without a terminal, so nothing was changed.",
            why=f"The question is: {question}",
            next_step="Check with --dry-run, then run the command with --yes.",
        )
    try:
        with interruptible():
            return click.confirm(question, err=True)
    except click.Abort as error:
        raise Interrupted("Interrupted; nothing was changed.") from error
