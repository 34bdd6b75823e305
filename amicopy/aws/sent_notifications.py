"""What was sent to whom, in the functions' DynamoDB table: a notification is sent by one process and not sent again.

A record has the id of the last notification, and as of when its content was read. Whoever wants to send the next one
takes the record first. A process that ends between sending and recording leaves a record that can be taken again when
its time is over: then the same notification, with the same id, is sent a second time. It is never lost.
"""

import hashlib

from amicopy.aws.client import CallCounter
from amicopy.aws.conditional_table import ConditionalTable
from amicopy.aws.session import Session

PREFIX = "notified "  # of the records' keys, so that none is the id of a round
_IS_NEWER = (
    "(attribute_not_exists(sent) OR sent <> :id) AND (attribute_not_exists(as_of) OR as_of < :as_of) "
    "AND (attribute_not_exists(sending_until) OR sending_until <= :now)"
)
_IS_OURS = "sending_until = :until"


class SentNotifications:
    """The records for one manifest."""

    def __init__(self, session: Session, region: str, calls: CallCounter, *, table: str, manifest: str) -> None:
        self._table = ConditionalTable(session, region, calls, table)
        self._manifest = manifest

    def is_sent(self, target: str, notification_id: str) -> bool:
        """Return whether this was the last notification that the target got.

        AWS: DynamoDB GetItem.
        """
        return bool(self._table.get(self._key(target)).get("sent", {}).get("S") == notification_id)

    def take(self, target: str, notification_id: str, *, as_of: float, until: float) -> bool:
        """Take the record, until then; return whether this may be sent.

        It may not while another process is sending, and not if it was sent or something newer was.

        AWS: DynamoDB UpdateItem with a condition.
        """
        values = {":id": {"S": notification_id}, ":as_of": _number(as_of), ":now": _number(as_of)}
        values |= {":until": _number(until)}
        taken = self._table.update(self._key(target), "SET sending_until = :until", values, condition=_IS_NEWER)
        return taken is not None

    def record(self, target: str, notification_id: str, *, as_of: float, until: float) -> None:
        """Record that it was sent by the process that has taken the record until then.

        AWS: DynamoDB UpdateItem with a condition.
        """
        values = {":id": {"S": notification_id}, ":as_of": _number(as_of), ":until": _number(until)}
        change = "SET sent = :id, as_of = :as_of REMOVE sending_until"
        self._table.update(self._key(target), change, values, condition=_IS_OURS)

    def give_back(self, target: str, *, until: float) -> None:
        """Let others take the record that was taken until then: nothing was sent.

        AWS: DynamoDB UpdateItem with a condition.
        """
        values = {":until": _number(until)}
        self._table.update(self._key(target), "REMOVE sending_until", values, condition=_IS_OURS)

    def _key(self, target: str) -> str:
        return PREFIX + hashlib.sha256(f"{self._manifest} {target}".encode()).hexdigest()


def _number(value: float) -> dict[str, str]:
    return {"N": str(value)}
