"""``amicopy iam-policy``: the least-privilege policy for a command line."""

from typing import Any

import click

from amicopy.cli.commands.boot import command as boot_command
from amicopy.cli.commands.cancel import command as cancel_command
from amicopy.cli.commands.copy import command as copy_command
from amicopy.cli.commands.retire import command as retire_command
from amicopy.cli.commands.scan import command as scan_command
from amicopy.cli.commands.status import command as status_command
from amicopy.cli.commands.sync import command as sync_command
from amicopy.cli.commands.verify import command as verify_command
from amicopy.cli.copy_options import copy_request
from amicopy.cli.environment import Environment
from amicopy.cli.option_groups import GroupedCommand
from amicopy.cli.options import (
    ImageIdOrStdin,
    TrustedOption,
    option,
    regions_option,
)
from amicopy.core.functions import FUNCTIONS
from amicopy.core.regions import split_names

EXIT_CODES = """\b
Exit codes:
  0 printed                           2 usage, or an invalid manifest
  6 the profile cannot be used
"""

_COMMANDS = {
    "copy": copy_command,
    "sync": sync_command,
    "status": status_command,
    "verify": verify_command,
    "cancel": cancel_command,
    "retire": retire_command,
    "boot": boot_command,
    "scan": scan_command,
}
# The Lambda functions run sync, with what its options and manifests say.
_COMMANDS |= dict.fromkeys(FUNCTIONS, sync_command)
# Those that change a policy: the others are accepted, so that a command line can be pasted, and not listed.
_LISTED = {
    *("to", "exclude", "source_region", "share", "no_permissions", "encrypt", "keys", "no_deprecation", "protect"),
    *("accounts", "units", "role_name", "external_id", "grants", "kms_grant"),
    *("adopt", "available", "repair", "prune", "content", "undo", "restored", "no_parameters", "dry_run", "profile"),
    "scan",
    "notifications",
}


@click.command("iam-policy", cls=GroupedCommand, epilog=EXIT_CODES)
@click.argument("words", metavar="[COMMAND] [AMI... | MANIFEST...]", nargs=-1)
@option(
    "--for",
    "for_command",
    metavar="COMMAND",
    type=click.Choice(list(_COMMANDS)),
    help="The command, if COMMAND is not given. Default: copy. For Lambda functions: lambda, lambda-dispatcher, "
    "lambda-worker.",
)
@regions_option("Regions of status, verify, cancel, retire and boot.")
@option(
    "--any-image",
    is_flag=True,
    help="Allow writes to every image and snapshot in the regions, not only to those with the tag amicopy:source.",
)
@option(
    "--fast-launch",
    is_flag=True,
    help="Also allow removing, retiring and restoring copies with EC2 Fast Launch (fast_launch in a manifest).",
)
@option(
    "--instance-store",
    "source_buckets",
    multiple=True,
    metavar="BUCKET",
    help="Also allow copying an instance store-backed source from this S3 bucket ('*' for any); repeatable.",
)
@option(
    "--account-role",
    "trusted",
    type=TrustedOption(),
    metavar="ARN",
    help="Print the policies of the role in the other accounts instead; this principal may assume it.",
)
@click.pass_obj
def command(environment: Environment, /, **options: Any) -> int:
    """Print the smallest IAM policy for a command line.

    Put iam-policy in front of a command: its own arguments and options follow. Regions, keys and options limit the
    policy; ids of AMIs do not. With the manifests of sync, the policy is limited to their regions, keys and parameters.
    --for lambda prints the Lambda function's policy; s3://BUCKET/KEY or ssm:PARAMETER is where it reads its manifest.

    Writes are limited to images and snapshots with the tag amicopy:source. Copies that other tools made, and copies of
    sources with 50 tags, do not have it: --any-image includes them.

    \b
    Examples:
      amicopy iam-policy copy --from us-east-1 --to eu-west-1 --no-permissions
      amicopy iam-policy verify --in us-west-2 --repair --prune
      amicopy iam-policy cancel --in us-west-2,eu-west-1
      amicopy iam-policy sync --from us-east-1 --to eu-west-1 > policy.json
      amicopy iam-policy --for lambda ssm:/amicopy/manifest
    """
    words = list(options["words"])
    named = words.pop(0) if words and not options["for_command"] and words[0] in _COMMANDS else "copy"
    name = options["for_command"] or named
    _check_options(name)
    if options["prune"] and not options["repair"]:
        raise click.UsageError("--prune requires --repair.")
    takes_manifests = name in {"sync", *FUNCTIONS}
    if not takes_manifests:
        context = click.get_current_context()
        for word in words:
            ImageIdOrStdin().convert(word, None, context)
    if options["paths"] and name == "scan":
        raise click.UsageError("scan --image calls no AWS, so it needs no policy.")
    request = copy_request(options | {"image_ids": ()})
    from amicopy.cli.handlers.iam_policy import IamPolicyCommand, iam_policy
    from amicopy.core.content import ContentLevel

    return iam_policy(
        environment,
        IamPolicyCommand(
            command="sync" if name in FUNCTIONS else name,
            function=name if name in FUNCTIONS else "",
            request=request,
            regions=split_names(options["regions"]),
            manifests=tuple(words) if takes_manifests else (),
            profile=options["profile"],
            dry_run=options["dry_run"],
            repair=options["repair"],
            prune=options["prune"],
            available=options["available"],
            only_snapshots=bool(options["snapshots"]) and not words,
            undo=options["undo"],
            restores=bool(options["restored"]),
            parameters=not options["no_parameters"],
            source_buckets=options["source_buckets"],
            any_image=options["any_image"],
            fast_launch=options["fast_launch"],
            external_id=options["external_id"] or "",
            trusted=options["trusted"] or "",
            notifications=options["notifications"],
            content=ContentLevel(options["content"]) if options["content"] else None,
        ),
    )


def _check_options(name: str) -> None:
    """Refuse options on the command line that the command does not have; those of copy are always accepted."""
    context = click.get_current_context()
    own = {parameter.name for parameter in (*_COMMANDS[name].params, *copy_command.params)}
    for parameter in context.command.params:
        is_given = context.get_parameter_source(parameter.name or "") is click.core.ParameterSource.COMMANDLINE
        if is_given and parameter.name in _OTHERS and parameter.name not in own:
            raise click.UsageError(f"{name} has no option {parameter.opts[-1]}.")


def _relaxed(parameter: click.Option) -> click.Option:
    """Return a command's option as one that need not be given, and that is listed only if it changes a policy."""
    relaxed = parameter.__class__.__new__(parameter.__class__)
    hidden = parameter.hidden or parameter.name not in _LISTED
    relaxed.__dict__ |= parameter.__dict__ | {"required": False, "hidden": hidden}
    return relaxed


_OTHERS: dict[str | None, click.Option] = {}
for _parameter in (one for _command in _COMMANDS.values() for one in _command.params):
    if isinstance(_parameter, click.Option):
        _OTHERS.setdefault(_parameter.name, _relaxed(_parameter))
command.params[1:1] = [one for name, one in _OTHERS.items() if name != "regions"]
