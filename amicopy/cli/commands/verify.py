"""``amicopy verify``: its options, checked before anything is imported that calls AWS."""

from typing import Any

import click

from amicopy.cli.account_options import account_options
from amicopy.cli.copy_options import copy_request, wanted_options
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

EXIT_CODES = """\b
Exit codes:
  0 every copy matches its source     2 usage
  1, 6 nothing could be read          3 some regions could not be read
  4 a copy differs or is missing
"""


@click.command("verify", cls=GroupedCommand, epilog=EXIT_CODES)
@image_ids
@regions_option("Where to look. Default: every enabled region.", default=["all"])
@exclude_option
@source_options
@account_options
@wanted_options
@option(
    "--repair",
    is_flag=True,
    help="Write what is missing, if EC2 allows it on an existing image. A copy that has not passed its check is not "
    "shared.",
)
@option("--prune", is_flag=True, help="With --repair: remove tags and permissions that the source does not have.")
@option(
    "--content",
    type=click.Choice(["size", "list", "sample", "full"]),
    help="Also compare the data: the size of the written blocks, the list of them, 460 random blocks of each "
    "volume, or every block. All but size read the snapshots through the EBS direct APIs.",
)
@option(
    "--seed", type=click.IntRange(0), metavar="NUMBER", help="With --content sample: repeat the sample of this seed."
)
@option("--yes", is_flag=True, help="With --repair or --content: do not ask for confirmation.")
@option("--dry-run", is_flag=True, help="With --repair: show what would be written and removed, without doing it.")
@option("--html", metavar="FILE", help="Also write the verdicts as an HTML page, with the evidence of --content.")
@connection_options
@output_options("table", "text", "json")
@click.pass_obj
def command(environment: Environment, /, **options: Any) -> int:
    """Check that copies match their source.

    Compares every copy in every enabled region, no matter which tool made it, with its source: devices, settings, tags,
    snapshots' tags, launch permissions, snapshot permissions, deprecation date, encryption, license. Use the options
    that the copies were made with. The exit code is 4 if a copy differs or has a permission that its source doesn't
    have; other extras are only listed. Without --repair, nothing is changed. --repair asks, or needs --yes, before it
    adds permissions that only the source has, because the copy may have been made with --share or --no-permissions.

    --content compares the data. If 1 % of a volume's blocks differ, a sample finds one of them in 99 % of cases. It
    shows the cost of reading first; above 1 USD, it asks, or needs --yes.

    \b
    Examples:
      amicopy verify ami-0abcdef1234567890
      amicopy verify ami-0abcdef1234567890 --in eu-west-1 --share 111122223333
      amicopy verify ami-0abcdef1234567890 --repair
      amicopy verify ami-0abcdef1234567890 --content sample --output json
    """
    if options["yes"] and not (options["repair"] or options["content"]):
        raise click.UsageError("--yes requires --repair or --content.")
    if options["dry_run"] and not options["repair"]:
        raise click.UsageError("--dry-run requires --repair.")
    if options["seed"] is not None and options["content"] != "sample":
        raise click.UsageError("--seed requires --content sample.")
    if options["prune"] and not options["repair"]:
        raise click.UsageError("--prune requires --repair.")
    connection, output, request = connection_from(options), output_from(options), copy_request(options)
    from amicopy.cli.handlers.verify import VerifyCommand, verify
    from amicopy.core.content import ContentLevel

    return verify(
        environment,
        VerifyCommand(
            request=request,
            regions=options["regions"],
            connection=connection,
            output=output,
            repair=options["repair"],
            prune=options["prune"],
            yes=options["yes"],
            dry_run=options["dry_run"],
            content=ContentLevel(options["content"]) if options["content"] else None,
            seed=options["seed"],
        ),
    )
