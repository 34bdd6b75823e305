"""What boot tests cost, in one sentence: those of `boot`, and those of a plan's `--check boot`."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from amicopy.core.boot import boot_options
from amicopy.core.errors import BootRefused
from amicopy.core.models import Image
from amicopy.plan.boot import hourly_usd, instance_types
from amicopy.plan.plan import Action, Plan, Row
from amicopy.render.text import counted

Launch = tuple[Image, str]
"""An image and the type of the instance that tests it; an empty type is not known."""


def boot_cost(launches: Sequence[Launch], timeout: timedelta) -> str:
    """Return how many instances there will be, for how long at most, and what they cost."""
    minutes = round(timeout.total_seconds() / 60)
    count, limit = counted(len(launches), "instance"), counted(minutes, "minute")
    return f"{count} for at most {limit}, volumes included; {hourly_words(launches)}"


def hourly_words(launches: Sequence[Launch]) -> str:
    """Return what all of these instances cost in an hour."""
    prices = [hourly_usd(image, instance_type) for image, instance_type in launches]
    if None in prices:
        return "at a price that amicopy does not know"
    return f"about {sum(price or 0 for price in prices):.3f} USD an hour (price in us-east-1 for Linux)"


def check_cost_lines(plan: Plan) -> Iterator[str]:
    """Yield what the boot tests of a plan cost, for each time limit."""
    tested = [(row, row.check) for row in plan.rows if row.check and row.action is not Action.REFUSE]
    boots = [(row, check) for row, check in tested if check.words[0] == "boot"]
    for timeout in dict.fromkeys(check.timeout for _, check in boots):
        launches = [(row.source, _likely_type(row)) for row, check in boots if check.timeout == timeout]
        yield f"--check boot costs: {boot_cost(launches, timeout)}"


def _likely_type(row: Row) -> str:
    """Return the type that is tried first; a region that does not have it gets another one."""
    assert row.check is not None
    try:
        return instance_types(row.source, boot_options(row.check.words))[0]
    except BootRefused:
        return ""
