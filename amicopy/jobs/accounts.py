"""Working in other accounts: which they are, and a session in each, before anything else is read or written."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from amicopy.aws.accounts import Sts, problems_in_one
from amicopy.aws.organizations import Organization
from amicopy.aws.session import Session
from amicopy.core.accounts import AT_ONCE, TargetAccount
from amicopy.core.errors import AccessDenied, AmicopyError, CredentialsExpired, UsageError
from amicopy.core.parallel import all_at_once
from amicopy.jobs.context import Context

Targets = tuple[TargetAccount, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """The accounts that a run works in, each by a session of its own."""

    targets: tuple[Targets, ...]  # of each request, units replaced by their accounts
    members: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The accounts of each unit; that of the credentials is empty, as in a `Destination`."""
    closed: Mapping[str, AmicopyError] = field(default_factory=dict)  # accounts without a session, and why


def enter_accounts(
    context: Context,
    named: Sequence[Targets],
    region: str,
    *,
    units: Collection[str] = (),
    without_closed: bool = False,
) -> Entered:
    """Return the accounts of each request, units replaced by theirs, having assumed the role in each.

    ``region`` is where STS is asked; ``units`` are listed, too. Without accounts and units nothing is asked.
    ``without_closed``: accounts whose role cannot be assumed are left out and returned, for commands that only read.

    Raises:
        UsageError: the run's own account is listed as another, or one account with two roles.
        RoleNotAssumed, AccessDenied, UnitNotFound: with every account that cannot be worked in, and every unit that
            cannot be listed or has no active account.
    """
    if not any(named) and not units:
        return Entered(targets=tuple(named))
    sts = Sts(context.session, region, context.calls, context.clock)
    own = context.with_retries(sts.caller)
    asked = [*(target.unit for targets in named for target in targets if target.unit), *units]
    members, problems = _members(context, dict.fromkeys(asked), region, own)
    found = tuple(tuple(_expanded(targets, members)) for targets in named)
    everyone: dict[str, TargetAccount] = {}
    for target in (target for targets in found for target in targets):
        known = everyone.setdefault(target.account, target)
        if (known.role, known.external_id) != (target.role, target.external_id):
            problems[target.account] = UsageError(
                f"Account {target.account} is given with two roles or external ids.",
                why=f"The roles are {known.role} and {target.role}; a run uses one session for each account.",
                next_step="Use one of them.",
            )
    if own in everyone:
        problems[own] = UsageError(
            f"Account {own} is your own account, but is listed as another account.",
            why="Copies go to its regions anyway.",
            next_step="Leave it out.",
        )
    new = [target for name, target in everyone.items() if name not in problems and name not in context.clients]
    tasks = {target.account: partial(_entered, context, sts, target) for target in new}
    closed: dict[str, AmicopyError] = {}
    for account, session in all_at_once(tasks, context.stop, most=AT_ONCE).items():
        if isinstance(session, Session):
            context.clients.add_account(account, session, sts.role_arn(everyone[account]))
        elif without_closed and not isinstance(session, CredentialsExpired):
            closed[account] = session
        else:
            problems[account] = session
    if problems:
        raise problems_in_one({**problems, **closed})
    if closed:
        found = tuple(tuple(one for one in targets if one.account not in closed) for targets in found)
    return Entered(targets=found, members=members, closed=closed)


def _members(
    context: Context, units: Collection[str], region: str, own: str
) -> tuple[dict[str, tuple[str, ...]], dict[str, AmicopyError]]:
    """Return the accounts of each unit, and why those of others are not known."""
    members: dict[str, tuple[str, ...]] = {}
    problems: dict[str, AmicopyError] = {}
    if not units:
        return members, problems
    organization = Organization(context.session, region, context.calls)
    for unit in units:
        try:
            found = context.with_retries(partial(organization.accounts_in, unit))
            members[unit] = tuple("" if account == own else account for account in found)
        except AmicopyError as error:
            problems[unit] = _not_listed(unit, error, context.spelling.get("accounts", "accounts"))
    return members, problems


def _entered(context: Context, sts: Sts, target: TargetAccount) -> Session | AmicopyError:
    try:
        return context.with_retries(partial(sts.session_in, target))
    except AmicopyError as error:
        return error


def _expanded(targets: Targets, members: Mapping[str, tuple[str, ...]]) -> Iterator[TargetAccount]:
    """Yield the accounts, each once: what is said of one by its id counts more than what is said of its unit."""
    seen = {target.account for target in targets if target.account}
    for target in targets:
        if target.account:
            yield target
        for account in members.get(target.unit, ()) if target.unit else ():
            if account and account not in seen:
                seen.add(account)
                yield replace(target, account=account, unit="")


def _not_listed(unit: str, error: AmicopyError, option: str) -> AmicopyError:
    if not isinstance(error, AccessDenied):
        return error
    return AccessDenied(
        f"The accounts of {unit} cannot be listed.",
        action=error.action,
        why=f"{error.why} Only an organization's management account and its delegated administrators may list them.",
        next_step=f"Allow {error.action}, run from such an account, or list the accounts by id ({option}).",
    )
