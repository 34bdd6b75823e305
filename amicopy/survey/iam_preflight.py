"""Whether IAM allows the writes that a plan will come to, asked of EC2 before the first copy starts.

Refuses to write, and to refuse where EC2 does not clearly say no.
"""

from collections.abc import Mapping
from functools import partial

from amicopy.aws.dry_run import WriteOperation
from amicopy.aws.ec2 import Clients
from amicopy.core.clock import Clock
from amicopy.core.errors import AccessDenied
from amicopy.core.parallel import Stop, all_at_once
from amicopy.plan.differences import (
    DeprecationDiffers,
    DescriptionDiffers,
    Difference,
    ProtectionDiffers,
    SharingLacks,
    TagsDiffer,
)
from amicopy.plan.plan import Action, Plan, Row, rows_by_region


def forbidden_writes(
    plan: Plan, clients: Clients, clock: Clock, stop: Stop, *, starting: bool
) -> dict[str, AccessDenied]:
    """Return, by destination, the first writing call of the plan that EC2 says is not allowed there.

    What comes hours after the start is asked for, each kind of write in one destination, and in all of them only where
    that one says no: every call counts against the account's rate, and who may copy into a region may seldom not do
    the rest there. CopyImage is not asked for by a run that is ``starting``, since it says no itself, at once; by one
    that starts nothing it is, in every destination, since policies limit regions (docs/adr/0007).

    AWS: the EC2 operations in question with DryRun, which checks permissions only.
    """
    needed = {
        (region, write): row
        for region, rows in rows_by_region(plan).items()
        for row in rows
        for write in writes_of(row)
    }
    if starting and not plan.refused:
        needed = {(region, write): row for (region, write), row in needed.items() if write is not WriteOperation.COPY}
    first = {write: (region, write) for region, write in reversed(needed)}
    asked = {key: row for key, row in needed.items() if key[1] is WriteOperation.COPY or key in first.values()}
    denied = _ask(asked, clients, clock, stop)
    if denied:
        refused = {write for _, write in denied}
        denied |= _ask(
            {key: row for key, row in needed.items() if key[1] in refused and key not in asked}, clients, clock, stop
        )
    return {region: _with_a_way_out(error) for (region, _), error in reversed(denied.items())}


def _with_a_way_out(error: AccessDenied) -> AccessDenied:
    return AccessDenied(
        error.what,
        action=error.action,
        why=error.why,
        next_step=f"{error.next_step} Where a policy allows it by tags that only the copies will have, a rehearsal "
        "cannot know that: --no-preflight.",
    )


def _ask(
    needed: Mapping[tuple[str, WriteOperation], Row], clients: Clients, clock: Clock, stop: Stop
) -> dict[tuple[str, WriteOperation], AccessDenied]:
    reached = {region: clients[region] for region, _ in needed}
    tasks = {
        (region, write): partial(reached[region].forbidden, write, row.source, clock.now())
        for (region, write), row in needed.items()
    }
    return {key: error for key, error in all_at_once(tasks, stop).items() if error}


def writes_of(row: Row) -> list[WriteOperation]:
    """Return the kinds of writing call that executing ``row`` comes to."""
    desired = row.desired
    if row.action is Action.UPDATE:
        writes = {_write(difference) for difference in row.differences if difference.repairable}
    else:
        sets = [dict(tags) for tags in desired.snapshot_tags.values()]
        needed = {
            WriteOperation.COPY: row.action.starts_a_copy,
            WriteOperation.TAG: any(tags != desired.creation_snapshot_tags for tags in sets),
            WriteOperation.DEPRECATE: desired.deprecate_at is not None or desired.deprecate_after is not None,
            WriteOperation.PROTECT: bool(desired.protection),
            WriteOperation.SHARE_SNAPSHOT: bool(desired.volume_permissions),
            WriteOperation.SHARE_IMAGE: bool(desired.launch_permissions),
        }
        writes = {write for write, is_needed in needed.items() if is_needed}
    if row.failed:
        writes |= {WriteOperation.DEREGISTER, WriteOperation.DELETE_SNAPSHOT}
    return [write for write in WriteOperation if write in writes]


def _write(difference: Difference) -> WriteOperation:
    match difference:
        case TagsDiffer():
            return WriteOperation.TAG
        case DeprecationDiffers():
            return WriteOperation.DEPRECATE
        case ProtectionDiffers():
            return WriteOperation.PROTECT
        case SharingLacks(device=device) if device:
            return WriteOperation.SHARE_SNAPSHOT
        case SharingLacks() | DescriptionDiffers():
            return WriteOperation.SHARE_IMAGE
    raise AssertionError(difference)
