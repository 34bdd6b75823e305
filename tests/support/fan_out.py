"""The queue and the table of the fan-out template in moto, and what Lambda does between the queue and the workers."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from amicopy.aws.sent_notifications import PREFIX

EVENT = json.loads((Path(__file__).parents[1] / "functions" / "events" / "sqs.json").read_text())
QUEUE, TABLE = "amicopy-units.fifo", "amicopy-rounds"


@dataclass(frozen=True, slots=True)
class Deployed:
    """What the template deploys beside the functions."""

    sqs: Any
    dynamodb: Any
    queue_url: str

    @property
    def environment(self) -> dict[str, str]:
        """The variables of the functions."""
        return {"AMICOPY_QUEUE_URL": self.queue_url, "AMICOPY_TABLE": TABLE}

    def received(self, most: int = 10) -> list[Mapping[str, Any]]:
        """Return messages as they are received: of each group the first, and none of a group that has one in flight."""
        answer = self.sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=most)
        found: list[Mapping[str, Any]] = answer.get("Messages", [])
        return found

    def deleted(self, message: Mapping[str, Any]) -> None:
        """Delete a message, as Lambda does when the function has handled it."""
        self.sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])

    def given_back(self, message: Mapping[str, Any]) -> None:
        """Let a message be received again, as its visibility timeout does."""
        self.sqs.change_message_visibility(
            QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )

    def rounds(self) -> list[dict[str, Any]]:
        """Return every round of the table."""
        return [item for item in self._items() if not item["round"]["S"].startswith(PREFIX)]

    def notifications(self) -> list[dict[str, Any]]:
        """Return every record of a notification."""
        return [item for item in self._items() if item["round"]["S"].startswith(PREFIX)]

    def passed(self, *names: str) -> None:
        """Let the time pass until which somebody has taken something: these attributes of all items."""
        for item in self._items():
            for name in item.keys() & set(names):
                self.dynamodb.update_item(
                    TableName=TABLE,
                    Key={"round": item["round"]},
                    UpdateExpression=f"SET {name} = :past",
                    ExpressionAttributeValues={":past": {"N": "0"}},
                )

    def _items(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.dynamodb.scan(TableName=TABLE, ConsistentRead=True)["Items"]
        return items


def event_of(*messages: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event with which Lambda calls a worker for these messages."""
    [record] = EVENT["Records"]
    return {"Records": [record | {"messageId": one["MessageId"], "body": one["Body"]} for one in messages]}


@contextmanager
def deployed(region: str) -> Iterator[Deployed]:
    """Make the queue and the table."""
    sqs: Any = boto3.client("sqs", region)
    dynamodb: Any = boto3.client("dynamodb", region)
    attributes = {"FifoQueue": "true", "VisibilityTimeout": "720"}
    queue_url = sqs.create_queue(QueueName=QUEUE, Attributes=attributes)["QueueUrl"]
    dynamodb.create_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": "round", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "round", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    try:
        yield Deployed(sqs, dynamodb, queue_url)
    finally:
        sqs.close()
        dynamodb.close()
