"""``amicopy scan``: its options, checked before anything is read."""

import re
from typing import Any

import click

from amicopy.cli.completion import complete_region, complete_regions
from amicopy.cli.environment import Environment
from amicopy.cli.option_groups import GroupedCommand
from amicopy.cli.option_values import connection_from, output_from
from amicopy.cli.options import (
    NameList,
    connection_options,
    option,
    optional_image_ids,
    output_options,
)
from amicopy.core.regions import split_names
from amicopy.scan.regions import is_region
from amicopy.scan.rules import DEFAULT_GROUPS, GROUPS

EXIT_CODES = """\b
Exit codes:
  0 nothing found, everything read    2 usage, or not a disk image
  1 nothing could be read             3 something could not be read
  4 findings (--fail-on)              6 a permission is missing
"""

SEVERITIES = ("info", "low", "medium", "high", "critical")


@click.command("scan", cls=GroupedCommand, epilog=EXIT_CODES)
@optional_image_ids
@option(
    "--snapshot",
    "snapshots",
    multiple=True,
    metavar="SNAPSHOT",
    help="Scan an EBS snapshot instead of an AMI; repeatable.",
)
@option(
    "--image",
    "paths",
    multiple=True,
    metavar="FILE",
    type=click.Path(),
    help="Scan a raw disk image from Packer or qemu-img instead, without calling AWS; repeatable.",
)
@option(
    "--from",
    "source_region",
    metavar="REGION",
    help="The image's region, to find references to it. Default for AMIs: the configured one.",
    shell_complete=complete_region,
)
@option(
    "--to",
    multiple=True,
    type=NameList(),
    help="Destination regions. If there is only one, findings show what to use there, where possible.",
    shell_complete=complete_regions,
)
@option(
    "--deep",
    is_flag=True,
    help="Also read /usr, logs and caches. Unchanged files of the distribution are not reported.",
)
@option("--include", multiple=True, metavar="GLOB", help="Also read these paths, which are left out by default.")
@option("--exclude", multiple=True, metavar="GLOB", help="Leave these paths out.")
@option(
    "--rules",
    "groups",
    multiple=True,
    type=NameList(),
    metavar="GROUP,...",
    help=f"Which rules: {', '.join(GROUPS)}. Default: {', '.join(DEFAULT_GROUPS)}.",
)
@option(
    "--min-severity",
    type=click.Choice(SEVERITIES),
    default="low",
    show_default=True,
    help="Do not report findings below this.",
)
@option(
    "--fail-on",
    type=click.Choice((*SEVERITIES[1:], "never")),
    default="high",
    show_default=True,
    help="Exit with 4 if there are findings of this severity or above.",
)
@option(
    "--ignore-file",
    metavar="FILE",
    type=click.Path(),
    help="Known findings, one per line: RULE:PATH  # reason. Default: .amicopyignore, if it exists.",
)
@option("--max-blocks", type=click.IntRange(min=1), metavar="N", help="Stop after this many blocks of 512 KiB.")
@connection_options
@output_options("table", "text", "json", "sarif")
@click.pass_obj
def command(environment: Environment, /, **options: Any) -> int:
    """Find references to an image's region in its files, before you copy it.

    EC2 copies blocks: an endpoint, an ARN or a file system in /etc/fstab still names the old region afterwards. This
    command reads the file systems of an image (ext2, ext3, ext4, XFS and NTFS, in partitions or LVM) and the Windows
    registry, without mounting or changing anything. It reads configuration, not programs: by default, it leaves out
    /usr, /Windows, logs and caches. It finds secrets, but never shows them.

    For an AMI, it reads only the blocks that it needs, through the EBS direct APIs, for less than 0.01 USD. This needs
    ebs:ListSnapshotBlocks and ebs:GetSnapshotBlock, and kms:Decrypt for an encrypted AMI.

    It finds text, not behavior: an image without findings can still depend on its region.

    \b
    Examples:
      amicopy scan ami-0abcdef1234567890 --from us-east-1 --to eu-west-1
      amicopy scan --snapshot snap-0abcdef1234567890
      amicopy scan --image disk.img --from us-east-1
      amicopy scan --image disk.img --from us-east-1 --output sarif > scan.sarif
      amicopy scan --image disk.img --from us-east-1 --rules secrets,left
    """
    regions, groups = split_names(options["to"]), split_names(options["groups"])
    of_aws = [*options["image_ids"], *options["snapshots"]]
    if not options["paths"] and not of_aws:
        raise click.UsageError("Say what to scan: an AMI, --snapshot SNAPSHOT or --image FILE.")
    if options["paths"] and of_aws:
        raise click.UsageError("--image cannot be used together with AMIs or --snapshot: scan them in separate runs.")
    if options["paths"] and not options["source_region"]:
        raise click.UsageError("--image requires --from REGION, to find references to that region.")
    for snapshot in options["snapshots"]:
        if not re.fullmatch(r"snap-([0-9a-f]{8}|[0-9a-f]{17})", snapshot):
            raise click.UsageError(f"--snapshot: {snapshot!r} is not a valid snapshot id: snap- and 17 digits.")
    for name, values in (("--from", filter(None, [options["source_region"]])), ("--to", regions)):
        for value in values:
            if not is_region(value):
                raise click.UsageError(f"{name}: {value!r} is not a region; write it like us-east-1.")
    from amicopy.aws.session import Session
    from amicopy.core.regions import check_regions

    known = Session().partitions  # of a mistyped region, nothing would be found
    check_regions(filter(None, [options["source_region"]]), known, "--from")
    check_regions(regions, known, "--to")
    if unknown := [group for group in groups if group not in GROUPS]:
        raise click.UsageError(f"--rules: unknown group {unknown[0]!r}; there are {', '.join(GROUPS)}.")
    output = output_from(options)
    from amicopy.cli.handlers.scan import ScanCommand, scan

    return scan(
        environment,
        ScanCommand(
            connection=connection_from(options),
            image_ids=options["image_ids"],
            snapshots=options["snapshots"],
            paths=options["paths"],
            region=options["source_region"] or "",
            to_regions=regions,
            deep=options["deep"],
            include=options["include"],
            exclude=options["exclude"],
            groups=groups,
            min_severity=options["min_severity"],
            fail_on=options["fail_on"],
            ignore_file=options["ignore_file"],
            max_blocks=options["max_blocks"],
            output=output,
        ),
    )
