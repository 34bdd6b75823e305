"""docs/bench.svg: secondoverhead s, a bar per tool and number of regions, on a logarithmic scale.

Refuses to need a library, a font or a script: text in SVG, readable on light and dark.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_WIDTH, _LEFT, _RIGHT, _TOP = 760, 175, 70, 70
_BAR, _GAP, _GROUP = 14, 3, 22
_TICKS = (0.1, 1.0, 10.0, 100.0, 1000.0)
_OURS = "amicopy copy"
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f; }
.small { font-size: 11px; fill: #57606a; }
.title { font-size: 15px; font-weight: 600; }
.line { stroke: #d0d7de; }
.ours { fill: #0969da; }
.others { fill: #8c959f; }
.page { fill: #ffffff; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .small { fill: #9198a1; }
  .line { stroke: #3d444d; }
  .ours { fill: #4493f8; }
  .others { fill: #656c76; }
  .page { fill: #0d1117; }
}
"""


def bar_chart(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the picture of rows with ``peer``, ``regions`` and ``overhead_seconds``; runs that failed have no bar."""
    shown = [row for row in rows if not row["failed"]]
    counts = sorted({row["regions"] for row in shown})
    most = max((row["overhead_seconds"] for row in shown), default=1.0)
    ticks = [tick for number, tick in enumerate(_TICKS) if number < 2 or _TICKS[number - 1] < most]
    parts: list[str] = []
    y = _TOP
    for count in counts:
        label = "1 region" if count == 1 else f"{count} regions"
        parts.append(_text(16, y - 6, label, "title"))
        for row in sorted((row for row in shown if row["regions"] == count), key=lambda row: row["overhead_seconds"]):
            parts += _bar(row, y + 4, ticks)
            y += _BAR + _GAP
        y += _GROUP + 16
    bottom = y - _GROUP - 8
    grid = [part for tick in ticks for part in _tick(tick, ticks, bottom)]
    height = bottom + 34
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="Overhead in seconds, by tool and number of regions">\n'
        f"<style>{_STYLE}</style>\n"
        f'<rect class="page" width="{_WIDTH}" height="{height}" rx="6"/>\n'
        + _text(16, 26, "Seconds that a run takes in addition to the copy", "title")
        + _text(_WIDTH - 16, 26, "logarithmic; less is better", "small", anchor="end")
        + "".join(grid + parts)
        + "</svg>\n"
    )


def position(seconds: float, ticks: Sequence[float]) -> float:
    """Return how far to the right a value stands; what is below the first tick stands there."""
    low, high = math.log10(ticks[0]), math.log10(ticks[-1])
    share = (math.log10(max(seconds, ticks[0])) - low) / (high - low)
    return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)


def _bar(row: Mapping[str, Any], y: float, ticks: Sequence[float]) -> list[str]:
    end = position(row["overhead_seconds"], ticks)
    kind = "ours" if row["peer"] == _OURS else "others"
    return [
        _text(_LEFT - 8, y + 11, row["peer"], anchor="end"),
        f'<rect class="{kind}" x="{_LEFT}" y="{y}" width="{max(2.0, end - _LEFT):.1f}" height="{_BAR}" rx="2"/>\n',
        _text(max(end, _LEFT + 2) + 6, y + 11, f"{row['overhead_seconds']:g}", "small"),
    ]


def _tick(tick: float, ticks: Sequence[float], bottom: float) -> list[str]:
    x = position(tick, ticks)
    return [
        f'<line class="line" x1="{x}" y1="{_TOP - 22}" x2="{x}" y2="{bottom}"/>\n',
        _text(x, bottom + 16, f"{tick:g} s", "small", anchor="middle"),
    ]


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>\n'
