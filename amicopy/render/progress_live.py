"""Progress on a terminal: a line per copy, or per region if there are too many, redrawn in place."""

import contextlib
from collections.abc import Iterator, Sequence

from rich.console import Console, ConsoleOptions, ConsoleRenderable, Group
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType, Segment
from rich.text import Text

from amicopy.core.clock import Clock
from amicopy.core.destination import Key
from amicopy.core.events import CopyQueued, Event, NoteAdded
from amicopy.core.parallel import Stop
from amicopy.execute.report import Outcome, Report, State
from amicopy.render.progress_lines import ENDING
from amicopy.render.states import STATES, counts_by_state, progress_counts, state_words
from amicopy.render.text import aligned, cell_width, duration, safe
from amicopy.render.time_left import copy_time_left, run_time_left, time_left_words

_STYLES = {"good": "green", "bad": "bold red"}  # by tone; nothing else has a color but the bars
_MANY = 500
_MOST_NOTES = 20
_GAP = "  "
_BAR_WIDTHS = 8, 24
_TOOK_WIDTH = len("12 min 05 s")
_BAR, _ASCII_BAR = ("━", "─"), ("#", "-")  # done and not done
_WITHOUT_BAR = {State.FAILED, State.REFUSED, State.QUEUED}  # a reason takes its place


class _Mode:
    """A control sequence of a terminal that rich has no name for."""

    def __init__(self, sequence: str) -> None:
        self._segment = Segment(sequence, None, [(ControlType.HOME,)])  # any control: it takes no room on a line

    def __rich_console__(self, _console: Console, _options: ConsoleOptions) -> Iterator[Segment]:
        yield self._segment


# A terminal that knows synchronized output (DEC private mode 2026) shows a frame only when it is complete; others
# ignore both.
_FRAME_BEGINS, _FRAME_ENDS = _Mode("\x1b[?2026h"), _Mode("\x1b[?2026l")


class _WholeFrames(Live):
    """Lines that are redrawn without flicker."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Return one frame, marked as one."""
        frame = super().process_renderables(renderables)
        if not self.console.is_terminal or self.console.is_dumb_terminal:
            return frame
        return [_FRAME_BEGINS, *frame, _FRAME_ENDS]


class _Screen(Console):
    """A console whose terminal may go away without ending the run."""

    def on_broken_pipe(self) -> None:
        """Fall silent, where rich would end the process."""
        self.quiet = True


@contextlib.contextmanager
def passing_line(text: str) -> Iterator[None]:
    """Show a line on stderr until the block ends; on a terminal that cannot erase it, nothing."""
    console = _Screen(stderr=True, markup=False, emoji=False, highlight=False)
    if console.is_dumb_terminal or not console.is_terminal:
        yield
        return
    if console.options.ascii_only:
        text = text.replace("…", "...")
    console.print(Text(text, "dim", no_wrap=True, overflow="ellipsis"), end="")
    try:
        yield
    finally:
        console.control(Control((ControlType.CARRIAGE_RETURN,), (ControlType.ERASE_IN_LINE, 2)))


class LiveView:
    """Lines on stderr that are redrawn: failures first, the others in the plan's order, and a summary."""

    def __init__(self, report: Report, clock: Clock, stop: Stop) -> None:
        self._report = report
        self._stop = stop
        self._clock = clock
        self._closed = False
        self._queued_because: dict[Key, str] = {}
        self._notes = 0
        self._console = _Screen(stderr=True, markup=False, emoji=False, highlight=False)
        # To draw thousands takes 10 ms and more, and they are counted by region.
        often = 4 if len(report.by_key) < _MANY else 1
        self._live = _WholeFrames(
            console=self._console, get_renderable=self._screen, refresh_per_second=often, redirect_stdout=False
        )
        self._live.start()

    def event(self, event: Event, outcome: Outcome) -> None:
        """Remember why a copy is queued, and write notes above the lines; the rest is drawn from the report."""
        if isinstance(event, CopyQueued):
            self._queued_because[event.key] = event.reason
        if isinstance(event, NoteAdded):
            self._notes += 1
            if self._notes <= _MOST_NOTES:
                self._console.print(Text(f"note: {event.place}: {safe(event.text)}"))
            elif self._notes == _MOST_NOTES + 1:
                self._console.print(Text("note: more notes are in the result: --write json=FILE"))

    def glance(self) -> None:
        """Nothing to do: the lines redraw themselves."""

    def close(self) -> None:
        """Draw the lines a last time and leave them standing."""
        self._closed = True
        self._live.stop()

    def _screen(self) -> Group:
        outcomes = self._report.outcomes
        footer = self._footer(outcomes)
        room = max(3, self._console.height - len(footer) - 1)
        by_region: dict[str, list[Outcome]] = {}
        for outcome in outcomes:
            by_region.setdefault(outcome.place, []).append(outcome)
        if len(outcomes) <= room or len(by_region) == len(outcomes):
            groups = [[outcome] for outcome in outcomes]
        else:
            groups = list(by_region.values())
        shown, hidden = _chosen(groups, room)
        if len(groups) == len(outcomes):
            several = len(by_region) < len(outcomes)
            lines = self._copy_lines([outcome for group in shown for outcome in group], several=several)
        else:
            lines = self._region_lines(shown)
        if hidden:
            lines.append(Text("not shown: ", "dim").append_text(_counted([one for group in hidden for one in group])))
        for line in lines:
            line.truncate(self._console.width, overflow="ellipsis")
        return Group(*lines, *footer)

    def _footer(self, outcomes: Sequence[Outcome]) -> list[Text]:
        """Return how many copies are where, how long the run has taken, and how to end it at once."""
        now = self._clock.now()
        parts = [Text(words, _STYLES["bad"] if is_bad else "bold") for words, is_bad in progress_counts(outcomes)]
        parts.append(Text(duration(now - self._report.started_at), "dim"))
        if not self._closed and (left := run_time_left(outcomes, now)) is not None:
            parts.append(Text(time_left_words(left), "dim"))
        if self._stop.is_set() and not self._closed:
            parts.append(Text(ENDING, "bold"))
        separator = ", " if self._console.options.ascii_only else " · "
        return list(Text(separator).join(parts).wrap(self._console, self._console.width))

    def _copy_lines(self, outcomes: Sequence[Outcome], *, several: bool) -> list[Text]:
        """Return a line for each copy; its source is named where there are ``several``."""
        heads = [
            [one.place, *([one.source_id] if several else []), one.image_id or "-"] for one in outcomes
        ]  # never cut before what follows them is
        sizes = [max(map(len, column)) for column in zip(*heads, strict=True)]
        words = [self._words(outcome) for outcome in outcomes]
        beside = [cell_width(text) for text, one in zip(words, outcomes, strict=True) if one.state not in _WITHOUT_BAR]
        words_width = max(beside, default=0)
        free = self._console.width - sum(sizes) - len(_GAP) * (len(sizes) + 1) - words_width
        bar_width, with_took = _widths(free)
        lines = []
        for head, outcome, text in zip(heads, outcomes, words, strict=True):
            line = Text(aligned(head, sizes) + _GAP)
            if outcome.state in _WITHOUT_BAR:
                lines.append(line.append(text, _style(outcome.state)))
                continue
            if bar_width:
                line.append_text(self._bar(_percent(outcome), bar_width)).append(_GAP)
            line.append(text.ljust(words_width if with_took else 0), _style(outcome.state))
            if with_took:
                line.append(_GAP + self._took(outcome).rjust(_TOOK_WIDTH), "dim")
            lines.append(line)
        return lines

    def _region_lines(self, groups: Sequence[Sequence[Outcome]]) -> list[Text]:
        """Return a line for each region: how far its copies are together, and how many are where."""
        size = max(len(group[0].place) for group in groups)
        lines = []
        for group in groups:
            percent = sum(map(_percent, group)) / len(group)
            line = Text(group[0].place.ljust(size) + _GAP)
            line.append_text(self._bar(percent, _BAR_WIDTHS[self._console.width >= 100]))
            lines.append(line.append(f"{percent:5.0f} %{_GAP}", "dim").append_text(_counted(group)))
        return lines

    def _bar(self, percent: float, width: int) -> Text:
        done, rest = _ASCII_BAR if self._console.options.ascii_only else _BAR
        filled = int(width * percent / 100)
        return Text(done * filled, "green" if percent >= 100 else "blue").append(rest * (width - filled), "dim")

    def _words(self, outcome: Outcome) -> str:
        if outcome.left:
            return state_words(outcome)
        words = STATES[outcome.state].running
        if outcome.error and outcome.has_failed:
            reason = (outcome.error.why or "").removeprefix(f"EC2 reports for {outcome.image_id}: ")
            return f"{words}: {safe(reason or outcome.error.what)}"
        if outcome.state is State.QUEUED and (because := self._queued_because.get(outcome.row.key)):
            return f"{words}: {safe(because)}"
        if outcome.state is State.COPYING and outcome.percent is not None:
            words = f"{words} {outcome.percent:3} %"
            if (left := copy_time_left(outcome, self._clock.now())) is not None and self._console.width >= 80:
                words += f" {time_left_words(left)}"
        return words

    def _took(self, outcome: Outcome) -> str:
        if outcome.requested_at is None:
            return ""
        return duration((outcome.ended_at or self._clock.now()) - outcome.requested_at)


def _chosen(
    groups: Sequence[Sequence[Outcome]], room: int
) -> tuple[Sequence[Sequence[Outcome]], Sequence[Sequence[Outcome]]]:
    """Return what is shown, failures first and the rest in the plan's order, and what has no room.

    Where there is too little room, what is done is left out first, and what is under way last but for failures.
    """
    ordered = sorted(groups, key=lambda group: not _has_failed(group))
    if len(ordered) <= room:
        return ordered, []
    failed = sum(map(_has_failed, groups))
    going_first = sorted(range(failed, len(ordered)), key=lambda at: all(one.ended for one in ordered[at]))
    kept = {*range(failed), *going_first[: max(0, room - 1 - failed)]}
    kept = set(sorted(kept)[: room - 1])
    return [ordered[at] for at in sorted(kept)], [ordered[at] for at in range(len(ordered)) if at not in kept]


def _has_failed(group: Sequence[Outcome]) -> bool:
    return any(outcome.has_failed for outcome in group)


def _counted(outcomes: Sequence[Outcome]) -> Text:
    return Text(", ").join(
        Text(f"{many} {words}", _STYLES.get(tone, "")) for (tone, words), many in counts_by_state(outcomes)
    )


def _widths(free: int) -> tuple[int, bool]:
    """Return how wide the bars are (0: none), and whether there is room for how long a copy has taken."""
    least, most = _BAR_WIDTHS
    with_took = free >= least + len(_GAP) + _TOOK_WIDTH
    room = free - (len(_GAP) + _TOOK_WIDTH if with_took else 0)
    return min(most, room) if room >= least else 0, with_took


def _percent(outcome: Outcome) -> int:
    return 100 if outcome.is_well or outcome.state in {State.SHARING_DEFERRED, State.CHECKING} else outcome.percent or 0


def _style(state: State) -> str:
    return _STYLES.get(STATES[state].tone, "")
