"""``amicopy cancel``: find, ask, remove, tell. Nothing is removed without a yes, from a person or ``--yes``."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from amicopy.cli.confirm import agreed
from amicopy.cli.connection import run_connected
from amicopy.cli.environment import Environment
from amicopy.cli.option_values import ConnectionOptions, OutputOptions
from amicopy.cli.terminal import say, show
from amicopy.core.accounts import TargetAccount
from amicopy.core.errors import ExitCode
from amicopy.jobs.cancel import CancelJob, CancelResult
from amicopy.jobs.context import Context
from amicopy.render.cancel import cancel_document, target_lines, write_targets
from amicopy.render.text import counted, error_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelCommand:
    """One ``amicopy cancel``, as it was typed."""

    image_ids: tuple[str, ...]  # none: all pending copies that amicopy made
    copy_ids: tuple[str, ...]
    source_region: str
    regions: tuple[str, ...]
    exclude: tuple[str, ...]
    accounts: tuple[TargetAccount, ...]
    connection: ConnectionOptions
    output: OutputOptions
    available: bool = False
    in_use: bool = False
    yes: bool = False
    dry_run: bool = False


def cancel(environment: Environment, command: CancelCommand) -> int:
    """Run ``amicopy cancel``; return the exit code."""
    return run_connected("cancel", environment, command.connection, command.output, partial(_cancel, command))


def _cancel(command: CancelCommand, context: Context) -> int:
    job = CancelJob(
        context,
        command.image_ids,
        command.regions,
        source_region=command.source_region,
        available=command.available,
        in_use=command.in_use,
        copy_ids=command.copy_ids,
        exclude=command.exclude,
        accounts=command.accounts,
    )
    found = job.find()
    if not command.output.quiet:
        say(f"note: {note}" for note in found.notes)
        say(target_lines(found.targets, found.grants))
    if not found.targets and not found.grants and not found.unread and not command.output.quiet:
        named = (*command.image_ids, *command.copy_ids)
        what = "of " + ", ".join(named) if named else "with amicopy's tag"
        say([f"nothing to cancel: found no copy {what} to remove in {', '.join(map(str, job.destinations))}"])
    if (found.going or found.grants) and not command.dry_run:
        doing = " and ".join(_intentions(found, "removing", "terminating", "ending"))
        question = f"{' and '.join(_intentions(found, 'remove', 'terminate', 'end'))}?"
        if not agreed(question, yes=command.yes, doing="" if command.output.quiet else doing):
            return ExitCode.FAILED
        found = job.remove(found)
    return _tell(found, command.output)


def _intentions(found: CancelResult, removing: str, terminating: str, ending: str) -> Iterator[str]:
    """Yield what is done to copies, to instances and to temporary permissions."""
    if found.going:
        images = sum(target.is_image for target in found.going)
        snapshots = sum(target.is_snapshot for target in found.going)
        counts = [counted(images, "copy", "copies")] * bool(images) + [counted(snapshots, "snapshot")] * bool(snapshots)
        if counts:
            yield f"{removing} {' and '.join(counts)} from account {', '.join(found.accounts)}"
        if instances := sum(target.is_instance for target in found.going):
            yield f"{terminating} {counted(instances, 'instance')}"
    if found.grants:
        permissions = counted(len(found.grants), "temporary permission")
        yield f"{ending} {permissions}"


def _tell(found: CancelResult, output: OutputOptions) -> int:
    document = partial(cancel_document, found.targets, found.unread, found.exit_code, found.notes, found.grants)
    written = show(output.format, document, partial(write_targets, found.targets, output.format))
    for error in (*found.unread, *found.left_open):
        say(error_lines(error))
    for target in found.targets:
        if target.error:
            say(error_lines(target.error))
        for snapshot_id in target.remaining_snapshots:
            say([f"error: {snapshot_id} in {target.place} is still there, {target.snapshots[snapshot_id]}"])
    return int(found.exit_code or written)
