"""How long copies will still take, foretold from the progress that the report holds."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from amicopy.execute.polling import Forecast
from amicopy.execute.report import Outcome, State

# Nothing but the others is waited for here, or a few calls that take seconds.
_NEARLY = {State.COMPLETING, State.CHECKING, State.SHARING_DEFERRED}


def copy_time_left(outcome: Outcome, now: datetime) -> timedelta | None:
    """Return how long EC2 will still copy; None where that is not known, or was foretold and has passed."""
    if outcome.state is not State.COPYING or outcome.ended:
        return None
    began = outcome.requested_at or _created_at(outcome) or outcome.copying_since
    if began is None:
        return None
    forecast = Forecast()
    for at, percent in outcome.progress:
        forecast.read(percent, at - began, at)
    ends_at = forecast.ends_at
    return ends_at - now if ends_at is not None and ends_at > now else None


def run_time_left(outcomes: Iterable[Outcome], now: datetime) -> timedelta | None:
    """Return how long the slowest copy will take; None unless that is known of every copy that has not ended."""
    unfinished = [outcome for outcome in outcomes if not outcome.ended and outcome.state not in _NEARLY]
    known = [left for outcome in unfinished if (left := copy_time_left(outcome, now)) is not None]
    return max(known) if known and len(known) == len(unfinished) else None


def time_left_words(left: timedelta) -> str:
    """Return a length of time as precisely as it can be foretold: ``~40 s left``, ``~4 min left``."""
    seconds = left.total_seconds()
    if seconds < 60:
        return f"~{max(10, round(seconds, -1)):.0f} s left"
    minutes = round(seconds / 60)
    return f"~{minutes} min left" if minutes < 60 else f"~{minutes // 60} h {minutes % 60:02} min left"


def _created_at(outcome: Outcome) -> datetime | None:
    copy = outcome.row.copy
    return datetime.fromisoformat(copy.created_at) if copy and copy.created_at else None
