"""``amicopy status``: its options.

Refuses to import what needs botocore before the options are known to be right.
"""

from typing import Any

import click

from amicopy.cli.completion import complete_regions
from amicopy.cli.environment import Environment
from amicopy.cli.options import (
    NameList,
    connection_options,
    image_ids,
    option,
    output_options,
    refuse_two_endpoints,
    source_options,
)

EXIT_CODES = """\b
Exit codes:
  0 shown                             2 usage
  1, 6 nothing could be read          3 some regions could not be read
"""


@click.command("status", epilog=EXIT_CODES)
@image_ids
@option(
    "--in",
    "regions",
    multiple=True,
    type=NameList(),
    default=["all"],
    help="Where to look. Default: every enabled region.",
    shell_complete=complete_regions,
)
@source_options
@option("--watch", is_flag=True, help="Look again until nothing is being copied any more.")
@connection_options
@output_options("table", "text", "json")
@click.pass_obj
def command(environment: Environment, /, **options: Any) -> int:
    """Show every copy of AMIs: where, in which state, what is missing.

    Copies are found by EC2's lineage and by amicopy's tag, whichever tool made them. Reads only.

    \b
    Examples:
      amicopy status ami-0abcdef1234567890
      amicopy status ami-0abcdef1234567890 --in 'eu-*' --output json
      amicopy status ami-0abcdef1234567890 --watch
    """
    refuse_two_endpoints(options)
    from amicopy.cli.handlers.status import status

    return status(environment, **options)
