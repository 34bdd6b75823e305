"""The options that name other accounts, and what they amount to: shared by the commands that have them."""

from collections.abc import Mapping
from typing import Any

import click
from click.core import ParameterSource

from amicopy.cli.options import NameList, option, stacked
from amicopy.core.accounts import DEFAULT_ROLE, TargetAccount, account_problems
from amicopy.core.regions import listed_names

account_options = stacked(
    option(
        "--account",
        "accounts",
        multiple=True,
        type=NameList(),
        metavar="ID,…",
        help="Other accounts, in addition to your own, separated by commas; repeatable.",
    ),
    option(
        "--ou",
        "units",
        multiple=True,
        type=NameList(),
        metavar="OU,…",
        help="The active accounts in these organizational units and their child units; repeatable.",
    ),
    option(
        "--role-name",
        default=DEFAULT_ROLE,
        show_default=True,
        metavar="NAME",
        help="Role to assume in each of the other accounts.",
    ),
    option("--external-id", metavar="ID", help="External id that the role requires."),
)

_OF_ACCOUNTS = {"role_name": "--role-name", "external_id": "--external-id", "grants": "--grants"}


def accounts_from(options: Mapping[str, Any]) -> tuple[TargetAccount, ...]:
    """Return the accounts and units that the options name.

    Raises:
        click.UsageError: with everything that is wrong with them.
    """
    how = {"role": options["role_name"], "external_id": options["external_id"] or ""}
    targets = (
        *(TargetAccount(account=name, **how) for name in listed_names(options["accounts"])),
        *(TargetAccount(unit=name, **how) for name in listed_names(options["units"])),
    )
    problems = list(dict.fromkeys(account_problems(targets)))
    if not targets and not options.get("trusted"):  # iam-policy --account-role is about other accounts, too
        source_of = click.get_current_context().get_parameter_source
        alone = [words for name, words in _OF_ACCOUNTS.items() if source_of(name) is ParameterSource.COMMANDLINE]
        problems += [f"{words} is for other accounts: name them with --account or --ou" for words in alone]
    if problems:
        raise click.UsageError("; ".join(problems) + ".")
    return targets
