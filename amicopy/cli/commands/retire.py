"""``amicopy retire``: its options, checked before anything is imported that calls AWS."""

from collections.abc import Mapping
from typing import Any

import click

from amicopy.cli.account_options import account_options, accounts_from
from amicopy.cli.environment import Environment
from amicopy.cli.option_groups import GroupedCommand
from amicopy.cli.option_values import connection_from, output_from
from amicopy.cli.options import (
    ImageId,
    ParameterOption,
    ReleaseAge,
    connection_options,
    exclude_option,
    option,
    optional_image_ids,
    output_options,
    regions_option,
    source_options,
)
from amicopy.core.parameter_choices import ParameterChoices

EXIT_CODES = """\b
Exit codes:
  0 everything is retired, or restored
  1 nothing could be changed          2 usage
  3 some could not be: still pending, refused, or a region does not answer
  6 credentials, permissions
"""


@click.command("retire", cls=GroupedCommand, epilog=EXIT_CODES)
@optional_image_ids
@regions_option("Regions, patterns, or 'all'. Default: all.", default=["all"])
@exclude_option
@source_options
@account_options
@option(
    "--parameter",
    "parameters",
    multiple=True,
    type=ParameterOption(),
    metavar="NAME[=AMI]",
    help="A Systems Manager parameter to change, in addition to those that EC2 finds, or the AMI that it gets in that "
    "AMI's region. Default: the last good one that it had. Repeatable.",
)
@option(
    "--leave-parameter",
    "left",
    multiple=True,
    metavar="NAME",
    help="A parameter, or a pattern, that keeps the retired image, for example that of a single version. Repeatable.",
)
@option("--no-parameters", is_flag=True, help="Leave Systems Manager parameters as they are.")
@option(
    "--restore",
    "restored",
    multiple=True,
    type=ImageId(),
    metavar="AMI",
    help="First restore this retired release, so that the parameters can go back to it; repeatable.",
)
@option(
    "--manifest",
    default="",
    metavar="MANIFEST",
    type=click.Path(),
    help="Retire the earlier releases of a manifest's images: those with a matching name, except the newest.",
)
@option(
    "--older-than",
    type=ReleaseAge(),
    metavar="AGE",
    help="With --manifest: only releases older than this, for example 90d; at least 1d.",
)
@option("--undo", is_flag=True, help="Restore exactly what retire changed.")
@option("--yes", is_flag=True, help="Do not ask for confirmation.")
@option("--dry-run", is_flag=True, help="Show what would be changed without changing anything.")
@connection_options
@output_options("text", "table", "json")
@click.pass_obj
def command(environment: Environment, /, **options: Any) -> int:
    """Take a release back everywhere: unshare, deprecate and disable it.

    AMI is a source in the region of --from, or the configured one. The source and every copy that amicopy made of it
    are unshared, with their snapshots, deprecated and disabled: nothing can be launched from them, and they stay for
    inspection. Systems Manager parameters with one of their ids go back to the last good AMI that they had. If a
    parameter never had another one, nothing is changed until you choose its AMI. All changes are recorded in tags
    first, so that --undo can reverse them exactly, and a second run can finish an interrupted one. Copies that other
    tools made are left alone. With --account, or a manifest with accounts, the same happens in those accounts.

    \b
    Examples:
      amicopy retire ami-0abcdef1234567890 --dry-run
      amicopy retire ami-0abcdef1234567890 --yes
      amicopy retire ami-0abcdef1234567890 --undo --yes
      amicopy retire ami-0abcdef1234567890 --account 222222222222 --yes
      amicopy retire ami-0abcdef1234567890 --restore ami-0123456789abcdef0 --yes
      amicopy retire --manifest release.yaml --older-than 90d --dry-run
    """
    if options["dry_run"] and options["yes"]:
        raise click.UsageError("--dry-run and --yes cannot be used together: a dry run changes nothing.")
    named, left = options["parameters"], options["left"]
    if options["no_parameters"] and (named or left):
        given = "--parameter" if named else "--leave-parameter"
        raise click.UsageError(f"{given} and --no-parameters cannot be used together.")
    if options["undo"] and (options["no_parameters"] or named or left):
        raise click.UsageError("--undo restores the parameters that retire changed, and takes no options for them.")
    _check_subject(options)
    connection, output = connection_from(options), output_from(options)
    from amicopy.cli.handlers.retire import RetireCommand, retire

    return retire(
        environment,
        RetireCommand(
            image_ids=options["image_ids"],
            source_region=options["source_region"] or "",
            regions=options["regions"],
            exclude=options["exclude"],
            accounts=accounts_from(options),
            parameters=not options["no_parameters"],
            choices=ParameterChoices(
                names=tuple(name for name, image_id in named if not image_id),
                replacements=tuple((name, image_id) for name, image_id in named if image_id),
                left=left,
            ),
            undo=options["undo"],
            restored=options["restored"],
            manifest=options["manifest"] or "",
            older_than=options["older_than"],
            connection=connection,
            output=output,
            yes=options["yes"],
            dry_run=options["dry_run"],
        ),
    )


def _check_subject(options: Mapping[str, Any]) -> None:
    """Check that it is said what is retired, in one way.

    Raises:
        click.UsageError: it is not.
    """
    if options["manifest"]:
        named = {"AMI ids": options["image_ids"], "--from": options["source_region"], "--undo": options["undo"]}
        named["--restore"] = options["restored"]
        if given := [name for name, value in named.items() if value]:
            raise click.UsageError(f"{given[0]} cannot be used together with --manifest, which names the releases.")
        if options["older_than"] is None:
            raise click.UsageError("--manifest requires --older-than AGE, such as 90d.")
    elif options["older_than"] is not None:
        raise click.UsageError("--older-than requires --manifest MANIFEST.")
    elif not options["image_ids"]:
        raise click.UsageError("Missing argument 'AMI...': give the releases, or use --manifest.")
    if options["restored"] and options["undo"]:
        raise click.UsageError("--restore and --undo cannot be used together: --undo restores the AMIs themselves.")
    if both := sorted({*options["restored"]} & {*options["image_ids"]}):
        raise click.UsageError(f"{', '.join(both)} cannot be restored and retired at the same time.")
