"""``amicopy sandbox``: start it, show how to use it, wait for a signal."""

import contextlib
import shlex
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from amicopy.cli.connection import started_sandbox
from amicopy.cli.environment import Environment
from amicopy.cli.signals import stopping_on_signals
from amicopy.cli.terminal import say
from amicopy.core.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from amicopy.sandbox.accounts import Account
    from amicopy.sandbox.behavior import Rates
    from amicopy.sandbox.records import Image
    from amicopy.sandbox.samples import Sample
    from amicopy.sandbox.world import World

_SHOWN_ACCOUNTS = 8
_WIDTH = 80


def serve(
    environment: Environment,
    *,
    port: int,
    rates: "Rates",
    consistency: float,
    copy_seconds: float | None,
    regions: str | None,
    accounts: int,
    faults: tuple[str, ...],
    disks: tuple[Path, ...] = (),
) -> int:
    """Run ``amicopy sandbox``; return when a signal ends it."""
    with contextlib.ExitStack() as stack:
        if environment.handle_signals:
            stack.enter_context(stopping_on_signals(environment.stop))
        sandbox = stack.enter_context(
            started_sandbox(
                environment.clock,
                port=port,
                rates=rates,
                consistency=consistency,
                copy_seconds=copy_seconds,
                regions=_regions(regions),
                accounts=accounts,
            )
        )
        from amicopy.sandbox.faults import known_fault
        from amicopy.sandbox.http.moto_adapter import operation_names
        from amicopy.sandbox.samples import SAMPLES, SHARED_WITH

        disk_images = _registered(sandbox.world, disks)
        try:
            for text in faults:
                sandbox.world.inject(known_fault(text, operation_names(), sandbox.world.state.regions))
        except ValueError as error:
            raise UsageError(f"--fault: {error}", next_step="See: amicopy sandbox --help") from error
        # A profile or a session token of the shell would be used together with the keys of the sandbox.
        lines = ["unset AWS_PROFILE AWS_SESSION_TOKEN"]
        lines += [f"export {name}={shlex.quote(value)}" for name, value in sandbox.environment.items()]
        lines += ["#", "# Sample AMIs in us-east-1:"]
        lines += [line for sample in SAMPLES for line in _sample_lines(sample)]
        if disk_images:
            lines += ["#", "# AMIs of your disk images in us-east-1:"]
            lines += [f"#   {image.image_id}  {image.name}" for image in disk_images]
        lines += _account_lines(list(sandbox.world.state.accounts.values()))
        lines += [
            "#",
            "# In another terminal, with the lines above:",
            f"#   amicopy copy {SAMPLES[0].image_id} --to us-west-2,eu-west-1",
            "#   aws ec2 describe-images --owners self --region us-west-2",
        ]
        if accounts:
            lines.append(f"#   amicopy copy {SAMPLES[1].image_id} --to us-west-2 --account {SHARED_WITH}")
        print("\n".join(lines), flush=True)  # noqa: T201 - the command's result
        say(["serving until Ctrl-C"])
        while not environment.stop.is_set():
            environment.stop.wait(3600)
    return ExitCode.OK


def _sample_lines(sample: "Sample") -> list[str]:
    """Return what is shown of a sample AMI, folded to a terminal of 80 columns."""
    start = f"#   {sample.image_id}  {sample.name:22} "
    return textwrap.wrap(sample.shows, _WIDTH, initial_indent=start, subsequent_indent=f"#{' ' * (len(start) - 1)}")


def _account_lines(accounts: "Sequence[Account]") -> list[str]:
    """Return what is shown of the sample accounts: all of a few, the number of many."""
    if not accounts:
        return []
    shown = accounts if len(accounts) <= _SHOWN_ACCOUNTS else [*accounts[: _SHOWN_ACCOUNTS - 1], accounts[-1]]
    lines = [
        f"#   {account.account_id}  {account.name:22} in {account.parent_id}{', closed' if account.suspended else ''}"
        for account in shown
    ]
    if len(shown) < len(accounts):
        lines.insert(-1, f"#   and {len(accounts) - len(shown)} more")
    return ["#", "# Accounts in the organization, each with a role amicopy:", *lines]


def _registered(world: "World", disks: tuple[Path, ...]) -> "list[Image]":
    """Register an AMI for each raw disk image."""
    from amicopy.sandbox.samples import register_disk

    images = []
    for path in disks:
        try:
            images.append(register_disk(world, path))
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise UsageError(
                f"--image: {path} cannot be used as a disk.",
                why=why or "",
                next_step="Name a raw disk image, such as qemu-img convert -O raw writes.",
            ) from error
    return images


def _regions(text: str | None) -> frozenset[str] | None:
    """Return the regions that ``--regions`` names."""
    if text is None:
        return None
    from amicopy.sandbox.samples import REGION
    from amicopy.sandbox.settings import REGIONS, partition_of

    commercial = frozenset(region for region in REGIONS if partition_of(region) == "aws")
    if text == "all":
        return commercial
    named = frozenset(name.strip() for name in text.split(",") if name.strip())
    unknown = sorted(named - commercial)
    if unknown or not named:
        raise UsageError(
            f"--regions: unknown region {unknown[0]!r}." if unknown else "--regions: name at least one region.",
            next_step=f"Use all, or some of {', '.join(sorted(commercial))}.",
        )
    return named | {REGION}
