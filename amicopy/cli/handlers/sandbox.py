"""``amicopy sandbox``: start it, show how to use it, wait for a signal."""

import contextlib
import shlex
from typing import TYPE_CHECKING

from amicopy.cli.connection import started_sandbox
from amicopy.cli.environment import Environment
from amicopy.cli.signals import stopping_on_signals
from amicopy.cli.terminal import say
from amicopy.core.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from amicopy.sandbox.behavior import Rates


def serve(environment: Environment, *, port: int, rates: "Rates", faults: tuple[str, ...]) -> int:
    """Run ``amicopy sandbox``; return when a signal ends it."""
    with contextlib.ExitStack() as stack:
        if environment.handle_signals:
            stack.enter_context(stopping_on_signals(environment.stop))
        sandbox = stack.enter_context(started_sandbox(environment.clock, port=port, rates=rates))
        from amicopy.sandbox.faults import parse_fault
        from amicopy.sandbox.samples import SAMPLES

        try:
            for fault in faults:
                sandbox.world.inject(parse_fault(fault))
        except ValueError as error:
            raise UsageError(f"--fault: {error}", next_step="See: amicopy sandbox --help") from error
        lines = [f"export {name}={shlex.quote(value)}" for name, value in sandbox.environment.items()]
        lines += ["#", "# Sample AMIs in us-east-1:"]
        lines += [f"#   {sample.image_id}  {sample.name:22} {sample.shows}" for sample in SAMPLES]
        lines += [
            "#",
            "# In another terminal, with the lines above:",
            f"#   amicopy copy {SAMPLES[0].image_id} --to us-west-2,eu-west-1",
            "#   aws ec2 describe-images --owners self --region us-west-2",
        ]
        print("\n".join(lines), flush=True)  # noqa: T201 - the command's result
        say(["serving until Ctrl-C"])
        while not environment.stop.is_set():
            environment.stop.wait(3600)
    return ExitCode.OK
