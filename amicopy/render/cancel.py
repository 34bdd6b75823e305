"""What cancel is going to remove and what it has removed, for people and programs."""

from collections.abc import Iterator, Sequence
from typing import Any

from amicopy.core.errors import AmicopyError, ExitCode
from amicopy.core.grants import OpenGrant
from amicopy.execute.cancel import Target, TargetState
from amicopy.render.json_documents import envelope, error_document, grants_member
from amicopy.render.result import print_table, write_lines
from amicopy.render.text import columns, safe


def target_lines(targets: Sequence[Target], grants: Sequence[OpenGrant] = ()) -> Iterator[str]:
    """Yield one line for each image, orphaned snapshot and permission found: what will be done with it, and why."""
    yield from columns([[str(one.state), one.place, one.resource_id, safe(one.reason)] for one in targets])
    yield from columns(
        [["end", one.region, one.image_id, f"it is shared with account {one.account} for copying"] for one in grants]
    )


def write_targets(targets: Sequence[Target], output: str) -> None:
    """Write ``REGION RESOURCE VERDICT`` for each image and each snapshot, as lines or as a table."""
    told = [target for target in targets if target.state is not TargetState.KEEP or target.error]
    rows = [row for target in told for row in _verdicts(target)]
    if output == "table":
        print_table("", ["region", "resource", "verdict"], rows)
    else:
        write_lines(" ".join(row) for row in rows)


def _verdicts(target: Target) -> Iterator[list[str]]:
    words = str(target.state)
    if target.state in {TargetState.KEEP, TargetState.FAILED}:
        words += f": {safe(target.reason)}"
    if not target.is_snapshot or not target.snapshots:
        yield [target.place, target.resource_id, words]
    for snapshot_id, verdict in target.snapshots.items():
        yield [target.place, snapshot_id, safe(verdict)]


def cancel_document(
    targets: Sequence[Target],
    unread: Sequence[AmicopyError],
    exit_code: ExitCode,
    notes: Sequence[str] = (),
    grants: Sequence[OpenGrant] = (),
) -> dict[str, Any]:
    """Return the result as JSON-ready values."""
    return {
        **envelope("cancel", exit_code, error=next(iter(unread), None), notes=notes),
        "unread": [error_document(error) for error in unread],
        "targets": [
            {
                "region": target.region,
                "account": target.account or None,
                "resource_id": target.resource_id,
                "source": target.source or None,
                "state": str(target.state),
                "reason": target.reason,
                "snapshots": dict(target.snapshots),
                "error": error_document(target.error),
            }
            for target in targets
        ],
        **grants_member(grants),
    }
