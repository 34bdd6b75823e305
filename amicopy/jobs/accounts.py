"""Working in other accounts: which they are, and a session in each, before anything else is read or written."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from amicopy.aws.accounts import Sts, problems_in_one
from amicopy.aws.organizations import Organization
from amicopy.aws.session import Session
from amicopy.core.accounts import AT_ONCE, TargetAccount
from amicopy.core.errors import AccessDenied, AmicopyError, UsageError
from amicopy.core.parallel import all_at_once
from amicopy.jobs.context import Context

Targets = tuple[TargetAccount, ...]


def enter_accounts(context: Context, named: Sequence[Targets], region: str) -> list[Targets]:
    """Return the accounts of each request, units replaced by theirs, having assumed the role in each.

    ``region`` is where STS is asked. Without accounts nothing is.

    Raises:
        UsageError: the run's own account is listed as another, or one account with two roles.
        RoleNotAssumed, AccessDenied: with every account that cannot be worked in, every unit that cannot be listed.
    """
    if not any(named):
        return list(named)
    sts = Sts(context.session, region, context.calls, context.clock)
    own = context.with_retries(sts.caller)
    problems: dict[str, AmicopyError] = {}
    members: dict[str, tuple[str, ...]] = {}
    units = dict.fromkeys(target.unit for targets in named for target in targets if target.unit)
    organization = Organization(context.session, region, context.calls) if units else None
    for unit in units:
        assert organization is not None  # there is a unit
        try:
            members[unit] = context.with_retries(partial(organization.accounts_in, unit))
        except AmicopyError as error:
            problems[unit] = _not_listed(unit, error)
    found = [tuple(_expanded(targets, members, own)) for targets in named]
    everyone: dict[str, TargetAccount] = {}
    for target in (target for targets in found for target in targets):
        known = everyone.setdefault(target.account, target)
        if (known.role, known.external_id) != (target.role, target.external_id):
            problems[target.account] = UsageError(
                f"Account {target.account} is named with two roles or external ids.",
                why=f"The roles are {known.role} and {target.role}; one session serves all of a run.",
                next_step="Name one of them.",
            )
    if own in everyone:
        problems[own] = UsageError(
            f"Account {own} is that of the credentials, and is listed as another one.",
            why="Its regions are destinations anyway.",
            next_step="Leave it out.",
        )
    new = [target for name, target in everyone.items() if name not in problems and name not in context.clients]
    tasks = {target.account: partial(_entered, context, sts, target) for target in new}
    for account, session in all_at_once(tasks, context.stop, most=AT_ONCE).items():
        if isinstance(session, Session):
            context.clients.add_account(account, session, sts.role_arn(everyone[account]))
        else:
            problems[account] = session
    if problems:
        raise problems_in_one(problems)
    return found


def _entered(context: Context, sts: Sts, target: TargetAccount) -> Session | AmicopyError:
    try:
        return context.with_retries(partial(sts.session_in, target))
    except AmicopyError as error:
        return error


def _expanded(targets: Targets, members: Mapping[str, tuple[str, ...]], own: str) -> Iterator[TargetAccount]:
    """Yield the accounts, each once: what is said of one by its id counts more than what is said of its unit."""
    seen = {target.account for target in targets if target.account}
    for target in targets:
        if target.account:
            yield target
        for account in members.get(target.unit, ()) if target.unit else ():
            if account not in seen and account != own:
                seen.add(account)
                yield replace(target, account=account, unit="")


def _not_listed(unit: str, error: AmicopyError) -> AmicopyError:
    if not isinstance(error, AccessDenied):
        return error
    return AccessDenied(
        f"The accounts of {unit} cannot be listed.",
        action=error.action,
        why=f"{error.why} Only an organization's management account and its delegated administrators may list them.",
        next_step=f"Allow {error.action}, run from such an account, or name the accounts: --account ID,…",
    )
