"""The functions as Lambda calls them. None looks into a schedule's or an EventBridge event: it only says when."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from amicopy.aws.client import CallCounter
from amicopy.aws_lambda.fan_out import FanOut, Task
from amicopy.aws_lambda.log import bug_error, pass_document, problems_of, write_line
from amicopy.aws_lambda.manifests import entries_of, read_content
from amicopy.aws_lambda.notify import notify_once
from amicopy.aws_lambda.one_pass import (
    AFTERWARDS_SECONDS,
    PassFailed,
    failure,
    make_pass,
    seconds_to_answer,
    seconds_to_work,
    within,
)
from amicopy.aws_lambda.settings import Settings, session
from amicopy.core.clock import SystemClock
from amicopy.core.errors import AmicopyError, CredentialsExpired, ExitCode
from amicopy.jobs.context import Context
from amicopy.jobs.sync import SyncResult

# A pass ends well with one of these and without errors. Anything else is raised.
_WELL = frozenset({ExitCode.OK, ExitCode.TIME_OUT})


class LambdaContext(Protocol):
    """The part of Lambda's context object that is used."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends the function."""


def handler(_event: object, lambda_context: LambdaContext) -> dict[str, Any]:
    """Make one pass over the manifest of ``AMICOPY_MANIFEST``; return what it came to, and log the same line.

    Copies that are still in progress are not waited for: the next call completes them.

    Raises:
        PassFailed: somebody has to look: a copy failed, something is denied, the manifest is wrong.
    """
    one = _Pass("handler")

    def work(context: Context) -> SyncResult:
        now = time.time()
        one.settings.notifications()  # what is wrong with them is reported before anything starts
        entries = entries_of(one.settings, read_content(one.settings, context.calls))
        seconds = _seconds(lambda_context)
        result = make_pass(context, entries, seconds)
        if result.is_complete:
            notify_once(one.settings, context, result, as_of=now, until=now + seconds + AFTERWARDS_SECONDS)
        return result

    return one.run(work, lambda_context)


def dispatcher(_event: object, lambda_context: LambdaContext) -> dict[str, Any]:
    """Send one message for each unit of the manifest that is not up to date to the queue ``AMICOPY_QUEUE_URL``.

    Raises:
        PassFailed: somebody has to look.
    """
    one = _Pass("dispatcher")

    def work(context: Context) -> None:
        one.settings.check_shared()
        now = time.time()
        dispatched = FanOut(one.settings, context).dispatch(now)
        one.is_complete = dispatched.round.finished
        one.more["dispatched"] = dispatched.messages
        one.more["unfinished_seconds"] = dispatched.round.unfinished_seconds(now)

    return one.run(work, lambda_context)


def worker(event: Mapping[str, Any], lambda_context: LambdaContext) -> dict[str, Any]:
    """Make one pass for each message of an SQS event; return those that failed, which SQS delivers again.

    After a failure the others of the event are handed back unread, so that a group's messages stay in order.
    """
    failed: list[dict[str, str]] = []
    for record in event["Records"]:
        if failed or not _has_worked(record["body"], lambda_context):
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def _has_worked(body: str, lambda_context: LambdaContext) -> bool:
    """Do what a message asks for; return whether that went well. What did not is in the log."""
    one = _Pass("worker")

    def work(context: Context) -> SyncResult | None:
        one.settings.check_shared()
        task = Task.parse(body)
        one.unit = task.unit_id
        work = FanOut(one.settings, context).work(task, time.time(), _seconds(lambda_context))
        one.is_reported, one.is_complete = work.is_reported, work.is_complete
        one.notes += filter(None, [work.note])
        return work.result

    try:
        one.run(work, lambda_context)
    except PassFailed:
        return one.is_reported
    return True


def _seconds(lambda_context: LambdaContext) -> float:
    return seconds_to_work(lambda_context.get_remaining_time_in_millis() / 1000)


@dataclass(slots=True)
class _Pass:
    """One pass of a function, recorded in one line of the log however it ends."""

    function: str
    settings: Settings = field(default_factory=Settings.read)
    unit: str = ""
    is_reported: bool = False  # by others: Lambda need not call again
    is_complete: bool | None = None  # what was asked for is done; None: as the result of the pass says
    notes: list[str] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)  # further members of the line

    def run(self, work: Callable[[Context], SyncResult | None], lambda_context: LambdaContext) -> dict[str, Any]:
        """Do the work in the time that remains; return what it came to.

        Raises:
            PassFailed: it went wrong.
            Exception: a bug, which is in the line, too.
        """
        result, error, cause, bug = None, None, None, None
        calls, clock = CallCounter(), SystemClock()
        started_at = clock.now()
        try:
            seconds = seconds_to_answer(lambda_context.get_remaining_time_in_millis() / 1000)
            context = Context(session=session(), clock=clock, calls=calls, again="The next pass continues.")
            [result] = within(seconds, context.stop, lambda: [work(context)])
        except AmicopyError as known:
            error = cause = known
            if isinstance(known, CredentialsExpired):
                session.cache_clear()
        except Exception as unknown:
            error, bug = bug_error(unknown), unknown
        document = pass_document(
            function=self.function,
            manifest=self.settings.manifest,
            unit=self.unit,
            result=result,
            error=error,
            is_complete=self.is_complete,
            notes=self.notes,
            calls=calls,
            started_at=started_at,
            ended_at=clock.now(),
            **self.more,
        )
        write_line(document)
        if bug:
            raise bug
        if document["exit_code"] in _WELL and not document["errors"]:
            return document
        raise failure(problems_of(result, error), document) from cause
