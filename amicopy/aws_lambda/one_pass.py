"""One pass over a manifest in the time that is left: start, complete and replace what is possible now, then return."""

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from amicopy.aws_lambda.log import Problem
from amicopy.core.errors import Interrupted, TimedOut
from amicopy.core.parallel import Stop
from amicopy.core.run_options import RunOptions
from amicopy.jobs.context import Context
from amicopy.jobs.sync import SyncJob, SyncResult
from amicopy.manifest.model import Entry

# Kept for what follows a pass: the answers to calls that are under way, and the log.
_MARGIN_SECONDS = 15.0
_MOST_DETAILS = 20  # of an error in an exception; the log has more of them
# So long after a pass's time, its process has ended for certain: Lambda has ended it.
AFTERWARDS_SECONDS = 60.0


def seconds_to_work(remaining_seconds: float) -> float:
    """Return how long a pass may take, of the time until Lambda ends the function."""
    return max(remaining_seconds - _MARGIN_SECONDS, remaining_seconds / 2)


def make_pass(context: Context, entries: Sequence[Entry], seconds: float) -> SyncResult:
    """Make one pass that ends after so many seconds; return what has been done and what is left.

    Raises:
        TimedOut: the time was up before anything was started.
        ManifestInvalid: a source is not found.
        AmicopyError: nothing could be planned.
    """
    job = SyncJob(context, entries, RunOptions(wait=False, timeout=timedelta(seconds=seconds)))
    with _stopping_after(context.stop, seconds):
        try:
            job.plan()
        except Interrupted as error:
            raise TimedOut(
                f"The pass has only looked, for {seconds:.0f} seconds, and started nothing.",
                why="The function's time was up.",
                next_step="Give the function more time, or fewer destinations: examples/lambda/fan-out.yaml.",
            ) from error
        for _ in job.events():
            pass  # everything is in the report
        return job.finish()


@contextlib.contextmanager
def _stopping_after(stop: Stop, seconds: float) -> Iterator[None]:
    timer = threading.Timer(seconds, stop.set)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class PassFailed(Exception):
    """A pass after which somebody has to look. Lambda counts it in the function's Errors."""


def failure(problems: Sequence[Problem], document: Mapping[str, Any]) -> PassFailed:
    """Return the exception for a pass that came to this, with the first of its errors in full."""
    scope = f"{document['function']} of amicopy {document['version']}, {document['manifest']}: {document['status']}."
    if not problems:
        return PassFailed(f"{scope} See the function's log.")
    first = problems[0][0]
    words = " ".join(filter(None, [first.what, first.why, *first.details[:_MOST_DETAILS], first.next_step]))
    more = f" ({len(problems) - 1} more in the log.)" if len(problems) > 1 else ""
    return PassFailed(f"{scope} {words} [{first.slug}]{more}")
