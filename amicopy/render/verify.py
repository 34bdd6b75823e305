"""Verdicts on copies, for people and programs."""

from collections.abc import Iterator, Sequence
from typing import Any

from amicopy.core.content import ContentLevel, CopyContent
from amicopy.core.destination import Destination
from amicopy.core.errors import AmicopyError, ExitCode
from amicopy.core.lineage import is_recorded
from amicopy.core.models import ImageState
from amicopy.plan.copy_status import CopyStatus
from amicopy.plan.findings import Survey
from amicopy.render.json_documents import (
    account_member,
    check_record_document,
    difference_document,
    envelope,
    error_document,
    unread_documents,
)
from amicopy.render.result import print_table, write_lines
from amicopy.render.table import title_of
from amicopy.render.text import counted, safe


def verdict(one: CopyStatus) -> str:
    """Return the verdict on one copy in a word or two."""
    if one.copy.state.in_progress:
        return "pending"
    if one.copy.is_retired:
        return "retired"
    if one.copy.state is not ImageState.AVAILABLE:
        return str(one.copy.state)
    if not one.is_faithful:
        return "differs"
    return "partly compared" if one.is_partly_compared else "faithful"


def without_copy_words(places: Sequence[Destination]) -> Iterator[str]:
    """Yield where there is no copy, in one sentence, if there is such a region."""
    if places:
        yield f"there is no copy in {', '.join(map(str, places))}"


def not_compared_notes(found: Sequence[CopyStatus]) -> list[str]:
    """Return what could not be compared, and why."""
    notes = []
    if names := dict.fromkeys(name for one in found for name in one.not_compared):
        words = " and ".join(names)
        notes.append(f"{words} are not compared: the installed botocore does not know them; upgrade boto3")
    notes += [
        f"{one.place}: whom {subject} is shared with is not compared: these credentials cannot read it"
        for one in found
        for subject in one.unreadable
    ]
    return notes


def write_verdicts(found: Sequence[CopyStatus], output: str) -> None:
    """Write one row per copy and one per thing that differs: a table, or ``REGION COPY SOURCE VERDICT`` lines."""
    if output == "text":
        write_lines(f"{one.place} {one.copy.image_id} {one.source.image_id} {verdict(one)}" for one in found)
    elif found:
        title = title_of(one.source for one in found)
        rows = [
            [
                one.place,
                one.copy.image_id,
                *([] if title else [one.source.image_id]),
                verdict(one),
                [safe(words) for words in differing(one)] or safe(one.copy.state_reason) or "-",
            ]
            for one in found
        ]
        columns = ["region", "copy", *([] if title else ["source"]), "verdict", "what differs"]
        print_table(title, columns, rows)


def differing(one: CopyStatus) -> list[str]:
    """Return every difference and every extra of one copy, in words."""
    maker = [] if one.is_ours or one.copy.state.in_progress else ["not made by amicopy"]
    if not is_recorded(one.copy):
        maker.append("EC2 records no source for it: only its tag says what it is a copy of")
    data = one.content.problems if one.content else ()
    checked = [one.awaited_check.words] if one.awaited_check else []
    return [*maker, *checked, *map(_what, one.missing), *data, *_name(one), *map(str, one.extras)]


def _name(one: CopyStatus) -> Iterator[str]:
    """Yield the copy's name if it is not the source's; a name is compared only where the request has one."""
    if one.desired is not None and not one.desired.name_template and one.copy.name != one.source.name:
        yield f"named {one.copy.name!r}, the source {one.source.name!r} (compared only with --name)"


def _what(difference: Any) -> str:
    return str(difference) if difference.repairable else f"{difference} (only a new copy helps)"


def content_lines(found: Sequence[CopyStatus]) -> list[str]:
    """Return a line for each copy whose content was compared: how much of it, and with which result."""
    return [f"{one.place}  {line}" for one in found if one.content for line in content_words(one.content)]


def content_words(content: CopyContent) -> Iterator[str]:
    """Yield how much of a copy's content was compared and with which result, and what is worth knowing."""
    if content.volumes:
        volumes, differs = counted(len(content.volumes), "volume"), bool(content.problems)
        written = sum(volume.source_blocks or 0 for volume in content.volumes)
        match content.level:
            case ContentLevel.SIZE:
                yield f"the size of the data {'differs' if differs else 'is the same'} ({volumes})"
            case ContentLevel.LIST:
                same = f"the same {written:,} blocks are written"
                yield f"{'other blocks are written than in the source' if differs else same} ({volumes})"
            case _:
                compared = sum(volume.compared or 0 for volume in content.volumes)
                found = sum(len(volume.differing) for volume in content.volumes)
                seed = f", seed {content.seed}" if content.seed is not None else ""
                extent = f"compared {compared:,} of {written:,} blocks ({volumes}{seed})"
                yield f"{extent}: {f'{found:,} differ' if found else 'all are the same'}"
    yield from content.notes


def content_errors(found: Sequence[CopyStatus]) -> list[AmicopyError]:
    """Return why the content of some copies could not be compared, each reason once."""
    errors = [one.content.error for one in found if one.content and one.content.error]
    return list({(error.what, error.why): error for error in errors}.values())


def content_document(content: CopyContent) -> dict[str, Any]:
    """Return the evidence: which blocks of which snapshots were compared, and what came out."""
    return {
        "level": str(content.level),
        "state": content.state,
        "seed": content.seed,
        "error": error_document(content.error),
        "volumes": [
            {
                "device": volume.device,
                "source_snapshot_id": volume.source_snapshot_id,
                "copy_snapshot_id": volume.copy_snapshot_id,
                "source_bytes": volume.source_bytes,
                "copy_bytes": volume.copy_bytes,
                "source_blocks": volume.source_blocks,
                "copy_blocks": volume.copy_blocks,
                "only_in_source": volume.only_in_source,
                "only_in_copy": volume.only_in_copy,
                "compared": volume.compared,
                "sampled": list(volume.sampled) or None,
                "differing": list(volume.differing),
                "source_digest": volume.source_digest or None,
                "copy_digest": volume.copy_digest or None,
                "problem": volume.problem or None,
            }
            for volume in content.volumes
        ],
    }


def verdict_document(
    found: Sequence[CopyStatus],
    survey: Survey,
    exit_code: ExitCode,
    changes: Sequence[str],
    without_copy: Sequence[Destination],
) -> dict[str, Any]:
    """Return the verdicts as JSON-ready values."""
    notes = [*survey.notes, *not_compared_notes(found), *without_copy_words(without_copy)]
    return {
        **envelope("verify", exit_code, notes=notes),
        "copies": [
            {
                "source_region": one.source.region,
                "source_id": one.source.image_id,
                "region": one.copy.region,
                **account_member(one.destination),
                "image_id": one.copy.image_id,
                "is_ours": one.is_ours,
                "state": str(one.copy.state),
                "state_reason": one.copy.state_reason or None,
                "verdict": verdict(one).replace(" ", "-"),
                "check": check_record_document(one.check),
                "differences": [difference_document(difference) for difference in one.missing],
                "extras": [str(more) for more in one.extras],
                **({"content": content_document(one.content)} if one.content else {}),
            }
            for one in found
        ],
        "unread": unread_documents(survey),
        "changes": list(changes),
    }
