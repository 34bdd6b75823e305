"""How a copying run works: how long it waits, when it shares copies, what it removes on failure."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from amicopy.core.ec2_rules import MOST_IN_PROGRESS
from amicopy.core.request import check_type

if TYPE_CHECKING:  # loaded when a price is asked for
    from amicopy.core.prices import Prices


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options of a run, which don't change what the copies are."""

    timeout: timedelta = timedelta(hours=4)
    wait: bool = True  # False: start, complete and replace what is possible now, then return
    share_when_all: bool = False  # share no copy before every destination has its own
    cancel_failed: bool = False  # remove copies that this run started and that failed
    cancel_interrupted: bool = False  # when stopped, remove every copy that this run started
    most_in_flight: int = MOST_IN_PROGRESS  # concurrent copies per region
    most_checks: int = 8  # checks (``--check``) that run at the same time, in all regions together
    progress: timedelta | None = None  # how often the progress of snapshots is read; None: never
    prices: "Prices | None" = None  # for the estimate; None: those that come with amicopy

    def __post_init__(self) -> None:
        """Check the type of ``timeout``: a number would be taken for one only after the survey.

        Raises:
            TypeError: it is no timedelta.
        """
        check_type("timeout", self.timeout, timedelta)
