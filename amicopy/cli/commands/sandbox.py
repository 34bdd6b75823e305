"""``amicopy sandbox``: serve a local EC2 until stopped."""

from typing import TYPE_CHECKING

import click

from amicopy.cli.environment import Environment
from amicopy.cli.options import option

if TYPE_CHECKING:
    from amicopy.sandbox.behavior import Rates


@click.command("sandbox")
@option("--port", type=click.IntRange(0, 65535), default=0, show_default="a free one", help="Port on 127.0.0.1.")
@option(
    "--rates",
    type=click.Choice(["none", "ec2"]),
    default="none",
    show_default=True,
    help="Request rates: ec2 throttles as EC2 documents it, with a token bucket for each action, account and region.",
)
@option(
    "--fault",
    "faults",
    multiple=True,
    metavar="FAULT",
    help="A fault to simulate: OPERATION[@REGION]=EFFECT[*TIMES], e.g. CopyImage@eu-west-1=throttle*5; repeatable.",
)
@click.pass_obj
def command(environment: Environment, /, port: int, rates: "Rates", faults: tuple[str, ...]) -> int:
    """Serve a local EC2 for tests and demos: no account, no cost.

    Prints the environment variables to export, the sample AMIs and a first command, in a form that a shell can source;
    then serves on loopback until Ctrl-C. Every AWS client that honors AWS_ENDPOINT_URL can use it: aws, boto3,
    Terraform.

    \b
    Effects of --fault: throttle, 500, 503, lost (the reply), dead (the region), html, truncated,
    error:CODE: MESSAGE; and of a CopyImage: fail:CODE: MESSAGE, stuck, vanish, flap:N, unseen:N.

    \b
    Examples:
      amicopy sandbox
      amicopy sandbox --rates ec2
      amicopy sandbox --port 5005 --fault 'copy@eu-west-1=fail:Client.InternalError: no luck'
    """
    from amicopy.cli.handlers.sandbox import serve

    return serve(environment, port=port, rates=rates, faults=faults)
