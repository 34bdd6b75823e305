"""``amicopy sync``: read the manifest, show what would change or change it, and tell what came of it.

Refuses to do any of it itself: the job does.
"""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from amicopy.cli.connection import run_connected
from amicopy.cli.environment import Runtime
from amicopy.cli.handlers.run_output import Following
from amicopy.cli.output_files import check_files
from amicopy.cli.terminal import say
from amicopy.core.errors import AmicopyError, ExitCode, UsageError
from amicopy.jobs.context import Means
from amicopy.jobs.sync import SyncJob, SyncReport
from amicopy.manifest.read import read_manifest
from amicopy.render.json_documents import plan_document, report_document
from amicopy.render.result import write_lines
from amicopy.render.summary import ending_lines, refusal_lines
from amicopy.render.sync import after_lines, diff_lines, sync_members
from amicopy.render.text import error_lines


def sync(runtime: Runtime, **options: Any) -> int:
    """Run ``amicopy sync`` with its parsed options; return the exit code."""
    return run_connected("sync", runtime, options, lambda means: _sync(runtime, means, options))


def _sync(runtime: Runtime, means: Means, options: Mapping[str, Any]) -> int:
    path = options["manifest"]
    entries = read_manifest(path, _content(path))
    check_files(options)
    following = Following(runtime, means, options)
    job = SyncJob(means, entries, following.terms, preflight=not options["no_preflight"])
    result = job.plan(may_write=not options["dry_run"])
    if options["dry_run"]:
        return _show(result, means, options, following)
    if not options["quiet"]:
        say(diff_lines(result))
    following.follow(result.report, job.events())
    stopped: AmicopyError | None = None
    try:
        result = job.finish()
    except AmicopyError as error:  # the copies are told of all the same
        stopped = error
    return _tell(result, stopped, runtime, means, options, following)


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


def _show(result: SyncReport, means: Means, options: Mapping[str, Any], following: Following) -> int:
    """Print what would change as the result."""
    plan = result.report.plan
    code = plan.refusal().exit_code if plan.refused else ExitCode.OK
    if code is ExitCode.OK and result.errors:
        code = ExitCode.PARTIAL
    if code is ExitCode.OK and result.has_work and options["exit_code"]:
        code = ExitCode.DRIFT
    document = plan_document(plan, code, means.calls.count()) | sync_members(result)
    written = following.show(document, "plan", partial(write_lines, diff_lines(result)))
    if plan.refused:
        say(refusal_lines(plan))
    for error in result.errors:
        say(error_lines(error))
    return int(code or written)


def _tell(
    result: SyncReport,
    stopped: AmicopyError | None,
    runtime: Runtime,
    means: Means,
    options: Mapping[str, Any],
    following: Following,
) -> int:
    """Write the result, then what a person has to know, errors last, to stderr."""
    report = result.report
    report.error = report.error or stopped
    code = result.exit_code()
    if code is ExitCode.OK and options["exit_code"] and (report.left_behind or result.is_waiting):
        code = ExitCode.TIME_OUT
    document = report_document(report, code, means.clock.now(), means.calls.count()) | sync_members(result)
    written = following.tell(report, document, code)
    if not options["quiet"]:
        say(after_lines(result))
    if report.refused:
        say(refusal_lines(report.plan))
    else:
        say(ending_lines(report, runtime.same_command, quiet=options["quiet"]))
    for error in (*result.errors, *filter(None, [report.error])):
        say(error_lines(error))
    return int(code or written)
