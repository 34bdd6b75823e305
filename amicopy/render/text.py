"""Text for a screen: untrusted text escaped, errors in four lines, durations, counts."""

import shlex
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import timedelta

from amicopy.core.errors import AmicopyError

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
    width = width or _terminal_width()
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
    if not width:
        return [line]
    return textwrap.wrap(
        line,
        width,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _terminal_width() -> int:
    return shutil.get_terminal_size().columns if sys.stderr.isatty() else 0


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
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)] if rows else []
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
