"""Progress as timestamped lines, for logs, pipes and cron; what every view of progress does; no view at all."""

from datetime import datetime, timedelta
from typing import Protocol

from amicopy.core.clock import Clock
from amicopy.core.events import (
    AccessGiven,
    AccessTaken,
    AttributeWritten,
    CheckEnded,
    CheckStarted,
    CopyAvailable,
    CopyDone,
    CopyJoined,
    CopyProgressed,
    CopyQueued,
    CopyRequested,
    CopyRolledBack,
    CopyStarted,
    DestinationFailed,
    DestinationLeft,
    Event,
    FailedCopyRemoved,
    LeftBecause,
    NoteAdded,
    SharingDeferred,
)
from amicopy.core.parallel import Stop
from amicopy.execute.report import Outcome, Report, State
from amicopy.render.states import STATES, known_words, progress_counts
from amicopy.render.streams import write_stderr
from amicopy.render.text import duration, safe

HEARTBEAT = timedelta(minutes=1)

ENDING = "stopping; press Ctrl-C again to quit immediately"

_LEFT = {
    LeftBecause.NO_WAIT: "still copying in EC2 (not waiting)",
    LeftBecause.TIME_OUT: "still copying when the timeout was reached",
    LeftBecause.EXPIRED: "still copying when the credentials expired",
    LeftBecause.INTERRUPTED: "still copying when interrupted",
    LeftBecause.OTHERS: "not shared, because not every destination has its copy",
}
_LEFT_UNSTARTED = {
    LeftBecause.TIME_OUT: " when the timeout was reached",
    LeftBecause.EXPIRED: " when the credentials expired",
    LeftBecause.INTERRUPTED: " when interrupted",
}


class View(Protocol):
    """Shows a run while it happens."""

    def event(self, event: Event, outcome: Outcome) -> None:
        """Show one event and the outcome that it has changed."""

    def glance(self) -> None:
        """Called several times a minute: show that time passes, and that a signal was received."""

    def close(self) -> None:
        """End; nothing is shown anymore."""


class QuietView:
    """Shows nothing, for ``--quiet``; errors come with the result."""

    def event(self, event: Event, outcome: Outcome) -> None:
        """Show nothing."""

    def glance(self) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Nothing is open."""


class LinesView:
    """Lines on stderr: one per change of state, and at least one a minute."""

    def __init__(self, report: Report, clock: Clock, stop: Stop) -> None:
        self._report = report
        self._clock = clock
        self._stop = stop
        self._ending = False
        self._last = clock.now()
        rows = report.plan.rows
        self._several = len(rows) > len({row.destination for row in rows})  # AMIs: then a region alone says too little

    def event(self, event: Event, outcome: Outcome) -> None:
        """Write the line of one event, if it has one."""
        if words := event_words(event, outcome):
            subject = f"{event.place} {outcome.source_id}" if self._several else event.place
            self.line(f"{subject}  {words}", event.at)

    def glance(self) -> None:
        """Write how far the copies are if nothing has happened for a minute, and that a signal was received."""
        if self._stop.is_set() and not self._ending:
            self._ending = True
            self.line(ENDING, self._clock.now())
        if self._clock.now() - self._last >= HEARTBEAT:
            self.line(heartbeat_words(self._report, self._clock.now()), self._clock.now())

    def line(self, text: str, at: datetime) -> None:
        """Write one line with its time."""
        self._last = at
        write_stderr(f"{at:%H:%M:%S}Z {text}\n")

    def close(self) -> None:
        """Nothing is open."""


def event_words(event: Event, outcome: Outcome | None = None) -> str:
    """Return an event in words, given the outcome that it has changed; empty if it gets no line."""
    match event:
        case CopyRequested(is_repeated=True) | CopyQueued(is_repeated=True):
            return ""
        case CopyRequested(name=name):
            return f"starting copy {safe(name)}"
        case CopyStarted(image_id=image_id):
            return f"started {image_id}"
        case CopyJoined(image_id=image_id):
            return f"{image_id} is already being copied"
        case CopyQueued(reason=reason):
            return f"queued: {safe(reason)}"
        case CopyAvailable(image_id=image_id):
            return f"{image_id} is available"
        case AttributeWritten(what=what) | FailedCopyRemoved(what=what) | CopyRolledBack(what=what):
            return safe(what)
        case AccessGiven(what=what) | AccessTaken(what=what):
            return safe(what)
        case CheckStarted(image_id=image_id, command=command):
            return f"checking {image_id}: {safe(command)}"
        case CheckEnded(image_id=image_id, result=result):
            passed = f"{image_id} has passed its check after {duration(timedelta(seconds=result.seconds))}"
            return passed if result.passed else ""
        case SharingDeferred(image_id=image_id):
            return f"{image_id} is available, and shared once the others are"
        case CopyDone(image_id=image_id):
            return f"{image_id} is done"
        case DestinationFailed(error=error):
            return f"FAILED: {safe(error.what)}"
        case DestinationLeft(because=because, image_id="") if outcome:
            begin, colon, rest = known_words(outcome).partition(":")
            return f"{begin}{_LEFT_UNSTARTED.get(because, '')}{colon}{rest}"
        case DestinationLeft(because=because, image_id=image_id):
            return f"{image_id}: {_LEFT[because]}"
        case NoteAdded(text=text):
            return f"note: {safe(text)}"
        case CopyProgressed():
            return ""
    return ""


def heartbeat_words(report: Report, now: datetime) -> str:
    """Return how many copies are where, and how far those are that have not ended."""
    counts = ", ".join(words for words, _ in progress_counts(report.outcomes))
    going = [outcome for outcome in report.outcomes if not outcome.ended]
    shown = ", ".join(_how_far(outcome) for outcome in going[:6])
    more = f" and {len(going) - 6} more" if len(going) > 6 else ""
    return f"{counts} after {duration(now - report.started_at)}{': ' if shown else ''}{shown}{more}"


def _how_far(outcome: Outcome) -> str:
    if outcome.state is State.COPYING:
        return outcome.place if outcome.percent is None else f"{outcome.place} {outcome.percent} %"
    return f"{outcome.place} {STATES[outcome.state].running}"
