"""One pass over a manifest in the time that is left: start, complete and replace what is possible now, then return."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from amicopy.aws_lambda.log import Problem
from amicopy.core.errors import Interrupted, TimedOut
from amicopy.core.parallel import Merged, Stop
from amicopy.core.run_options import RunOptions
from amicopy.jobs.context import Context
from amicopy.jobs.sync import SyncJob, SyncResult
from amicopy.manifest.model import Entry

_Result = TypeVar("_Result")

# Kept for what follows a pass: the answers to calls that are under way, and the log.
_MARGIN_SECONDS = 15.0
_MOST_DETAILS = 20  # of an error in an exception; the log has more of them
_ANSWER_SECONDS = 5.0  # for the log, and the way back
# So long after a pass's time, its process has ended for certain: Lambda has ended it.
AFTERWARDS_SECONDS = 60.0


def seconds_to_work(remaining_seconds: float) -> float:
    """Return how long a pass may take, of the time until Lambda ends the function."""
    return max(remaining_seconds - _MARGIN_SECONDS, remaining_seconds / 2)


def seconds_to_answer(remaining_seconds: float) -> float:
    """Return after how long the function answers, whatever its pass still waits for."""
    return remaining_seconds - min(_ANSWER_SECONDS, remaining_seconds / 4)


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
            raise too_large(seconds) from error
        for _ in job.events():
            pass  # everything is in the report
        return job.finish()


def too_large(seconds: float) -> TimedOut:
    """Return the error for what a pass cannot even plan in its time, so that repeating it is in vain."""
    return TimedOut(
        f"The pass has only looked, for {seconds:.0f} seconds, and started nothing.",
        why="The function's time was up. Another pass would not get any further, unless AWS was slow.",
        next_step="Give the function more time (Timeout, up to 900 seconds) and a full vCPU (MemorySize 1769), or "
        "split the manifest into several with fewer images or accounts each, deployed under names of their own: "
        "docs/explanation/at-scale.md.",
    )


def within(seconds: float, stop: Stop, work: Callable[[], _Result]) -> _Result:
    """Return what the work brings, in a thread that is left behind if it does not end in time.

    Raises:
        TimedOut: AWS has not answered some call.
    """
    merged: Merged[_Result] = Merged()
    merged.start(lambda put: put(work()))
    give_up = time.monotonic() + seconds
    while (left := give_up - time.monotonic()) > 0:
        if (done := merged.next(left)) is not None:
            return done
    stop.set()
    raise TimedOut(
        f"AWS has not answered a call, and the function's time was up after {seconds:.0f} seconds.",
        why="What was done until then is in AWS, and not in this line.",
        next_step="The next pass continues. If this happens again, check the AWS Health Dashboard.",
    )


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
