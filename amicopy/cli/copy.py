"""``amicopy copy``: its options.

Refuses to import what needs botocore before the options are known to be right.
"""

from datetime import timedelta
from typing import Any

import click

from amicopy.cli.options import (
    CompletionTime,
    DescriptionTemplate,
    Duration,
    KeyOption,
    NameList,
    NameTemplate,
    PrincipalOption,
    TagOption,
    connection_options,
    image_ids,
    option,
    output_options,
    refuse_two_endpoints,
    source_options,
)
from amicopy.cli.runtime import Runtime
from amicopy.request import Protection
from amicopy.rules import tags_problem

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
@option("--name", type=NameTemplate(), help="Name of the copies; a template, see below. Default: the source's.")
@option(
    "--description",
    type=DescriptionTemplate(),
    help="Description of the copies; a template. Default: says where it was copied from.",
)
@option(
    "--tag",
    "tags",
    multiple=True,
    type=TagOption(),
    help="One more tag for the copies and their snapshots; repeatable. It wins over the source's.",
)
@option("--no-tags", is_flag=True, help="Leave the source's tags behind; --tag ones are put on.")
@option(
    "--share",
    multiple=True,
    type=PrincipalOption(),
    help="Let exactly these launch the copies, instead of those the source is shared with: an account id, "
    "the ARN of an organization or organizational unit, or public; repeatable.",
)
@option("--no-permissions", is_flag=True, help="Leave the copies private.")
@option("--encrypt", is_flag=True, help="Encrypt the copies with the region's default key.")
@option(
    "--kms-key",
    "keys",
    multiple=True,
    type=KeyOption(),
    help="Encrypt the copies with this key: its id, alias or ARN; REGION=KEY for one destination; repeatable.",
)
@option("--deprecate-after", type=Duration(), help="Deprecate each copy so long after it was made, e.g. 90d.")
@option("--no-deprecation", is_flag=True, help="Leave the source's deprecation date behind.")
@option(
    "--protect",
    type=click.Choice([one.value for one in Protection]),
    is_flag=False,
    flag_value="on",
    help="Protect the copies from deregistration; with 'cooldown' for 24 hours more, with 'source' as the source is.",
)
@option(
    "--complete-within",
    type=CompletionTime(),
    help="Time-based copy: 15m to 48h in steps of 15 minutes. EC2 charges for it; the plan says how much.",
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
    _refuse_contradictions(options)
    from amicopy.cli.copying import copy

    return copy(runtime, **options)


def _refuse_contradictions(options: dict[str, Any]) -> None:
    if options["share"] and options["no_permissions"]:
        raise click.UsageError("--share and --no-permissions contradict each other: shared with these, or with nobody.")
    if options["deprecate_after"] and options["no_deprecation"]:
        raise click.UsageError("--deprecate-after and --no-deprecation contradict each other.")
    if (options["encrypt"] or options["keys"]) and any(one.is_public for one in options["share"]):
        raise click.UsageError("--share public and encryption contradict each other: no encrypted AMI can be public.")
    regions = [region for region, _ in options["keys"]]
    if twice := sorted({region for region in regions if regions.count(region) > 1}):
        raise click.UsageError(f"--kms-key names more than one key for {twice[0] or 'all destinations'}.")
    if options["exit_code"] and not (options["dry_run"] or options["no_wait"]):
        raise click.UsageError("--exit-code goes with --dry-run or --no-wait.")
    if options["dry_run"] and options["no_wait"]:
        raise click.UsageError("--dry-run and --no-wait contradict each other: the one starts nothing.")
    keys = [key for key, _ in options["tags"]]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise click.UsageError(f"--tag gives {', '.join(map(repr, twice))} more than once.")
    if problem := tags_problem(dict(options["tags"])):
        raise click.UsageError(f"--tag: {problem}.")
    options["timeout"] = min(options["timeout"], timedelta(days=3650))
