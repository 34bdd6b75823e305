"""Amazon SQS: sending messages to a FIFO queue."""

from collections.abc import Sequence
from dataclasses import dataclass

from amicopy.aws.client import CallCounter, ServiceClient
from amicopy.aws.session import Session
from amicopy.core.errors import RequestRefused

_AT_ONCE = 10  # SendMessageBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message for a FIFO queue: one group's messages are handled in order, one at a time."""

    body: str
    group: str
    deduplication_id: str  # the same id within five minutes is the same message


class Queue:
    """One FIFO queue, known by its URL."""

    def __init__(self, session: Session, region: str, calls: CallCounter, url: str) -> None:
        self._url = url
        self._call = ServiceClient(session, "sqs", region, calls)

    def send(self, messages: Sequence[Message]) -> None:
        """Send the messages, ten with each request. Safe to repeat: within five minutes, none is delivered twice.

        Raises:
            RequestRefused: SQS has not taken one of them.

        AWS: SQS SendMessageBatch.
        """
        for first in range(0, len(messages), _AT_ONCE):
            entries = [
                {
                    "Id": str(number),
                    "MessageBody": message.body,
                    "MessageGroupId": message.group,
                    "MessageDeduplicationId": message.deduplication_id,
                }
                for number, message in enumerate(messages[first : first + _AT_ONCE])
            ]
            failed = self._call("SendMessageBatch", QueueUrl=self._url, Entries=entries).get("Failed") or ()
            for one in failed:
                raise RequestRefused(
                    f"SQS has not taken {len(failed)} of {len(entries)} messages.",
                    code=one.get("Code", ""),
                    why=one.get("Message", ""),
                )

    def waiting(self) -> int:
        """Return about how many messages wait to be received.

        AWS: SQS GetQueueAttributes.
        """
        name = "ApproximateNumberOfMessages"
        answer = self._call("GetQueueAttributes", QueueUrl=self._url, AttributeNames=[name])
        return int(answer.get("Attributes", {}).get(name, 0))
