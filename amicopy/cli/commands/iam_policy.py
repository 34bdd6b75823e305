"""``amicopy iam-policy``: the least-privilege policy for a command line."""

import json
from typing import Any

import click

from amicopy.cli.commands.copy import command as copy_command
from amicopy.cli.options import option
from amicopy.core.regions import is_pattern, split_names
from amicopy.plan.iam_policy import Needs, policy

_COMMANDS = ("copy", "sync", "status", "verify", "cancel")
_PARTITIONS = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "eusc-": "aws-eusc",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
}


@click.command("iam-policy")
@option("--for", "for_command", type=click.Choice(_COMMANDS), default="copy", show_default=True, help="Which command.")
def command(for_command: str, **options: Any) -> int:
    """Print the smallest IAM policy for a command line.

    Takes every option of copy: replace copy with iam-policy in your command line. The regions that you name
    limit the policy.

    --for sync covers everything that a manifest can need. The EC2 statements are limited to the regions of
    --from and --to.

    \b
    Examples:
      amicopy iam-policy > policy.json
      amicopy iam-policy --from us-east-1 --to us-west-2,eu-west-1 --no-permissions
      amicopy iam-policy --for sync --to us-west-2,eu-west-1
      amicopy iam-policy --for status
    """
    syncs = for_command == "sync"
    named = split_names(options["to"])
    destinations = named if named and not any(map(is_pattern, named)) else ("*",)
    needs = Needs(
        command=for_command,
        only_look=for_command in {"status", "verify"} or options["dry_run"],
        permissions=not options["no_permissions"],
        share=bool(options["share"]),
        deprecation=not options["no_deprecation"],
        protection=bool(options["protect"]) or syncs,
        source_region=options["source_region"] or "*",
        destinations=destinations,
    )
    places = [options["source_region"] or "", *named]  # a pattern such as us-gov-* names its partition, too
    found = (name for place in places for prefix, name in _PARTITIONS.items() if place.startswith(prefix))
    partition = next(found, "aws")
    click.echo(json.dumps(policy(needs, partition), indent=2))
    return 0


def _relaxed(parameter: click.Parameter) -> click.Parameter:
    """Return copy's parameter as one that need not be given."""
    relaxed = parameter.__class__.__new__(parameter.__class__)
    relaxed.__dict__ |= parameter.__dict__ | {"required": False}
    if isinstance(relaxed, click.Argument):
        relaxed.metavar = "[AMI]..."
    return relaxed


command.params += [_relaxed(parameter) for parameter in copy_command.params]
