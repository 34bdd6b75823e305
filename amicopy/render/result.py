"""The result on stdout, in the requested format."""

import io
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from amicopy.execute.report import Outcome, Report, State
from amicopy.render.states import state_words
from amicopy.render.text import duration, safe

# States whose AMI id is of use to the next step.
_USEFUL = {State.DONE, State.SHARING_DEFERRED, State.UNCHANGED, State.COPYING, State.COMPLETING, State.PLANNED}


def write_json(document: Any) -> None:
    """Write one JSON document."""
    write_text(json_of(document))


def write_json_line(document: Any) -> None:
    """Write one line of JSON, at once."""
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def write_lines(lines: Iterable[str]) -> None:
    """Write lines."""
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()


def text_of(outcomes: Iterable[Outcome]) -> str:
    """Return ``REGION COPY SOURCE`` for each copy that there is, a line each."""
    return "".join(
        f"{outcome.region} {outcome.image_id} {outcome.source_id}\n"
        for outcome in outcomes
        if outcome.image_id and outcome.state in _USEFUL
    )


def table_of(report: Report, *, styled: bool = False) -> str:
    """Return a table for people; ``styled`` for a terminal."""
    rows = [
        [
            outcome.region,
            outcome.image_id or "-",
            outcome.source_id,
            state_words(outcome),
            took(outcome),
            safe(outcome.row.name),
        ]
        for outcome in report.outcomes
    ]
    return _table(["region", "copy", "source", "state", "took", "name"], rows, styled=styled)


def json_of(document: Any) -> str:
    """Return one JSON document; non-ASCII text escaped, so that no terminal or encoding stumbles over it."""
    return json.dumps(document, indent=2) + "\n"


def write_text(text: str) -> None:
    """Write a result; a locale that has no line to draw gets hyphens."""
    if not (sys.stdout.encoding or "utf-8").lower().startswith("utf"):
        text = text.replace("─", "-")
    sys.stdout.write(text)
    sys.stdout.flush()


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table to stdout."""
    write_text(_table(header, rows, styled=sys.stdout.isatty()))


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], *, styled: bool) -> str:
    """Return a table as wide as it needs: a pipe has no width, and a terminal wraps."""
    from rich import box
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    table = Table(*header, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    # Written at once by us: rich ends the process when the reader of stdout has gone.
    paper = io.StringIO()
    console = Console(
        file=paper, force_terminal=styled, markup=False, emoji=False, highlight=False, legacy_windows=False
    )
    unlimited = console.options.update(max_width=10_000)
    console.width = Measurement.get(console, unlimited, table).maximum
    console.print(table)
    return paper.getvalue()


def took(outcome: Outcome) -> str:
    """Return how long EC2 copied; ``-`` where it was not asked to, or has not finished."""
    if outcome.requested_at is None or outcome.available_at is None:
        return "-"
    return duration(outcome.available_at - outcome.requested_at)
