"""``amicopy retire``: find, ask, retire or restore, tell. Nothing is changed without a yes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from amicopy.cli.confirm import agreed
from amicopy.cli.connection import run_connected
from amicopy.cli.environment import Environment
from amicopy.cli.option_values import ConnectionOptions, OutputOptions
from amicopy.cli.terminal import say, show
from amicopy.core.accounts import TargetAccount
from amicopy.core.errors import ExitCode, Interrupted
from amicopy.core.parameter_choices import ParameterChoices
from amicopy.execute.retire import RetireState
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
    accounts: tuple[TargetAccount, ...]
    parameters: bool
    choices: ParameterChoices
    undo: bool
    restored: tuple[str, ...]  # AMIs of a release that takes the place of the one that is retired
    manifest: str  # a path, or - for stdin; empty: image_ids name the releases
    older_than: timedelta | None
    connection: ConnectionOptions
    output: OutputOptions
    yes: bool = False
    dry_run: bool = False


def retire(environment: Environment, command: RetireCommand) -> int:
    """Run ``amicopy retire``; return the exit code."""
    return run_connected("retire", environment, command.connection, command.output, partial(_retire, command))


def _retire(command: RetireCommand, context: Context) -> int:
    find = partial(_found, command, context)
    if command.manifest:
        job, found = _old_releases(command, context, find)
    else:
        job, found = find(command.image_ids, undo=command.undo, restored=command.restored)
    if not command.output.quiet:
        say(target_lines(found.targets))
        say(f"note: {note}" for note in found.notes)
        say(f"note: {note}" for target in found.targets for note in target.notes)
    if job and found.due and not command.dry_run and not found.refused:
        place = f"account {', '.join(found.accounts)}"
        doing = "" if command.output.quiet else f"{_intentions(found, 'restoring', 'retiring')} in {place}"
        question = f"{_intentions(found, 'restore', 'retire')} in {place}?"
        if not agreed(question, yes=command.yes, doing=doing):
            return ExitCode.FAILED
        found = job.carry_out(found)
        if found.due and found.stopped is None:
            say(["nothing was retired, because not everything could be restored"])
    return _tell(found, command.output)


def _found(
    command: RetireCommand,
    context: Context,
    image_ids: Sequence[str],
    *,
    undo: bool = False,
    restored: Sequence[str] = (),
    source_region: str = "",
    accounts: Sequence[TargetAccount] = (),
    choices: ParameterChoices | None = None,
) -> tuple[RetireJob, RetireResult]:
    job = RetireJob(
        context,
        image_ids,
        command.regions,
        source_region=source_region or command.source_region,
        exclude=command.exclude,
        accounts=accounts or command.accounts,
        parameters=command.parameters,
        choices=choices or command.choices,
        undo=undo,
        restored=restored,
    )
    return job, job.find()


def _old_releases(
    command: RetireCommand, context: Context, find: Callable[..., tuple[RetireJob, RetireResult]]
) -> tuple[RetireJob | None, RetireResult]:
    """Return what there is of the manifest's earlier releases; no job if there are none."""
    from amicopy.cli.named_files import manifest_content
    from amicopy.jobs.old_releases import old_releases
    from amicopy.manifest.read import read_manifest

    regions = context.session.partitions.keys()
    entries = read_manifest(command.manifest, manifest_content(command.manifest), regions=regions)
    old = old_releases(context, entries, command.older_than or timedelta(0))
    choices = replace(command.choices, left=(*command.choices.left, *old.left))
    named = {one.name for one in command.accounts}
    job, found = None, RetireResult(targets=(), notes=old.notes)
    for region, image_ids in old.sources:
        accounts = (*command.accounts, *(one for one in old.accounts if one.name not in named))
        job, more = find(image_ids, source_region=region, accounts=accounts, choices=choices)
        found = found.with_more(more)
    return job, found


def _intentions(found: RetireResult, restoring: str, retiring: str) -> str:
    counts = {
        restoring: sum(target.state is RetireState.RESTORE for target in found.due),
        retiring: sum(target.state is RetireState.RETIRE for target in found.due),
    }
    return ", then ".join(f"{word} {counted(count, 'image')}" for word, count in counts.items() if count)


def _tell(found: RetireResult, output: OutputOptions) -> int:
    told = () if found.refused else found.targets  # what was only planned is not a result
    written = show(output.format, partial(retire_document, found), partial(write_targets, told, output.format))
    for error in (*found.unread, *found.refused):
        say(error_lines(error))
    if found.refused:
        say(["nothing was changed"])
    for target in found.targets:
        if target.error:
            say(error_lines(target.error))
        if not output.quiet and not target.is_due and target.record:
            say(f"note: {note}" for note in target.notes if target.state == "restored")
        if target.is_left:
            say([f"error: {target.image_id} in {target.place} is not changed: {target.reason}"])
    if found.stopped:
        what = "Interrupted; the images that were begun are finished."
        say(error_lines(Interrupted(what, next_step="Run the same command again to continue.")))
    return int(found.exit_code or written)
