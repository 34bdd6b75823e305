"""``amicopy status``: its options, checked before anything is imported that calls AWS."""

from typing import Any

import click

from amicopy.cli.account_options import account_options, accounts_from
from amicopy.cli.environment import Environment
from amicopy.cli.option_groups import GroupedCommand
from amicopy.cli.option_values import connection_from, output_from
from amicopy.cli.options import (
    connection_options,
    exclude_option,
    image_ids,
    option,
    output_options,
    regions_option,
    source_options,
)
from amicopy.core.request import CopyRequest

EXIT_CODES = """\b
Exit codes:
  0 shown                             2 usage
  1, 6 nothing could be read          3 some regions could not be read
  130, 143 --watch was interrupted
"""


@click.command("status", cls=GroupedCommand, epilog=EXIT_CODES)
@image_ids
@regions_option("Where to look. Default: every enabled region.", default=["all"])
@exclude_option
@source_options
@account_options
@option("--watch", is_flag=True, help="Keep watching until no copy is pending, or until Ctrl-C.")
@connection_options
@output_options("table", "text", "json")
@click.pass_obj
def command(environment: Environment, /, **options: Any) -> int:
    """Show every copy of AMIs: its region, its state, and what is missing.

    Finds copies by the source that EC2 records and by amicopy's tag, no matter which tool made them. Reads only.

    \b
    Examples:
      amicopy status ami-0abcdef1234567890
      amicopy status ami-0abcdef1234567890 --in 'eu-*' --output json
      amicopy status ami-0abcdef1234567890 --watch
    """
    connection, output = connection_from(options), output_from(options)
    request = CopyRequest(
        source_region=options["source_region"] or "",
        image_ids=options["image_ids"],
        exclude=options["exclude"],
        accounts=accounts_from(options),
    )
    from amicopy.cli.handlers.status import StatusCommand, status

    return status(
        environment,
        StatusCommand(
            request=request,
            regions=options["regions"],
            connection=connection,
            output=output,
            watch=options["watch"],
        ),
    )
