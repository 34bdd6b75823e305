"""What retire is going to take back and what it has, for people and programs."""

from collections.abc import Iterator, Sequence
from typing import Any

from amicopy.core.models import Principal
from amicopy.core.retirement import Retirement
from amicopy.execute.retire import RetireState, RetireTarget
from amicopy.jobs.retire import RetireResult
from amicopy.render.json_documents import envelope, error_document, moment
from amicopy.render.result import print_table, write_lines
from amicopy.render.text import columns, safe
from amicopy.survey.release import Move


def target_lines(targets: Sequence[RetireTarget]) -> Iterator[str]:
    """Yield one line for each image and each parameter: what will be done with it, and why."""
    rows = []
    for target in targets:
        kind = "source" if target.is_source else "copy"
        rows.append([str(target.state), target.place, kind, target.image_id, safe(target.reason)])
        rows += [
            [str(target.state), target.place, "parameter", safe(path), f"{before} -> {after}"]
            for path, before, after in _moves(target)
        ]
    yield from columns(rows)


def _moves(target: RetireTarget) -> Iterator[tuple[str, str, str]]:
    """Yield the parameters that change with an image: name, present AMI, new one."""
    if target.state in {RetireState.RETIRE, RetireState.RETIRED}:
        yield from ((move.path, move.before, move.after) for move in target.moves if move.after)
    elif target.state in {RetireState.RESTORE, RetireState.RESTORED} and target.record:
        yield from ((path, after, target.image_id) for path, after in target.record.parameters.items())


def write_targets(targets: Sequence[RetireTarget], output: str) -> None:
    """Write ``REGION AMI STATE`` for each image, as lines or as a table."""
    rows = [
        [target.place, target.image_id, _state(target)] for target in targets if target.state is not RetireState.KEEP
    ]
    if output == "table":
        print_table("", ["region", "image", "state"], rows)
    else:
        write_lines(" ".join(row) for row in rows)


def _state(target: RetireTarget) -> str:
    return f"{target.state}: {safe(target.reason)}" if target.error else str(target.state)


def retire_document(result: RetireResult) -> dict[str, Any]:
    """Return the result as JSON-ready values."""
    first = next(iter((*result.refused, *result.unread)), None)
    return {
        **envelope("retire", result.exit_code, error=first, notes=result.notes),
        "refused": [error_document(error) for error in result.refused],
        "unread": [error_document(error) for error in result.unread],
        "images": [
            {
                "region": target.region,
                "account": target.image.owner_id or None,
                "image_id": target.image_id,
                "name": target.image.name,
                "source": target.source,
                "is_source": target.is_source,
                "state": str(target.state),
                "reason": target.reason,
                "taken": _taken(target.record) if target.record else None,
                "parameters": [_parameter(move) for move in target.moves],
                "used_by": list(target.used_by),
                "notes": list(target.notes),
                "error": error_document(target.error),
            }
            for target in result.targets
        ],
    }


def _taken(record: Retirement) -> dict[str, Any]:
    return {
        "retired_at": moment(record.at),
        "launch_permissions": _names(record.launch_permissions),
        "snapshot_permissions": {
            snapshot_id: _names(who) for snapshot_id, who in sorted(record.volume_permissions.items())
        },
        "deprecate_at": moment(record.deprecate_at),
        "was_disabled": record.was_disabled,
        "parameters": dict(sorted(record.parameters.items())),
    }


def _names(principals: frozenset[Principal]) -> list[str]:
    return [str(one) for one in sorted(principals)]


def _parameter(move: Move) -> dict[str, Any]:
    return {"name": move.path, "before": move.before, "after": move.after or None, "is_left": move.is_left}
