"""What a step of GitHub Actions passes on: outputs, a summary, annotations. Untrusted text cannot become a command."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

from amicopy.core.errors import AmicopyError, ExitCode
from amicopy.core.events import LeftBecause
from amicopy.execute.report import Report
from amicopy.plan.plan import Plan
from amicopy.render.exports import amis, markdown_failures, markdown_table, marked, only
from amicopy.render.json_documents import status_name
from amicopy.render.summary import summary as in_a_line
from amicopy.render.text import counted, safe

# GitHub drops a summary of more than 1 MiB: a row takes about 150 bytes, a failure up to 1,500.
_MOST_ROWS = 2000
_MOST_FAILURES = 200


def outputs(report: Report, exit_code: ExitCode) -> str:
    """Return the text for the file that ``GITHUB_OUTPUT`` names.

    ``result`` and ``exit-code``; ``amis``, a JSON object of region and id; ``ami-REGION`` for each. With several
    sources, or labels, an object of source id or label and such objects, and ``ami-SOURCE-REGION``, ``LABEL-REGION``.
    Holds only ids that are available and as desired, as the maps of `amicopy.render.exports` do.
    """
    found = amis(report)
    ids = only(report, found)
    values = {
        "result": status_name(exit_code),
        "exit-code": str(int(exit_code)),
        "amis": json.dumps(found if ids is None else ids),
    }
    for name, some in found.items():
        prefix = "ami" if ids is not None else name
        values |= {f"{prefix}-{place.replace('/', '-')}": image_id for place, image_id in some.items()}
    return "".join(_output(name, value) for name, value in values.items())


def _output(name: str, value: str) -> str:
    # An unpredictable delimiter: a value that contained it would end there and start another output.
    delimiter = f"amicopy_{secrets.token_hex(16)}"
    return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"


def plan_outputs(markdown: str, exit_code: ExitCode, *, has_changes: bool) -> str:
    """Return the text for ``GITHUB_OUTPUT`` of a dry run: ``has-changes``, and ``plan`` in Markdown for a comment."""
    values = {
        "result": status_name(exit_code),
        "exit-code": str(int(exit_code)),
        "has-changes": "true" if has_changes else "false",
        "plan": markdown.rstrip("\n"),
    }
    return "".join(_output(name, value) for name, value in values.items())


def plan_annotations(plan: Plan) -> list[str]:
    """Return workflow commands for the refusals and notes of a plan, one a line."""
    found = [
        _of_error("error", f"{row.source.image_id} to {row.region}", one) for row in plan.rows for one in row.problems
    ]
    notes = (*plan.notes, *(note for row in plan.rows for note in row.notes))
    return list(dict.fromkeys([*found, *(_command("notice", "amicopy", note) for note in notes)]))


def summary(report: Report) -> str:
    """Return Markdown for the file that ``GITHUB_STEP_SUMMARY`` names: all copies, why some failed, the notes.

    Of thousands of rows those that are not well come first, and a line says how many are not shown.
    """
    rows = report.outcomes
    if len(rows) > _MOST_ROWS:
        rows = tuple(sorted(rows, key=lambda outcome: outcome.is_well))
    failed = [outcome for outcome in rows if outcome.has_failed]
    lines = [f"### {in_a_line(report)}", "", *markdown_table(rows[:_MOST_ROWS])]
    if len(rows) > _MOST_ROWS:
        lines += ["", f"{len(rows) - _MOST_ROWS} more are not shown."]
    lines += markdown_failures(failed[:_MOST_FAILURES])
    if len(failed) > _MOST_FAILURES:
        lines.append(f"- {len(failed) - _MOST_FAILURES} more failed.")
    if report.error:
        lines += ["", f"**{marked(report.error.what)}** {marked(report.error.why)} {marked(report.error.next_step)}"]
    if notes := _notes(report):
        lines += ["", *(f"- note: {marked(note)}" for note in notes[:_MOST_FAILURES])]
    return "\n".join(lines) + "\n"


def failure_outputs(exit_code: ExitCode) -> str:
    """Return the same text for a run that ended before it had a plan: there are no ids."""
    values = {"result": status_name(exit_code), "exit-code": str(int(exit_code)), "amis": "{}"}
    return "".join(_output(name, value) for name, value in values.items())


def failure_summary(command: str, error: AmicopyError) -> str:
    """Return the Markdown for such a run."""
    details = "".join(f"- {marked(detail)}\n" for detail in error.details)
    why = f"{marked(error.why)} {marked(error.next_step)}".strip()
    return f"### amicopy {command} failed\n\n**{marked(error.what)}** {why}\n\n{details}".rstrip() + "\n"


def failure_annotation(error: AmicopyError) -> str:
    """Return the workflow command that shows the error of such a run."""
    return _of_error("error", "amicopy", error)


def annotations(report: Report) -> list[str]:
    """Return workflow commands, one a line: errors for failures, warnings for best-effort ones, notices for notes.

    GitHub reads them on stdout and stderr alike, and shows ten of each kind.
    """
    return list(dict.fromkeys(_annotations(report)))


def _annotations(report: Report) -> Iterator[str]:
    if report.error:
        yield _of_error("error", "amicopy", report.error)
    for outcome in report.outcomes:
        if outcome.error and outcome.has_failed:
            kind = "warning" if outcome.row.best_effort else "error"
            yield _of_error(kind, f"{outcome.source_id} to {outcome.place}", outcome.error)
    unfinished = [outcome for outcome in report.left_behind if outcome.left is not LeftBecause.NO_WAIT]
    if unfinished and not report.refused:
        regions = ", ".join(dict.fromkeys(outcome.place for outcome in unfinished))
        yield _command("error", "amicopy", f"{counted(len(unfinished), 'copy', 'copies')} unfinished: {regions}")
    for note in _notes(report):
        yield _command("notice", "amicopy", note)


def _notes(report: Report) -> list[str]:
    return list(dict.fromkeys((*report.plan.notes, *(note for outcome in report.outcomes for note in outcome.notes))))


def _of_error(kind: str, title: str, error: AmicopyError) -> str:
    parts = (error.what, *error.details, error.why, error.next_step)
    return _command(kind, f"{title}: {error.slug}", *(part for part in parts if part))


def _command(kind: str, title: str, *lines: str) -> str:
    shown = safe(title).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    return f"::{kind} title={shown}::" + "%0A".join(safe(line).replace("%", "%25") for line in lines)


def append(path: str | Path, text: str) -> None:
    """Add ``text`` to a file that GitHub has named; other steps' lines stay.

    Raises:
        OSError: it cannot be written.
    """
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(text)
