"""A run as one HTML page: every region's timeline, ids, sizes, what was carried, what failed and why.

It loads nothing and runs no script; untrusted text is escaped.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby

from amicopy.core.errors import AmicopyError, ExitCode
from amicopy.core.models import Image
from amicopy.execute.report import Outcome, Report, State
from amicopy.render.html import command, day, document, listed, soft, text
from amicopy.render.result import took
from amicopy.render.states import STATES, state_words
from amicopy.render.summary import left_words, summary
from amicopy.render.text import counted, duration
from amicopy.render.timeline import Scale, bar, scale

# With more sources than this, those without problems are collapsed, so that a long page can be skimmed.
_MOST_OPEN = 3
_MOST_FINDINGS = 20  # of a source
_LAST_TICK = 0.85  # what is said of a tick farther to the right stands on its left
_LEGEND = {
    "requested": '<rect class="asked" width="40" y="9" height="2"/>',
    "copying; fills with progress": '<rect class="copy" width="40" y="3" height="14"/>'
    '<path class="done" d="M0 17L40 3V17Z"/>',
    "completing: tags, permissions, dates": '<rect class="complete" width="40" y="3" height="14"/>',
}
_Parts = tuple[str, str, tuple[str, ...], str, str]  # slug, what, details, why, next step


def page(
    report: Report,
    *,
    now: datetime,
    exit_code: ExitCode,
    command_line: str = "",
    calls: Mapping[str, int] | None = None,
) -> str:
    """Return the page; ``command_line`` as a person would type it, ``calls`` how many of each AWS operation were sent.

    It can be made at any moment of a run: what has not ended lasts until ``now``.
    """
    return document(
        title=_title(report),
        status=summary(report),
        exit_code=exit_code,
        settings={
            "command": command(command_line),
            "started": day(report.started_at),
            "ended": f"{day(now)} {soft(f'({duration(now - report.started_at)})')}",
        },
        main=[
            *_failures(report),
            *_unfinished(report, command_line),
            *_notes(report),
            *_scans(report),
            *_cost(report),
            *_timeline(report, scale(report.started_at, now)),
        ],
        calls=calls or {},
    )


def _title(report: Report) -> str:
    """Return how many copies have failed; if none has, how many are up to date."""
    copies = counted(len(report.outcomes), "copy", "copies")
    if failed := sum(outcome.has_failed for outcome in report.outcomes):
        return f"{failed} of {copies} failed"
    return f"{sum(outcome.is_well for outcome in report.outcomes)} of {copies} up to date"


def _failures(report: Report) -> Iterator[str]:
    """Yield what ended the run, and every failure once with the regions that it happened in."""
    regions: dict[_Parts, list[str]] = {}
    several = len({outcome.row.source.reference for outcome in report.outcomes}) > 1
    for outcome in report.outcomes:
        if outcome.error and outcome.has_failed:
            source = f" ({outcome.source_id})" if several else ""
            best_effort = " (best effort)" if outcome.row.best_effort else ""
            where = f'<a href="#{_anchor(outcome)}">{text(outcome.place)}</a>{text(source + best_effort)}'
            regions.setdefault(_parts(outcome.error), []).append(where)
    whole = report.error or (report.plan.refusal() if report.refused else None)
    if not regions and not whole:
        return
    yield '<section aria-labelledby="failures">\n<h2 id="failures">What failed</h2>'
    if whole:
        yield _failure(_parts(whole), [])
    yield from (_failure(parts, where) for parts, where in regions.items())
    yield "</section>"


def _parts(error: AmicopyError) -> _Parts:
    return error.slug, error.what, error.details, error.why, error.next_step


def _anchor(outcome: Outcome) -> str:
    """Return the id of a copy's row in the page."""
    return text(f"{outcome.place}-{outcome.source_id}".replace("/", "-"))


def _failure(parts: _Parts, places: Iterable[str]) -> str:
    """Return one failure with the places, as HTML, in which it happened."""
    slug, what, details, why, next_step = parts
    named = ", ".join(dict.fromkeys(places))
    lines = [
        f"<p>{text(what)} {soft(f'[{text(slug)}]')}</p>",
        listed(details) if details else "",
        f"<p>{text(why)}</p>" if why else "",
        f"<p>{soft('Next:')} {text(next_step)}</p>" if next_step else "",
        f"<p>{soft(f'In {named}.')}</p>" if named else "",
    ]
    return f'<div class="failure">{"".join(lines)}</div>'


def _unfinished(report: Report, command_line: str) -> Iterator[str]:
    """Yield what EC2 is still copying and how to continue; a refused run has started nothing."""
    left = report.left_behind
    if not left or report.refused:
        return
    yield '<section aria-labelledby="unfinished">\n<h2 id="unfinished">What is unfinished</h2>'
    again = f": <code>{text(command_line)}</code>" if command_line else "."
    yield f"<p>{left_words(left)}; to complete the copies, run the same"
    yield f"command again{again}</p>"
    yield "</section>"


def _notes(report: Report) -> Iterator[str]:
    if report.plan.notes:
        yield '<section aria-labelledby="notes">\n<h2 id="notes">Notes</h2>'
        yield f"{listed(report.plan.notes)}\n</section>"


def _scans(report: Report) -> Iterator[str]:
    """Yield what points to its region, and the secrets, in each source that was scanned and not only remembered."""
    found = [scan for scan in report.plan.scans if scan.lines or scan.secret_lines]
    if not found:
        return
    yield '<section aria-labelledby="scans">\n<h2 id="scans">What the sources point to</h2>'
    for scan in found:
        lines = [*scan.secret_lines, *scan.lines]
        shown = [f"{one.severity}: {one.place}: {one.message}: {one.excerpt}" for one in lines[:_MOST_FINDINGS]]
        more = [f"and {len(lines) - _MOST_FINDINGS} more"] if len(lines) > _MOST_FINDINGS else []
        yield f"<p>{text(scan.image_id)} in {text(scan.region)}</p>{listed([*shown, *more])}"
    yield "</section>"


def _cost(report: Report) -> Iterator[str]:
    from amicopy.render.boot_cost import check_cost_lines
    from amicopy.render.cost import cost_lines

    if lines := (*cost_lines(report.executed_plan, planned=report.plan), *check_cost_lines(report.plan)):
        yield '<section aria-labelledby="cost">\n<h2 id="cost">Cost</h2>'
        yield f"{listed(lines)}\n</section>"


def _timeline(report: Report, whole: Scale) -> Iterator[str]:
    yield '<section aria-labelledby="timeline">\n<h2 id="timeline">Timeline</h2>\n<p class="legend">'
    for words, shapes in _LEGEND.items():
        yield f'<span><svg viewBox="0 0 40 20" aria-hidden="true">{shapes}</svg>{words}</span>'
    yield "</p>"
    groups = [list(some) for _, some in groupby(report.outcomes, key=lambda outcome: outcome.row.source.reference)]
    for some in sorted(groups, key=lambda group: not any(outcome.has_failed for outcome in group)):
        outcomes = sorted(some, key=lambda outcome: not outcome.has_failed)
        source = outcomes[0].row.source
        is_open = len(groups) <= _MOST_OPEN or not all(outcome.is_well for outcome in outcomes)
        yield f'<details class="source"{" open" if is_open else ""}><summary>{_source(source, outcomes)}</summary>'
        yield from _table(source, outcomes, whole)
        yield "</details>"
    yield "</section>"


def _source(source: Image, outcomes: Sequence[Outcome]) -> str:
    well = sum(outcome.is_well for outcome in outcomes)
    settings = f"in {text(source.region)}, {source.volume_gib} GiB, {well} of {len(outcomes)} up to date"
    return (
        f"<h3><bdi>{text(source.name) or 'without a name'}</bdi></h3> "
        f'<span class="id">{text(source.image_id)}</span> {soft(settings)}'
    )


def _table(source: Image, outcomes: Sequence[Outcome], whole: Scale) -> Iterator[str]:
    # The roles are said aloud: where a phone's layout takes the display type of a table away, browsers forget them.
    axis = "".join(
        f'<span{" class=last" if at > _LAST_TICK else ""} style="left:{at:.2%}">{words}</span>'
        for at, words in whole.ticks()
    )
    yield (
        f'<table role="table" aria-label="Copies of {text(source.image_id)}"><thead role="rowgroup"><tr role="row">'
        '<th role="columnheader" class="c1">region</th><th role="columnheader" class="c2">copy</th>'
        '<th role="columnheader" class="bars"><span class="heard">timeline</span>'
        f'<div class="axis" aria-hidden="true">{axis}</div></th>'
        '</tr></thead>\n<tbody role="rowgroup">'
    )
    yield from (_row(outcome, whole) for outcome in outcomes)
    yield "</tbody></table>"


def _row(outcome: Outcome, whole: Scale) -> str:
    shown, words = STATES[outcome.state], state_words(outcome)
    percent = f", {outcome.percent} %" if outcome.state is State.COPYING and outcome.percent is not None else ""
    return (
        f'<tr role="row" id="{_anchor(outcome)}">'
        f'<th role="rowheader" class="c1" scope="row">{text(outcome.place)}</th>'
        f'<td role="cell" class="c2"><span class="state {shown.tone}">{shown.sign} {words}{percent}</span>'
        f'<br><span class="id">{text(outcome.image_id)}</span></td>'
        f'<td role="cell" class="bars">{_bar(outcome, whole)}{_when(outcome, whole)}{_details(outcome)}</td></tr>'
    )


def _bar(outcome: Outcome, whole: Scale) -> str:
    """Return the copy's bar, none if nothing has happened to it."""
    return bar(outcome, whole) if outcome.requested_at or outcome.copying_since or outcome.ended_at else ""


def _when(outcome: Outcome, whole: Scale) -> str:
    """Return what the bar shows in words."""
    moments = {
        "requested": outcome.requested_at,
        "joined": outcome.copying_since if outcome.requested_at is None else None,
        "available": outcome.available_at,
        STATES[outcome.state].end: outcome.ended_at,
    }
    is_long = whole.begin.astimezone(UTC).date() != whole.end.astimezone(UTC).date()
    form = "%m-%d %H:%M:%S" if is_long else "%H:%M:%S"
    words = [f"{name} {at.astimezone(UTC).strftime(form)}" for name, at in moments.items() if at]
    if outcome.requested_at and outcome.available_at:
        words.append(f"copied in {took(outcome)}")
    return f'<div class="when">{" · ".join(words)}</div>' if words else ""


def _details(outcome: Outcome) -> str:
    """Return why it failed in a line, what was carried or removed, and the notes."""
    parts = []
    if outcome.error and outcome.has_failed:
        parts.append(f'<div class="bad">{text(outcome.error.what)}</div>')
    if outcome.row.copied_from:
        parts.append(f"<div>{soft('made from')} {text(outcome.row.copied_from.reference)}</div>")
    if outcome.changes:
        parts.append(f"<details><summary>changes: {len(outcome.changes)}</summary>{listed(outcome.changes)}</details>")
    if outcome.notes:
        parts.append(listed([f"note: {note}" for note in outcome.notes]))
    return "".join(parts)
