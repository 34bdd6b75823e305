"""``amicopy boot``: find, check, launch, watch, terminate, tell."""

from dataclasses import dataclass
from functools import partial

from amicopy.cli.confirm import agreed
from amicopy.cli.connection import run_connected
from amicopy.cli.environment import Environment
from amicopy.cli.option_values import ConnectionOptions, OutputOptions
from amicopy.cli.terminal import say, show
from amicopy.core.accounts import TargetAccount
from amicopy.core.boot import BootOptions
from amicopy.core.errors import ExitCode
from amicopy.jobs.boot import BootJob, BootReport
from amicopy.jobs.context import Context
from amicopy.render.boot import boot_document, launch_question, target_lines, write_targets
from amicopy.render.text import error_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class BootCommand:
    """One ``amicopy boot``, as it was typed."""

    image_ids: tuple[str, ...]
    source_region: str
    regions: tuple[str, ...]
    exclude: tuple[str, ...]
    options: BootOptions
    accounts: tuple[TargetAccount, ...]
    connection: ConnectionOptions
    output: OutputOptions
    yes: bool = False
    dry_run: bool = False


def boot(environment: Environment, command: BootCommand) -> int:
    """Run ``amicopy boot``; return the exit code."""
    return run_connected("boot", environment, command.connection, command.output, partial(_boot, command))


def _boot(command: BootCommand, context: Context) -> int:
    job = BootJob(
        context,
        command.image_ids,
        command.regions,
        command.options,
        source_region=command.source_region,
        exclude=command.exclude,
        accounts=command.accounts,
    )
    found = job.find()
    if not command.output.quiet:
        say(target_lines(found, command.options))
        say(f"note: {note}" for note in found.notes)
    if not command.dry_run and not found.refused and (found.due or found.leftovers):
        if found.due and not agreed(launch_question(found), yes=command.yes):
            return ExitCode.FAILED
        found = job.run(found)
    return _tell(found, command.output)


def _tell(found: BootReport, output: OutputOptions) -> int:
    written = show(output.format, partial(boot_document, found), partial(write_targets, found.targets, output.format))
    for error in found.unread:
        say(error_lines(error))
    for target in found.targets:
        if target.error:
            say(error_lines(target.error))
        if target.result and target.result.is_left:
            say([f"error: {target.result.instance_id} in {target.place} could not be terminated: terminate it"])
    if found.interruption:
        say(error_lines(found.interruption))
    return int(found.exit_code or written)
