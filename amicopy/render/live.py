"""Progress on a terminal: a table with a bar per destination, redrawn in place.

Refuses to be there for anything but a terminal, and to grow beyond the screen.
"""

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from amicopy.clock import Clock
from amicopy.events import Event
from amicopy.parallel import Stop
from amicopy.render.plain import ENDING
from amicopy.render.words import counted, duration, safe
from amicopy.report import Outcome, Report, State

_STYLES = {State.DONE: "green", State.KEPT: "green", State.FAILED: "bold red", State.REFUSED: "bold red"}
_WORDS = {
    State.PLANNED: "waiting",
    State.REQUESTED: "requested",
    State.COPYING: "copying",
    State.SETTLING: "settling",
    State.HELD: "ready, not shared yet",
    State.DONE: "done",
    State.KEPT: "as asked before",
    State.FAILED: "failed",
    State.REFUSED: "refused",
    State.CANCELLED: "removed again",
}


class _Screen(Console):
    """A console whose terminal may go away without ending the run."""

    def on_broken_pipe(self) -> None:
        """Fall silent, where rich would end the process."""
        self.quiet = True


class LiveView:
    """A redrawn table on stderr."""

    def __init__(self, report: Report, clock: Clock, stop: Stop) -> None:
        self._report = report
        self._stop = stop
        self._clock = clock
        self._console = _Screen(stderr=True, markup=False, emoji=False, highlight=False)
        self._live = Live(
            console=self._console, get_renderable=self._table, refresh_per_second=4, redirect_stdout=False
        )
        self._live.start()

    def event(self, event: Event, outcome: Outcome) -> None:
        """Nothing to do: the table is drawn from the report."""

    def glance(self) -> None:
        """Nothing to do: the table redraws itself."""

    def close(self) -> None:
        """Draw the table a last time and leave it standing."""
        self._live.stop()

    def _table(self) -> Group:
        now = self._clock.now()
        outcomes = sorted(self._report.rows, key=_urgency)
        room = max(3, self._console.height - 4)
        several = len({outcome.row.source.reference for outcome in outcomes}) > 1
        table = Table(box=None, pad_edge=False, show_header=False)
        for outcome in outcomes if len(outcomes) <= room else outcomes[: room - 1]:
            table.add_row(
                Text(outcome.row.region, no_wrap=True),
                *([Text(outcome.row.source.image_id, no_wrap=True)] if several else []),
                Text(outcome.image_id or "-", no_wrap=True),
                _bar(outcome, 24 if self._console.width >= 100 else 8),
                Text(_progress(outcome), style=_STYLES.get(outcome.state, "")),
                Text(self._took(outcome), style="dim"),
            )
        done = sum(outcome.ended for outcome in outcomes)
        line = f"{done} of {counted(len(outcomes), 'copy', 'copies')} ended · {duration(now - self._report.started_at)}"
        if len(outcomes) > room:
            line += f" · {len(outcomes) - room + 1} more not shown"
        if self._stop.is_set():
            line += f" · {ENDING}"
        return Group(table, Text(line, style="dim"))

    def _took(self, outcome: Outcome) -> str:
        if outcome.requested_at is None:
            return ""
        return duration((outcome.ended_at or self._clock.now()) - outcome.requested_at)


def _urgency(outcome: Outcome) -> int:
    """Order rows for a small screen: what goes on first, then failures, then what has ended well."""
    return 2 if outcome.is_well else 1 if outcome.ended else 0


def _bar(outcome: Outcome, width: int) -> ProgressBar:
    percent = 100 if outcome.is_well or outcome.state is State.HELD else outcome.percent
    waiting = outcome.state in {State.COPYING, State.REQUESTED} and percent is None
    return ProgressBar(total=100, completed=percent or 0, width=width, pulse=waiting)


def _progress(outcome: Outcome) -> str:
    words = _WORDS[outcome.state]
    if outcome.state is State.COPYING and outcome.percent is not None:
        return f"{words} {outcome.percent:3} %"
    if outcome.state is State.FAILED and outcome.error:
        return f"failed: {safe(outcome.error.slug)}"
    return words
