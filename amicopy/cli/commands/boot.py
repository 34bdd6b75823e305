"""``amicopy boot``: its options, checked before anything is imported that calls AWS."""

from typing import Any

import click

from amicopy.cli.account_options import account_options, accounts_from
from amicopy.cli.environment import Environment
from amicopy.cli.option_groups import GroupedCommand
from amicopy.cli.option_values import connection_from, output_from
from amicopy.cli.options import (
    Duration,
    connection_options,
    exclude_option,
    image_ids,
    option,
    output_options,
    regions_option,
    source_options,
)
from amicopy.core.boot import BOOT_TIMEOUT, BootOptions, boot_problem, subnet_from

EXIT_CODES = """\b
Exit codes:
  0 every image passed                1 none passed, or nothing was launched
  2 usage                             3 some passed, some did not
  6 credentials, permissions
"""


@click.command("boot", cls=GroupedCommand, epilog=EXIT_CODES)
@image_ids
@regions_option("Regions, patterns, or 'all'.", required=True)
@exclude_option
@source_options
@account_options
@option(
    "--instance-type",
    default="",
    metavar="TYPE",
    help="The type of the instance. Default: a small one of the image's architecture that the image allows.",
)
@option(
    "--subnet",
    "subnets",
    multiple=True,
    metavar="[[ACCOUNT/]REGION=]SUBNET",
    help="The subnet for a region, or for all. Default: the default VPC.",
)
@option(
    "--expect",
    default="",
    metavar="PATTERN",
    help="A regular expression that the console output must match. Default: both status checks must pass.",
)
@option(
    "--timeout",
    type=Duration(),
    default=BOOT_TIMEOUT,
    show_default=False,
    metavar="DURATION",
    help="Time limit for each instance, such as 10m. Default: 15m.",
)
@option("--yes", is_flag=True, help="Do not ask for confirmation.")
@option("--dry-run", is_flag=True, help="Check everything that can be checked before a launch, and launch nothing.")
@connection_options
@output_options("text", "table", "json")
@click.pass_obj
def command(environment: Environment, /, **options: Any) -> int:
    """Launch an instance of each copy, wait for its status checks, terminate it.

    AMI is an image in one of the regions of --in, or the source of copies there (in the region of --from, or the
    configured one). With --account, copies in other accounts are also launched, each with the role in its account. An
    instance has no key pair and no public address, requires IMDSv2, and its volumes are deleted with it. Before
    launching, boot shows the cost and asks for confirmation. Instances are always terminated. If a run is killed, the
    next one finds its instance by a tag, and uses or terminates it; two runs at the same time share one instance. The
    result has the end of the console output.

    \b
    Examples:
      amicopy boot ami-0abcdef1234567890 --in us-east-1 --dry-run
      amicopy boot ami-0abcdef1234567890 --in us-east-1 --expect 'login:' --yes
    """
    if options["dry_run"] and options["yes"]:
        raise click.UsageError("--dry-run and --yes cannot be used together: a dry run launches nothing.")
    if options["timeout"] is None:
        options["timeout"] = BOOT_TIMEOUT
    boot_options = BootOptions(
        instance_type=options["instance_type"] or "",
        subnets=tuple(map(subnet_from, options["subnets"])),
        expect=options["expect"] or "",
        timeout=options["timeout"],
    )
    if problem := boot_problem(boot_options):
        raise click.UsageError(f"{problem[0].upper()}{problem[1:]}.")
    connection, output = connection_from(options), output_from(options)
    from amicopy.cli.handlers.boot import BootCommand, boot

    return boot(
        environment,
        BootCommand(
            image_ids=options["image_ids"],
            source_region=options["source_region"] or "",
            regions=options["regions"],
            exclude=options["exclude"],
            accounts=accounts_from(options),
            options=boot_options,
            connection=connection,
            output=output,
            yes=options["yes"],
            dry_run=options["dry_run"],
        ),
    )
