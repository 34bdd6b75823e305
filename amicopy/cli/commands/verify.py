"""``amicopy verify``: its options.

Refuses to import what needs botocore before the options are known to be right.
"""

from typing import Any

import click

from amicopy.cli.completion import complete_regions
from amicopy.cli.copy_options import copy_request, wanted_options
from amicopy.cli.environment import Environment
from amicopy.cli.option_values import connection_from, output_from
from amicopy.cli.options import (
    NameList,
    connection_options,
    image_ids,
    option,
    output_options,
    source_options,
)

EXIT_CODES = """\b
Exit codes:
  0 every copy is as its source       2 usage
  1, 6 nothing could be read          3 some regions could not be read
  4 some copy is not
"""


@click.command("verify", epilog=EXIT_CODES)
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
@wanted_options
@option("--repair", is_flag=True, help="Write what is missing, where EC2 lets it be written.")
@option("--prune", is_flag=True, help="With --repair: remove tags and permissions that the source does not have.")
@connection_options
@output_options("table", "text", "json")
@click.pass_obj
def command(environment: Environment, /, **options: Any) -> int:
    """Check copies against their source: are they faithful?

    Compares every copy in every enabled region, whichever tool made it, with its source: blocks of the mapping, tags,
    snapshots' tags, launch permissions, snapshot permissions, deprecation date, encryption. Give the options that the
    copies were made with. What is missing, or is open to more than the source, ends with 4; tags beyond the source's
    are only named. Reads only, without --repair.

    \b
    Examples:
      amicopy verify ami-0abcdef1234567890
      amicopy verify ami-0abcdef1234567890 --in us-west-2,eu-west-1 --share 111122223333
      amicopy verify ami-0abcdef1234567890 --repair
    """
    if options["prune"] and not options["repair"]:
        raise click.UsageError("--prune requires --repair.")
    connection, output, request = connection_from(options), output_from(options), copy_request(options)
    from amicopy.cli.handlers.verify import VerifyCommand, verify

    return verify(
        environment,
        VerifyCommand(
            request=request,
            regions=options["regions"],
            connection=connection,
            output=output,
            repair=options["repair"],
            prune=options["prune"],
        ),
    )
