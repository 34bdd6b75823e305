"""``amicopy sync``: read the manifest, show what would change or change it, and tell what came of it.

Refuses to do any of it itself: the job does.
"""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from amicopy.cli.connection import run_connected
from amicopy.cli.environment import Environment
from amicopy.cli.handlers.run_output import RunOutput
from amicopy.cli.output_files import check_files
from amicopy.cli.terminal import say
from amicopy.core.errors import AmicopyError, ExitCode, UsageError
from amicopy.jobs.context import Context
from amicopy.jobs.sync import SyncJob, SyncResult
from amicopy.manifest.read import read_manifest
from amicopy.render.json_documents import plan_document, report_document
from amicopy.render.result import write_lines
from amicopy.render.summary import ending_lines, refusal_lines
from amicopy.render.sync import after_lines, diff_lines, sync_members
from amicopy.render.text import error_lines


def sync(environment: Environment, **options: Any) -> int:
    """Run ``amicopy sync`` with its parsed options; return the exit code."""
    return run_connected("sync", environment, options, lambda context: _sync(environment, context, options))


def _sync(environment: Environment, context: Context, options: Mapping[str, Any]) -> int:
    path = options["manifest"]
    entries = read_manifest(path, _content(path))
    check_files(options)
    run_output = RunOutput(environment, context, options)
    job = SyncJob(context, entries, run_output.run_options, preflight=not options["no_preflight"])
    result = job.plan(may_write=not options["dry_run"])
    if options["dry_run"]:
        return _show(result, context, options, run_output)
    if not options["quiet"]:
        say(diff_lines(result))
    run_output.follow(result.report, job.events())
    stopped: AmicopyError | None = None
    try:
        result = job.finish()
    except AmicopyError as error:  # the copies are told of all the same
        stopped = error
    return _tell(result, stopped, environment, context, options, run_output)


def _content(path: str) -> bytes:
    """Return what is in the manifest.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise UsageError(
            f"The manifest {path} cannot be read.", why=f"{error.strerror}.", next_step="Check its path and its mode."
        ) from error


def _show(result: SyncResult, context: Context, options: Mapping[str, Any], run_output: RunOutput) -> int:
    """Print what would change as the result."""
    plan = result.report.plan
    code = plan.refusal().exit_code if plan.refused else ExitCode.OK
    if code is ExitCode.OK and result.errors:
        code = ExitCode.PARTIAL
    if code is ExitCode.OK and result.has_work and options["exit_code"]:
        code = ExitCode.DRIFT
    document = plan_document(plan, code, context.calls.count()) | sync_members(result)
    written = run_output.show(document, "plan", partial(write_lines, diff_lines(result)))
    if plan.refused:
        say(refusal_lines(plan))
    for error in result.errors:
        say(error_lines(error))
    return int(code or written)


def _tell(
    result: SyncResult,
    stopped: AmicopyError | None,
    environment: Environment,
    context: Context,
    options: Mapping[str, Any],
    run_output: RunOutput,
) -> int:
    """Write the result, then what a person has to know, errors last, to stderr."""
    report = result.report
    report.error = report.error or stopped
    code = result.exit_code()
    if code is ExitCode.OK and options["exit_code"] and (report.left_behind or result.is_waiting):
        code = ExitCode.TIME_OUT
    document = report_document(report, code, context.clock.now(), context.calls.count()) | sync_members(result)
    written = run_output.tell(report, document, code)
    if not options["quiet"]:
        say(after_lines(result))
    if report.refused:
        say(refusal_lines(report.plan))
    else:
        say(ending_lines(report, environment.same_command, quiet=options["quiet"]))
    for error in (*result.errors, *filter(None, [report.error])):
        say(error_lines(error))
    return int(code or written)
