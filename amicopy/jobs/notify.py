"""Telling others how a run ended, once everything is written: SNS, EventBridge, a command."""

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from amicopy.aws.notifications import publish_message, put_event
from amicopy.core.check import CHECK_TIMEOUT, Check
from amicopy.core.errors import AmicopyError, OutputFailed
from amicopy.core.notification import Notification
from amicopy.execute.check_command import GRACE_SECONDS, CheckCommand
from amicopy.jobs.context import Context

# SNS and EventBridge take 256 KiB, with what is around the text.
_MOST_BYTES = 250_000
_BRIEF = ("schema", "command", "status", "exit_code", "error", "started_at", "ended_at", "notification_id")
_BRIEF_COPY = ("source_region", "source_id", "label", "region", "account", "state", "image_id")


def notify(context: Context, targets: Sequence[Notification], document: Mapping[str, Any]) -> list[AmicopyError]:
    """Tell each target how the run ended, with its JSON document; return an error for each that could not be told."""
    errors: list[AmicopyError] = []
    for target in targets:
        try:
            _tell(context, target, document)
        except AmicopyError as error:
            errors.append(error)
    return errors


def _tell(context: Context, target: Notification, document: Mapping[str, Any]) -> None:
    if not target.service:
        _run(context, target.text, document)
        return
    session, calls, text = context.session, context.calls, json.dumps(_bounded(document))
    if target.service == "events":
        send = partial(put_event, session, calls, region=target.region, bus=target.text, detail=text)
    else:
        send = partial(
            publish_message,
            session,
            calls,
            region=target.region,
            topic=target.text,
            subject=f"amicopy {document['command']}: {document['status']}",
            message=text,
            message_id=document.get("notification_id", ""),
        )
    try:
        send()
    except OutputFailed:
        raise
    except AmicopyError as error:
        raise OutputFailed(
            f"{target.text} could not be notified.",
            why=f"{error.what} {error.why}".strip(),
            next_step=f"Check that it exists in {target.region}, and that these credentials may use it. "
            "The copies are not affected.",
        ) from error


def _bounded(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the document, or what is most important in it, in as many bytes as fit into a message."""
    if _fits(document):
        return document
    copies = document.get("copies", [])
    brief = {name: document[name] for name in _BRIEF if name in document} | {
        "truncated": True,
        "states": dict(Counter(copy["state"] for copy in copies)),
        "copies": [{name: copy[name] for name in _BRIEF_COPY if name in copy} for copy in copies],
    }
    return brief if _fits(brief) else brief | {"copies": []}


def _fits(document: Mapping[str, Any]) -> bool:
    return len(json.dumps(document)) <= _MOST_BYTES


def _run(context: Context, text: str, document: Mapping[str, Any]) -> None:
    """Run a command with the document on stdin.

    Raises:
        OutputFailed: it cannot be started, fails, or does not end in time.
    """
    command = Check(command=text)
    environment = context.session.environment | {
        "AMICOPY_STATUS": str(document["status"]),
        "AMICOPY_EXIT_CODE": str(document["exit_code"]),
    }
    try:
        running = CheckCommand(
            [command.program, *command.words[1:]], environment, json.dumps(document).encode() + b"\n"
        )
    except (OSError, ValueError) as error:
        raise OutputFailed(f"The notification {text} could not be started.", why=f"{error}.") from error
    status = running.wait(CHECK_TIMEOUT.total_seconds())
    if status is None:
        running.terminate()
        give_up = time.monotonic() + GRACE_SECONDS
        running.wait(max(0.0, give_up - time.monotonic()))
        running.kill()
    if status != 0:
        failed = OutputFailed(
            f"The notification {text} failed.",
            why="It did not end in time." if status is None else f"It ended with exit status {status}.",
            next_step="The copies themselves are not affected.",
        )
        failed.details = running.last_lines
        raise failed
