"""Whether IAM allows the writes that a plan will come to: asked of EC2, with DryRun, before the first copy starts."""

from collections.abc import Mapping
from functools import partial

from amicopy.aws.ec2 import Clients
from amicopy.core.destination import Destination
from amicopy.core.errors import AccessDenied
from amicopy.core.parallel import Stop, all_at_once
from amicopy.core.write import Write, WriteOperation
from amicopy.plan.iam_checks import iam_checks
from amicopy.plan.plan import Plan, rows_by_destination

_Key = tuple[Destination, WriteOperation]


def forbidden_writes(plan: Plan, clients: Clients, stop: Stop, *, starting: bool) -> dict[Destination, AccessDenied]:
    """Return, by destination, the first writing call of the plan that EC2 says is not allowed there.

    A write that comes hours after the start is asked for in one destination, and in all of them only if that one
    refuses it: every call counts against the account's rate limit, and a policy that allows CopyImage in a region
    seldom forbids the rest there. A run that is ``starting`` does not ask for CopyImage, which refuses by itself, at
    once. One that starts nothing does, in every destination, since policies limit regions (docs/adr/0007).

    AWS: the EC2 operations in question with DryRun, which checks permissions only.
    """
    needed: dict[_Key, Write] = {}
    for destination, rows in rows_by_destination(plan).items():
        for row in rows:
            needed.update({(destination, operation): write for operation, write in iam_checks(row).items()})
    if starting and not plan.refused:
        needed = {key: write for key, write in needed.items() if key[1] is not WriteOperation.COPY}
    first = {operation: (destination, operation) for destination, operation in reversed(needed)}
    asked = {key: write for key, write in needed.items() if key[1] is WriteOperation.COPY or key in first.values()}
    denied = _ask(asked, clients, stop)
    if denied:
        refused = {operation for _, operation in denied}
        others = {key: write for key, write in needed.items() if key[1] in refused and key not in asked}
        denied |= _ask(others, clients, stop)
    return {destination: _with_a_way_out(error) for (destination, _), error in reversed(denied.items())}


def _with_a_way_out(error: AccessDenied) -> AccessDenied:
    return AccessDenied(
        error.what,
        action=error.action,
        why=error.why,
        next_step=f"{error.next_step} If a policy allows it by tags that only the copies will have, a dry run "
        "cannot know that: use --no-preflight.",
    )


def _ask(needed: Mapping[_Key, Write], clients: Clients, stop: Stop) -> dict[_Key, AccessDenied]:
    tasks = {
        (destination, operation): partial(clients[destination].forbidden, write)
        for (destination, operation), write in needed.items()
    }
    return {key: error for key, error in all_at_once(tasks, stop).items() if error}
