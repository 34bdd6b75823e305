"""``amicopy copy``: show the plan or carry it out, and tell what came of it.

Refuses to do any of it itself: the job does.
"""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from amicopy.cli.connection import run_connected
from amicopy.cli.copy_options import copy_request
from amicopy.cli.environment import Environment
from amicopy.cli.handlers.run_output import RunOutput
from amicopy.cli.output_files import check_files
from amicopy.cli.terminal import say
from amicopy.core.ec2_rules import check_image_id
from amicopy.core.errors import ExitCode, TimedOut, UsageError
from amicopy.jobs.context import Context
from amicopy.jobs.copy import CopyJob
from amicopy.plan.plan import Plan
from amicopy.render.json_documents import plan_document, report_document
from amicopy.render.plan import plan_lines
from amicopy.render.result import write_lines
from amicopy.render.summary import ending_lines, refusal_lines
from amicopy.render.text import error_lines


def copy(environment: Environment, **options: Any) -> int:
    """Run ``amicopy copy`` with its parsed options; return the exit code."""
    return run_connected("copy", environment, options, lambda context: _copy(environment, context, options))


def _copy(environment: Environment, context: Context, options: dict[str, Any]) -> int:
    check_files(options)
    if options["packer_manifest"]:
        _take_from_packer(context, options)
    elif "-" in options["image_ids"]:
        options["image_ids"] = _with_stdin(options["image_ids"])
    run_output = RunOutput(environment, context, options)
    job = CopyJob(context, [copy_request(options)], run_output.run_options)
    try:
        plan = job.plan(may_write=not options["dry_run"])
    except TimedOut as error:
        error.next_step = f"Run the same command again: {environment.same_command}"
        raise
    if options["dry_run"]:
        return _show(plan, context, options, run_output)
    if not options["quiet"]:
        say(plan_lines(plan, in_brief=True))
    run_output.follow(job.report, job.events())
    return _tell(job, environment, options, run_output)


def _show(plan: Plan, context: Context, options: Mapping[str, Any], run_output: RunOutput) -> int:
    """Print the plan as the result."""
    code = plan.refusal().exit_code if plan.refused else ExitCode.OK
    if code is ExitCode.OK and plan.has_work and options["exit_code"]:
        code = ExitCode.DRIFT
    document = plan_document(plan, code, context.calls.count())
    written = run_output.show(document, "plan", partial(write_lines, plan_lines(plan)))
    if plan.refused:
        say(refusal_lines(plan))
    return int(code or written)


def _tell(job: CopyJob, environment: Environment, options: Mapping[str, Any], run_output: RunOutput) -> int:
    """Write the result, then what a person has to know, errors last, to stderr."""
    report = job.report
    code = report.exit_code()
    if code is ExitCode.OK and options["exit_code"] and report.left_behind:
        code = ExitCode.TIME_OUT
    document = report_document(report, code, job.context.clock.now(), job.context.calls.count())
    written = run_output.tell(report, document, code)
    if report.refused:
        say(refusal_lines(report.plan))
    else:
        say(ending_lines(report, environment.same_command, quiet=options["quiet"]))
    if report.error:
        say(error_lines(report.error))
    return int(code or written)


def _with_stdin(image_ids: tuple[str, ...]) -> tuple[str, ...]:
    """Return the ids with those on stdin where ``-`` stands.

    Raises:
        UsageError: a word there is not a valid AMI id, or there is none.
    """
    words = [word for line in sys.stdin for word in line.partition("#")[0].split()]
    for word in words:
        try:
            check_image_id(word)
        except ValueError as error:
            raise UsageError(f"On stdin: {error}.", next_step="Give AMI ids, separated by spaces or lines.") from error
    if not words:
        raise UsageError(
            "There is not a valid AMI id on stdin.", next_step="Give AMI ids, separated by spaces or lines."
        )
    return tuple(one for image_id in image_ids for one in (words if image_id == "-" else [image_id]))


def _take_from_packer(context: Context, options: dict[str, Any]) -> None:
    """Put the AMI of packer's last run into the options.

    Raises:
        UsageError: the file cannot be read, or has no AMI in that region.
    """
    from amicopy.manifest.packer import packer_artifacts

    path = options["packer_manifest"]
    try:
        found = packer_artifacts(Path(path).read_bytes())
    except OSError as error:
        raise UsageError(f"--packer-manifest: {path} cannot be read.", why=f"{error.strerror}.") from error
    except ValueError as error:
        raise UsageError(
            f"--packer-manifest: {path}: {error}.", next_step="Give the file of packer's manifest post-processor."
        ) from error
    configured = options["source_region"] or context.session.region
    region = configured if configured in found else next(iter(found))
    if options["source_region"] and options["source_region"] not in found:
        raise UsageError(
            f"--packer-manifest: {path} has no AMI in {options['source_region']}.",
            why=f"It has one in: {', '.join(found)}.",
            next_step=f"--from {next(iter(found))}",
        )
    options["source_region"], options["image_ids"] = region, (found[region],)
