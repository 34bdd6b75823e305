"""``amicopy cancel``: its options, checked before anything is imported that calls AWS."""

from typing import Any

import click

from amicopy.cli.completion import complete_images, complete_regions
from amicopy.cli.environment import Environment
from amicopy.cli.option_values import connection_from, output_from
from amicopy.cli.options import (
    ImageId,
    NameList,
    connection_options,
    option,
    output_options,
    source_options,
)

EXIT_CODES = """\b
Exit codes:
  0 everything was removed            1 nothing could be removed
  2 usage                             3 something was kept: protected, in use, or refused
  6 credentials, permissions
"""


@click.command("cancel", epilog=EXIT_CODES)
@click.argument("image_ids", metavar="[AMI]...", nargs=-1, type=ImageId(), shell_complete=complete_images)
@option(
    "--in",
    "regions",
    multiple=True,
    required=True,
    type=NameList(),
    help="Regions, patterns, or 'all'.",
    shell_complete=complete_regions,
)
@source_options
@option("--all-pending", is_flag=True, help="Cancel every pending copy that amicopy made there, of any source.")
@option("--available", is_flag=True, help="Also remove available copies.")
@option("--yes", is_flag=True, help="Do not ask for confirmation.")
@option("--dry-run", is_flag=True, help="Show what would be removed without removing anything.")
@connection_options
@output_options("text", "table", "json")
@click.pass_obj
def command(environment: Environment, /, **options: Any) -> int:
    """Cancel copies: deregister them and delete their snapshots.

    AMI is the id of a source (in the region of --from, or the configured one), to cancel its pending and failed copies,
    or the id of a copy. Snapshots that an interrupted copy has left are removed as well. Nothing else is touched: not
    the source, no image that was made from something else, and no available copy without --available.

    \b
    Examples:
      amicopy cancel ami-0abcdef1234567890 --in us-west-2
      amicopy cancel ami-0abcdef1234567890 --in all --yes
      amicopy cancel --all-pending --in 'eu-*' --dry-run
      amicopy cancel ami-0abcdef1234567890 --in eu-west-1 --available --dry-run
    """
    if options["dry_run"] and options["yes"]:
        raise click.UsageError("--dry-run and --yes cannot be used together: a dry run removes nothing.")
    if options["all_pending"] and (options["image_ids"] or options["available"]):
        raise click.UsageError("--all-pending cannot be used together with AMI ids or --available.")
    if not options["all_pending"] and not options["image_ids"]:
        raise click.UsageError("Missing argument 'AMI...': name sources or copies, or say --all-pending.")
    connection, output = connection_from(options), output_from(options)
    from amicopy.cli.handlers.cancel import CancelCommand, cancel

    return cancel(
        environment,
        CancelCommand(
            image_ids=options["image_ids"],
            source_region=options["source_region"] or "",
            regions=options["regions"],
            connection=connection,
            output=output,
            available=options["available"],
            yes=options["yes"],
            dry_run=options["dry_run"],
        ),
    )
