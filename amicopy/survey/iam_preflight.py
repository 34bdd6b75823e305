"""Whether IAM allows the writes that a plan will come to: asked of EC2, with DryRun, before the first copy starts."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from amicopy.aws.ec2 import Clients, Ec2
from amicopy.core.destination import Destination
from amicopy.core.errors import AccessDenied, AmicopyError, Interrupted
from amicopy.core.models import SOURCE_TAG
from amicopy.core.parallel import Stop, all_at_once
from amicopy.core.write import Write, WriteOperation
from amicopy.plan.iam_checks import IamCheck, grant_checks, iam_checks
from amicopy.plan.plan import Plan, Row, rows_by_destination

_Key = tuple[Destination, WriteOperation]
_Needed = Mapping[_Key, IamCheck]


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """What EC2 says of the writes: which it forbids, and of which that cannot be known before the copy exists."""

    forbidden: Mapping[Destination, AccessDenied] = field(default_factory=dict)
    unconfirmed: Mapping[Destination, tuple[Write, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def check_permissions(plan: Plan, clients: Clients, stop: Stop, *, starting: bool) -> Permissions:
    """Return, by destination, the first writing call of the plan that EC2 says is not allowed there.

    A write that comes hours after the start is asked for in one destination, and in all of them only if that one
    refuses it: every call counts against the account's rate limit, and a policy that allows CopyImage in a region
    seldom forbids the rest there. A run that is ``starting`` does not ask for CopyImage, which refuses by itself, at
    once. One that starts nothing does, in every destination, since policies limit regions (docs/adr/0007).

    A policy may allow a write only on what has our tag. Where the source stands in for the copy, a denial is asked
    about again with something in the destination that has the tag; if nothing has it, the write is only noted.

    AWS: the EC2 operations in question with DryRun, which checks permissions only; DescribeImages, DescribeSnapshots.
    """
    needed: dict[_Key, IamCheck] = {}
    for destination, rows in rows_by_destination(plan).items():
        for row in rows:
            for operation, check in iam_checks(row).items():
                known = needed.get((destination, operation))
                if known is None or check.is_certain or not known.is_certain:
                    needed[destination, operation] = check
    if starting and not plan.refused:
        needed = {key: check for key, check in needed.items() if key[1] is not WriteOperation.COPY}
    first = set(_first(needed))
    asked = {key: check for key, check in needed.items() if key[1] is WriteOperation.COPY or key in first}
    denied, unknown = _ask(asked, clients, stop)
    if denied:
        refused = {operation for _, operation in denied}
        others = {key: check for key, check in needed.items() if key[1] in refused and key not in asked}
        more_denied, more_unknown = _ask(others, clients, stop)
        denied, unknown = denied | more_denied, unknown | more_unknown
    return Permissions(
        forbidden={
            destination: _with_a_way_out(error, destination) for (destination, _), error in reversed(denied.items())
        },
        unconfirmed={
            destination: tuple(needed[key].write for key in unknown if key[0] == destination)
            for destination, _ in unknown
        },
        notes=tuple(_notes(unknown)),
    )


def _first(needed: _Needed) -> Iterable[_Key]:
    """Return the destination to ask for each operation: the first one, or the first one with a certain answer.

    In each account, which has policies of its own.
    """
    found: dict[tuple[str, WriteOperation], _Key] = {}
    for key, check in needed.items():
        of_account = key[0].account, key[1]
        known = found.setdefault(of_account, key)
        if check.is_certain and not needed[known].is_certain:
            found[of_account] = key
    return found.values()


def _with_a_way_out(error: AccessDenied, where: Destination) -> AccessDenied:
    next_step = error.next_step
    if where.account:
        what = f"The role in account {where.account} may not call {error.action} in {where.region}."
        if not error.by_organization:
            next_step = (
                f"Allow {error.action} in the policy of the role in account {where.account}: amicopy iam-policy prints "
                "it with --account-role."
            )
        error = AccessDenied(what, action=error.action, why=error.why)
    return error.with_next_step(
        f"{next_step} If a policy allows it by tags that only the copies will have, a dry run cannot know that: "
        "use --no-preflight."
    )


def _notes(unknown: Mapping[_Key, AccessDenied]) -> Iterator[str]:
    by_destination: dict[Destination, list[str]] = {}
    for (destination, _), error in unknown.items():
        by_destination.setdefault(destination, []).append(error.action)
    for destination, actions in by_destination.items():
        yield (
            f"{destination.region} has nothing with the tag {SOURCE_TAG} yet, and without it EC2 denies "
            f"{', '.join(actions)}; whether it allows that for the copies is known once they have the tag"
        )


def _ask(needed: _Needed, clients: Clients, stop: Stop) -> tuple[dict[_Key, AccessDenied], dict[_Key, AccessDenied]]:
    """Return what is denied, and what was denied without that saying anything about the copies."""
    denied = _forbidden(needed, clients, stop)
    unknown = {key: error for key, error in denied.items() if not (needed[key].is_certain or error.is_explicit)}
    if not unknown:
        return denied, {}
    again = _on_tagged(unknown, needed, clients, stop)
    still = _forbidden(again, clients, stop)
    certain = {key: error for key, error in denied.items() if key not in unknown} | still
    return (
        {key: certain[key] for key in denied if key in certain},
        {key: error for key, error in unknown.items() if key not in again},
    )


def _forbidden(needed: _Needed, clients: Clients, stop: Stop) -> dict[_Key, AccessDenied]:
    tasks = {key: _asking(key[0], check.write, clients) for key, check in needed.items()}
    return {key: error for key, error in all_at_once(tasks, stop).items() if error}


def _asking(destination: Destination, write: Write, clients: Clients) -> Callable[[], AccessDenied | None]:
    """Return the question; in another account its client is made when it is asked, and dropped afterwards."""
    if not destination.account:
        return partial(clients[destination].forbidden, write)

    def ask() -> AccessDenied | None:
        with clients.borrowed(destination) as ec2:
            return ec2.forbidden(write)

    return ask


def check_grants(plan: Plan, clients: Clients, stop: Stop) -> dict[Destination, AccessDenied]:
    """Return the destinations in other accounts whose access to what they copy may not be given, or not ended.

    What is still to be made cannot be asked about.

    AWS: EC2 ModifyImageAttribute, ModifySnapshotAttribute, CreateTags, DeleteTags with DryRun.
    """
    by_origin: dict[tuple[str, str], list[Row]] = {}
    for row in plan.rows:
        if row.destination.account and row.action.starts_a_copy and row.waits_for is None:
            by_origin.setdefault((row.origin.region, row.origin.image_id), []).append(row)
    found: dict[Destination, AccessDenied] = {}
    for (region, _), rows in by_origin.items():
        tasks = {write.operation: partial(clients[region].forbidden, write) for write in grant_checks(rows[0].origin)}
        denied = next((error for error in all_at_once(tasks, stop).values() if error), None)
        if denied:
            found |= {row.destination: denied for row in rows}
    return found


def _on_tagged(keys: Iterable[_Key], needed: _Needed, clients: Clients, stop: Stop) -> dict[_Key, IamCheck]:
    """Return the calls again, on an image or a snapshot of the same region that has our tag, where there is one."""
    looks: dict[tuple[Destination, bool], Callable[[], str]] = {}
    for destination, operation in keys:
        on_image = needed[destination, operation].is_on_image
        looks[destination, on_image] = partial(_tagged, clients[destination], on_image=on_image)
    found = all_at_once(looks, stop)
    again = {}
    for key in keys:
        if resource_id := found[key[0], needed[key].is_on_image]:
            again[key] = needed[key].on(resource_id)
    return again


def _tagged(ec2: Ec2, *, on_image: bool) -> str:
    try:
        return ec2.tagged_image() if on_image else ec2.tagged_snapshot()
    except Interrupted:
        raise
    except AmicopyError:  # it stays unknown
        return ""
