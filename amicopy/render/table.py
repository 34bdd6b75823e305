"""Tables for people: folded to a terminal with ids never cut; in a pipe one line per row."""

from collections.abc import Iterable, Iterator, Sequence

from amicopy.core.models import Image
from amicopy.render.text import aligned, cell_width, columns, fold, safe

Cell = str | Sequence[str]
"""One text, or, in the last column, a text for each thing: each begins a line of its own."""

_GAP = "  "
_LEAST = 24  # a last column that is narrower cannot be read
_INDENT = 4


def table_lines(header: Sequence[str], rows: Sequence[Sequence[Cell]], width: int = 0) -> Iterator[str]:
    """Yield the header in capitals and the rows, aligned, without trailing spaces.

    With a ``width``, the last column is folded between words. What has no room beside the others moves below its row.
    """
    lines = [line for row in rows for line in _one_line_each(row)]
    heads = [word.upper() for word in header]
    widths = [max(map(cell_width, column)) for column in zip(heads, *lines, strict=True)]
    longest_word = max((cell_width(word) for line in lines for word in line[-1].split()), default=0)
    beside = _columns_beside(widths, max(_LEAST, longest_word), width)
    if beside == len(header):
        yield from columns([heads, *_folded(lines, widths, width)])
        return
    yield aligned(heads[:beside], widths).rstrip()
    for line in lines:
        if any(line[:beside]):
            yield aligned(line[:beside], widths).rstrip()
        rest = _GAP.join(cell for cell in line[beside:] if cell not in {"", "-"})
        if rest:
            yield from fold(" " * _INDENT + rest, width, indent=_INDENT + 2)


def _one_line_each(row: Sequence[Cell]) -> Iterator[list[str]]:
    """Yield the row with the first text of its last cell, then every other text under it."""
    *first, last = row
    texts = [last] if isinstance(last, str) else list(last) or ["-"]
    yield [*map(str, first), texts[0]]
    for text in texts[1:]:
        yield [*([""] * len(first)), text]


def _columns_beside(widths: Sequence[int], least: int, width: int) -> int:
    """Return how many of the columns stand beside each other, the last one with ``least`` cells for its words."""
    if not width:
        return len(widths)
    used = 0
    for number, size in enumerate(widths, start=1):
        is_last = number == len(widths)
        if used + (min(size, least) if is_last else size) > width:
            return max(1, number - 1)
        used += size + len(_GAP)
    return len(widths)


def _folded(lines: Sequence[Sequence[str]], widths: Sequence[int], width: int) -> Iterator[list[str]]:
    room = width - sum(widths[:-1]) - len(_GAP) * (len(widths) - 1) if width else 0
    for *first, last in lines:
        pieces = fold(last, room, indent=2) or [""]
        yield [*first, pieces[0]]
        yield from ([*([""] * len(first)), piece] for piece in pieces[1:])


def title_of(sources: Iterable[Image]) -> str:
    """Return a title that names the source; empty if there are several, which need a column."""
    by_reference = {source.reference: source for source in sources}
    if len(by_reference) != 1:
        return ""
    source = next(iter(by_reference.values()))
    name = f" ({safe(source.name)})" if source.name else ""
    return f"copies of {source.reference}{name}"


def table_text(title: str, header: Sequence[str], rows: Sequence[Sequence[Cell]], width: int = 0) -> str:
    """Return the lines of a table as one text, its title above it if it has one."""
    titles = fold(title, width, indent=2) if title else []
    return "".join(f"{line}\n" for line in (*titles, *table_lines(header, rows, width)))
