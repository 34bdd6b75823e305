"""``amicopy status``: show, and with ``--watch`` show again."""

import sys
from dataclasses import dataclass
from functools import partial

from amicopy.cli.connection import run_connected
from amicopy.cli.environment import Environment
from amicopy.cli.handlers.survey_notes import tell_survey
from amicopy.cli.option_values import ConnectionOptions, OutputOptions
from amicopy.cli.terminal import say, to_stdout
from amicopy.core.errors import ExitCode, Interrupted
from amicopy.core.request import CopyRequest
from amicopy.jobs.context import Context
from amicopy.jobs.status import StatusJob, StatusResult
from amicopy.plan.open_grants import grant_note
from amicopy.render.result import write_json
from amicopy.render.status import public_notes, standing_document, watching_ended, write_standings


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusCommand:
    """One ``amicopy status``, as it was typed."""

    request: CopyRequest
    regions: tuple[str, ...]
    connection: ConnectionOptions
    output: OutputOptions
    watch: bool = False


def status(environment: Environment, command: StatusCommand) -> int:
    """Run ``amicopy status``; return the exit code."""
    return run_connected("status", environment, command.connection, command.output, partial(_status, command))


def _status(command: StatusCommand, context: Context) -> int:
    """Show what is where; with ``watch`` again and again while something is being copied."""
    job = StatusJob(context, command.request, command.regions)
    shown: StatusResult | None = None
    written = ExitCode.OK
    try:
        for status in job.watch() if command.watch else [job.look()]:
            if shown is None or (status.copies, status.percents) != (shown.copies, shown.percents):
                written = _show(status, command.output)
            shown = status
    except Interrupted:
        if shown is None:
            raise
        if not command.output.quiet:  # the terminal has written ^C into this line
            say([*[""] * sys.stderr.isatty(), watching_ended(shown.copies)])
        return ExitCode.of_signal(context.stop.signal_number)
    assert shown is not None  # there is at least one look
    tell_survey(job.existing, shown.survey, quiet=command.output.quiet)
    if not command.output.quiet:
        say(f"note: {grant_note(grant)}" for grant in shown.grants)
        say(f"note: {note}" for note in public_notes(shown.copies, context.clock.now()))
    return int(shown.exit_code or written)


def _show(status: StatusResult, output: OutputOptions) -> ExitCode:
    if output.format == "json":
        document = standing_document(status.copies, status.percents, status.survey, status.exit_code, status.grants)
        return to_stdout(partial(write_json, document))
    if status.copies:
        return to_stdout(partial(write_standings, status.copies, status.percents, output.format))
    if not output.quiet:
        say(["no copy yet"])
    return ExitCode.OK
