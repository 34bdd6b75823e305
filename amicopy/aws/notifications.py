"""Messages to SNS topics and events on EventBridge buses. Writes only."""

import hashlib

from amicopy.aws.client import CallCounter, ServiceClient
from amicopy.aws.session import Session
from amicopy.core.errors import OutputFailed

# The messages of a FIFO topic arrive in order within a group; amicopy's are one.
_GROUP = "amicopy"
SOURCE, DETAIL_TYPE = "amicopy", "amicopy run ended"


def publish_message(
    session: Session, calls: CallCounter, *, region: str, topic: str, subject: str, message: str, message_id: str = ""
) -> None:
    """Send a message to a topic. A FIFO topic delivers the same ``message_id`` once within five minutes.

    In addition to what a call may raise: AccessDenied, RequestRefused (``NotFound``: there is no such topic).

    AWS: SNS Publish.
    """
    call = ServiceClient(session, "sns", region, calls)
    fifo = {}
    if topic.endswith(".fifo"):
        same = message_id or hashlib.sha256(message.encode()).hexdigest()
        fifo = {"MessageGroupId": _GROUP, "MessageDeduplicationId": same}
    call("Publish", TopicArn=topic, Subject=subject, Message=message, **fifo)


def put_event(session: Session, calls: CallCounter, *, region: str, bus: str, detail: str) -> None:
    """Put an event on a bus.

    Raises:
        OutputFailed: EventBridge did not take it.

    AWS: EventBridge PutEvents.
    """
    entry = {"Source": SOURCE, "DetailType": DETAIL_TYPE, "Detail": detail, "EventBusName": bus}
    call = ServiceClient(session, "events", region, calls)
    answer = call("PutEvents", Entries=[entry])
    failed = [one for one in answer.get("Entries", ()) if one.get("ErrorCode")]
    if failed:
        raise OutputFailed(
            f"EventBridge did not take the event for {bus}.",
            why=f"{failed[0]['ErrorCode']}: {failed[0].get('ErrorMessage', '')}",
            next_step="Check the event bus and its policy. The copies themselves are not affected.",
        )
