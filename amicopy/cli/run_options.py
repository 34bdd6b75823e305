"""How a run goes, as options: shared by copy and sync.

Refuses to import what needs botocore.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import click

from amicopy.cli.options import Duration, option, stacked

run_options = stacked(
    option(
        "--share-when",
        type=click.Choice(["each", "all"]),
        default="each",
        show_default=True,
        help="Share each copy once it is available, or none before all destinations have theirs.",
    ),
    option("--dry-run", is_flag=True, help="Show the plan and write nothing."),
    option(
        "--exit-code",
        is_flag=True,
        help="With --dry-run: exit 4 when there is work. With --no-wait: 5 while work is left.",
    ),
    option("--no-wait", is_flag=True, help="Start, complete and replace what can be, then leave; EC2 goes on."),
    option("--no-preflight", is_flag=True, help="Start without checking first what would fail later."),
    option(
        "--max-in-flight",
        type=click.IntRange(1, 300),
        default=300,
        show_default=True,
        help="Copies at once in one region, when many AMIs go there.",
    ),
    option(
        "--on-failure",
        type=click.Choice(["leave", "cancel"]),
        default="leave",
        show_default=True,
        help="What to do with a copy that this run started and could not bring to its end.",
    ),
    option(
        "--on-interrupt",
        type=click.Choice(["leave", "cancel"]),
        default="leave",
        show_default=True,
        help="On Ctrl-C or SIGTERM: let EC2 go on, or remove every copy that this run has started.",
    ),
    option(
        "--timeout",
        type=Duration(),
        default="4h",
        show_default=True,
        help="Stop waiting after this; the copies go on, and the same command joins them.",
    ),
)


def refuse_run_contradictions(options: dict[str, Any]) -> None:
    """Raise a usage error where these options contradict each other; a time-out of ages becomes ten years."""
    if options["exit_code"] and not (options["dry_run"] or options["no_wait"]):
        raise click.UsageError("--exit-code requires --dry-run or --no-wait.")
    if options["dry_run"] and options["no_wait"]:
        raise click.UsageError("--dry-run and --no-wait cannot be used together.")
    _refuse_files(options)
    options["timeout"] = min(options["timeout"], timedelta(days=3650))


def _refuse_files(options: Mapping[str, Any]) -> None:
    exported = options["output"] in {"tfvars", "cfn", "env", "markdown"}
    if options["dry_run"] and (options["files"] or options["page"] or options["github"] or exported):
        raise click.UsageError(
            "--dry-run makes no copies to report: use text, table, json or jsonl output, and no files."
        )
