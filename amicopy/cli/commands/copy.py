"""``amicopy copy``: its options, checked before anything is imported that calls AWS."""

from typing import Any

import click

from amicopy.cli.account_options import account_options
from amicopy.cli.completion import complete_images, complete_regions
from amicopy.cli.copy_options import completion_option, copy_request, route_options, wanted_options
from amicopy.cli.environment import Environment
from amicopy.cli.option_groups import GroupedCommand
from amicopy.cli.option_values import connection_from, output_from, run_from
from amicopy.cli.options import (
    Duration,
    ImageIdOrStdin,
    NameList,
    ScanOption,
    connection_options,
    option,
    output_options,
    source_options,
)
from amicopy.cli.output_files import file_options
from amicopy.cli.run_options import check_run_options, run_options
from amicopy.core.check import CHECK_TIMEOUT
from amicopy.core.durations import length_text
from amicopy.core.image_scan import ScanMode
from amicopy.render.formats import RUN_FORMATS

EXIT_CODES = """\b
Exit codes:
  0 every destination is up to date   1 nothing succeeded, or plan refused
  2 usage                             3 some destinations done, some not
  4 changes needed (--exit-code), or a copy is shared with more than requested
  5 still copying; rerun to resume
  6 credentials, permissions, region not enabled
  130, 143 interrupted; EC2 keeps copying
"""


@click.command("copy", cls=GroupedCommand, epilog=EXIT_CODES)
@click.argument("image_ids", metavar="AMI...", nargs=-1, type=ImageIdOrStdin(), shell_complete=complete_images)
@option(
    "--packer-manifest",
    metavar="FILE",
    help="Copy the AMI of Packer's last run, from this packer-manifest.json, instead of AMI...",
)
@option(
    "--to",
    multiple=True,
    type=NameList(),
    help="Destination regions, separated by commas: names, patterns such as 'eu-*', or 'all'; repeatable. Required.",
    shell_complete=complete_regions,
)
@option(
    "--exclude",
    multiple=True,
    type=NameList(),
    help="Regions or patterns to exclude from --to.",
    shell_complete=complete_regions,
)
@option(
    "--best-effort",
    multiple=True,
    type=NameList(),
    help="Destinations whose failure is reported but does not change the exit code.",
    shell_complete=complete_regions,
)
@option(
    "--require-scan",
    type=ScanOption(),
    help="Refuse an AMI with Amazon Inspector findings above this severity (none, informational, low, medium, high, "
    "critical), or without a scan, or without one in the last AGE: medium:7d.",
)
@option(
    "--scan",
    type=click.Choice([one.value for one in ScanMode]),
    is_flag=False,
    flag_value=ScanMode.WARN.value,
    help="Scan the files in each AMI before the first copy starts, like 'amicopy scan': 'warn' shows references to its "
    "region, 'refuse' refuses AMIs with findings of high or above, or that cannot be read completely.",
)
@option("--allow-secrets", is_flag=True, help="With --scan: share copies with others even if they hold secrets.")
@option(
    "--ignore-file",
    metavar="FILE",
    type=click.Path(),
    help="With --scan: known findings, one per line: RULE:PATH  # reason. Default: .amicopyignore, if it exists.",
)
@option(
    "--check",
    metavar="COMMAND",
    help="Check each copy with this command before it is shared; the copy has passed if it exits with 0. It runs "
    "without a shell, with the copy in AMICOPY_IMAGE_ID and AMICOPY_REGION, and as JSON on stdin. A copy that fails "
    "stays private, and a later run without a check refuses it.",
)
@option(
    "--check-timeout",
    type=Duration(),
    default=length_text(CHECK_TIMEOUT),
    show_default=True,
    help="Stop a check after this time; the copy then fails the check.",
)
@option("--yes", is_flag=True, help="Do not ask for confirmation before --share public.")
@source_options
@account_options
@wanted_options
@completion_option
@route_options
@run_options
@connection_options
@output_options(*RUN_FORMATS)
@file_options
@click.pass_obj
def command(environment: Environment, /, **options: Any) -> int:
    """Copy AMIs to other regions, faithfully and exactly once.

    Waits until each destination has one available AMI with the source's tags, its snapshots' tags, launch permissions,
    snapshot permissions and deprecation date. Running the same command again continues: it waits for pending copies,
    completes and repairs existing ones, and writes nothing if everything is up to date.

    Use - as AMI to read the ids from stdin. Templates can contain {name} {source_id} {source_region} {region} {date},
    and descriptions also {description}. If only {date} differs in a copy's name, the copy is up to date.

    \b
    Examples:
      amicopy copy ami-0abcdef1234567890 --to us-west-2,eu-west-1
      amicopy copy ami-0abcdef1234567890 --to 'eu-*' --dry-run
      amicopy copy ami-0abcdef1234567890 --to all --output json
      amicopy copy ami-0abcdef1234567890 --to eu-west-1 --write tfvars=a.tfvars
      amicopy copy ami-0abcdef1234567890 --to eu-west-1 --sandbox
    """
    if options["packer_manifest"] and options["image_ids"]:
        raise click.UsageError("--packer-manifest and AMI arguments cannot be used together.")
    missing = [] if options["packer_manifest"] or options["image_ids"] else ["argument 'AMI...'"]
    missing += [] if options["to"] else ["option '--to'"]
    if missing:
        raise click.UsageError(f"Missing {' and '.join(missing)}.")
    connection, output, run = connection_from(options), output_from(options), run_from(options)
    check_run_options(run, output, dry_run=options["dry_run"], exit_code=options["exit_code"])
    request = copy_request(options)
    from amicopy.cli.handlers.copy import CopyCommand, copy

    return copy(
        environment,
        CopyCommand(
            request=request,
            connection=connection,
            output=output,
            run=run,
            prices=options["prices"] or "",
            arguments=options["image_ids"],
            packer_manifest=options["packer_manifest"] or "",
            dry_run=options["dry_run"],
            yes=options["yes"],
            exit_code=options["exit_code"],
        ),
    )
