"""What a sync changes, as a diff for people and as members of the JSON document.

Refuses to colour and to print.
"""

from collections.abc import Iterator
from typing import Any

from amicopy.execute.cancel import Fate, Target
from amicopy.jobs.publish import ParameterState, ParameterWrite
from amicopy.jobs.sync import SyncResult
from amicopy.plan.plan import Action, Row
from amicopy.render.json_documents import error_document
from amicopy.render.text import columns, counted, safe

_SIGNS = {
    Action.COPY: "+",
    Action.JOIN: "~",
    Action.UPDATE: "~",
    Action.UNCHANGED: "=",
    Action.REPLACE: "+",
    Action.REFUSE: "!",
}


def diff_lines(sync: SyncResult) -> Iterator[str]:
    """Yield one line per copy, parameter and removal: + made, ~ changed, - removed, = as it is, ! refused."""
    plan = sync.report.plan
    rows = [*map(_copy_line, plan.rows), *map(_posting_line, sync.parameter_writes), *map(_removal_line, sync.removals)]
    if not sync.has_work and not plan.refused:
        yield f"nothing to do: {counted(len(plan.rows), 'copy is', 'copies are')} up to date"
        rows = [row for row in rows if "stays" in row[3]]
    yield from columns(rows)
    for note in dict.fromkeys((*plan.notes, *(note for row in plan.rows for note in row.notes))):
        yield f"note: {safe(note)}"


def _copy_line(row: Row) -> list[str]:
    copy = row.copy.image_id if row.copy else "a new copy"
    why = "refused, see below" if row.action is Action.REFUSE else safe(row.reason)
    return [_SIGNS[row.action], row.region, f"{copy} of {row.source.image_id}", why]


def _posting_line(one: ParameterWrite) -> list[str]:
    after = one.image_id or "the new copy"
    match one.state:
        case ParameterState.KEPT:
            return ["=", one.region, safe(one.path), f"holds {one.image_id}"]
        case ParameterState.NEWER:
            return ["=", one.region, safe(one.path), f"holds {safe(one.before)}, made from a newer image; it stays"]
        case ParameterState.WAITING:
            return ["=", one.region, safe(one.path), "has to wait: the copy is not as asked yet"]
        case ParameterState.FAILED:
            return ["!", one.region, safe(one.path), "could not be written, see below"]
    was = f"{safe(one.before)} -> " if one.before else ""
    return ["~" if one.before else "+", one.region, safe(one.path), f"{was}{after}"]


def _removal_line(one: Target) -> list[str]:
    sign = "-" if one.fate in {Fate.CANCEL, Fate.CANCELLED, Fate.GONE} else "!" if one.fate is Fate.FAILED else "="
    words = f"stays: {safe(one.reason)}" if one.fate is Fate.SPARE else safe(one.reason)
    return [sign, one.region, one.resource_id, words]


def after_lines(sync: SyncResult) -> Iterator[str]:
    """Yield one line per parameter and removal that the run came to, those left out that are as they were."""
    parameter_writes = (one for one in sync.parameter_writes if one.state is not ParameterState.KEPT)
    yield from columns([*map(_posting_line, parameter_writes), *map(_removal_line, sync.removals)])


def sync_members(sync: SyncResult) -> dict[str, Any]:
    """Return what the document of a sync holds beside that of a copy."""
    return {
        "command": "sync",
        "parameters": [*map(_posting, sync.parameter_writes)],
        "removals": [*map(_removal, sync.removals)],
    }


def _posting(one: ParameterWrite) -> dict[str, Any]:
    return {
        "region": one.region,
        "path": one.path,
        "image_id": one.image_id or None,
        "before": one.before or None,
        "state": str(one.state),
        "error": error_document(one.error),
    }


def _removal(one: Target) -> dict[str, Any]:
    return {
        "region": one.region,
        "image_id": one.resource_id,
        "source": one.source or None,
        "fate": str(one.fate),
        "reason": one.reason,
        "snapshots": dict(one.snapshots),
        "error": error_document(one.error),
    }
