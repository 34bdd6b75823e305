"""``amicopy sandbox``: serve a local EC2 until stopped."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from amicopy.cli.environment import Environment
from amicopy.cli.option_groups import GroupedCommand
from amicopy.cli.options import option

if TYPE_CHECKING:
    from amicopy.sandbox.behavior import Rates


@click.command("sandbox", cls=GroupedCommand)
@option("--port", type=click.IntRange(0, 65535), default=0, show_default="a free one", help="Port on 127.0.0.1.")
@option(
    "--rates",
    type=click.Choice(["none", "ec2"]),
    default="none",
    show_default=True,
    help="Request rates: ec2 throttles as EC2 documents it, with a token bucket for each action, account and region.",
)
@option(
    "--regions",
    metavar="REGION,…|all",
    show_default="all; opt-in regions are not enabled",
    help="The regions that exist, all enabled. us-east-1, which has the samples, always exists.",
)
@option(
    "--accounts",
    type=click.IntRange(0, 1000),
    default=0,
    show_default=True,
    metavar="NUMBER",
    help="Additional accounts, in organizational units of the default account's organization. Each has a role amicopy.",
)
@option(
    "--copy-seconds",
    type=click.FloatRange(0, 86400),
    metavar="SECONDS",
    show_default="a few, more for larger snapshots",
    help="How long each copy takes; 0 for copies that are available at once.",
)
@option(
    "--consistency",
    type=click.FloatRange(0, 3600),
    default=0.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a new AMI is not found by its id, and the other account doesn't see a new permission: EC2 is "
    "eventually consistent.",
)
@option(
    "--image",
    "disks",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Register this raw disk image as an AMI in us-east-1; repeatable.",
)
@option(
    "--fault",
    "faults",
    multiple=True,
    metavar="FAULT",
    help="A fault to simulate: OPERATION[@REGION]=EFFECT[*TIMES], e.g. CopyImage@eu-west-1=throttle*5; repeatable.",
)
@click.pass_obj
def command(
    environment: Environment,
    /,
    port: int,
    rates: "Rates",
    regions: str | None,
    accounts: int,
    copy_seconds: float | None,
    consistency: float,
    faults: tuple[str, ...],
    disks: tuple[Path, ...],
) -> int:
    """Serve a local EC2 for tests and demos: no account, no cost.

    Prints the environment variables to export, the sample AMIs and a first command, in a form that a shell can source;
    then serves on loopback until Ctrl-C. Every AWS client that honors AWS_ENDPOINT_URL can use it: aws, boto3,
    Terraform.

    \b
    Effects of --fault:
      any call          throttle, 500, 503, hang:SECONDS, html, truncated,
                        error:CODE: MESSAGE, lost (the reply), dead (the region)
      CopyImage         fail:CODE: MESSAGE, stuck, vanish, flap:N, unseen:N,
                        differ:BLOCKS, lose:BLOCKS
      EnableFastLaunch, DisableFastLaunch
                        fail:CODE: MESSAGE (later)
      RunInstances      unhealthy, unchecked, dies:SECONDS
      GetSnapshotBlock  corrupt, expired
      ListAccounts      empty (a page)
    " after CALLS" at the end lets that many calls pass first.

    \b
    Examples:
      amicopy sandbox
      amicopy sandbox --rates ec2
      amicopy sandbox --accounts 2
      amicopy sandbox --regions eu-west-1,af-south-1 --copy-seconds 60
      amicopy sandbox --image disk.img
      amicopy sandbox --fault 'copy@eu-west-1=fail:Client.InternalError: no luck'
    """
    from amicopy.cli.handlers.sandbox import serve

    return serve(
        environment,
        port=port,
        rates=rates,
        consistency=consistency,
        copy_seconds=copy_seconds,
        regions=regions,
        accounts=accounts,
        faults=faults,
        disks=disks,
    )
