"""The state of copies, for people and programs."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from amicopy.core.errors import ExitCode
from amicopy.core.grants import OpenGrant
from amicopy.core.retirement import moment_of
from amicopy.plan.copy_status import CopyStatus
from amicopy.plan.findings import Survey
from amicopy.render.json_documents import (
    account_member,
    check_record_document,
    envelope,
    grants_member,
    moment,
    unread_documents,
)
from amicopy.render.result import print_table, write_lines
from amicopy.render.table import title_of
from amicopy.render.text import counted, safe


def write_standings(found: Sequence[CopyStatus], percents: Mapping[str, int], output: str) -> None:
    """Write each copy and what it lacks: a table, or ``REGION COPY SOURCE STATE`` lines."""
    if output == "text":
        write_lines(f"{one.place} {one.copy.image_id} {one.source.image_id} {one.copy.state}" for one in found)
        return
    title = title_of(one.source for one in found)
    rows = [
        [
            one.place,
            one.copy.image_id,
            *([] if title else [one.source.image_id]),
            _state(one, percents),
            list(map(safe, missing_words(one))) or safe(one.copy.state_reason) or "-",
        ]
        for one in found
    ]
    columns = ["region", "copy", *([] if title else ["source"]), "state", "missing, or why it failed"]
    print_table(title, columns, rows)


def watching_ended(found: Sequence[CopyStatus]) -> str:
    """Return what is said when somebody stops watching: what was shown last stays, and EC2 continues."""
    if pending := sum(one.copy.state.in_progress for one in found):
        return f"stopped watching; EC2 is still copying {pending} of {counted(len(found), 'copy', 'copies')}"
    return "stopped watching"


def public_notes(found: Sequence[CopyStatus], now: datetime) -> Iterator[str]:
    """Yield what AWS may soon do to public copies that are deprecated."""
    for one in found:
        if one.public_until and one.copy.deprecate_at and one.copy.deprecate_at <= now:
            yield (
                f"{one.copy.image_id} in {one.place} is public and has been deprecated since "
                f"{one.copy.deprecate_at:%Y-%m-%d}; AWS may stop sharing it from {one.public_until:%Y-%m-%d} on if "
                "nobody launches it. A run with --share public shares it again"
            )


def missing_words(one: CopyStatus) -> list[str]:
    """Return what a copy lacks, in words: first that it has not passed its check."""
    return [*([one.awaited_check.words] if one.awaited_check else ()), *map(str, one.missing)]


def _state(one: CopyStatus, percents: Mapping[str, int]) -> str:
    percent = percents.get(one.copy.image_id)
    if one.copy.is_retired:
        return f"{one.copy.state}, retired on {moment_of(one.copy.tags)[:10]}"
    return f"{one.copy.state} {percent} %" if percent is not None else str(one.copy.state)


def standing_document(
    found: Sequence[CopyStatus],
    percents: Mapping[str, int],
    survey: Survey,
    exit_code: ExitCode,
    grants: Sequence[OpenGrant] = (),
) -> dict[str, Any]:
    """Return what is where as JSON-ready values."""
    return {
        **envelope("status", exit_code, notes=survey.notes),
        "copies": [
            {
                "source_region": one.source.region,
                "source_id": one.source.image_id,
                "region": one.copy.region,
                **account_member(one.destination),
                "image_id": one.copy.image_id,
                "name": one.copy.name,
                "state": str(one.copy.state),
                "state_reason": one.copy.state_reason or None,
                "percent": percents.get(one.copy.image_id),
                "created_at": one.copy.created_at or None,
                "retired_at": moment_of(one.copy.tags) or None,
                "public_until": moment(one.public_until),
                "missing": missing_words(one),
                "check": check_record_document(one.check),
            }
            for one in found
        ],
        "unread": unread_documents(survey),
        **grants_member(grants),
    }
