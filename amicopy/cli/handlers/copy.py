"""``amicopy copy``: show the plan or execute it, and tell the result."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from amicopy.cli.confirm import agreed
from amicopy.cli.connection import run_connected
from amicopy.cli.environment import Environment
from amicopy.cli.handlers.run_output import RunOutput
from amicopy.cli.named_files import named_file
from amicopy.cli.option_values import ConnectionOptions, OutputOptions
from amicopy.cli.output_files import check_files
from amicopy.cli.prices import with_prices
from amicopy.cli.terminal import say
from amicopy.core.ec2_rules import check_image_id
from amicopy.core.errors import AmicopyError, ExitCode, UsageError
from amicopy.core.problems import Problems
from amicopy.core.request import CopyRequest
from amicopy.core.run_options import RunOptions
from amicopy.jobs.context import Context
from amicopy.jobs.copy import CopyJob, check_boot_regions
from amicopy.plan.plan import Plan
from amicopy.render.json_documents import plan_document, report_document
from amicopy.render.plan import plan_cells, plan_lines
from amicopy.render.summary import ending_lines, refusal_lines, wider_lines
from amicopy.render.text import error_lines

STDIN = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyCommand:
    """One ``amicopy copy``, as it was typed."""

    request: CopyRequest
    connection: ConnectionOptions
    output: OutputOptions
    run: RunOptions
    prices: str = ""  # a path
    arguments: tuple[str, ...] = ()  # AMI ids, and STDIN where those on stdin belong
    packer_manifest: str = ""
    dry_run: bool = False
    yes: bool = False  # make copies public without asking
    exit_code: bool = False  # --exit-code: work that is left changes the exit code


def copy(environment: Environment, command: CopyCommand) -> int:
    """Run ``amicopy copy``; return the exit code."""
    return run_connected("copy", environment, command.connection, command.output, partial(_copy, environment, command))


def _copy(environment: Environment, command: CopyCommand, context: Context) -> int:
    check_files(command.output)
    run_output = RunOutput(environment, context, command.output)
    request = _with_image_ids(command, context)
    problems, options = Problems(), command.run
    with problems.noted():
        options = with_prices(command.run, command.prices, context.session.partitions.keys())
    with problems.noted():
        job = CopyJob(context, [request], run_output.with_progress(options))
    problems.check()
    with run_output.looking([request]):
        plan = job.plan(may_write=not command.dry_run)
    check_boot_regions(plan, request, context.spelling)
    if command.dry_run:
        return _show(plan, context, command, run_output)
    if not command.output.quiet:
        say(plan_lines(plan, in_brief=True))
    if _makes_public(plan, command.request) and not agreed("Make the copies public?", yes=command.yes):
        return ExitCode.FAILED
    bug = run_output.follow(job.report, job.events())
    return _tell(job, bug, environment, command, run_output)


def _makes_public(plan: Plan, request: CopyRequest) -> bool:
    """Return whether the run will share a copy with everyone because the request says so, not because the source is."""
    return (
        not plan.refused
        and any(principal.is_public for principal in (*(request.share or ()), *(request.share_snapshots or ())))
        and any(row.writes and row.makes_public for row in plan.rows)
    )


def _show(plan: Plan, context: Context, command: CopyCommand, run_output: RunOutput) -> int:
    """Print the plan as the result."""
    code = plan.exit_code
    if code is ExitCode.OK and command.exit_code and (plan.has_work or plan.is_wider):
        code = ExitCode.DRIFT
    document = partial(plan_document, plan, code, context.calls.count())
    lines = () if command.output.quiet and not plan.has_work else plan_lines(plan)
    written = run_output.show_plan(plan, document, lines, plan_cells(plan), code)
    say([*wider_lines(plan), *refusal_lines(plan)])
    return int(code or written)


def _tell(
    job: CopyJob, bug: AmicopyError | None, environment: Environment, command: CopyCommand, run_output: RunOutput
) -> int:
    """Write the result, then what a person has to know to stderr, errors last."""
    report = job.report
    report.ended_by(bug)
    code = report.exit_code()
    if code is ExitCode.OK and command.exit_code and report.left_behind:
        code = ExitCode.TIME_OUT
    document = partial(report_document, report, code, job.context.clock.now(), job.context.calls.count())
    written = run_output.tell(report, document, code, has_changed=report.plan.has_work)
    if report.refused:
        say(refusal_lines(report.plan))
    else:
        say(ending_lines(report, environment.same_command, quiet=command.output.quiet))
    if report.error:
        say(error_lines(report.error))
    return int(code or written)


def _with_image_ids(command: CopyCommand, context: Context) -> CopyRequest:
    """Return the request with the AMI ids from stdin or from packer's manifest."""
    if command.packer_manifest:
        return _from_packer(command.packer_manifest, command.request, context)
    if STDIN in command.arguments:
        return replace(command.request, image_ids=_with_stdin(command.arguments))
    return command.request


def _with_stdin(arguments: Sequence[str]) -> tuple[str, ...]:
    """Return the ids, with those on stdin in place of ``-``.

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
        raise UsageError("There is no valid AMI id on stdin.", next_step="Give AMI ids, separated by spaces or lines.")
    ids = (one for argument in arguments for one in (words if argument == STDIN else [argument]))
    return tuple(dict.fromkeys(ids))


def _from_packer(path: str, request: CopyRequest, context: Context) -> CopyRequest:
    """Return the request with the AMI of packer's last run, and its region.

    Raises:
        UsageError: the file cannot be read, or has no AMI in that region.
    """
    from amicopy.manifest.packer import packer_artifacts

    content = named_file(f"--packer-manifest: {path}", path)
    try:
        found = packer_artifacts(content)
    except ValueError as error:
        raise UsageError(
            f"--packer-manifest: {path}: {error}.", next_step="Give the file of packer's manifest post-processor."
        ) from error
    named = request.source_region
    if named and named not in found:
        raise UsageError(
            f"--packer-manifest: {path} has no AMI in {named}.",
            why=f"It has one in: {', '.join(found)}.",
            next_step=f"--from {next(iter(found))}",
        )
    configured = named or context.session.region
    if configured not in found and len(found) > 1:
        raise UsageError(
            f"--packer-manifest: {path} has AMIs in several regions: {', '.join(found)}.",
            why="Only one of them is the source, and none is in the configured region.",
            next_step=f"Name the region of the source, for example: --from {next(iter(found))}",
        )
    region = configured if configured in found else next(iter(found))
    return replace(request, source_region=region, image_ids=(found[region],))
