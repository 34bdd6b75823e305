"""What a pass tells its operators: one line of JSON, which in Lambda is also CloudWatch metrics."""

import json
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from amicopy.aws.client import CallCounter
from amicopy.core.errors import AmicopyError, Bug, CopyFailed, ExitCode
from amicopy.core.version import __version__
from amicopy.execute.report import Outcome, Report, State
from amicopy.jobs.sync import SyncResult
from amicopy.plan.plan import Action, Row
from amicopy.render.json_documents import SCHEMA, error_document, moment, status_name

_NAMESPACE = "amicopy"
_MOST_LISTED = 20  # errors and notes in one line
_MOST_BYTES = 200_000  # of a line: CloudWatch cuts events at 256 kB, and the metrics are still to come
_MOST_CHARACTERS = 2000  # of one text, where a line would be longer
_WAITING = frozenset({State.PLANNED, State.QUEUED})
_LOST = frozenset({State.FAILED, State.REFUSED, State.ROLLED_BACK})


def pass_document(
    *,
    function: str,
    manifest: str,
    unit: str = "",
    result: SyncResult | None = None,
    error: AmicopyError | None = None,
    is_complete: bool | None = None,
    notes: Sequence[str] = (),
    calls: CallCounter,
    started_at: datetime,
    ended_at: datetime,
    **more: Any,
) -> dict[str, Any]:
    """Return what a pass came to, as it is logged and as the function returns it.

    ``is_complete``: what was asked for is done, or not, where there is no result that says so.
    """
    problems = problems_of(result, error)
    code = error.exit_code if error else result.exit_code() if result else ExitCode.OK
    left = list(result.report.left_behind) if result else []
    complete = result.is_complete if result else error is None and bool(is_complete)
    oldest = _oldest_seconds(result.report, left, ended_at) if result else None
    writes = result.parameter_writes if result else ()
    document = {
        "schema": SCHEMA,
        "type": "pass",
        "version": __version__,
        "function": function,
        "manifest": manifest,
        "unit": unit or None,
        "status": "pending" if code is ExitCode.OK and not complete else status_name(code),
        "exit_code": int(code),
        "complete": complete,
        "copies": _counts(outcome.state for outcome in result.report.outcomes) if result else {},
        "unfinished": len(left),
        "oldest_unfinished_seconds": oldest,
        "parameters": _counts(one.state for one in writes if not one.publication.is_template),
        "launch_templates": _counts(one.state for one in writes if one.publication.is_template),
        "removals": _counts(one.state for one in result.removals) if result else {},
        "errors": [_problem(*one) for one in problems[:_MOST_LISTED]],
        "notes": [*notes, *(result.report.plan.notes if result else ())][:_MOST_LISTED],
        "calls": calls.count(),
        "throttled": calls.throttled,
        "repeated": calls.repeated,
        "started_at": moment(started_at),
        "ended_at": moment(ended_at),
        **more,
    }
    return _bounded(document)


def bug_error(error: Exception) -> Bug:
    """Return the error for an unexpected exception, whose traceback Lambda logs."""
    return Bug(
        f"This is a bug in amicopy {__version__}: {type(error).__name__}.",
        why=f"{error}",
        next_step="Report it with the traceback, which is in the function's log. EC2 keeps copying.",
    )


Problem = tuple[AmicopyError, Outcome | None]
"""An error, and the copy that it is about, if it is about one."""


def problems_of(result: SyncResult | None, error: AmicopyError | None) -> list[Problem]:
    """Return everything that went wrong; failures of destinations that may fail are not among it.

    A failed copy that the pass has replaced is: otherwise a copy could fail again and again without anybody noticing.
    """
    found: list[Problem] = [(error, None)] if error else []
    if result is None:
        return found
    report = result.report
    if report.refused:
        return [*found, (report.plan.refusal(), None)]
    for outcome in report.outcomes:
        if outcome.row.best_effort:
            continue
        if outcome.error:
            found.append((outcome.error, outcome))
        elif outcome.row.action is Action.REPLACE:
            found.append((_replaced(outcome.row), outcome))
    return found + [(one, None) for one in (*result.errors, *filter(None, [report.error]))]


def write_line(document: Mapping[str, Any]) -> None:
    """Write the line to stdout; in Lambda with the metrics, in CloudWatch's embedded metric format."""
    metrics = _metrics(document) if "AWS_LAMBDA_FUNCTION_NAME" in os.environ else {}
    sys.stdout.write(json.dumps({**document, **metrics}, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def _metrics(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that make a log line into metrics; those of copies only if the pass has looked at copies.

    Amazon CloudWatch User Guide, "Specification: Embedded metric format".
    """
    copies: Mapping[str, int] = document["copies"]
    lost = sum(copies.get(state, 0) for state in _LOST)
    up_to_date = copies.get(State.DONE, 0) + copies.get(State.UNCHANGED, 0)
    waiting = sum(copies.get(state, 0) for state in _WAITING)
    of_function: dict[str, tuple[str, float | None]] = {
        "Passes": ("Count", 1),
        "Calls": ("Count", sum(document["calls"].values())),
        "Throttles": ("Count", document["throttled"]),
        "OldestUnfinished": ("Seconds", document["oldest_unfinished_seconds"]),
        "Unfinished": ("Seconds", document.get("unfinished_seconds")),
    }
    of_copies: dict[str, tuple[str, float | None]] = {
        "CopiesUpToDate": ("Count", up_to_date),
        "CopiesInProgress": ("Count", sum(copies.values()) - lost - up_to_date - waiting),
        "CopiesWaiting": ("Count", waiting),
        "CopiesFailed": ("Count", lost),
    }
    dimensions = {"Manifest": _ascii(document["manifest"]), "Function": document["function"]}
    of_unit = {"Unit": _ascii(document["unit"])} if document["unit"] else {}
    directives = [_directive(of_function, dimensions)]
    if copies:
        directives.append(_directive(of_copies, {**dimensions, **of_unit}))
    known = of_function | (of_copies if copies else {})
    ended = datetime.fromisoformat(document["ended_at"])
    return {
        "_aws": {"Timestamp": int(ended.timestamp() * 1000), "CloudWatchMetrics": directives},
        **dimensions,
        **of_unit,
        **{name: value for name, (_, value) in known.items() if value is not None},
    }


def _directive(metrics: Mapping[str, tuple[str, float | None]], dimensions: Mapping[str, str]) -> dict[str, Any]:
    known = [{"Name": name, "Unit": unit} for name, (unit, value) in metrics.items() if value is not None]
    return {"Namespace": _NAMESPACE, "Dimensions": [list(dimensions)], "Metrics": known}


def _ascii(text: str) -> str:
    """Return the text as the value of a dimension: CloudWatch takes up to 1,024 ASCII characters."""
    return text.encode("ascii", "backslashreplace").decode()[:1024]


def _bounded(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document that fits into one event of CloudWatch's log; of very many problems the first are enough."""
    for most in (_MOST_LISTED, 5, 1):
        if len(json.dumps(document)) <= _MOST_BYTES:
            return document
        errors = [{name: _cut(value) for name, value in one.items()} for one in document["errors"][:most]]
        document = {**document, "errors": errors, "notes": [_cut(note) for note in document["notes"][:most]]}
    return document


def _cut(value: Any) -> Any:
    """Return a text, or what is listed, with its beginning only."""
    if isinstance(value, list):
        kept = [_cut(one) for one in value[:_MOST_LISTED]]
        return kept if len(kept) == len(value) else [*kept, f"({len(value) - len(kept)} more)"]
    if isinstance(value, str) and len(value) > _MOST_CHARACTERS:
        return f"{value[:_MOST_CHARACTERS]} … ({len(value) - _MOST_CHARACTERS} more characters)"
    return value


def _replaced(row: Row) -> CopyFailed:
    """Return the error for a copy that a pass has found failed: the next pass finds its replacement."""
    return CopyFailed(
        f"A copy in {row.destination} failed, and a new one was started.",
        why=f"{row.reason}.",
        next_step="If it fails again, look into EC2's reason; the log has a line for each attempt.",
    )


def _counts(states: Any) -> dict[str, int]:
    return dict(sorted(Counter(map(str, states)).items()))


def _oldest_seconds(report: Report, left: Sequence[Outcome], now: datetime) -> int | None:
    """Return for how long the oldest unfinished copy has been tried; one that is new counts from this pass on.

    None where that is unknown, because what is there was not read; 0 if no copy is unfinished.
    """

    def began(outcome: Outcome) -> datetime:
        attempts = [*outcome.row.failed, *filter(None, [outcome.row.copy])]
        created = min((one.created_at for one in attempts if one.created_at), default="")
        return datetime.fromisoformat(created) if created else outcome.requested_at or report.started_at

    if any(row.action is Action.REFUSE and row.copy is None and not row.best_effort for row in report.plan.rows):
        return None
    return max((max(0, int((now - began(one)).total_seconds())) for one in left), default=0)


def _problem(error: AmicopyError, outcome: Outcome | None) -> dict[str, Any]:
    described = error_document(error) or {}
    if outcome is None:
        return described
    place = {"region": outcome.region, "account": outcome.row.destination.account or None}
    return {"source_id": outcome.source_id, **place, **described}
