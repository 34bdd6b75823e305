"""Progress on a terminal: a table with a bar per copy, or per region if there are too many, redrawn in place."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from amicopy.core.clock import Clock
from amicopy.core.events import Event
from amicopy.core.parallel import Stop
from amicopy.execute.report import Outcome, Report, State
from amicopy.render.progress_lines import ENDING
from amicopy.render.states import STATES
from amicopy.render.text import counted, duration, safe

_STYLES = {"good": "green", "bad": "bold red"}  # by tone
_MANY = 500
_ENDED_BADLY_FIRST = sorted(State, key=lambda state: STATES[state].tone != "bad")


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
        # To draw thousands takes 10 ms and more, and they are counted by region, where nothing pulses.
        often = 4 if len(report.by_key) < _MANY else 1
        self._live = Live(
            console=self._console, get_renderable=self._table, refresh_per_second=often, redirect_stdout=False
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
        outcomes = self._report.outcomes
        room = max(3, self._console.height - 4)
        regions: dict[str, list[Outcome]] = {}
        for outcome in outcomes:
            regions.setdefault(outcome.region, []).append(outcome)
        if len(outcomes) > room and len(regions) < len(outcomes):
            lines = [self._region_line(some) for some in sorted(regions.values(), key=_first_urgency)]
        else:
            several = len(regions) < len(outcomes)
            lines = [self._line(outcome, several=several) for outcome in sorted(outcomes, key=_urgency)]
        table = Table(box=None, pad_edge=False, show_header=False)
        for line in lines if len(lines) <= room else lines[: room - 1]:
            table.add_row(*line)
        done = sum(outcome.ended for outcome in outcomes)
        since = duration(self._clock.now() - self._report.started_at)
        summary = f"{done} of {counted(len(outcomes), 'copy', 'copies')} ended · {since}"
        if len(lines) > room:
            summary += f" · {len(lines) - room + 1} more not shown"
        if self._stop.is_set():
            summary += f" · {ENDING}"
        return Group(table, Text(summary, style="dim"))

    @property
    def _bar_width(self) -> int:
        return 24 if self._console.width >= 100 else 8

    def _line(self, outcome: Outcome, *, several: bool) -> list[Text | ProgressBar]:
        """Return the cells of one copy; its source among them where there are ``several``."""
        return [
            Text(outcome.region, no_wrap=True),
            *([Text(outcome.source_id, no_wrap=True)] if several else []),
            Text(outcome.image_id or "-", no_wrap=True),
            _bar(outcome, self._bar_width),
            Text(_progress(outcome), style=_style(outcome.state)),
            Text(self._took(outcome), style="dim"),
        ]

    def _region_line(self, outcomes: Sequence[Outcome]) -> list[Text | ProgressBar]:
        """Return the cells of one region: how far its copies are together, and how many are where."""
        count = Counter(outcome.state for outcome in outcomes)
        words = Text(no_wrap=True)
        for state in (one for one in _ENDED_BADLY_FIRST if count[one]):
            words.append(", " if words else "").append(f"{count[state]} {STATES[state].running}", style=_style(state))
        percent = sum(map(_percent, outcomes)) / len(outcomes)
        return [
            Text(outcomes[0].row.region, no_wrap=True),
            ProgressBar(total=100, completed=percent, width=self._bar_width),
            Text(f"{percent:3.0f} %", style="dim"),
            words,
        ]

    def _took(self, outcome: Outcome) -> str:
        if outcome.requested_at is None:
            return ""
        return duration((outcome.ended_at or self._clock.now()) - outcome.requested_at)


def _urgency(outcome: Outcome) -> int:
    """Sort rows for a small screen: unfinished copies, then failures, then the others."""
    return 2 if outcome.is_well else 1 if outcome.ended else 0


def _first_urgency(outcomes: Sequence[Outcome]) -> int:
    return min(map(_urgency, outcomes))


def _percent(outcome: Outcome) -> int:
    return 100 if outcome.is_well or outcome.state is State.SHARING_DEFERRED else outcome.percent or 0


def _style(state: State) -> str:
    return _STYLES.get(STATES[state].tone, "")


def _bar(outcome: Outcome, width: int) -> ProgressBar:
    waiting = outcome.state in {State.COPYING, State.REQUESTED} and outcome.percent is None
    return ProgressBar(total=100, completed=_percent(outcome), width=width, pulse=waiting)


def _progress(outcome: Outcome) -> str:
    words = STATES[outcome.state].running
    if outcome.state is State.COPYING and outcome.percent is not None:
        return f"{words} {outcome.percent:3} %"
    if outcome.state is State.FAILED and outcome.error:
        return f"failed: {safe(outcome.error.slug)}"
    return words
