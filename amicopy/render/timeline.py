"""A run's timeline as SVG: one bar per copy on a common scale. Everything it shows is in the page as text, too."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from amicopy.execute.report import Outcome, State

# The bar's own units; the page stretches it to whatever width there is.
_WIDTH = 1000
_HEIGHT = 20
_SECONDS = (1, 2, 5, 10, 15, 30)
_STEPS = (
    *(timedelta(seconds=seconds) for seconds in _SECONDS),
    *(timedelta(minutes=minutes) for minutes in _SECONDS),
    *(timedelta(hours=hours) for hours in (1, 2, 3, 6, 12, 24)),
)
_MOST_TICKS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The stretch of time that every bar of a page shows."""

    begin: datetime
    end: datetime

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Yield round lengths of time since the beginning: where on the scale, from 0 to 1, and in words."""
        length = self.end - self.begin
        step = next((step for step in _STEPS if length / step <= _MOST_TICKS), _STEPS[-1])
        step *= max(1, -(-length // (step * _MOST_TICKS)))  # days: as many at once as it takes
        for number in range(length // step + 1):
            yield (number * step) / length, _words(number * step)

    def x(self, at: datetime) -> int:
        """Return where a moment is in a bar."""
        return round(min(1.0, max(0.0, (at - self.begin) / (self.end - self.begin))) * _WIDTH)


def scale(begin: datetime, now: datetime) -> Scale:
    """Return the scale of a run; one that has only just begun has a second all the same."""
    return Scale(begin=begin, end=max(now, begin + timedelta(seconds=1)))


def _words(length: timedelta) -> str:
    seconds = round(length.total_seconds())
    if not seconds:
        return "0"
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= unit and seconds % unit == 0:
            return f"{seconds // unit} {name}"
    return f"{seconds // 60} min {seconds % 60} s" if seconds > 60 else f"{seconds} s"


def bar(outcome: Outcome, scale: Scale) -> str:
    """Return one copy's bar: a line while it is requested, a block while EC2 copies, a dark block for completing.

    The block fills as the percentage grew. Empty where nothing has happened.
    """
    shapes = "".join(_shapes(outcome, scale))
    grid = "".join(f"M{round(at * _WIDTH)} 0V{_HEIGHT}" for at, _ in scale.ticks())
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
        f'<path class="grid" d="{grid}"/>{shapes}</svg>'
    )


def _shapes(outcome: Outcome, scale: Scale) -> Iterator[str]:
    end = outcome.ended_at or scale.end
    copied = outcome.copying_since
    if outcome.requested_at:
        yield _block("asked", scale, outcome.requested_at, copied or end, top=9, height=2)
    if copied:
        yield _block("copy", scale, copied, outcome.available_at or end)
        yield _progress(outcome, scale, copied, outcome.available_at)
    if outcome.available_at or outcome.state is State.DONE:
        yield _block("complete", scale, outcome.available_at or end, end)
    if outcome.state is State.FAILED:
        x = min(_WIDTH - 8, max(8, scale.x(end)))
        yield f'<path class="end" d="M{x - 8} 2L{x + 8} 18M{x + 8} 2L{x - 8} 18"/>'


def _block(name: str, scale: Scale, begin: datetime, end: datetime, *, top: int = 3, height: int = 14) -> str:
    left = min(scale.x(begin), _WIDTH - 4)
    width = max(4, scale.x(end) - left)  # a moment is visible, too
    return f'<rect class="{name}" x="{left}" y="{top}" width="{width}" height="{height}"/>'


def _progress(outcome: Outcome, scale: Scale, begin: datetime, available_at: datetime | None) -> str:
    """Return the percentage over time as a surface inside the block."""
    points = [(begin, 0), *outcome.progress]
    if available_at:
        points = [*((at, percent) for at, percent in points if at < available_at), (available_at, 100)]
    path = "".join(f"L{scale.x(at)} {17 - percent * 14 // 100}" for at, percent in points)
    return f'<path class="done" d="M{scale.x(begin)} 17{path}L{scale.x(points[-1][0])} 17Z"/>'
