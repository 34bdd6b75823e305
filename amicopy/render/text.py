"""Text for a screen: untrusted text escaped, errors in four lines, durations, counts."""

import contextlib
import os
import re
import shlex
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TextIO

from amicopy.core.errors import AmicopyError

_WORDS = re.compile(r"\S+\s*")
_USUAL_WIDTH = 80
_COLUMNS = re.compile(r"\S+(?: \S+)*")  # two spaces between them
_INDENT = 4  # of columns that have no room beside the others
_LEAST_ROOM = 12  # columns that a folded text needs, to be read under its column

# Control, format (right-to-left marks among them), surrogate and private characters; line and paragraph ends.
_CI_COMMANDS = ("##[", "##vso[")  # GitHub's and Azure's runners obey these anywhere in a line of a log
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def safe(text: str) -> str:
    """Return ``text`` with everything escaped that could control a terminal, a reading direction or a CI runner."""
    for start in _CI_COMMANDS:
        text = text.replace(start, "\\x23" + start[1:])
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(char) if unicodedata.category(char) in _UNSAFE else char for char in text)


def _visible(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def typed(arguments: Sequence[str]) -> str:
    """Return a command line as a person would type it again; what could harm a terminal is written in ``$'…'``."""
    return " ".join(
        shlex.quote(text) if safe(text) == text else "$'" + "".join(map(_ansi_c, text)) + "'" for text in arguments
    )


def _ansi_c(char: str) -> str:
    if char in "'\\":
        return "\\" + char
    return _visible(char) if unicodedata.category(char) in _UNSAFE else char


def error_lines(error: AmicopyError, *, label: str = "error", width: int | None = None) -> list[str]:
    """Return what happened, why, and what to do next: one line each, the last two only where known.

    With a ``width`` long lines are folded between words; by default they are where stderr is a terminal.
    """
    width = terminal_width(sys.stderr) if width is None else width
    lines = fold(f"{label}: {safe(error.what)} [{error.slug}]", width, indent=2)
    for detail in error.details:
        lines += fold(f"  {safe(detail)}", width, indent=4)
    if error.why:
        lines += fold(f"  why    {safe(error.why)}", width, indent=9)
    if error.next_step:
        lines += fold(f"  next   {safe(error.next_step)}", width, indent=9)
    if error.request_id:
        lines.append(f"  id     AWS request {safe(error.request_id)}")
    return lines


def fold(line: str, width: int, *, indent: int) -> list[str]:
    """Return the line cut between words, later pieces indented; uncut with no width. Words are never cut."""
    if not width or cell_width(line) <= width:
        return [line]
    start = len(line) - len(line.lstrip())
    pieces, piece = [], line[:start]
    for word in _WORDS.findall(line[start:]):
        if piece.strip() and cell_width(piece) + cell_width(word.rstrip()) > width:
            pieces.append(piece.rstrip())
            piece = " " * indent
        piece += word
    return [*pieces, piece.rstrip()]


def fold_aligned(line: str, width: int) -> list[str]:
    """Return the line folded, later pieces under its last column.

    If a word has no room there, or a column in the right half would take more than two lines, the line is cut between
    its columns, and what follows is indented.
    """
    line = line.rstrip()
    if not width or cell_width(line) <= width:
        return [line]
    last_column = line.rfind("  ") + 2
    longest = max(map(cell_width, line[last_column:].split()), default=0)
    if 2 <= last_column <= width - max(longest, _LEAST_ROOM):
        pieces = fold(line, width, indent=last_column)
        if last_column <= width // 2 or len(pieces) <= 2:
            return pieces
    first, *columns_left = _COLUMNS.finditer(line)
    pieces = [line[: first.end()]]
    for column in columns_left:
        beside = line[: column.end()] if len(pieces) == 1 else f"{pieces[-1]}  {column[0]}"
        if cell_width(beside) <= width:
            pieces[-1] = beside
        else:
            pieces.append(" " * _INDENT + column[0])
    head, *rest = pieces
    return [*fold(head, width, indent=2), *(part for piece in rest for part in fold(piece, width, indent=_INDENT + 2))]


def cell_width(text: str) -> int:
    """Return how many cells of a terminal the text takes: Chinese, Japanese and Korean characters take two."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def terminal_width(stream: TextIO) -> int:
    """Return the columns of the terminal that ``stream`` is, or of COLUMNS; 0 where it is no terminal."""
    if not stream.isatty():
        return 0
    with contextlib.suppress(ValueError):
        if columns := int(os.environ.get("COLUMNS", "0")):
            return columns
    try:
        return os.get_terminal_size(stream.fileno()).columns or _USUAL_WIDTH
    except (OSError, ValueError):
        return _USUAL_WIDTH


def duration(length: timedelta) -> str:
    """Return a length of time as a person says it: ``47 s``, ``12 min 05 s``, ``3 h 07 min``."""
    seconds = max(0, round(length.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02} min"


def counted(number: int, one: str, several: str = "") -> str:
    """Return ``1 copy``, ``2 copies``."""
    return f"{number} {one if number == 1 else several or one + 's'}"


def columns(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """Yield the rows as lines with aligned columns."""
    widths = [max(map(cell_width, column)) for column in zip(*rows, strict=True)] if rows else []
    for row in rows:
        yield aligned(row, widths).rstrip()


def aligned(cells: Iterable[str], widths: Iterable[int]) -> str:
    """Return the cells of a line, each filled up to its width, two spaces between them."""
    return "  ".join(cell + " " * (width - cell_width(cell)) for cell, width in zip(cells, widths, strict=False))
