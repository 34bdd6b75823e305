"""``amicopy copy``: its options.

Refuses to import what needs botocore before the options are known to be right.
"""

from datetime import timedelta
from typing import Any

import click

from amicopy.cli.options import (
    Duration,
    NameList,
    connection_options,
    image_ids,
    option,
    output_options,
    refuse_two_endpoints,
    source_options,
)
from amicopy.cli.requests import completion_option, refuse_contradictions, wanted_options
from amicopy.cli.runtime import Runtime

EXIT_CODES = """\b
Exit codes:
  0 every destination is as asked     1 nothing succeeded, or refused and nothing started
  2 usage                             3 some destinations done, some not
  4 --dry-run --exit-code: work to do 5 still copying; the same command goes on
  6 credentials, permissions, region not enabled
  130, 143 interrupted; the copies go on
"""


@click.command("copy", epilog=EXIT_CODES)
@image_ids
@option(
    "--to",
    multiple=True,
    required=True,
    type=NameList(),
    help="Destination regions: a comma list, repeatable; 'all', or patterns such as 'eu-*'.",
)
@option("--exclude", multiple=True, type=NameList(), help="Regions or patterns to leave out of --to.")
@option(
    "--best-effort",
    multiple=True,
    type=NameList(),
    help="Destinations whose failure is reported and does not count.",
)
@source_options
@wanted_options
@completion_option
@option(
    "--share-when",
    type=click.Choice(["each", "all"]),
    default="each",
    show_default=True,
    help="Share each copy once it is available, or none before all destinations have theirs.",
)
@option("--dry-run", is_flag=True, help="Show the plan and write nothing.")
@option(
    "--exit-code", is_flag=True, help="With --dry-run: exit 4 when there is work. With --no-wait: 5 while work is left."
)
@option("--no-wait", is_flag=True, help="Start, complete and replace what can be, then leave; EC2 goes on.")
@option("--no-preflight", is_flag=True, help="Start without checking first what would fail later.")
@option(
    "--max-in-flight",
    type=click.IntRange(1, 300),
    default=300,
    show_default=True,
    help="Copies at once in one region, when many AMIs go there.",
)
@option(
    "--on-failure",
    type=click.Choice(["leave", "cancel"]),
    default="leave",
    show_default=True,
    help="What to do with a copy that this run started and could not bring to its end.",
)
@option(
    "--on-interrupt",
    type=click.Choice(["leave", "cancel"]),
    default="leave",
    show_default=True,
    help="On Ctrl-C or SIGTERM: let EC2 go on, or remove every copy that this run has started.",
)
@option(
    "--timeout",
    type=Duration(),
    default="4h",
    show_default=True,
    help="Stop waiting after this; the copies go on, and the same command joins them.",
)
@connection_options
@output_options("text", "table", "json", "jsonl")
@click.pass_obj
def command(runtime: Runtime, /, **options: Any) -> int:
    """Copy AMIs to other regions, faithfully and exactly once.

    Leaves in every destination one available AMI with the source's tags, its snapshots' tags, launch permissions,
    snapshot permissions and deprecation date. The same command again joins, completes and repairs; where all is as
    asked it writes nothing.

    Templates may hold {name} {source_id} {source_region} {region} {date}.

    \b
    Examples:
      amicopy copy ami-0abcdef1234567890 --to us-west-2,eu-west-1
      amicopy copy ami-0abcdef1234567890 --to 'eu-*' --exclude eu-south-1 --dry-run
      amicopy copy ami-0abcdef1234567890 --to all --share 111122223333 --output json
      amicopy copy ami-0abcdef1234567890 --to eu-west-1 --sandbox
    """
    refuse_two_endpoints(options)
    refuse_contradictions(options)
    _refuse_contradictions(options)
    from amicopy.cli.copying import copy

    return copy(runtime, **options)


def _refuse_contradictions(options: dict[str, Any]) -> None:
    if options["exit_code"] and not (options["dry_run"] or options["no_wait"]):
        raise click.UsageError("--exit-code goes with --dry-run or --no-wait.")
    if options["dry_run"] and options["no_wait"]:
        raise click.UsageError("--dry-run and --no-wait contradict each other: the one starts nothing.")
    options["timeout"] = min(options["timeout"], timedelta(days=3650))
