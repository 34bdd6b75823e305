"""Whether other accounts can read what they are to copy, as far as that can be found out without writing.

The keys of encrypted snapshots are asked about as each account, and as their owner: policy and grants. With
``--grants none`` each account is asked whether it sees the image and its snapshots.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from amicopy.aws.ec2 import Clients
from amicopy.core.accounts import AT_ONCE
from amicopy.core.destination import Destination, Key
from amicopy.core.errors import (
    AccessDenied,
    AmicopyError,
    KeyNotFound,
    KeyUnusable,
    NotCopyable,
    RequestRefused,
    Throttled,
    Unreachable,
)
from amicopy.core.grants import KEY_GRANT_OPERATIONS, Grants, key_grant_name
from amicopy.core.kms_key import KeyGrant, KmsKey, account_of_key
from amicopy.core.models import Principal, PrincipalKind
from amicopy.core.parallel import Stop, all_at_once
from amicopy.core.request import CopyRequest
from amicopy.core.retries import Retry
from amicopy.plan.account_rows import key_note
from amicopy.plan.key_policy import keeps_from_copying, missing_operations
from amicopy.plan.plan import Plan, Row, with_notes_of_rows, with_refused_rows

_UNREADABLE = (AccessDenied, RequestRefused, Throttled, Unreachable)


def with_access_checked(request: CopyRequest, plan: Plan, clients: Clients, stop: Stop, retry: Retry) -> Plan:
    """Return the plan; rows of other accounts that cannot read what they are to copy are refused.

    What is not certain becomes a note.
    """
    rows = [row for row in plan.rows if row.destination.account and row.action.starts_a_copy]
    refused: dict[Key, AmicopyError] = {}
    notes: dict[Key, str] = {}
    keys = _Keys(request, clients, stop, retry)
    keys.read(rows)
    for row in rows:
        for arn in row.origin_keys:
            found = keys.problem(row, arn)
            if isinstance(found, AmicopyError):
                refused.setdefault(row.key, found)
            elif found:
                notes.setdefault(row.key, found)
    if request.grants is Grants.NONE:
        refused = {**_not_shared(plan, rows, clients, stop, retry), **refused}
    return with_refused_rows(with_notes_of_rows(plan, notes), refused)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What the run's own account sees of a key; None: not asked, or it may not be read."""

    key: KmsKey | None = None
    problem: AmicopyError | None = None
    policy: str | None = None
    grants: tuple[KeyGrant, ...] | None = None


class _Keys:
    """The keys of what is copied, as their owner and as the accounts that copy see them."""

    def __init__(self, request: CopyRequest, clients: Clients, stop: Stop, retry: Retry) -> None:
        self._clients, self._stop, self._retry = clients, stop, retry
        self._gives_grants = request.kms_grant
        self._seen: dict[str, _Seen] = {}
        self._described: dict[tuple[str, str], KmsKey | None] = {}  # by account and key
        self._no_grant: dict[tuple[str, str], AmicopyError | None] = {}  # with --kms-grant: why it cannot be given

    def read(self, rows: Sequence[Row]) -> None:
        """Ask for everything that `problem` needs, each thing once."""
        own = {one.owner_id for row in rows for one in (row.source, row.copied_from) if one and not one.is_foreign}
        named = dict.fromkeys((row.destination.account, arn) for row in rows for arn in row.origin_keys if arn)
        origins = {(row.destination.account, arn): row.origin.image_id for row in rows for arn in row.origin_keys}
        arns = dict.fromkeys(arn for _, arn in named)
        looks = {arn: partial(self._look, arn, is_own=account_of_key(arn) in own) for arn in arns}
        self._seen = all_at_once(looks, self._stop)
        if self._gives_grants:
            asks = {pair: partial(self._cannot_grant, *pair, origins[pair]) for pair in named}
            self._no_grant = all_at_once(asks, self._stop)
        else:
            tasks = {pair: partial(self._as_account, *pair) for pair in named}
            self._described = all_at_once(tasks, self._stop, most=AT_ONCE)

    def problem(self, row: Row, arn: str) -> AmicopyError | str | None:
        """Return why the row's account cannot use a key, or what is said where that is not known."""
        account = row.destination.account
        if not arn:
            return key_note(row)
        seen = self._seen[arn]
        if seen.problem is not None:
            return self._unusable(row, arn, seen.problem.what, next_step="Copy an image whose key is there.")
        key = self._described.get((account, arn)) or seen.key
        if key is not None and key.state not in {"", "Enabled"}:
            return self._unusable(row, arn, f"It is in the state {key.state}.", next_step=key.fix())
        if self._gives_grants:
            denied = self._no_grant[account, arn]
            if isinstance(denied, AccessDenied):
                return denied
            why = f"A grant for the account cannot be given. {denied.what} {denied.why}" if denied else ""
            return self._unusable(row, arn, why, next_step=denied.next_step) if denied else None
        role = self._clients.role_arn(account)
        missing = missing_operations(seen.policy, seen.grants, role)
        if keeps_from_copying(missing):
            actions = ", ".join(f"kms:{name}" for name in missing)
            return self._unusable(
                row,
                arn,
                f"Neither its policy nor a grant allows {actions} to {role}.",
                next_step=f"Allow account {account} to use it in the policy of the key, or let amicopy grant that for "
                "the time of copying: --kms-grant",
            )
        is_sure = self._described.get((account, arn)) is not None and seen.policy is not None
        return None if is_sure and not missing else key_note(row)

    def _unusable(self, row: Row, arn: str, why: str, *, next_step: str) -> KeyUnusable:
        return KeyUnusable(
            f"Account {row.destination.account} cannot use the KMS key {arn}, which encrypts what it is to copy.",
            why=why,
            next_step=next_step,
        )

    def _look(self, arn: str, *, is_own: bool) -> _Seen:
        kms = self._clients.kms(Destination(_region_of(arn)))
        try:
            key = self._retry(partial(kms.describe_key, arn))
        except KeyNotFound as error:
            return _Seen(problem=error if is_own else None)
        except _UNREADABLE:
            key = None
        if not is_own or self._gives_grants:
            return _Seen(key=key)
        try:
            policy = self._retry(partial(kms.key_policy, arn))
            return _Seen(key=key, policy=policy, grants=self._retry(partial(kms.grants, arn)))
        except _UNREADABLE:
            return _Seen(key=key)

    def _as_account(self, account: str, arn: str) -> KmsKey | None:
        """Return the key as the account sees it; None if it may not look."""
        destination = Destination(_region_of(arn), account)
        try:
            return self._retry(partial(self._clients.kms(destination).describe_key, arn))
        except (KeyNotFound, *_UNREADABLE):
            return None
        finally:
            self._clients.release(destination)

    def _cannot_grant(self, account: str, arn: str, image_id: str) -> AmicopyError | None:
        kms = self._clients.kms(Destination(_region_of(arn)))
        role, name = self._clients.role_arn(account), key_grant_name(image_id, account)
        return self._retry(partial(kms.grant_problem, arn, role, KEY_GRANT_OPERATIONS, name))


def _region_of(arn: str) -> str:
    return arn.split(":")[3]


def _not_shared(plan: Plan, rows: Iterable[Row], clients: Clients, stop: Stop, retry: Retry) -> dict[Key, AmicopyError]:
    """Return the rows whose account may not use what it is to copy, asked as the account itself.

    AWS: EC2 DescribeImages, DescribeSnapshots, which show what is shared with the caller.
    """
    by_key = {row.key: row for row in plan.rows}
    found: dict[Key, AmicopyError] = {}
    tasks = {}
    for row in rows:
        if row.waits_for is None:
            tasks[row.key] = partial(_unseen, row, clients, retry)
        elif lacking := tuple(_will_lack(by_key[row.source.reference, row.waits_for], row.destination.account)):
            found[row.key] = _no_permission(row, f"the copy in {row.region}", lacking)
    for key, lacking in all_at_once(tasks, stop, most=AT_ONCE).items():
        if lacking:
            found[key] = _no_permission(by_key[key], by_key[key].origin.image_id, lacking)
    return found


def _unseen(row: Row, clients: Clients, retry: Retry) -> tuple[str, ...]:
    """Return what the account cannot see of what it is to copy; nothing if it may not look."""
    origin, there = row.origin, Destination(row.origin.region, row.destination.account)
    try:
        with clients.borrowed(there) as ec2:
            if origin.image_id not in retry(partial(ec2.describe_images, [origin.image_id])):
                return (f"the launch permission of {origin.image_id}",)
            seen = retry(partial(ec2.describe_snapshots, origin.snapshot_ids)) if origin.snapshot_ids else {}
    except (AccessDenied, Throttled, Unreachable):
        return ()
    if origin.owner_alias:  # Amazon's own can be copied without their snapshots being seen
        return ()
    return tuple(f"the permission to create volumes from {one}" for one in origin.snapshot_ids if one not in seen)


def _will_lack(relay: Row, account: str) -> Iterator[str]:
    """Yield what a copy that is still to be made will not be shared with an account for, as far as that is known."""
    desired = relay.desired
    if not _may_include(desired.launch_permissions, account):
        yield "its launch permission"
    devices = [device for device, people in desired.volume_permissions.items() if not _may_include(people, account)]
    if devices or not desired.volume_permissions:
        yield "the permission to create volumes from its snapshots"


def _may_include(people: Iterable[Principal], account: str) -> bool:
    """Return whether an account is, or may be, among these: whose an organization's accounts are is not known."""
    return any(who.kind is not PrincipalKind.ACCOUNT or who.value == account for who in people)


def _no_permission(row: Row, what: str, lacking: Sequence[str]) -> NotCopyable:
    account = row.destination.account
    return NotCopyable(
        f"Account {account} may not copy {what}: it lacks {', '.join(lacking)}.",
        why="With --grants none amicopy gives no permissions.",
        next_step=f"Share it and its snapshots with {account}, or let amicopy do that for the time of copying: "
        "--grants temporary",
    )
