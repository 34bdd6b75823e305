"""``amicopy retire``: find, ask, retire or restore, tell. Nothing is changed without a yes."""

from dataclasses import dataclass
from functools import partial

from amicopy.cli.confirm import agreed
from amicopy.cli.connection import run_connected
from amicopy.cli.environment import Environment
from amicopy.cli.option_values import ConnectionOptions, OutputOptions
from amicopy.cli.terminal import say, show
from amicopy.core.errors import ExitCode, Interrupted
from amicopy.core.retirement import ParameterChoices
from amicopy.jobs.context import Context
from amicopy.jobs.retire import RetireJob, RetireResult
from amicopy.render.retire import retire_document, target_lines, write_targets
from amicopy.render.text import counted, error_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class RetireCommand:
    """One ``amicopy retire``, as it was typed."""

    image_ids: tuple[str, ...]
    source_region: str
    regions: tuple[str, ...]
    exclude: tuple[str, ...]
    parameters: bool
    choices: ParameterChoices
    undo: bool
    connection: ConnectionOptions
    output: OutputOptions
    yes: bool = False
    dry_run: bool = False


def retire(environment: Environment, command: RetireCommand) -> int:
    """Run ``amicopy retire``; return the exit code."""
    return run_connected("retire", environment, command.connection, command.output, partial(_retire, command))


def _retire(command: RetireCommand, context: Context) -> int:
    job = RetireJob(
        context,
        command.image_ids,
        command.regions,
        source_region=command.source_region,
        exclude=command.exclude,
        parameters=command.parameters,
        choices=command.choices,
        undo=command.undo,
    )
    found = job.find()
    if not command.output.quiet:
        say(target_lines(found.targets))
        say(f"note: {note}" for note in found.notes)
        say(f"note: {note}" for target in found.targets for note in target.notes)
    if found.due and not command.dry_run and not found.refused:
        count = counted(len(found.due), "image")
        place = f"account {', '.join(found.accounts)}"
        what = "Restore" if command.undo else "Retire"
        doing = "" if command.output.quiet else f"{what.lower()[:-1]}ing {count} in {place}"
        if not agreed(f"{what} {count} in {place}?", yes=command.yes, doing=doing):
            return ExitCode.FAILED
        found = job.carry_out(found)
    return _tell(found, command.output)


def _tell(found: RetireResult, output: OutputOptions) -> int:
    written = show(output.format, partial(retire_document, found), partial(write_targets, found.targets, output.format))
    for error in (*found.unread, *found.refused):
        say(error_lines(error))
    for target in found.targets:
        if target.error:
            say(error_lines(target.error))
        if not output.quiet and not target.is_due and target.record:
            say(f"note: {note}" for note in target.notes if target.state == "restored")
        if target.is_left:
            say([f"error: {target.image_id} in {target.region} is not changed: {target.reason}"])
    if found.stopped:
        what = "Interrupted; the images that were begun are finished."
        say(error_lines(Interrupted(what, next_step="Run the same command again to continue.")))
    return int(found.exit_code or written)
