"""``amicopy cancel``: find, ask, remove, tell.

Refuses to remove anything that a person, or --yes, has not agreed to.
"""

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import click

from amicopy.cli.connection import run_connected
from amicopy.cli.environment import Environment
from amicopy.cli.signals import interruptible
from amicopy.cli.terminal import say, to_stdout
from amicopy.core.errors import ExitCode, Interrupted, UsageError
from amicopy.execute.cancel import Target
from amicopy.jobs.cancel import CancelJob, CancelResult
from amicopy.jobs.context import Context
from amicopy.render.cancel import cancel_document, target_lines, write_targets
from amicopy.render.result import write_json
from amicopy.render.text import counted, error_lines


def cancel(environment: Environment, **options: Any) -> int:
    """Run ``amicopy cancel`` with its parsed options; return the exit code."""
    return run_connected("cancel", environment, options, lambda context: _cancel(context, options))


def _cancel(context: Context, options: Mapping[str, Any]) -> int:
    job = CancelJob(
        context,
        options["image_ids"],
        options["regions"],
        source_region=options["source_region"],
        available=options["available"],
    )
    found = job.find()
    if not options["quiet"]:
        say(target_lines(found.targets))
    if not found.targets and not found.unread and not options["quiet"]:
        what = "of " + ", ".join(options["image_ids"]) if options["image_ids"] else "with our tag"
        say([f"nothing to cancel: no copy {what} is to go in {', '.join(job.regions)}"])
    if found.going and not options["dry_run"]:
        if not options["yes"] and not _agreed(found.going):
            say(["nothing was removed"])
            return ExitCode.FAILED
        found = job.remove(found)
    return _tell(found, options)


def _agreed(going: Sequence[Target]) -> bool:
    """Ask the person at the terminal; Ctrl-C and Ctrl-D mean no."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "There is nobody to ask, so nothing was removed.",
            why="Without a terminal cancel removes only what it was told to remove without asking.",
            next_step="Look with --dry-run, then run it with --yes.",
        )
    try:
        with interruptible():
            return click.confirm(f"Remove {counted(len(going), 'of them', 'of them')}?", err=True)
    except click.Abort as error:
        raise Interrupted("Interrupted; nothing was removed.") from error


def _tell(found: CancelResult, options: Mapping[str, Any]) -> int:
    if options["output"] == "json":
        document = cancel_document(found.targets, found.unread, found.exit_code)
        written = to_stdout(partial(write_json, document))
    else:
        written = to_stdout(partial(write_targets, found.targets, options["output"]))
    for error in found.unread:
        say(error_lines(error))
    for target in found.targets:
        if target.error:
            say(error_lines(target.error))
        for snapshot_id in target.kept:
            say([f"error: {snapshot_id} in {target.region} is still there, {target.snapshots[snapshot_id]}"])
    return int(found.exit_code or written)
