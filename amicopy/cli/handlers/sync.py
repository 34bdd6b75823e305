"""``amicopy sync``: read the manifest, show what would change or change it, and tell the result."""

from dataclasses import dataclass, replace
from functools import partial

from amicopy.cli.connection import run_connected
from amicopy.cli.environment import Environment
from amicopy.cli.handlers.run_output import RunOutput
from amicopy.cli.named_files import manifest_content
from amicopy.cli.option_values import ConnectionOptions, OutputOptions
from amicopy.cli.output_files import check_files
from amicopy.cli.prices import with_prices
from amicopy.cli.terminal import say, to_stdout
from amicopy.core.errors import AmicopyError, ExitCode
from amicopy.core.grants import Grants
from amicopy.core.request import MANIFEST
from amicopy.core.run_options import RunOptions
from amicopy.jobs.context import Context
from amicopy.jobs.sync import SyncJob, SyncResult
from amicopy.jobs.units import entries_of_units, parse_unit, units_of
from amicopy.manifest.model import Entry
from amicopy.manifest.read import read_manifest
from amicopy.render.json_documents import plan_document, report_document, units_document
from amicopy.render.result import write_json
from amicopy.render.summary import ending_lines, refusal_lines, wider_lines
from amicopy.render.sync import after_lines, diff_cells, diff_lines, sync_members
from amicopy.render.text import error_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncCommand:
    """One ``amicopy sync``, as it was typed."""

    manifest: str  # a path, or - for stdin
    connection: ConnectionOptions
    output: OutputOptions
    run: RunOptions
    units: tuple[str, ...] = ()  # the ids of the only ones to work on
    prices: str = ""  # a path
    preflight: bool = True
    grants: Grants = Grants.TEMPORARY
    kms_grant: bool = False
    dry_run: bool = False
    exit_code: bool = False  # --exit-code: work that is left changes the exit code


def sync(environment: Environment, command: SyncCommand) -> int:
    """Run ``amicopy sync``; return the exit code."""
    return run_connected("sync", environment, command.connection, command.output, partial(_sync, environment, command))


def _sync(environment: Environment, command: SyncCommand, context: Context) -> int:
    entries = _entries(command, context)
    if command.units:
        entries = entries_of_units(entries, [parse_unit(unit_id) for unit_id in command.units])
    check_files(command.output)
    run_output = RunOutput(environment, context, command.output)
    options = with_prices(command.run, command.prices, context.session.partitions.keys())
    job = SyncJob(
        context,
        entries,
        run_output.with_progress(options),
        preflight=command.preflight,
        grants=command.grants,
        kms_grant=command.kms_grant,
    )
    with run_output.looking(request for entry in entries for request in entry.requests):
        result = job.plan(may_write=not command.dry_run)
    if command.dry_run:
        return _show(result, context, command, run_output)
    if not command.output.quiet:
        say(diff_lines(result))
    stopped = run_output.follow(result.report, job.events())
    try:
        result = job.finish()
    except AmicopyError as error:  # what became of the copies is told anyway
        stopped = stopped or error
    return _tell(result, stopped, environment, context, command, run_output)


def list_units(environment: Environment, command: SyncCommand) -> int:
    """Run ``amicopy sync --list-units``; return the exit code."""

    def show(context: Context) -> int:
        units = units_of(replace(context, spelling=MANIFEST), _entries(command, context))
        return int(to_stdout(partial(write_json, units_document(units))))

    return run_connected("sync", environment, command.connection, command.output, show)


def _entries(command: SyncCommand, context: Context) -> tuple[Entry, ...]:
    return read_manifest(
        command.manifest, manifest_content(command.manifest), regions=context.session.partitions.keys()
    )


def _show(result: SyncResult, context: Context, command: SyncCommand, run_output: RunOutput) -> int:
    """Print what would change as the result."""
    plan = result.report.plan
    code = plan.exit_code
    if code is ExitCode.OK and result.errors:
        code = ExitCode.PARTIAL
    if code is ExitCode.OK and command.exit_code and (result.has_work or plan.is_wider):
        code = ExitCode.DRIFT
    calls = context.calls.count()
    lines = () if command.output.quiet and not result.has_work else diff_lines(result)
    written = run_output.show_plan(
        plan, lambda: plan_document(plan, code, calls) | sync_members(result), lines, diff_cells(result), code
    )
    say([*wider_lines(plan), *refusal_lines(plan)])
    for error in result.errors:
        say(error_lines(error))
    return int(code or written)


def _tell(
    result: SyncResult,
    stopped: AmicopyError | None,
    environment: Environment,
    context: Context,
    command: SyncCommand,
    run_output: RunOutput,
) -> int:
    """Write the result, then what a person has to know, errors last, to stderr."""
    report = result.report
    report.ended_by(stopped)
    code = result.exit_code()
    if code is ExitCode.OK and command.exit_code and (report.left_behind or result.is_waiting):
        code = ExitCode.TIME_OUT
    calls, ended_at = context.calls.count(), context.clock.now()
    written = run_output.tell(
        report,
        lambda: report_document(report, code, ended_at, calls) | sync_members(result),
        code,
        has_changed=result.has_changed,
    )
    if not command.output.quiet:
        say(after_lines(result))
    if report.refused:
        say(refusal_lines(report.plan))
    else:
        say(ending_lines(report, environment.same_command, quiet=command.output.quiet))
    for error in (*result.errors, *filter(None, [report.error])):
        say(error_lines(error))
    return int(code or written)
