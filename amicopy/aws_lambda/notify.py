"""Telling others, once, that everything a manifest asks for is done."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from amicopy.aws.sent_notifications import SentNotifications
from amicopy.aws_lambda.settings import Settings, session_of_functions
from amicopy.core.notification import Notification
from amicopy.jobs.context import Context
from amicopy.jobs.sync import SyncResult


def notify_once(settings: Settings, context: Context, result: SyncResult, *, as_of: float, until: float) -> bool:
    """Tell each target of ``AMICOPY_NOTIFY`` what a complete manifest came to, unless it knows; return whether all do.

    ``as_of`` is when the pass began to read, ``until`` when this process has ended for certain. What went wrong is in
    the report. A target gets each notification once, or more often if a process ends between sending and recording;
    its ``notification_id`` is always the same.
    """
    if not (targets := settings.notifications()):
        return True
    own, notification_id = session_of_functions(), _notification_id(settings.manifest, result)
    sent = SentNotifications(own, settings.region, context.calls, table=settings.table, manifest=settings.manifest)
    knowing = 0
    for target in targets:
        if sent.is_sent(target.text, notification_id):
            knowing += 1
        elif sent.take(target.text, notification_id, as_of=as_of, until=until):
            if _has_told(context, target, result, notification_id):
                sent.record(target.text, notification_id, as_of=as_of, until=until)
                knowing += 1
            else:
                sent.give_back(target.text, until=until)
    return knowing == len(targets)


def _has_told(context: Context, target: Notification, result: SyncResult, notification_id: str) -> bool:
    from amicopy.jobs.notify import notify
    from amicopy.render.json_documents import report_document
    from amicopy.render.sync import sync_members

    ended_at, calls = context.clock.now(), context.calls.count()
    document = report_document(result.report, result.exit_code(), ended_at, calls) | sync_members(result)
    errors = notify(context, [target], {**document, "notification_id": notification_id})
    for error in errors:
        result.report.ended_by(error)
    return not errors


def _notification_id(manifest: str, result: SyncResult) -> str:
    """Return an id that changes with the copies and with what is published of them, and with nothing else."""
    state = json.dumps([manifest, *sorted(_state(result))])
    return hashlib.sha256(state.encode()).hexdigest()


def _state(result: SyncResult) -> Iterator[list[Any]]:
    for outcome in result.report.outcomes:
        if outcome.is_well:
            yield ["copy", outcome.row.source.reference, str(outcome.row.destination), outcome.image_id]
    for write in result.parameter_writes:
        yield ["id", write.place, write.label, write.image_id]
