"""``amicopy cancel``: its options, checked before anything is imported that calls AWS."""

from typing import Any

import click

from amicopy.cli.account_options import account_options, accounts_from
from amicopy.cli.environment import Environment
from amicopy.cli.option_groups import GroupedCommand
from amicopy.cli.option_values import connection_from, output_from
from amicopy.cli.options import (
    ImageId,
    connection_options,
    exclude_option,
    option,
    optional_image_ids,
    output_options,
    regions_option,
    source_options,
)

EXIT_CODES = """\b
Exit codes:
  0 everything was removed   1 nothing could be removed
  2 usage                    3 something was kept: protected, in use, refused
  6 credentials, permissions
"""


@click.command("cancel", cls=GroupedCommand, epilog=EXIT_CODES)
@optional_image_ids
@regions_option("Regions, patterns, or 'all'.", required=True)
@exclude_option
@source_options
@account_options
@option("--copy", "copy_ids", multiple=True, type=ImageId(), help="Remove only the copy with this id; repeatable.")
@option(
    "--all-pending",
    is_flag=True,
    help="Cancel every pending copy that amicopy made in these regions, whatever its source.",
)
@option("--available", is_flag=True, help="Also remove available copies that nothing uses.")
@option(
    "--in-use",
    is_flag=True,
    help="With --available: also remove copies that instances, launch templates or parameters use.",
)
@option("--yes", is_flag=True, help="Do not ask for confirmation.")
@option("--dry-run", is_flag=True, help="Show what would be removed without removing anything.")
@connection_options
@output_options("text", "table", "json")
@click.pass_obj
def command(environment: Environment, /, **options: Any) -> int:
    """Cancel copies: deregister them and delete their snapshots.

    AMI is either a source (in the region of --from, or the configured one), to cancel the pending and failed copies
    that amicopy made of it, or a copy in another region. --copy is a copy in any region. Also removes snapshots left by
    an interrupted copy, and terminates instances left by a boot test. Sources, and images that are not copies, are
    never removed. Available copies are removed only with --available, and those in use only with --in-use as well. A
    copy that another tool made is removed only if you give its own id.

    \b
    Examples:
      amicopy cancel ami-0abcdef1234567890 --in us-west-2
      amicopy cancel ami-0abcdef1234567890 --in all --yes
      amicopy cancel --all-pending --in 'eu-*' --dry-run
      amicopy cancel ami-0abcdef1234567890 --in eu-west-1 --available --dry-run
    """
    if options["dry_run"] and options["yes"]:
        raise click.UsageError("--dry-run and --yes cannot be used together: a dry run removes nothing.")
    named = options["image_ids"] or options["copy_ids"]
    if options["in_use"] and not options["available"]:
        raise click.UsageError("--in-use requires --available: without it, no available copy is removed.")
    if options["all_pending"] and (named or options["available"]):
        raise click.UsageError("--all-pending cannot be used together with AMI ids or --available.")
    if not options["all_pending"] and not named:
        raise click.UsageError("Missing argument 'AMI...': give sources or copies, or use --all-pending.")
    connection, output = connection_from(options), output_from(options)
    from amicopy.cli.handlers.cancel import CancelCommand, cancel

    return cancel(
        environment,
        CancelCommand(
            image_ids=options["image_ids"],
            copy_ids=options["copy_ids"],
            source_region=options["source_region"] or "",
            regions=options["regions"],
            exclude=options["exclude"],
            accounts=accounts_from(options),
            connection=connection,
            output=output,
            available=options["available"],
            in_use=options["in_use"],
            yes=options["yes"],
            dry_run=options["dry_run"],
        ),
    )
