"""``amicopy status``: show, and with ``--watch`` show again.

Refuses to write to EC2.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from amicopy.cli.connection import run_connected
from amicopy.cli.environment import Environment
from amicopy.cli.handlers.survey_notes import tell_survey
from amicopy.cli.terminal import say, to_stdout
from amicopy.core.errors import ExitCode
from amicopy.core.request import CopyRequest
from amicopy.jobs.context import Context
from amicopy.jobs.status import StatusJob, StatusResult
from amicopy.render.result import write_json
from amicopy.render.status import standing_document, write_standings


def status(environment: Environment, **options: Any) -> int:
    """Run ``amicopy status`` with its parsed options; return the exit code."""
    return run_connected("status", environment, options, lambda context: _status(context, options))


def _status(context: Context, options: Mapping[str, Any]) -> int:
    """Show what is where, again and again while something is being copied, if asked to watch."""
    request = CopyRequest(source_region=options["source_region"] or "", image_ids=tuple(options["image_ids"]))
    job = StatusJob(context, request, options["regions"])
    shown: StatusResult | None = None
    written = ExitCode.OK
    for status in job.watch() if options["watch"] else [job.look()]:
        if shown is None or (status.copies, status.percents) != (shown.copies, shown.percents):
            written = _show(status, options)
        shown = status
    assert shown is not None  # there is one look at least
    tell_survey(job.existing, shown.survey, quiet=options["quiet"])
    return int(shown.exit_code or written)


def _show(status: StatusResult, options: Mapping[str, Any]) -> ExitCode:
    if options["output"] == "json":
        document = standing_document(status.copies, status.percents, status.survey, status.exit_code)
        return to_stdout(partial(write_json, document))
    if status.copies:
        return to_stdout(partial(write_standings, status.copies, status.percents, options["output"]))
    if not options["quiet"]:
        say(["no copy yet"])
    return ExitCode.OK
