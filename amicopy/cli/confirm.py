"""Asking the person at the terminal before something is removed or made public."""

import sys

import click

from amicopy.cli.signals import interruptible
from amicopy.cli.terminal import say
from amicopy.core.errors import Interrupted, UsageError


def confirmed(
    question: str, *, otherwise: str = "nothing was changed", advice: str = "Check with --dry-run, then run"
) -> bool:
    """Ask a yes-or-no question on stderr and return the answer.

    ``otherwise`` is what is true without one, ``advice`` begins the next step.

    Raises:
        UsageError: there is no terminal to ask on.
        Interrupted: the answer is Ctrl-C or Ctrl-D.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            f"Cannot ask for confirmation without a terminal, so {otherwise}.",
            why=f"The question is: {question}",
            next_step=f"{advice} the command with --yes.",
        )
    try:
        with interruptible():
            return click.confirm(question, err=True)
    except click.Abort as error:
        raise Interrupted(f"Interrupted; {otherwise}.") from error


def agreed(question: str, *, yes: bool, doing: str = "") -> bool:
    """Return whether to go on: with ``yes``, having said what is done, or else as the person at the terminal says.

    The question may begin with a small letter.

    Raises what `confirmed` raises.
    """
    if yes:
        say([doing] if doing else [])
        return True
    if confirmed(f"{question[:1].upper()}{question[1:]}"):
        return True
    say(["nothing was changed"])
    return False
