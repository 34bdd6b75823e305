"""The options of a run, shared by copy and sync."""

import click

from amicopy.cli.option_values import OutputOptions
from amicopy.cli.options import Duration, option, stacked
from amicopy.core.grants import Grants
from amicopy.core.run_options import RunOptions
from amicopy.render.formats import ID_FORMATS

run_options = stacked(
    option(
        "--share-when",
        type=click.Choice(["each", "all"]),
        default="each",
        show_default=True,
        help="Share each copy as soon as it is available, or share none until all destinations have theirs.",
    ),
    option("--dry-run", is_flag=True, help="Show the plan without changing anything."),
    option(
        "--exit-code",
        is_flag=True,
        help="With --dry-run: exit 4 if there is work to do. With --no-wait: exit 5 if work is left.",
    ),
    option(
        "--no-wait",
        is_flag=True,
        help="Do what can be done now (start, complete, replace copies), then exit; EC2 keeps copying.",
    ),
    option(
        "--no-preflight",
        is_flag=True,
        help="Skip the checks for problems that would show up only later: permissions, keys, sharing, quotas.",
    ),
    option(
        "--grants",
        type=click.Choice([one.value for one in Grants]),
        default=Grants.TEMPORARY.value,
        show_default=True,
        help="Permissions that other accounts need to copy: grant them only while copying, grant and keep them, or "
        "grant none.",
    ),
    option(
        "--kms-grant",
        is_flag=True,
        help="While other accounts copy, give them grants on the KMS keys of the images that they copy.",
    ),
    option(
        "--max-in-flight",
        type=click.IntRange(1, 300),
        default=300,
        show_default=True,
        help="Maximum number of concurrent copies in one region.",
    ),
    option(
        "--max-checks",
        type=click.IntRange(1, 100),
        default=8,
        show_default=True,
        help="Maximum number of checks (--check) that run at the same time, in all regions together.",
    ),
    option(
        "--on-failure",
        type=click.Choice(["leave", "cancel"]),
        default="leave",
        show_default=True,
        help="What to do with a copy that this run started and that failed. A copy that fails its check is kept.",
    ),
    option(
        "--on-interrupt",
        type=click.Choice(["leave", "cancel"]),
        default="leave",
        show_default=True,
        help="On Ctrl-C or SIGTERM: let EC2 keep copying, or remove every copy that this run has started.",
    ),
    option(
        "--prices",
        metavar="FILE",
        help="CSV file with your own prices for the estimate; they override the built-in ones.",
    ),
    option(
        "--timeout",
        type=Duration(),
        default="4h",
        show_default=True,
        help="Stop waiting after this time; EC2 keeps copying; rerun the same command to resume.",
    ),
)


def check_run_options(run: RunOptions, output: OutputOptions, *, dry_run: bool, exit_code: bool) -> None:
    """Raise a usage error if these options contradict each other."""
    if exit_code and not dry_run and run.wait:
        raise click.UsageError("--exit-code requires --dry-run or --no-wait.")
    if dry_run and not run.wait:
        raise click.UsageError("--dry-run and --no-wait cannot be used together.")
    if dry_run and (output.html or {output.format, *(form for form, _ in output.files)} & {*ID_FORMATS}):
        raise click.UsageError(
            f"--dry-run makes no copies: there are no ids for {', '.join(ID_FORMATS)} and no timeline for --html. Use "
            "text, table, json, jsonl or markdown."
        )
