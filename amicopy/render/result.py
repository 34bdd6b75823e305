"""The result on stdout, in the requested format."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from amicopy.execute.report import Outcome, Report, State
from amicopy.render.states import state_words
from amicopy.render.table import Cell, table_text, title_of
from amicopy.render.text import duration, fold_aligned, safe, terminal_width

# States whose AMI id is of use to the next step.
_USEFUL = {
    State.DONE,
    State.SHARING_DEFERRED,
    State.UNCHANGED,
    State.COPYING,
    State.COMPLETING,
    State.CHECKING,
    State.PLANNED,
}


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


def write_folded(lines: Iterable[str]) -> None:
    """Write lines for people, folded to the terminal's width if stdout is one."""
    width = terminal_width(sys.stdout)
    write_lines(piece for line in lines for piece in fold_aligned(line, width))


def text_of(outcomes: Iterable[Outcome]) -> str:
    """Return ``REGION COPY SOURCE STATE`` for each copy that there is, a line each; the states are those of JSON."""
    return "".join(
        f"{outcome.place} {outcome.image_id} {outcome.source_id} {outcome.state}\n"
        for outcome in outcomes
        if outcome.image_id and outcome.state in _USEFUL
    )


def table_of(report: Report, width: int = 0) -> str:
    """Return a table for people, folded to ``width``; the source and the name are in its title if they say enough."""
    outcomes = report.outcomes
    title = title_of(outcome.row.source for outcome in outcomes)
    renamed = any(outcome.row.name != outcome.row.source.name for outcome in outcomes)
    rows = [
        [
            outcome.place,
            outcome.image_id or "-",
            *([] if title else [outcome.source_id]),
            state_words(outcome),
            took(outcome),
            *([safe(outcome.row.name)] if renamed else []),
        ]
        for outcome in outcomes
    ]
    header = ["region", "copy", *([] if title else ["source"]), "state", "took", *(["name"] if renamed else [])]
    return table_text(title, header, rows, width)


def json_of(document: Any) -> str:
    """Return one JSON document; non-ASCII text escaped, so that no terminal or encoding stumbles over it."""
    return json.dumps(document, indent=2) + "\n"


def write_text(text: str) -> None:
    """Write a result."""
    sys.stdout.write(text)
    sys.stdout.flush()


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Write a table to stdout, folded to the terminal's width if it is one."""
    write_text(table_text(title, header, rows, terminal_width(sys.stdout)))


def took(outcome: Outcome) -> str:
    """Return how long EC2 copied; ``-`` where it was not asked to, or has not finished."""
    if outcome.requested_at is None or outcome.available_at is None:
        return "-"
    return duration(outcome.available_at - outcome.requested_at)
